"""What env.py lacked when it failed, as plain data: the parent knows which settings give it."""

from __future__ import annotations

import configparser
import re
import traceback
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import exc
from sqlalchemy.engine import Connection
from sqlalchemy.engine.url import make_url

from alembic_pgpatterns.errors import ApplicationFailed, text_of
from alembic_pgpatterns.output.causes import causes
from alembic_pgpatterns.runner import missing_settings
from alembic_pgpatterns.runner.asked_applications import asked_applications
from alembic_pgpatterns.runner.environment_reads import modes
from alembic_pgpatterns.runner.messages import Need
from alembic_pgpatterns.runner.missing_drivers import missing_driver
from alembic_pgpatterns.runner.missing_files import missing_file
from alembic_pgpatterns.runner.settings_classes import settings_variables
from alembic_pgpatterns.runner.supplies import Lent, asked_options
from alembic_pgpatterns.runner.url_drivers import postgresql_url

URL_OPTION = "sqlalchemy.url"
WITHOUT_URL = "without_url"
"""The kind of need of a project that creates an engine without a URL: it has it from elsewhere than Alembic."""
PLACEHOLDER = "driver://"
"""How the URL of Alembic's template begins; env.py is to find the real one elsewhere."""


def of_error(error: BaseException, config: Any, driver: str, async_driver: str) -> Iterator[Need]:
    """What an error of env.py says is missing.

    Args:
        error: what env.py raised.
        config: Alembic's.
        driver: for PostgreSQL, that can be imported.
        async_driver: the same, for an asynchronous engine.
    """
    if isinstance(error, ApplicationFailed):
        yield Need("application")
        error = error.__cause__ or error
    yield from map(Need, asked_applications(error))
    for name, value in missing_settings.missing(error):
        yield Need("variable", name, value)
    if (file := missing_file(error)) is not None and file.variable and file.example:
        yield Need("file", file.variable, file.example)
    if (module := _missing_module(error)) is not None:
        yield Need("module", module)
    if not isinstance(error, (exc.SQLAlchemyError, ImportError, SyntaxError, NameError)):
        yield from (Need("mode", name, value) for name, value in modes(error))
    if _is_other_than_connection(error):
        yield Need("no connection")
    if (from_elsewhere := _sets_nothing(error)) or _without_url(error) or _misses_database(error):
        yield Need(WITHOUT_URL, "")
    asks = URL_OPTION in asked_options(config)  # before we ask ourselves
    url = _option(config)
    if (sqlite := _sqlite_for_async(error)) is not None:
        yield Need("sqlite", sqlite)
    elif _wants_async(error):
        yield Need("url", async_driver)
    elif missing_driver(error) not in (None, driver) and url.startswith("postgresql"):
        yield Need("url", driver, url)
    elif from_elsewhere:
        return
    elif (
        (not url and (_without_url(error) or asks))
        or (url.startswith(PLACEHOLDER) and isinstance(error, exc.NoSuchModuleError))
        or (isinstance(error, exc.ArgumentError) and not _is_url(url))
    ):
        yield Need("url", driver, url)


def reads_its_tables(error: BaseException) -> bool:
    """Whether env.py reads a table that the revisions make, as an application may that it imports."""
    return "42P01" in (getattr(getattr(error, "orig", None), name, None) for name in ("sqlstate", "pgcode"))


def url_variables(refused: list[str], read: Iterable[str], driver: str, async_driver: str) -> Iterator[Need]:
    """The variables that may give the project another URL than the SQLite ones that were refused, or any at all.

    Args:
        refused: those URLs; an empty text where an engine was created without one.
        read: what the project's code read; variables as ``env:NAME``.
        driver: as for `of_error`.
        async_driver: as for `of_error`.
    """
    if not refused:
        return
    chosen = async_driver if "aiosqlite" in refused[0] else driver
    url = postgresql_url(chosen).render_as_string()
    names = {item.removeprefix("env:") for item in read if item.startswith("env:")}
    for name in sorted({*filter(_names_a_url, names), *filter(_names_a_url, settings_variables())}):
        yield Need("url_variable", name, url)


