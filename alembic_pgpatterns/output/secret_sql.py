"""Secrets in SQL, in connection strings and in what is written like Python's data: in text of this package, too.

PostgreSQL's strings are recognised by the rules of its lexer (docs, "Lexical Structure", section "Constants").
"""

from __future__ import annotations

import re

from alembic_pgpatterns.output.secret_names import (
    COLUMN,
    ENTRY_NAME,
    HIDDEN,
    NAME,
    NAME_IN_SQL,
    QUERY,
    QUOTED,
    WITHIN,
    WITHIN_SQL,
    WRAPPED,
    hide_entry,
    is_proposed,
    looks_secret,
)

_BREAK = r"(?:\n|\\n)"
"""A line break, or its form in the repr of a string."""
_SPACE = rf"(?:\s|\\[nrt]|--(?:(?!\\n)[^\n])*{_BREAK}|/\*.*?\*/)*"
_STRINGS = (
    WITHIN_SQL,
    r"E'(?:[^'\\]|\\+''?|\\.|'')*(?:'|\Z)",  # a repr doubles the backslash: it is better to hide too much
    r"U&'(?:[^']|'')*(?:'|\Z)(?:\s*UESCAPE\s*'.')?",
    rf"N?'(?:[^']|'')*(?:'|\Z)(?:\s*{_BREAK}\s*'(?:[^']|'')*')*",
    r"(?P<dollar>\$(?:[^\W\d]\w*)?\$).*?(?:(?P=dollar)|\Z)",
)
_STRING = f"(?:{'|'.join(_STRINGS)})"
_IN_SQL = re.IGNORECASE | re.DOTALL

_PASSWORD = re.compile(rf"((?<!['\w-])PASSWORD\"?{_SPACE}){_STRING}", _IN_SQL)
_OPTION = re.compile(
    rf"(\bOPTIONS\s*\((?:[^()'\"]|'[^']*')*?(?<!\w)\w{{0,60}}?{NAME_IN_SQL}\"?{_SPACE}){_STRING}", _IN_SQL
)
_COMPARED = re.compile(
    rf"((?<![\w.'])[\w.]{{0,80}}?{COLUMN}\"?{_SPACE}(?:=>|:=|<>|!=|=|\b(?:TO|LIKE|ILIKE)\b){_SPACE}(?:\(\s*)?){_STRING}",
    _IN_SQL,
)
"""``SET app.jwt_secret TO 'x'``, ``UPDATE users SET password = 'x'``. The name ends so: ``token_type`` is no secret."""
_DEFAULT = re.compile(
    rf"((?<![\w.])[\w.]{{0,80}}?{COLUMN}\"?\s+(?:[\w.]+(?:\(\d+\))?\s+)?(?:(?:NOT\s+NULL|SET|CONSTANT)\s+)*(?:DEFAULT|:=)\s+){_STRING}",
    _IN_SQL,
)
_SET_CONFIG = re.compile(rf"(\bset_config\(\s*'[\w.]{{0,60}}?{NAME_IN_SQL}'\s*,\s*){_STRING}", _IN_SQL)
_KEY_AND_VALUE = re.compile(
    rf"(\bVALUES\s*\(\s*'[\w.-]{{0,60}}?{NAME_IN_SQL}'\s*,\s*|\bSET\s+value\s*=\s*(?=[^;]{{0,300}}?'[\w.-]{{0,60}}?{NAME_IN_SQL}')){_STRING}",
    _IN_SQL,
)
"""A table of settings, which has the name of the secret as a value."""
_ONE_STRING = (_PASSWORD, _OPTION, _COMPARED, _DEFAULT, _SET_CONFIG, _KEY_AND_VALUE)

