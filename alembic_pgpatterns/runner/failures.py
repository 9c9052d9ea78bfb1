"""Failures in the project's code as plain data: what failed, where, and the server's message."""

from __future__ import annotations

import configparser
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import exc
from sqlalchemy.engine import Row

from alembic_pgpatterns.errors import ApplicationFailed, PgPatternsError, text_of
from alembic_pgpatterns.output.causes import causes
from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.output.secret_excerpts import DONE
from alembic_pgpatterns.output.secrets import without_secrets
from alembic_pgpatterns.runner import quiet_log
from alembic_pgpatterns.runner.messages import Failure
from alembic_pgpatterns.runner.missing_settings import settings_to_add
from alembic_pgpatterns.runner.paths import relative
from alembic_pgpatterns.schema.origin import Location


class HistoryError(Exception):
    """The revision files do not form a history; the message is for the user."""


class NoDowngrade(Exception):
    """A revision that is to be downgraded has no function for it; the message is for the user."""


def failure_of(error: BaseException, folder: str, files: frozenset[str] = frozenset()) -> Failure:
    """Turn an error into plain data.

    Args:
        error: what was raised.
        folder: of the migrations; a line in it is the place if there is none in a revision.
        files: the absolute paths of the revisions.
    """
    return replace(_failure(error, folder, files), log=without_secrets(quiet_log.last_lines()))


def _failure(error: BaseException, folder: str, files: frozenset[str]) -> Failure:
    place = innermost(error, files) or missing_from(error, files) or innermost(error, folder)
    texts = tuple(_texts(error))
    if isinstance(error, HistoryError):
        return Failure(str(error), "history", place, texts=texts)
    if isinstance(error, NoDowngrade):
        return Failure(str(error), "no downgrade", place, texts=texts)
    if isinstance(error, PgPatternsError):
        return Failure(str(error), "refused", place, texts=texts)
    if isinstance(error, exc.DBAPIError):
        return _of_database(error, place, texts)
    message, outdated = described(error, place) + settings_to_add(error), _is_outdated(error)
    return Failure(message, "project", place, _is_raise(place), texts=texts, outdated=outdated)


def _is_outdated(error: BaseException) -> bool:
    """Whether the code is written for an older SQLAlchemy: a text that is executed, a method that is gone."""
    if isinstance(error, AttributeError):
        return type(error.obj).__module__.startswith("sqlalchemy.") and not isinstance(error.obj, Row)
    return isinstance(error, exc.ObjectNotExecutableError)


def _of_database(error: exc.DBAPIError, place: Location | None, texts: tuple[str, ...]) -> Failure:
    where = f"{place}: " if place else ""
    statement = " ".join((error.statement or "").split())
    message, shown = _hidden_beside(f"{where}{error.orig}".rstrip(), statement)
    if shown:
        message += f"{DONE}{shown[:_SHOWN]} …" if len(shown) > _SHOWN else f"{DONE}{shown}"
    kind = "programming" if isinstance(error, exc.ProgrammingError) else "database"
    kind = "operational" if isinstance(error, exc.OperationalError) else kind
    # psycopg and asyncpg name it sqlstate, psycopg2 pgcode.
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or ""
    return Failure(message, kind, place, False, statement, str(state), texts, _diagnostics(error.orig))


def _hidden_beside(text: str, statement: str) -> tuple[str, str]:
    """An error's text and its statement, without secrets: the statement says what is one in PostgreSQL's excerpt."""
    cause, _, shown = without_secrets(f"{text}{_SQL}{statement}").rpartition(_SQL)
    return cause, shown


_SQL = "\n[SQL: "
"""As SQLAlchemy writes it."""
_SHOWN = 300
"""Characters of a statement in a message: a block of PL/pgSQL would push the cause off the screen."""
_DIAGNOSTICS = ("schema_name", "table_name", "column_name", "constraint_name", "message_detail")


def _diagnostics(error: Any) -> dict[str, str]:
    """The parts of the server's message: psycopg and psycopg2 keep them in ``diag``, asyncpg on the error itself."""
    source = getattr(error, "diag", None) or getattr(error, "__cause__", None) or error
    facts = {name: getattr(source, name, None) for name in _DIAGNOSTICS}
    facts["message_detail"] = facts["message_detail"] or getattr(source, "detail", None)
    return {name: str(value) for name, value in facts.items() if value}


def _texts(error: BaseException | None) -> list[str]:
    """The messages of an error and of all errors that it wraps."""
    statements = (getattr(cause, "statement", None) for cause in causes(error) if isinstance(cause, exc.DBAPIError))
    statement = next((item for item in statements if item), "")
    return [_hidden_beside(text_of(cause), statement)[0] for cause in causes(error)]


def _is_raise(place: Location | None) -> bool:
    """Whether the line is a ``raise`` statement: then the author intended the error."""
    if place is None:
        return False
    try:
        lines = read_text(Path(place.path), "replace").splitlines()
    except OSError:
        return False
    return place.line <= len(lines) and lines[place.line - 1].lstrip().startswith("raise")


def describe(error: BaseException, within: str) -> str:
    """What happened and where: the innermost line in files below a folder, then the error. Contains no password."""
    return described(error, innermost(error, within) or missing_from(error, within) or _being_loaded(error))


def described(error: BaseException, place: Location | None) -> str:
    """What happened at a place, for messages. Contains no password."""
    if isinstance(error, SyntaxError) and error.filename:
        place = Location(relative(error.filename), error.lineno or 0)
    where = f"{place}: " if place else ""
    if isinstance(error, SystemExit):
        return f"{where}the program ended with exit code {error.code or 0}."
    if isinstance(error, configparser.InterpolationError):
        # The error's own text contains the value, which may be a URL with a password.
        return f"{where}{type(error).__name__}: {error.option} in [{error.section}] has a % that is not written as %%."
    if isinstance(error, ApplicationFailed):
        return f"{where}{error}"
    return without_secrets(f"{where}{type(error).__name__}: {text_of(error)}")


def missing_from(error: BaseException, within: str | frozenset[str]) -> Location | None:
    """The file (below a folder, or one of a set) of the module that lacks the name which was imported from it."""
    # AttributeError.obj exists since Python 3.10.
    path = getattr(error.obj, "__file__", None) if isinstance(error, AttributeError) else None
    return Location(relative(path), 1) if path and _is_within(path, within) else None


def _being_loaded(error: BaseException) -> Location | None:
    """The file that was being loaded when the error happened."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        # A file that cannot be compiled has no frame of its own. Alembic's function that loads it has the path
        # (alembic/util/pyfiles.py).
        if frame.f_code.co_name == "load_module_py" and "path" in frame.f_locals:
            return Location(relative(str(Path(frame.f_locals["path"]).absolute())), 1)
    return None


def innermost(error: BaseException, within: str | frozenset[str]) -> Location | None:
    """The innermost line of an error's traceback in a file below a folder, or in one of a set of files."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = str(Path(frame.filename).absolute())
        if _is_within(path, within):
            return Location(relative(path), frame.lineno or 0)
    return None


def _is_within(path: str, within: str | frozenset[str]) -> bool:
    if not isinstance(within, str):
        return path in within
    folder = f"{Path(within).absolute()}/"
    # An environment may be in the project's folder; its libraries are not the project's.
    inside = path.removeprefix(folder).split("/")
    return path.startswith(folder) and "site-packages" not in inside and "dist-packages" not in inside
