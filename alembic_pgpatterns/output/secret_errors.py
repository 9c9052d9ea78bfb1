"""Secrets in texts of others: errors of env.py, of libraries, of the server; command lines; what a project logs."""

from __future__ import annotations

import re
from collections import Counter

from alembic_pgpatterns.output.secret_names import (
    CONTAINER,
    ENTRY_NAME,
    HIDDEN,
    IS_NAME,
    NAME,
    QUERY,
    QUOTED,
    WITHIN,
    WRAPPED,
    hide_entry,
    is_about_secrets,
    is_proposed,
    looks_secret,
)

_PLACEHOLDER = r"(?![{%$<]|port\b|password\b|pass@|\*\*\*)"
_URL_CUT = re.compile(
    rf"(://[^\s:/@\[{{]+:){_PLACEHOLDER}(?!\d+(?!\w))[^\s/@'\"{{?#]{{1,300}}(?=['\"\s/?#)]|\Z)", re.IGNORECASE
)
"""One without its host: Alembic, for example, takes what stands before an @ for the name of a branch."""
_URL_ENCODED = re.compile(r"(%3A(?:%2F%2F|//)[\w.-]*%3A)[^\s'\"]+?(?=%40)", re.IGNORECASE)
_USER_AT = re.compile(
    rf"((?<![\w.+%-])(?!mailto:)[\w.+%-]*:(?:/{{1,2}}[\w.+%-]*:)?)(?![/*]){_PLACEHOLDER}[^\s'\"@/]{{1,300}}@(?=[\w\[*])"
)
"""``bob:x@host`` without a scheme, or with a part of one."""
_CONNINFO_SPACED = re.compile(rf"(\bpassword\s*=(?!>|=)\s*)({WITHIN}|{QUOTED}|[^\s&;,)'\"]+)", re.IGNORECASE)
"""Only in errors: ``CHECK (password = upper(password))`` is no secret."""
_PGPASS = re.compile(r"((?<![\w.:*-])[\w.*-]+:(?:\d+|\*):[^:\s/]*:[^:\s/]+:)(?!\*\*\*)[^\s'\"]+")
_OF_ROLE = re.compile(
    r"(\b(?:ALTER|CREATE)\s+(?:ROLE|USER)\b[^;\n]{0,200}?\b(?:PASSWORD|IDENTIFIED BY)\s+)"
    r"(?!NULL\b|\*|'\*)('[^']*'|'[^'\n]*$|[\w$]+)",
    re.IGNORECASE | re.MULTILINE,
)
_ON_INSTANCE = re.compile(rf"(\bOn instance(?:\['[^'\n]{{1,60}}'\]){{0,9}}\['{NAME}'\]:\s+)({QUOTED})", re.IGNORECASE)
"""jsonschema's."""

