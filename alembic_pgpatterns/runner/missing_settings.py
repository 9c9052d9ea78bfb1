"""Environment variables that an application needs but does not find, and the settings to add for them."""

from __future__ import annotations

import logging.config
import os
import re
import traceback
from collections.abc import Iterator
from typing import Any

from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from alembic_pgpatterns.errors import text_of
from alembic_pgpatterns.output.secrets import MADE_UP
from alembic_pgpatterns.runner.allowed_values import allowed_value
from alembic_pgpatterns.runner.asked_applications import application_to_name, is_without_application
from alembic_pgpatterns.runner.environment_reads import (
    looked_at,
    mode_of,
    other_key,
    read_where_it_fails,
    variables_read,
)
from alembic_pgpatterns.runner.made_up_values import NUMBER, value_for
from alembic_pgpatterns.runner.missing_drivers import driver_to_install
from alembic_pgpatterns.runner.missing_files import MissingFile, missing_file
from alembic_pgpatterns.runner.pydantic_errors import BY_VALIDATOR, fields_without_value, of_pydantic
from alembic_pgpatterns.runner.refused_values import refused_values
from alembic_pgpatterns.runner.settings_classes import settings_variables
from alembic_pgpatterns.runner.shaped_values import empty_files, shaped_values
from alembic_pgpatterns.runner.url_drivers import other_urls, url_for_project

_IN_OWN_WORDS = re.compile(
    r"(?i:environment variable|env var)(?:s|\(s\))?:? [\[(<{$`'\"]*"
    r"([A-Z][A-Z0-9_]{2,}(?:['\"`]?,? [`'\"]?[A-Z][A-Z0-9_]{2,})*)\b"
    r"|\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)[`'\"]? (?i:environment variable|env var)\b"
    r"|(?:\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)[`'\"]? or [`'\"]?)?"  # either of two: the one that is named first
    r"\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)[`'\"]?(?i: (?:is|was|must be|has to be|needs to be))?"
    r"(?i: not set| not defined| not found| missing| required| unset| set\b)"
)
"""How applications say themselves that a variable is missing."""

OSLO = "OS_DATABASE__CONNECTION"
"""The option `connection` of the group `database` (oslo.config docs, "The Environment source")."""

_WORDS = (
    ("UndefinedValueError", re.compile(r"^(\w+) not found")),  # python-decouple
    ("EnvError", re.compile(r'Environment variable "(\w+)" not set')),  # environs
    ("ImproperlyConfigured", re.compile(r"Set the (\w+) environment variable")),  # django-environ
)
"""Errors of libraries that read settings: the class's name, and where its text has the variable's name."""


def settings_to_add(error: BaseException) -> str:
    """The settings to add, if the error means that variables are missing; else an empty text.

    Args:
        error: raised by env.py, or by a module that it imports.

    Returns:
        Lines that start with a line break, for the end of a message.
    """
    if (file := missing_file(error)) is not None:
        return _file_to_add(file)
    values = dict(missing(error))
    if not values:
        words = (_placeholder, application_to_name, _sections_to_add, driver_to_install)
        return next(filter(None, (word(error) for word in words)), "") or _file_to_name()
    names = tuple(values)
    if names and dict(other_urls(error, text_of(error))) == values:
        way = "Its URL must name another driver. Write this into pyproject.toml:"
    else:
        way = f"Set {' and '.join(names)}, or add this to pyproject.toml ({_which_values(error, values)}):"
    entries = ", ".join(f'{name} = "{value}"' for name, value in values.items())
    # No colon behind a name: what follows would look like the value of a secret, and be hidden.
    return f"\n{way}\n[tool.alembic_pgpatterns]\nenv = {{ {entries} }}"


def _which_values(error: BaseException, values: dict[str, str]) -> str:
    """Which other values work: of a variable that chooses something, only those that the application knows."""
    allowed = allowed_value(error, text_of(error), MADE_UP)
    chosen = [name for name, value in values.items() if (name, value) == allowed or mode_of(error, name) == value]
    if not chosen:
        return "any value works, since connections are redirected"
    rest = "; for the others any value works" if len(chosen) < len(values) else ""
    return f"{' and '.join(chosen)} must have a value that the application knows{rest}"


