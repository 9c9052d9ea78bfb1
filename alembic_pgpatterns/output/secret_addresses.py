"""Passwords in addresses with characters that an address may not have: a space, a quote, a second ``@``."""

from __future__ import annotations

import re

from alembic_pgpatterns.output.secret_names import HIDDEN

_BEGINNING = re.compile(r"(?P<quote>['\"]?)(?P<scheme>[\w+.-]{1,60})://[^\s:/@'\"]{0,200}:")
_OF_DATABASE = re.compile(r"sql|postgres|redis|mongo|amqp|oracle|maria|cockroach|ldap|smtp", re.IGNORECASE)
_PORT = re.compile(r"\d{1,5}(?!\w)")
_PLACEHOLDER = re.compile(r"(?:%\(\w+\)s|\$?\{\w+\}|\$\w+|<\w+>|\*\*\*)(?:@|['\"\s]|\Z)")
_LONGEST = 500
_HOST = re.compile(r"@(?:\[[\da-fA-F:.]+\]|[\w.*-]+)(?::\d+)?(?P<end>[/?]|['\"]|\s*\Z)?")


def without_odd_passwords(text: str) -> str:
    """The text without passwords that end at the last ``@`` of the line, or of the quoted string."""
    pieces, last = [], 0
    for match in _BEGINNING.finditer(text):
        if match.start() >= last and (length := _length(_rest(text, match), match)):
            pieces += [text[last : match.end()], HIDDEN]
            last = match.end() + length
    return "".join([*pieces, text[last:]])


def _rest(text: str, match: re.Match[str]) -> str:
    """What may be the password and the host: of this line, before the next address and the closing quote."""
    rest = text[match.end() : match.end() + _LONGEST].partition("\n")[0]
    if following := re.search(r"[\w+.-]*://", rest):
        rest = rest[: following.start()]
    quote = match["quote"]
    closing = re.search(rf"(?<!\\){quote}", rest) if quote else None
    return rest[: closing.start()] if closing else rest


def _length(rest: str, match: re.Match[str]) -> int:
    """The number of characters of the password, 0 if there is none, or no odd one."""
    word = re.split(r"\s", rest, maxsplit=1)[0]
    if word == rest or _PLACEHOLDER.match(rest):
        return 0
    is_database = bool(_OF_DATABASE.search(match["scheme"]))
    hosts = list(_HOST.finditer(rest))
    if not hosts:
        # A library may have cut the host off.
        return len(rest) if match["quote"] and is_database and word and not _PORT.match(rest) else 0
    host = hosts[-1]
    if "@" in word or _PORT.match(rest):
        # It can be an address without such a password, and the rest a sentence.
        is_whole = any(item["end"] == "/" for item in _HOST.finditer(word))
        return host.start() if host["end"] == "/" and not is_whole else 0
    return host.start() if is_database or host["end"] is not None else 0
