"""Texts that match a regular expression, made from Python's parse of it. PostgreSQL then checks that they match."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterator
from re import _constants as constants  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

ANY = string.ascii_lowercase + string.digits
_CATEGORIES = {
    constants.CATEGORY_DIGIT: string.digits,
    constants.CATEGORY_WORD: string.ascii_lowercase + string.digits + "_",
    constants.CATEGORY_SPACE: " ",
    constants.CATEGORY_NOT_SPACE: ANY,
    constants.CATEGORY_NOT_DIGIT: string.ascii_lowercase,
    constants.CATEGORY_NOT_WORD: "-",
}
_CLASSES = {
    "[:alpha:]": "a-zA-Z",
    "[:digit:]": "0-9",
    "[:alnum:]": "a-zA-Z0-9",
    "[:upper:]": "A-Z",
    "[:lower:]": "a-z",
    "[:xdigit:]": "0-9a-f",
    "[:space:]": " ",
    "[:punct:]": "-",
}
"""PostgreSQL's (docs, "Bracket Expressions") as Python's, which is exact enough for examples."""


def matching(pattern: str, count: int = 200) -> list[str]:
    """Up to ``count`` different texts that should match; none if this module cannot handle the expression."""
    for name, members in _CLASSES.items():
        pattern = pattern.replace(name, members)
    try:
        # A private module of the standard library, the same in each Python that we support; it only proposes texts, and
        # the server judges them.
        parsed = parser.parse(pattern)
    except (re.error, OverflowError, RecursionError):
        return []
    draw = random.Random(1)
    try:
        texts = ["".join(_texts(parsed, draw)) for _ in range(count * 2)]
    except (NotImplementedError, IndexError):
        return []
    return list(dict.fromkeys(texts))[:count]


def _texts(parsed: Any, draw: random.Random) -> Iterator[str]:
    for operation, argument in parsed:
        yield _text(operation, argument, draw)


def _text(operation: Any, argument: Any, draw: random.Random) -> str:
    if operation is constants.LITERAL:
        return chr(argument)
    if operation in (constants.MAX_REPEAT, constants.MIN_REPEAT):
        least, most, inner = argument
        return "".join("".join(_texts(inner, draw)) for _ in range(draw.randint(least, min(most, least + 4))))
    if operation is constants.SUBPATTERN:
        return "".join(_texts(argument[3], draw))
    if operation is constants.BRANCH:
        return "".join(_texts(draw.choice(argument[1]), draw))
    if operation is constants.IN:
        return draw.choice(_members(argument))
    if operation is constants.ANY:
        return draw.choice(ANY)
    if operation is constants.NOT_LITERAL:
        return draw.choice(ANY.replace(chr(argument), ""))
    if operation in (constants.AT, constants.ASSERT, constants.ASSERT_NOT):
        return ""
    raise NotImplementedError(str(operation))


def _members(items: Any) -> str:
    negated = bool(items) and items[0][0] is constants.NEGATE
    members = "".join(map(_member, items[1:] if negated else items))
    return "".join(c for c in ANY + "-_." if c not in members) if negated else members


def _member(item: Any) -> str:
    operation, argument = item
    if operation is constants.LITERAL:
        return chr(argument)
    if operation is constants.RANGE:
        return "".join(map(chr, range(argument[0], min(argument[1], argument[0] + 200) + 1)))
    if operation is constants.CATEGORY:
        return _CATEGORIES[argument]
    raise NotImplementedError(str(operation))
