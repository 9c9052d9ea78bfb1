"""The URLs that the settings give a project, with the driver that its environment has, and that it asks for."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator, Sequence

from sqlalchemy import exc
from sqlalchemy.engine import URL
from sqlalchemy.engine.url import make_url

from alembic_pgpatterns.runner.drivers import ASYNC_DRIVERS, usable_driver

PLAIN = "{url}"
_USER = "pgpatterns"
_GIVEN_TO = frozenset({_USER, "postgres"})
"""Who connects by a URL of the settings: nobody, or the scratch server's own user."""
# psycopg may be there for our sake alone. Who has asyncpg wants it.
_IN_ORDER = ("psycopg2", "asyncpg", "psycopg", "pg8000")
_SYNCHRONOUS = ("psycopg2", "psycopg", "pg8000")


def url_for_project() -> str:
    """``{url}``, or ``{url+DRIVER}`` where the driver is missing that SQLAlchemy takes if the URL names none."""
    return _word((_default(), *_IN_ORDER))


def _default() -> str:
    """psycopg2 up to SQLAlchemy 2.0, psycopg since 2.1 (its docs, "What's New in SQLAlchemy 2.1?")."""
    return URL.create("postgresql").get_dialect().driver


def _word(drivers: Sequence[str]) -> str:
    """The word for a URL with the first of some drivers that can be used."""
    driver = usable_driver(drivers)
    return PLAIN if driver == _default() else f"{{url+{driver}}}"


def postgresql_url(driver: str, database: str = "pgpatterns") -> URL:
    """A URL of PostgreSQL. It leads nowhere, and need not: connections are redirected."""
    return URL.create(f"postgresql+{driver}", username=_USER, host="localhost", database=database)


def is_given_url(value: object) -> bool:
    """Whether the settings have given this URL."""
    try:
        url = make_url(str(value))
    except (exc.ArgumentError, ValueError):
        return False
    return url.get_backend_name() == "postgresql" and url.username in _GIVEN_TO


def other_urls(error: BaseException, text: str) -> Iterator[tuple[str, str]]:
    """The variables whose URL the project cannot use because of its driver, each with the word for one that it can.

    Args:
        error: raised by env.py, or by a module that it imports.
        text: of the error.
    """
    word = _fitting(error, text)
    if word is not None:
        yield from ((name, word) for name, value in os.environ.items() if is_given_url(value))


def _fitting(error: BaseException, text: str) -> str | None:
    """The word for a URL with the driver that the project asks for by its error."""
    if isinstance(error, ModuleNotFoundError):
        return url_for_project() if error.name in _IN_ORDER else None
    if isinstance(error, exc.InvalidRequestError) and "async driver" in text:
        return _word(ASYNC_DRIVERS)
    # A synchronous engine with asyncpg: it waits outside of a greenlet.
    if type(error).__name__ == "MissingGreenlet":
        return _word(_SYNCHRONOUS)
    return PLAIN if _refused_by_driver(error, text) or _has_two_drivers(error) else None


def _has_two_drivers(error: BaseException) -> bool:
    """Whether SQLAlchemy was given ``postgresql+psycopg+psycopg``: the project adds the driver itself."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = last[0].filename.replace(os.sep, "/") if last else ""
    return isinstance(error, ValueError) and place.endswith("sqlalchemy/dialects/__init__.py")


def _refused_by_driver(error: BaseException, text: str) -> bool:
    """Whether a driver itself was given a URL with SQLAlchemy's word for a driver, as in ``asyncpg.connect(url)``."""
    of_driver = str(type(error).__module__).partition(".")[0] in _IN_ORDER or isinstance(error, ValueError)
    return of_driver and bool(re.search(r"postgresql\+\w+", text)) and "DSN" in text.upper()