def _file_to_add(file: MissingFile) -> str:
    """What to do about a file that is not there: copy its example, or name the example by the variable."""
    example = f"{file.example} looks like an example of it" if file.example else ""
    if not file.variable:
        return f"\n{file.name} is not there. {example}: copy it."
    value = file.example or f"path/to/{file.name}"
    copy = f"{example}: copy it, or name it" if example else "Name one"
    return (
        f"\n{file.name} is not there. {copy} by the variable that the application reads, in pyproject.toml:"
        f'\n[tool.alembic_pgpatterns]\nenv = {{ {file.variable} = "{value}" }}'
    )


def _file_to_name() -> str:
    """What to do where an empty file did not help: only the user has the one that the application reads."""
    names = empty_files()
    if not names:
        return ""
    entries = ", ".join(f'{name} = "path/to/the/file"' for name in names)
    return (
        f"\n{' and '.join(names)} must name a file that the application can read: an empty one was tried. Name it in "
        f"pyproject.toml:\n[tool.alembic_pgpatterns]\nenv = {{ {entries} }}"
    )


def _placeholder(error: BaseException) -> str:
    """The URL of Alembic's template, which nobody has replaced: SQLAlchemy looks for a dialect of that name."""
    if not isinstance(error, NoSuchModuleError) or not text_of(error).endswith("sqlalchemy.dialects:driver"):
        return ""
    return (
        "\nsqlalchemy.url is still driver://user:pass@localhost/dbname, as `alembic init` wrote it. Give it a URL, or "
        "add this to pyproject.toml, or run `alembic pgcheck --init` (any URL works, since connections are redirected):"
        f'\n[tool.alembic_pgpatterns]\nalembic_options = {{ "sqlalchemy.url" = "{url_for_project()}" }}'
    )


def _sections_to_add(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-2:]
    if not isinstance(error, KeyError) or not any(frame.filename == logging.config.__file__ for frame in last):
        return ""
    return (
        f". logging.config.fileConfig() did not find the section [{error.args[0]}] in the given file. Add the "
        "sections for logging that `alembic init` writes into alembic.ini, or call fileConfig() only if it is there."
    )


def missing(error: BaseException) -> Iterator[tuple[str, str]]:
    """The variables that an error says are missing, each with a value that will do."""
    for name, value in _missing(error):
        yield name, (mode_of(error, name) if value == MADE_UP else None) or value


def _missing(error: BaseException) -> Iterator[tuple[str, str]]:
    kind, message = type(error).__name__, text_of(error)
    if is_without_application(error):  # its words name the variable FLASK_APP, for which not any value will do
        return
    if (allowed := allowed_value(error, message, MADE_UP)) is not None:
        yield allowed
        return
    yield from other_urls(error, message)
    yield from _urls_after_all(error, message)
    yield from _numbers_after_all(error, message)
    yield from _ports(error, message)
    yield from shaped_values(error, message)
    if isinstance(error, KeyError):
        yield from ((name, value_for(name)) for name in _of_environ(error))
    elif kind == "ValidationError" and hasattr(error, "errors"):
        of_fields = [*of_pydantic(error), *fields_without_value(error)]
        yield from of_fields or _of_validators(error)
    elif isinstance(error, AttributeError | TypeError) and "NoneType" in message:
        yield from ((name, value_for(name)) for name in read_where_it_fails(error) if name not in os.environ)
    elif kind == "CantStartEngineError":  # oslo.db, whose option oslo.config reads from this variable, too
        yield OSLO, value_for(OSLO)
    for name, form in _WORDS:
        if kind == name and (result := form.search(message)):
            yield result[1], value_for(result[1])
            return
    # Only in what nobody but the project can mean: SQLAlchemy's errors quote SQL, whose names may look the same.
    if type(error).__module__ in ("builtins", "__main__") or not type(error).__module__.startswith(LIBRARIES):
        yield from _by_words(error, message) or _looked_at(error)


