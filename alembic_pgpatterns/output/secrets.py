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
    if "LINE " in text:
        from alembic_pgpatterns.output.secret_excerpts import without_secrets_in_excerpts

        text = without_secrets_in_excerpts(text, _without_passwords)
    return _without_passwords(text)


def _without_passwords(text: str) -> str:
    # Addresses first: a known value may be only the beginning of the password in one.
    if "://" in text:
        from alembic_pgpatterns.output.secret_addresses import without_odd_passwords

        text = without_odd_passwords(text)
    text = without_known(_URL_TOKEN.sub(rf"\1{HIDDEN}", _URL.sub(rf"\1{HIDDEN}@", text)))
    if not _HINT.search(text):
        return text
    from alembic_pgpatterns.output.secret_excerpts import sections
    from alembic_pgpatterns.output.secret_inserts import without_inserted
    from alembic_pgpatterns.output.secret_sql import ANY_STRING, without_secrets_of_sql

    if _PROGRAM.search(text):
        from alembic_pgpatterns.output.secret_arguments import without_arguments

        text = without_arguments(text)
    return "".join(without_secrets_of_sql(without_inserted(part, ANY_STRING)) for part in sections(text))


_LONGEST, _BEGINNING = 20_000, 15_000
_STATEMENT = re.compile(r"\b(?:INSERT|UPDATE|SELECT|WITH|ALTER|CREATE|DO|CALL|MERGE|VALUES)\b", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """Text of others, such as an error of env.py, without anything that looks like a secret.

    Beside `without_passwords`: values that are assigned to names such as ``DB_PASSWORD``, ``client_secret`` or
    ``API_TOKEN``, with ``=`` or ``:`` or a word; command lines, headers, tokens; what pydantic, libpq and the server
    quote of their input. A long text is cut in the middle.
    """
    from alembic_pgpatterns.output import secret_errors as errors
    from alembic_pgpatterns.output.secret_arguments import without_arguments
    from alembic_pgpatterns.output.secret_excerpts import without_secrets_in_excerpts
    from alembic_pgpatterns.output.secret_places import without_placed
    from alembic_pgpatterns.output.secret_prose import without_spoken
    from alembic_pgpatterns.output.secret_shapes import without_random_letters, without_shapes

    def hide(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    steps = (
        errors.without_quoted_input,
        _without_passwords,
        errors.without_addresses,
        without_arguments,
        without_shapes,
        errors.without_named,
        without_placed,
        without_spoken,
        without_random_letters,
    )
    original = _readable_part(text)
    text = hide(without_secrets_in_excerpts(original, hide))
    return errors.hidden_everywhere(text, original)


def _readable_part(text: str) -> str:
    """Beginning and end of a text that nobody would read as a whole, such as an error with a file in it."""
    if len(text) <= _LONGEST:
        return text
    left_out = len(text) - _LONGEST
    beginning, end = text[:_BEGINNING], text[_BEGINNING - _LONGEST :]
    if "'" in end and _STATEMENT.search(beginning):
        # It may begin within a string of the statement, whose columns are named at the beginning.
        end = f"'{HIDDEN}'" + end.rpartition("'")[2]
    return f"{beginning}\n… ({left_out} characters are left out) …\n{end}"
