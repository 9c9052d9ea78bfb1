"""PostgreSQL's excerpts of a statement: ``LINE 1: …`` in an error, 60 characters around the mistake.

An excerpt may begin and end within a string, without the names of the columns. So it is written again from the whole
statement, if the error has it, with what is hidden there. Each string in it is closed: an open one would take what
follows for a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from alembic_pgpatterns.output.secret_names import HIDDEN

_EXCERPT = re.compile(
    r"(?<!\\n)(?P<mark>\bLINE (?P<number>\d+): )(?P<sql>[^\n]*)(?P<caret>\n[ \t]*\^[ \t]*(?=\n|\Z))?"
    # In the repr of a string, whose quotes are written in another way.
    r"|(?<=\\n)(?P<before>LINE \d+: ).*?(?=\\n|\n|\Z)"
)
_SECTIONS = re.compile(
    r"(?:^|\n)(?=[ \t]*\^[ \t]*(?:\n|\Z)|(?:LINE \d+:|\[SQL:|\[parameters:|\(Background|Statement:|STATEMENT:|QUERY:"
    r"|CONTEXT:|DETAIL:|HINT:))|\\n(?=LINE \d+:|\[SQL:|\[parameters:|\(Background)"
)
"""Where another part of an error begins: a string in the one does not end in the other."""
_WHOLE = re.compile(r"(?:\[SQL:|Statement:|STATEMENT:|QUERY:|CONTEXT:\s+SQL statement \")\s*")
DONE = "\nStatement: "
"""Errors of our own have it, when everything in them is hidden already. The statement may be cut there."""
_LEXEME = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)|\"(?:[^\"]|\"\")*(?:\"|\Z)"
    r"|(?P<string>(?<!\w)[Ee]'(?:[^'\\]|\\.|'')*(?:'|\Z)|'(?:[^']|'')*(?:'|\Z)"
    r"|(?P<dollar>(?<![\w$])\$(?:[^\W\d]\w*)?\$).*?(?:(?P=dollar)|\Z))",
    re.DOTALL,
)
_CHARACTER = re.compile(r"\s+|\$\d+|%%|.", re.DOTALL)


class _String(NamedTuple):
    """A constant in a statement: where it is, and whether it is a secret."""

    start: int
    end: int
    is_secret: bool


def sections(text: str) -> Iterator[str]:
    """The parts of an error, which make the text again if they are joined."""
    begins = [0, *(match.end() for match in _SECTIONS.finditer(text)), len(text)]
    for begin, end in pairwise(begins):
        part = text[begin:end]
        # A statement in an error of our own is one line.
        line = part.find("\n") + 1 if part.startswith(DONE.lstrip()) else 0
        yield from (part[:line], part[line:]) if line else (part,)


def without_secrets_in_excerpts(text: str, hide: Callable[[str], str]) -> str:
    """Hide the secrets in each excerpt of a text.

    Args:
        text: an error with all its lines.
        hide: hides the secrets in a statement.
    """
    if "LINE " not in text:
        return text
    statements = [part[match.end() :] for part in sections(text) if (match := _WHOLE.match(part))]

    def safe(match: re.Match[str]) -> str:
        if match["before"]:
            return f"{match['before']}{HIDDEN}"
        shown = _excerpt(match["sql"], int(match["number"]), statements, hide, DONE in text)
        # The caret would point at another place.
        return match[0] if shown == match["sql"] else f"{match['mark']}{shown}"

    return _EXCERPT.sub(safe, text)


def _excerpt(sql: str, number: int, statements: list[str], hide: Callable[[str], str], is_done: bool) -> str:
    core = sql.strip().removeprefix("...").removesuffix("...")
    begin, end = sql.strip().startswith("..."), sql.strip().endswith("...")
    candidates = [item for statement in statements for item in _from_whole(core, statement, hide)]
    if candidates:
        result = max(candidates, key=lambda item: item.count(HIDDEN))
    elif number == 1 and not begin:
        result = _written(core, _strings(core, hide(core)), 0, len(core))
    elif is_done:
        return sql
    else:
        result = _without_strings(core, end)
    return sql if result == core else f"{'...' * begin}{result}{'...' * end}"


def _from_whole(core: str, statement: str, hide: Callable[[str], str]) -> Iterator[str]:
    """The excerpt from each place of a statement where it can be from."""
    pattern = re.compile("".join(_form(match[0]) for match in _CHARACTER.finditer(core)))
    places = list(pattern.finditer(statement))
    if core and places:
        strings = _strings(statement, hide(statement))
        for place in places:
            yield re.sub(r"\s+", " ", _written(statement, strings, place.start(), place.end()))


def _form(character: str) -> str:
    """How a part of the excerpt is written in SQLAlchemy's statement: drivers change the parameters."""
    if character.isspace():
        return r"\s+"
    if character.startswith("$") and len(character) > 1:
        return rf"(?:%\(\w+\)s|%s|:\w+|{re.escape(character)})"
    return r"%%?" if character == "%" else re.escape(character)


def _strings(sql: str, hidden: str, start: int = 0) -> list[_String]:
    """The strings of a statement; those that its hidden form lacks are secrets."""
    result = []
    for match in _LEXEME.finditer(sql):
        if not match["string"]:
            continue
        first, last = match.start() + start, match.end() + start
        is_secret = hidden.count(match[0]) < sql.count(match[0])
        tag = match["dollar"]
        if is_secret and tag and hidden.count(tag) >= sql.count(tag):
            # A body of which only a part is hidden.
            body = match[0][len(tag) :]
            result += _strings(body, hidden, first + len(tag)) or [_String(first, last, True)]
        else:
            result.append(_String(first, last, is_secret))
    return result


def _written(sql: str, strings: list[_String], start: int, end: int) -> str:
    """A part of a statement in which no secret is, and each string is whole."""
    pieces, last = [], start
    for string in strings:
        if string.end > start and string.start < end:
            pieces += [sql[last : max(string.start, start)], _closed(sql, string, start, end)]
            last = min(string.end, end)
    return "".join([*pieces, sql[last:end]])


def _closed(sql: str, string: _String, start: int, end: int) -> str:
    if string.is_secret:
        return f"'{HIDDEN}'"
    whole = sql[string.start : string.end]
    shown = sql[max(string.start, start) : min(string.end, end)]
    mark = match[0] if (match := re.match(r"\$\w*\$", whole)) else "'"
    is_open = len(whole) < 2 * len(mark) or not whole.endswith(mark)
    if string.start < start:
        shown = mark + shown.lstrip("'")
    if string.end > end or is_open:
        shown = shown.rstrip("'\\") + mark if shown.strip("'") else f"{mark}{mark}"
    return shown


def _without_strings(excerpt: str, is_cut: bool) -> str:
    """An excerpt of whose statement nothing is known: each string may be of a column that holds secrets."""
    is_quoted_otherwise = re.search(r"\$(?!\d)|\\'", excerpt)
    if "'" not in excerpt and not is_quoted_otherwise:
        return excerpt
    begins_within = excerpt.count("'") % 2 == 1
    if is_cut or is_quoted_otherwise:
        return f"'{HIDDEN}'"  # whether it begins within a string cannot be known
    before, after = ("", excerpt) if not begins_within else (f"'{HIDDEN}'", excerpt.partition("'")[2])
    return before + _LEXEME.sub(lambda match: f"'{HIDDEN}'" if match["string"] else match[0], after)