def _by_words(error: BaseException, message: str) -> list[tuple[str, str]]:
    """What the application's own words name."""
    return (
        list(_in_own_words(error, message)) or list(_demanded(error, message)) or list(refused_values(error, message))
    )


def _of_validators(error: Any) -> Iterator[tuple[str, str]]:
    """What a function says that checks the settings as a whole: pydantic's error then names no field."""
    for item in error.errors():
        if not item["loc"] and item["type"] in BY_VALIDATOR:
            yield from _by_words(error, item["msg"])


def _in_own_words(error: BaseException, message: str) -> Iterator[tuple[str, str]]:
    for match in _IN_OWN_WORDS.finditer(message):
        names = re.findall(r"\w+", next(filter(None, match.groups())))
        missing_names = (name for name in names if name not in os.environ and not other_key(error, name))
        yield from ((name, value_for(name)) for name in missing_names)


def _demanded(error: BaseException, message: str) -> Iterator[tuple[str, str]]:
    """What the words tell people to set, as in "set SHOP_SIZE before this", if the source reads it as a variable."""
    for name in dict.fromkeys(_TO_SET.findall(message)):
        if name not in os.environ and name in variables_read(error):
            yield name, value_for(name)


_TO_SET = re.compile(r"(?i:\b(?:set|define|export|provide|specify|configure|supply)) [`'\"${(]*([A-Z][A-Z0-9_]{2,})\b")


def _looked_at(error: BaseException) -> Iterator[tuple[str, str]]:
    """The variable that the condition of a ``raise`` is about, where its words do not name it."""
    name, length = looked_at(error) or ("", None)
    value = value_for(name) if length is None else (MADE_UP * 9)[:length]
    if name and (name not in os.environ or (os.environ[name] == MADE_UP and length is not None)):
        yield name, value


def _urls_after_all(error: BaseException, message: str) -> Iterator[tuple[str, str]]:
    """The only variable with a made-up value, where SQLAlchemy read a URL that is none: its name does not say so."""
    if isinstance(error, ArgumentError) and "Could not parse SQLAlchemy URL" in message:
        names = [name for name, value in os.environ.items() if value == MADE_UP]
        yield from ((name, url_for_project()) for name in names if len(names) == 1)


def _numbers_after_all(error: BaseException, message: str) -> Iterator[tuple[str, str]]:
    """The only variable with a made-up value, where Python was to read a number from it."""
    if isinstance(error, ValueError) and MADE_UP in message and re.search(r"literal for int|string to float", message):
        names = [name for name, value in os.environ.items() if value == MADE_UP]
        here = [name for name in read_where_it_fails(error) if name in names]
        yield from ((name, NUMBER) for name in here or names if len(here or names) == 1)


def _ports(error: BaseException, message: str) -> Iterator[tuple[str, str]]:
    """The port of a URL that is put together from variables, of which none is set: ``postgresql://None@None:None/``."""
    if isinstance(error, ValueError) and message.endswith("base 10: 'None'"):
        names = sorted({*variables_read(error), *settings_variables()})
        yield from ((name, NUMBER) for name in names if _DATABASE_PORT.search(name) and name not in os.environ)


_DATABASE_PORT = re.compile(r"(?:DB|DATABASE|PG|POSTGRES|POSTGRESQL|SQL)_?PORT$")


LIBRARIES = ("sqlalchemy", "alembic", "psycopg", "asyncpg", "pg8000", "pydantic")
"""Modules whose errors are not in the project's own words."""


def _of_environ(error: KeyError) -> Iterator[str]:
    """``os.environ["NAME"]``."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    # Since Python 3.11 the module os is frozen, so its frames have no file.
    if last and last[0].filename in ("<frozen os>", os.__file__):
        yield str(error.args[0])
