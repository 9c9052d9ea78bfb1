"""A made-up value that had to have a shape, such as that of a UUID, or had to name a file: one that has it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from alembic_pgpatterns.output.causes import causes
from alembic_pgpatterns.output.secret_names import MADE_UP, MADE_UP_KEY, MADE_UP_VALUES
from alembic_pgpatterns.runner.environment_reads import named_where_it_fails, read_where_it_fails
from alembic_pgpatterns.runner.made_up_values import EMPTY_FILE, UUID
from alembic_pgpatterns.runner.missing_files import FILE_WORDS
from alembic_pgpatterns.runner.settings_classes import fields_named

_HEXADECIMAL = MADE_UP_VALUES[2]
_SHAPES = (
    (re.compile(r"hexadecimal UUID"), UUID),  # uuid.UUID
    (re.compile(r"Expecting value: line 1"), "{}"),  # json.loads
    (re.compile(r"(?i)truth value|not a boolean|valid bool"), "true"),  # strtobool, decouple, configparser, Starlette
    (re.compile(r"(?i)does not appear to be an IPv"), "127.0.0.1"),  # ipaddress
    (re.compile(r"(?i)no time ?zone found|unknown ?timezone"), "UTC"),  # zoneinfo, pytz
    (re.compile(r"Invalid isoformat string"), "2000-01-01"),  # datetime.fromisoformat
    (re.compile(r"Unknown level"), "INFO"),  # logging.Logger.setLevel
    (re.compile(r"(?i)non-hexadecimal|odd-length string"), _HEXADECIMAL),  # bytes.fromhex, binascii.unhexlify
    (re.compile(r"(?i)base64|incorrect padding"), MADE_UP_KEY),  # binascii, cryptography's Fernet
    (re.compile(r"ConversionSyntax"), "1"),  # decimal.Decimal
)
"""How the parsers of the standard library, and of a few others, refuse a text, and one that they take."""
_FORMAT = re.compile(r"does not match format '([^']+)'")
_MOMENT = datetime(2000, 1, 1)
_COMPLEX = re.compile(r'error parsing value for field "(\w+)"')
_OF_FILES = re.compile(rf"(?:^|_)(?:{FILE_WORDS}|YML|JSON|FILENAME)$")
_NO_FILE = re.compile(r"(?i)does ?n[o']t exist|not found|no such file|not a (?:valid )?file|cannot (?:open|read)")


def shaped_values(error: BaseException, message: str) -> Iterator[tuple[str, str]]:
    """The variable whose made-up value was refused for its shape, with a value that has it.

    Args:
        error: raised by env.py, or by a module that it imports.
        message: its text.
    """
    if (field := _COMPLEX.match(message)) is not None:  # pydantic-settings, which reads lists and the like as JSON
        for name, annotation in fields_named([field[1]]):
            if os.environ.get(name) == MADE_UP:
                yield name, "{}" if "dict" in str(annotation).lower() else "[]"
    elif (value := _shape(message)) is not None:
        yield from ((name, value) for name in _refused(error, message))
    elif _misses_file(error, message):
        names = _refused(error, message)
        yield from ((name, EMPTY_FILE) for name in names or _file_variables(MADE_UP))
    elif _wants_folder(error):
        yield from ((name, ".") for name in empty_files())


def empty_files() -> list[str]:
    """The variables that name the empty file, in place of one that nobody but the project's developers have."""
    return _file_variables(EMPTY_FILE)


def _file_variables(value: str) -> list[str]:
    """The variables with this value whose names are those of files."""
    return sorted(name for name, current in os.environ.items() if current == value and _OF_FILES.search(name))


def _shape(message: str) -> str | None:
    if (form := _FORMAT.search(message)) is not None:
        return _MOMENT.strftime(form[1])
    return next((value for words, value in _SHAPES if words.search(message)), None)


def _refused(error: BaseException, message: str) -> list[str]:
    """The variable that has the first made-up value; none, if it may be either of several."""
    names = [name for name, value in os.environ.items() if value == MADE_UP]
    here = read_where_it_fails(error) or named_where_it_fails(error)
    chosen = [name for name in names if name in here]
    if not here:
        words = re.findall(r"\w+", message)
        chosen = [name for name in names if name in words] or names
    return chosen if len(chosen) == 1 else []


def _misses_file(error: BaseException, message: str) -> bool:
    """Whether a file of the made-up name was to be read, as Python or the application's own words say."""
    of_python = any(
        isinstance(cause, FileNotFoundError) and Path(os.fsdecode(cause.filename)).name in MADE_UP_VALUES
        for cause in causes(error, contexts=False)
        if getattr(cause, "filename", None) is not None
    )
    is_about_files = bool(re.search(rf"[/\\]{MADE_UP}|(?i:\b(?:file|path)\b)", message) or _file_variables(MADE_UP))
    return of_python or (MADE_UP in message and bool(_NO_FILE.search(message)) and is_about_files)


def _wants_folder(error: BaseException) -> bool:
    return any(
        isinstance(cause, NotADirectoryError) and str(cause.filename).startswith(EMPTY_FILE)
        for cause in causes(error, contexts=False)
    )