_ENTRY_OF_MANY = re.compile(rf"({ENTRY_NAME}\s*:\s*)({CONTAINER})", re.IGNORECASE)
_CALLED = re.compile(
    rf"(\b(?:getenv|get|setdefault|setattr|set|put|setenv|config|store|add)\((?:[^()'\"]*,)?(?:\s*{QUOTED}\s*,)?\s*"
    rf"(?P<q>['\"]){NAME}(?P=q)\s*,\s*)({QUOTED})",
    re.IGNORECASE,
)
"""The arguments of a call that keeps values by name."""
_AMONG = re.compile(rf"(,\s*(?P<q>['\"]){NAME}(?P=q)\s*,\s*)(?P<value>{QUOTED})", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"(\b(?:{NAME}|PWD(?!=/))\s*(?::[\w.\[\]| ]+)?(?:=>?|:=)(?!=)\s*)({WRAPPED}|(?!\*\*\*)[^\s,;&)}}\]'\"]+)",
    re.IGNORECASE,
)
"""Also with a type: ``password: str = 'x'``."""
_ENVIRONMENT = re.compile(r"(\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_KEY\s*[=:]\s*)(?P<value>(?!\*\*\*)[^\s,;&)}\]'\"]+)")
_COLUMNS = re.compile(rf"(\b{NAME}(?: ?\||\t|\s?\.\.+|  )[ \t]*)(?P<value>[^\s|]+)", re.IGNORECASE)
"""A table for people."""
_COLON = re.compile(
    r"((?<!/etc/)(?<![\w.-])(?:[A-Z][A-Z0-9_]{0,60}"
    r"|(?i:password|passwd|secret|passphrase|[\w.-]{1,60}[_-](?:password|passwd|pass|pwd|secret|token|key))"
    r"|\w{1,60}(?:Password|Passwd|Secret|Token|Key))\s*:)(\s*)"
    rf"({QUOTED}|(?!\*\*\*|//|:|\w+(?:\[[^\]]*\])?\s*=)[^\s,;&)}}\]'\"]+)"
)
_ENCODED = re.compile(rf"(\b{NAME}(?:&#61;|%3D))[^\s&%]+", re.IGNORECASE)
_ATTRIBUTE = re.compile(rf"((?P<q>['\"]){NAME}(?P=q)\s+value=){QUOTED}", re.IGNORECASE)
_ELEMENT = re.compile(rf"(<(?P<tag>{NAME})>)[^<]*", re.IGNORECASE)
_NAMED = re.compile(rf"(\b(?:password|passwd|passphrase|secret)\s+)({QUOTED})(?!\s*(?:=|:))", re.IGNORECASE)
_HEADER = re.compile(r"(\b(?:authorization|cookie)['\"]?\s*[:=,]\s*b?['\"]?)(?!\*\*\*)[^'\"\n}]+", re.IGNORECASE)
_BEARER = re.compile(r"(\b(?:Bearer|Basic)\s+)(?!realm=)(?=[^\s'\"]*[\d=!@#$%^&*])[^\s'\",;)]{4,}", re.IGNORECASE)

_PARAMETERS = re.compile(r"(\[parameters: ).*?\](?=\s*(?:\(Background|\Z|\n|\\n))", re.DOTALL)
"""SQLAlchemy's error lists a statement's values; those of a list have no names by which a secret is known."""
_BOUND = re.compile(r"(\$\d+ = )(?:'(?:[^']|'')*'|[^\s,]+)")
"""PostgreSQL's ``parameters: $1 = 'x'``."""
_KEY_DETAIL = re.compile(
    r"(Key \((?P<columns>[^\n]{0,500}?)\)=\()[^\n]{0,3000}?(\)(?= already| is | conflicts|\.|\n|\Z))"
)
_ROW_DETAIL = re.compile(r"(Failing row contains \()([^\n]{0,9000}?)(\)\.?(?=\s*(?:\n|\Z|\\n|\[|'|\"|\())|(?=\n|\Z))")
_KNOWN_VALUE = re.compile(r"\s*(?:null|t|f|-?\d{1,9}(?:\.\d+)?|\d{4}-\d\d-\d\d(?:[ T][\d:.+-]+)?|\.\.\.)\s*")
_COPIED = re.compile(r"(CONTEXT:\s+COPY [^\n:]{0,300}: )\"[^\n]*\"")
"""PostgreSQL's: the values of a row."""
_INPUT = re.compile(
    r"(\binput_value=).*?(?=, input_type=|\]\s*\Z|\]\n)|(\bgiven=)(?:'[^']*'|[^;)]*)"
    rf"|('input': |\"input\": ?)(?:{QUOTED}|{CONTAINER}|[^,}}\]]+)|(\bbut it is )(?:{QUOTED}|\S+)",
    re.DOTALL,
)
"""What pydantic and dynaconf quote of a setting."""
_ARGUMENT = re.compile(
    rf"((?:argument |Invalid value for )[^:\n]{{0,80}}{NAME}[^:\n]{{0,80}}:(?: invalid [\w ]+:)? )({QUOTED})",
    re.IGNORECASE,
)
"""What argparse and click quote of an argument."""
_LIBPQ = re.compile(
    r"((?:after|connection option|option|value|URI query parameter:?|in URI:?)\s+)\"[^\"]*\"(?= (?:in|for) connection)"
    r"|(missing \"=\" after )\"[^\"]*\""
    r"|(invalid (?:connection option|URI query parameter:?|percent-encoded token:?) )\"[^\"]*\""
    r"|(Could not parse SQLAlchemy URL from (?:given URL )?string )'[^']*'|(unexpected spaces found in )\"[^\"]*\""
)
"""The message about a connection string that cannot be read quotes a part of it, which may be the password."""