def _names_a_url(name: str) -> bool:
    return bool(_OF_URLS.search(name)) and bool(_OF_DATABASES.search(name))


_OF_URLS = re.compile("URL|DSN|URI|CONN", re.IGNORECASE)
_OF_DATABASES = re.compile("DATABASE|DB|SQL|POSTGRES|PG", re.IGNORECASE)


def _missing_module(error: BaseException | None) -> str | None:
    """The top package of a module that was not found, by an error or by what caused it."""
    missing = next((cause for cause in causes(error, contexts=False) if isinstance(cause, ModuleNotFoundError)), None)
    return str(missing.name or "").partition(".")[0] or None if missing is not None else None


def _option(config: Any) -> str:
    try:
        return str(config.get_main_option(URL_OPTION) or "")
    except Exception:  # an interpolation that fails, which is the error itself
        return "?"


def _is_url(text: str) -> bool:
    """Whether SQLAlchemy can read it. A program may fill its ini as a template: ``sqlalchemy.url = {db_url}``."""
    try:
        make_url(text)
    except exc.ArgumentError:
        return False
    return True


def _wants_async(error: BaseException) -> bool:
    return isinstance(error, exc.InvalidRequestError) and "async driver" in str(error)


def _sqlite_for_async(error: BaseException) -> str | None:
    """The URL of SQLite, without a password, for which SQLAlchemy was to make an asynchronous engine."""
    if not _wants_async(error):
        return None
    engines = (frame.f_locals.get("sync_engine") for frame, _ in traceback.walk_tb(error.__traceback__))
    urls = [engine.url for engine in engines if engine is not None and engine.dialect.name == "sqlite"]
    return urls[-1].render_as_string(hide_password=True) if urls else None


def _is_other_than_connection(error: BaseException) -> bool:
    """Whether the code takes a connection that it was given for something else: for a dictionary, say."""
    if isinstance(error, AttributeError):
        return isinstance(error.obj, (Connection, Lent)) and error.name not in _FORMER_METHODS
    return isinstance(error, TypeError) and bool(re.match(r"'(?:Connection|Lent)' object (?:is|does) not", str(error)))


_FORMER_METHODS = ("contextual_connect", "run_callable", "transaction", "schema_for_object")
"""Of SQLAlchemy's connections, before 2.0."""


def _sets_nothing(error: BaseException) -> bool:
    """Whether env.py sets Alembic's URL to None, which its application has in place of one."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    in_parser = bool(last) and last[0].filename == configparser.__file__
    return in_parser and isinstance(error, TypeError) and str(error) == "option values must be strings"


def _without_url(error: BaseException) -> bool:
    """Whether SQLAlchemy was given no URL, directly or by ``engine_from_config``."""
    last = traceback.extract_tb(error.__traceback__)[-3:]
    in_engine = any(
        frame.filename.replace("\\", "/").rpartition("/sqlalchemy/")[2].startswith(_PLACES) for frame in last
    )
    missing = isinstance(error, KeyError) and error.args[:1] == ("url",)
    return missing or (in_engine and isinstance(error, (exc.ArgumentError, AttributeError, TypeError)))


def _misses_database(error: BaseException) -> bool:
    """Whether the project itself says that it knows no database, as in "no database connection information found"."""
    if str(type(error).__module__).startswith(missing_settings.LIBRARIES):
        return False
    return bool(_DATABASE_MISSING.search(text_of(error)))


_DATABASE_MISSING = re.compile(
    r"\b(?:no|not|without|missing|required?|must|set|specify|provide)\b.*\b(?:database|db|postgres\w*|dsn)\b"
    r"|\b(?:database|db|postgres\w*|dsn)\b.*\b(?:not|missing|required?|must|needed|unset|undefined)\b",
    re.IGNORECASE,
)

_PLACES = ("engine/create.py", "engine/url.py", "ext/asyncio/engine.py")