_BEFORE = re.compile(rf"'(?:[^'\n]|''){{0,300}}'(?=\s*(?:=|<>)\s*[\w.]{{0,60}}?{COLUMN}\b)", re.IGNORECASE)
_CALL = re.compile(
    r"(\b(?:crypt|hmac|(?:pgp_(?:sym|pub)_)?(?:en|de)crypt\w*|\w{0,60}?(?:password|secret|login|credential)\w{0,60})\()"
    r"((?:[^()]|\([^()]*\))*)",
    re.IGNORECASE,
)
"""Functions of pgcrypto (text and key), and those that are named for what they take: ``set_password('bob', 'x')``."""
_IN_LIST = re.compile(rf"((?<![\w.])[\w.]{{0,80}}?{COLUMN}\"?\s+(?:NOT\s+)?IN\s*\()([^()]*)", re.IGNORECASE)
_ROW = re.compile(rf"(\bSET\s*\([^()]*{COLUMN}\b[^()]*\)\s*=\s*(?:ROW\s*)?\()([^()]*)", re.IGNORECASE)
_FORMAT = re.compile(r"(\bformat\(\s*'[^']*PASSWORD\s+%L[^']*'\s*,)([^()]*)", re.IGNORECASE)
_ALL_STRINGS = (_CALL, _IN_LIST, _ROW, _FORMAT)
ANY_STRING = re.compile(_STRING, _IN_SQL)
_IN_COMMENT = re.compile(rf"(\b{NAME_IN_SQL}(?::| is| =)\s*)([^\s'\"]+)(?=[^'\n]{{0,500}}')", re.IGNORECASE)

_CONNINFO = re.compile(rf"(\b(?:ssl)?password=(?!>|=))({WITHIN}|{QUOTED}|(?!\*\*\*)[^\s&;,)\]}}'\"]+)", re.IGNORECASE)
_ENTRY = re.compile(
    rf"({ENTRY_NAME}\s*\]?\s*(?::|=>|=(?!=))\s*)"
    rf"({WITHIN}|{WRAPPED}|(?!\*\*\*|'\*\*\*|(?:None|True|False|null|true|false)\b)[^\s,;&)\]}}'\"({{\[\\]+)",
    re.IGNORECASE,
)
"""An entry of a dict or of JSON, or what is given to one."""
_PAIR = re.compile(rf"((?<!\w)[(\[]\s*b?(?P<q>['\"]){NAME}(?P=q)\s*,\s*)({QUOTED})", re.IGNORECASE)
"""A pair of a list. The arguments of a call, as in ``Index("ix_token_user", "user_id")``, are none."""


def without_secrets_of_sql(text: str) -> str:
    """The text without what SQL, a connection string or an entry of a dict says to be a secret."""
    for form in _ONE_STRING:
        text = form.sub(_string, text)
    text = _BEFORE.sub(f"'{HIDDEN}'", text)
    for form in _ALL_STRINGS:
        text = form.sub(_strings, text)
    text = _IN_COMMENT.sub(_if_secret, _PAIR.sub(_pair, _ENTRY.sub(hide_entry, text)))
    return QUERY.sub(rf"\1{HIDDEN}", _CONNINFO.sub(rf"\1{HIDDEN}", text))


def _string(match: re.Match[str]) -> str:
    value = match[0][len(match[1]) :]
    return match[0] if is_proposed(value) else f"{match[1]}'{HIDDEN}'"


def _strings(match: re.Match[str]) -> str:
    return match[1] + ANY_STRING.sub(f"'{HIDDEN}'", match[2])


def _if_secret(match: re.Match[str]) -> str:
    return f"{match[1]}{HIDDEN}" if looks_secret(match[2]) else match[0]


def _pair(match: re.Match[str]) -> str:
    """Hide the second of a pair, unless both are names below one package, as in a list of modules."""
    first, second = match[1].strip(" ([,'\""), match[3].strip("'\"")
    package = first.partition(".")[0]
    return match[0] if "." in first and second.startswith(f"{package}.") else f"{match[1]}'{HIDDEN}'"