def without_quoted_input(text: str) -> str:
    """The text without what libraries and servers quote of their input, in forms of their own."""
    text = _LIBPQ.sub(lambda match: f'{match[1] or match[2] or match[3] or match[4] or match[5]}"{HIDDEN}"', text)
    text = _INPUT.sub(lambda match: f"{match[1] or match[2] or match[3] or match[4]}'{HIDDEN}'", text)
    text = _ARGUMENT.sub(rf"\1'{HIDDEN}'", text)
    text = _COPIED.sub(rf'\1"{HIDDEN}"', _BOUND.sub(rf"\1'{HIDDEN}'", _PARAMETERS.sub(rf"\1{HIDDEN}]", text)))
    return _ROW_DETAIL.sub(_row, _KEY_DETAIL.sub(_key, text))


def _key(match: re.Match[str]) -> str:
    return f"{match[1]}{HIDDEN}{match[3]}" if IS_NAME.search(match["columns"]) else match[0]


def _row(match: re.Match[str]) -> str:
    """The values of a row, of which only numbers, dates and nulls stay: the others have no names."""
    values = (item if _KNOWN_VALUE.fullmatch(item) else f" {HIDDEN}" for item in match[2].split(","))
    return f"{match[1]}{','.join(values).strip()}{match[3]}"


def without_addresses(text: str) -> str:
    """The text without passwords in addresses and connection strings, of which only a part may be there."""
    for form in (_URL_CUT, _URL_ENCODED, _PGPASS, QUERY, _CONNINFO_SPACED, _OF_ROLE):
        text = form.sub(rf"\1{HIDDEN}", text)
    return _USER_AT.sub(rf"\1{HIDDEN}@", text)


def without_named(text: str) -> str:
    """The text without what stands beside the name of a secret."""
    for form in (_HEADER, _BEARER, _ELEMENT, _ENCODED):
        text = form.sub(rf"\1{HIDDEN}", text)
    for form in (_NAMED, _ATTRIBUTE, _CALLED, _ON_INSTANCE):
        text = form.sub(rf"\1'{HIDDEN}'", text)
    text = _ENTRY_OF_MANY.sub(hide_entry, text)
    for form in (_AMONG, _ENVIRONMENT, _COLUMNS):
        text = form.sub(_if_secret, text)
    return _COLON.sub(_after_colon, _ASSIGNED.sub(_assigned, text))


def _if_secret(match: re.Match[str]) -> str:
    return f"{match[1]}{HIDDEN}" if looks_secret(match["value"]) else match[0]


def _assigned(match: re.Match[str]) -> str:
    if not IS_NAME.search(match[1]) or is_proposed(match[2]) or is_about_secrets(match[1]):
        return match[0]
    return f"{match[1]}{HIDDEN}"


def _after_colon(match: re.Match[str]) -> str:
    # Without a space it is a value only after a name that cannot be a word of prose.
    is_name = match[2] or match[1].isupper() or match[1].lower().startswith(("password:", "passwd:"))
    if not is_name or not IS_NAME.search(match[1]) or is_proposed(match[3]) or is_about_secrets(match[1]):
        return match[0]
    return f"{match[1]}{match[2]}{HIDDEN}"


def _is_quoted(word: str, text: str) -> bool:
    return any(f"{mark}{word}" in text or f"{word}{mark}" in text for mark in "'\"") and not IS_NAME.search(word)


_WORD = re.compile(r"(?<![\w/])[\w+/-]{4,}==?(?![\w=*])|[^\s'\"`,;:(){}\[\]=<>/@]+")


def hidden_everywhere(text: str, original: str) -> str:
    """Hide what was hidden in one place in all others, if it looks like a secret: a message often says it twice.

    What it quotes it quotes as it came, so there it may look like any word.
    """
    before, after = Counter(_WORD.findall(original)), Counter(_WORD.findall(text))
    for word, count in before.items():
        if 0 < after[word] < count and (looks_secret(word) or (len(word) > 4 and _is_quoted(word, text))):
            text = text.replace(word, HIDDEN)
    return text
