"""Removes passwords, tokens and keys from text for people.

Most of such text is a mix of prose, SQL, Python and connection strings (an error of a driver, of env.py, of a server),
which no parser reads as a whole. So each form in which a secret is written is recognised by itself: those of SQL in
`secret_sql`, those of errors in `secret_errors` and `secret_prose`, tokens with a form of their own in `secret_shapes`.
These are imported when a text needs them, since many expressions take long to compile.
"""

from __future__ import annotations

import re

from alembic_pgpatterns.output.known_secrets import without_known
from alembic_pgpatterns.output.secret_names import HIDDEN, MADE_UP, MADE_UP_KEY

__all__ = ["HIDDEN", "MADE_UP", "MADE_UP_KEY", "without_passwords", "without_secrets"]

_PLACEHOLDER = r"(?!(?:pass(?:word)?|%\(\w+\)s|\$?\{\w+\}|\$\w+|<\w+>|\*\*\*)@)"
_URL = re.compile(rf"(://[^\s:/@]*:){_PLACEHOLDER}\S{{1,500}}@")
"""Up to the last @ of the word: a password may contain one that should be written %40."""
_URL_TOKEN = re.compile(r"(\bhttps?://)(?=[^\s:/@]*\d|[^\s:/@]{12,})[^\s:/@]{6,}(?=(?::\*\*\*)?:?@)")
_HINT = re.compile(
    r"PASS|PWD|\bPW\b|SECRET|TOKEN|[A-Z][_-]?KEY|[?&#]\w*KEY=|CREDENTIAL|AUTHORI|COOKIE|BEARER|CRYPT|HMAC"
    r"|LOGIN\w*\(|PROGRAM '",
    re.IGNORECASE,
)
"""What every other form has in it: most text has none, and the forms are slow on it."""
_PROGRAM = re.compile(r"\bPROGRAM\s+'", re.IGNORECASE)
"""COPY, whose program may get a password."""


def without_passwords(text: str) -> str:
    """Text of this package, such as a message about a schema, without passwords in SQL, URLs and connection strings."""
    # Addresses first: a known value may be only the beginning of the password in one.
    text = without_known(_URL_TOKEN.sub(rf"\1{HIDDEN}", _URL.sub(rf"\1{HIDDEN}@", text)))
    if not _HINT.search(text):
        return text
    from alembic_pgpatterns.output.secret_sql import without_secrets_of_sql

    if _PROGRAM.search(text):
        from alembic_pgpatterns.output.secret_arguments import without_arguments

        text = without_arguments(text)
    return without_secrets_of_sql(text)


_LONGEST, _BEGINNING = 20_000, 15_000


def without_secrets(text: str) -> str:
    """Text of others, such as an error of env.py, without anything that looks like a secret.

    Beside `without_passwords`: values that are assigned to names such as ``DB_PASSWORD``, ``client_secret`` or
    ``API_TOKEN``, with ``=`` or ``:`` or a word; command lines, headers, tokens; what pydantic, libpq and the server
    quote of their input. A long text is cut in the middle.
    """
    from alembic_pgpatterns.output import secret_errors as errors
    from alembic_pgpatterns.output.secret_arguments import without_arguments
    from alembic_pgpatterns.output.secret_places import without_placed
    from alembic_pgpatterns.output.secret_prose import without_spoken
    from alembic_pgpatterns.output.secret_shapes import without_random_letters, without_shapes

    original = text = _readable_part(text)
    for step in (
        errors.without_quoted_input,
        without_passwords,
        errors.without_addresses,
        without_arguments,
        without_shapes,
        errors.without_named,
        without_placed,
        without_spoken,
        without_random_letters,
    ):
        text = step(text)
    return errors.hidden_everywhere(text, original)


def _readable_part(text: str) -> str:
    """Beginning and end of a text that nobody would read as a whole, such as an error with a file in it."""
    if len(text) <= _LONGEST:
        return text
    left_out = len(text) - _LONGEST
    return f"{text[:_BEGINNING]}\n… ({left_out} characters are left out) …\n{text[_BEGINNING - _LONGEST :]}"
