"""Removes passwords, tokens and keys from text for people.

Most of such text is a mix of prose, SQL, Python and connection strings (an error of a driver, of env.py, of a server),
which no parser reads as a whole. So each form in which a secret is written is recognised by itself, PostgreSQL's
strings by the rules of its lexer (docs, "Lexical Structure", section "Constants").
"""

from __future__ import annotations

import re

HIDDEN = "***"
MADE_UP = "for-the-check-only-0123456789abcdef"
"""The value that this package proposes for any variable: it is no secret, and people shall paste it."""
MADE_UP_KEY = "Zm9yLXRoZS1jaGVjay1vbmx5LTAxMjM0NTY3ODlhYmM="
"""The same for a key that must be 32 bytes in the letters of base64 for URLs, as those of Fernet."""

_BREAK = r"(?:\n|\\n)"
"""A line break, or its form in the repr of a string."""
_SPACE = rf"(?:\s|\\[nrt]|--(?:(?!\\n)[^\n])*{_BREAK}|/\*.*?\*/)*"
_WITHIN = r"\\+'(?:[^'\\]|\\+[^'\\])*(?:\\+'|\Z)|''(?:[^']|'''')+''"
"""A string inside a string of Python or of SQL."""
_STRINGS = (
    _WITHIN,
    r"E'(?:[^'\\]|\\+''?|\\.|'')*(?:'|\Z)",  # a repr doubles the backslash: it is better to hide too much
    r"U&'(?:[^']|'')*(?:'|\Z)(?:\s*UESCAPE\s*'.')?",
    rf"N?'(?:[^']|'')*(?:'|\Z)(?:\s*{_BREAK}\s*'(?:[^']|'')*')*",
    r"(?P<dollar>\$(?:[^\W\d]\w*)?\$).*?(?:(?P=dollar)|\Z)",
)
_OF_SQL = re.compile(rf"((?<!['\"\w])PASSWORD{_SPACE})(?:{'|'.join(_STRINGS)})", re.IGNORECASE | re.DOTALL)

_URL = re.compile(r"(://[^\s:/@]*:)(?!password@)\S+@")
"""Up to the last @ of the word: a password may contain one that should be written %40."""
_URL_TOKEN = re.compile(r"(\bhttps?://)[^\s:/@]{12,}@")

_QUOTED = r"b?'(?:[^'\\]|\\.)*'|b?\"(?:[^\"\\]|\\.)*\""
_CONNINFO = re.compile(rf"(\b(?:ssl)?password=)({_WITHIN}|{_QUOTED}|(?!\*\*\*)[^\s&;,)\]}}'\"]+)", re.IGNORECASE)
_CONNINFO_SPACED = re.compile(rf"(\bpassword\s*=\s*)({_WITHIN}|{_QUOTED}|[^\s&;,)'\"]+)", re.IGNORECASE)
"""Only in errors: ``CHECK (password = upper(password))`` is no secret."""

_SECRET = r"[\w.-]*(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIAL)[\w.-]*"
_ENTRY = re.compile(rf"((?P<q>['\"]){_SECRET}(?P=q)\s*(?::|=>|=)\s*)({_QUOTED})", re.IGNORECASE)
"""An entry of a dict or of JSON."""
_PAIR = re.compile(rf"((?<!\w)[(\[]\s*(?P<q>['\"]){_SECRET}(?P=q)\s*,\s*)({_QUOTED})", re.IGNORECASE)
"""A pair of a list. The arguments of a call, as in ``Index("ix_token_user", "user_id")``, are none."""
_ASSIGNED = re.compile(rf"(\b{_SECRET}\s*=\s*)({_QUOTED}|(?!\*\*\*)[^\s,;&)}}\]'\"]+)", re.IGNORECASE)
_COLON = re.compile(
    rf"(\b(?:[A-Z][A-Z0-9_]*|(?i:password|passwd|secret|passphrase|[a-z0-9_]+_(?:password|secret|token|key)))\s*:\s+)"
    rf"({_QUOTED}|(?!\*\*\*)[^\s,;&)}}\]'\"]+)"
)
_IS_SECRET = re.compile(_SECRET, re.IGNORECASE)
_PYDANTIC = re.compile(rf"(\binput_value=)({_QUOTED}|[^\s,\]]+)")
_LIBPQ = re.compile(
    r"((?:after|connection option|option|value|URI query parameter:?|in URI:?)\s+)\"[^\"]*\"(?= (?:in|for) connection)"
    r"|(missing \"=\" after )\"[^\"]*\""
    r"|(invalid (?:connection option|URI query parameter:?|percent-encoded token:?) )\"[^\"]*\""
)
"""libpq's message about a connection string that it cannot read quotes a part, which may be the password."""


def without_passwords(text: str) -> str:
    """Text of this package, such as a message about a schema, without passwords in SQL, URLs and connection strings."""
    text = _URL.sub(rf"\1{HIDDEN}@", text)
    text = _URL_TOKEN.sub(rf"\1{HIDDEN}@", text)
    text = _OF_SQL.sub(rf"\1'{HIDDEN}'", text)
    text = _PAIR.sub(_pair, _ENTRY.sub(rf"\1'{HIDDEN}'", text))
    return _CONNINFO.sub(rf"\1{HIDDEN}", text)


def _pair(match: re.Match[str]) -> str:
    """Hide the second of a pair, unless both are names below one package, as in a list of modules."""
    first, second = match[1].strip(" ([,'\""), match[3].strip("'\"")
    package = first.partition(".")[0]
    return match[0] if "." in first and second.startswith(f"{package}.") else f"{match[1]}'{HIDDEN}'"


def without_secrets(text: str) -> str:
    """Text of others, such as an error of env.py, without anything that looks like a secret.

    Beside `without_passwords`: values that are assigned to names such as ``DB_PASSWORD``, ``client_secret`` or
    ``API_TOKEN``, with ``=`` or ``:``; what pydantic and libpq quote of their input.
    """
    text = _CONNINFO_SPACED.sub(rf"\1{HIDDEN}", without_passwords(text))
    text = _LIBPQ.sub(lambda match: f'{match[1] or match[2] or match[3]}"{HIDDEN}"', text)
    text = _PYDANTIC.sub(rf"\1'{HIDDEN}'", text)
    text = _ASSIGNED.sub(_hidden, text)
    return _COLON.sub(_hidden, text)


def _hidden(match: re.Match[str]) -> str:
    if not _IS_SECRET.search(match[1]) or match[2].strip("'\"") in (MADE_UP, MADE_UP_KEY, "{url}"):
        return match[0]
    return f"{match[1]}{HIDDEN}"
