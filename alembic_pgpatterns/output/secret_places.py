"""Secrets that have no name beside them but a place: an argument, a column of a line, the line below a name."""

from __future__ import annotations

import re

from alembic_pgpatterns.output.secret_names import HIDDEN, NAME, QUOTED, is_about_secrets, is_proposed, looks_secret


def _after(count: str) -> str:
    """So many arguments, and what stands between them and the next one."""
    return rf"(?:\s*(?:{QUOTED}|[\w.]{{1,60}})\s*,){{{count}}}\s*"


_OF_CALLS = re.compile(
    # What is hashed or is a key itself.
    rf"(\b(?:digest|sha_?\d+|md5|blake2[bs]|Fernet|b64decode|b64encode)\(\s*)({QUOTED})"
    # SQLAlchemy's URL takes driver, user and password in this order; so do many functions around it.
    rf"|(\b(?:URL|URL\.create|make_url)\({_after('2')})({QUOTED})"
    rf"|(\b(?:connect|create_pool|Connection|Client|make_dsn|create_connection)\({_after('2,4')})({QUOTED})"
    rf"|(\b(?:\w{{0,40}}Auth|login|log_?in|sign_?in|authenticate|auth=|credentials?=?)\s?\({_after('1')})({QUOTED})"
    rf"|(\bIDENTIFIED BY\s+)({QUOTED})"
)
_NO_SECRETS = re.compile(r"['\"]?(?:sha[\d-]+|md5|bf|xdes|des|aes|hex|base64|escape|utf-?8|ascii)['\"]?", re.IGNORECASE)
_OF_FILES = re.compile(
    # passwd and shadow; htpasswd; userlist.txt of PgBouncer; netrc.
    r"((?:^|(?<=: ))[ \t]*[\w.-]{1,60}:)((?![x*!]:)[^:\s]{1,300})(?=:\d*:\d*:)"
    r"|((?:^|(?<=: ))[ \t]*[\w.-]{1,60}:(?:\$\w+\$|\{\w+\}))(\S+)"
    r"|((?:^|(?<=: ))[ \t]*\"[\w.-]{1,60}\"[ \t]+)(\"[^\"\n]{1,300}\")(?=[ \t]*(?:$|\"|in\b))"
    r"|(\blogin[ \t]+[\w.@-]{1,60}[ \t]+(?:account[ \t]+\S+[ \t]+)?password[ \t]+)(\S+)",
    re.MULTILINE,
)
_BELOW = re.compile(
    rf"((?:^|(?<=: ))[ \t]*['\"]?(?:{NAME})['\"]?[ \t]*[:=][ \t]*(?:[|>][+-]?|\*\*\*)?[ \t]*\n[ \t]*(?:-[ \t]+)?)"
    r"([^\s:=]{1,500}={0,2})(?=[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
"""YAML's lists and blocks, and a prompt with its answer."""
_WHOLE = re.compile(
    rf"((?:^|[:\s])[\w.]{{0,60}}(?:Error|Exception|Failure|Invalid\w{{0,30}}): )"
    rf"({QUOTED}|(?!\w+=\w)[^\s'\"]{{1,300}})(?=[ \t]*$)",
    re.MULTILINE,
)
"""An error whose message is one word, such as KeyError's key."""
_LOGIN = re.compile(r"(\blogin\s+\w{1,60}\s+)([^\s'\"]{1,300})(?=\s+(?:failed|denied|rejected|refused)\b)")
_CODED = re.compile(
    r"\b(?:base64|Fernet|decode|decrypt|encrypt)\w*\b.{0,200}\bkey\b|\bkey\b.{0,200}\b(?:base64|decode)\b"
)
_WORD = re.compile(r"(?<![\w/.-])[\w/+-]{5,}={0,2}(?![\w/.(-])")


def without_placed(text: str) -> str:
    """The text of others without what its place alone shows to be a secret."""
    text = _OF_CALLS.sub(_argument, text)
    text = _OF_FILES.sub(_hidden, text)
    text = _BELOW.sub(_below, text)
    for form in (_WHOLE, _LOGIN):
        text = form.sub(_if_odd, text)
    if "key" not in text:
        return text
    return "\n".join(_WORD.sub(_odd, line) if _CODED.search(line) else line for line in text.split("\n"))


def _parts(match: re.Match[str]) -> tuple[str, str]:
    before, value = (group for group in match.groups() if group is not None)
    return before, value


def _argument(match: re.Match[str]) -> str:
    before, value = _parts(match)
    return match[0] if _NO_SECRETS.fullmatch(value) or is_proposed(value) else f"{before}'{HIDDEN}'"


def _hidden(match: re.Match[str]) -> str:
    return f"{_parts(match)[0]}{HIDDEN}"


def _below(match: re.Match[str]) -> str:
    name = match[1].strip(" \t\n'\"-|>").rstrip(":= \t")
    return match[0] if is_about_secrets(name) or is_proposed(match[2]) else f"{match[1]}{HIDDEN}"


def _if_odd(match: re.Match[str]) -> str:
    return f"{match[1]}'{HIDDEN}'" if looks_secret(match[2]) else match[0]


def _odd(match: re.Match[str]) -> str:
    return HIDDEN if looks_secret(match[0]) else match[0]
