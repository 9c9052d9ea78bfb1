"""Secrets among the values of an INSERT: the list of columns says which of the values they are."""

from __future__ import annotations

import re

from alembic_pgpatterns.output.secret_names import COLUMN, HIDDEN

_SPACE = r"(?:\s|\\[nrt])"
_INSERT = re.compile(
    rf"\bINSERT{_SPACE}+(?:(?P<table>INTO{_SPACE}+[^()]{{1,300}}?){_SPACE}*)?"
    rf"(?:\((?P<columns>[^()]{{0,9000}})\){_SPACE}*)?"
    rf"(?:OVERRIDING\s+\w+\s+VALUE{_SPACE}*)?(?:\b|(?<=\\[nrt]))(?P<form>VALUES|SELECT)\b",
    re.IGNORECASE,
)
_SECRET_TABLE = re.compile(r"(?:PASSWORD|SECRET|CREDENTIAL|TOKEN)S?\"?$", re.IGNORECASE)
_SECRET_COLUMN = re.compile(rf"{COLUMN}\"?$", re.IGNORECASE)
_NESTED = re.compile(r"[(,]\s*(?:\\+'|''(?!\s*[,):|']))")
"""Strings in a string, or in the repr of one, whose ends the lexer would not find."""


def without_inserted(text: str, string: re.Pattern[str]) -> str:
    """The text without the values of columns that hold secrets.

    Args:
        text: with INSERT statements, which may be cut.
        string: finds the strings in it.
    """
    pieces, last = [], 0
    for match in _INSERT.finditer(text):
        secret = _secret_positions(match)
        if match.start() < last or secret is None:
            continue
        pieces.append(text[last : match.end()])
        rest = text[match.end() :]
        values = _Values(secret, (match["columns"] or "").count(",") + 1, match["form"].upper() == "SELECT")
        if not match["columns"] or _NESTED.search(rest):
            # Which of them it is cannot be known.
            pieces.append(string.sub(f"'{HIDDEN}'", rest))
            return "".join(pieces)
        shown, length = values.hidden(rest)
        pieces.append(shown)
        last = match.end() + length
    return "".join([*pieces, text[last:]])


def _secret_positions(match: re.Match[str]) -> set[int] | None:
    """The positions of the columns that hold secrets, none for all; None if there are no such columns."""
    names = [name.strip() for name in (match["columns"] or "").split(",")]
    positions = {number for number, name in enumerate(names) if _SECRET_COLUMN.search(name)}
    if positions:
        return positions
    return set() if match["table"] and _SECRET_TABLE.search(match["table"].strip()) else None


class _Values:
    """The rows of one INSERT, read lexeme by lexeme."""

    _LEXEME = re.compile(
        r"--[^\n]*|/\*.*?(?:\*/|\Z)|\"(?:[^\"]|\"\")*(?:\"|\Z)|[(),;]|\b(?:FROM|UNION)\b"
        r"|(?P<string>(?:(?<!\w)E'(?:[^'\\]|\\.|'')*|(?<!\w)U&'(?:[^']|'')*|'(?:[^']|'')*)(?:'|\Z)"
        r"|(?P<dollar>(?<![\w$])\$(?:[^\W\d]\w*)?\$).*?(?:(?P=dollar)|\Z))",
        re.IGNORECASE | re.DOTALL,
    )

    def __init__(self, secret: set[int], count: int, is_select: bool) -> None:
        self._secret, self._count = secret, count
        self._position, self._outermost = 0, int(is_select)
        self._depth = self._outermost
        self._is_past_list = False

    def hidden(self, text: str) -> tuple[str, int]:
        """The values without secrets, and the length of what was read: to the end of the statement."""
        pieces, last = [], 0
        for match in self._LEXEME.finditer(text):
            if match["string"]:
                if self._is_secret():
                    pieces += [text[last : match.start()], f"'{HIDDEN}'"]
                    last = match.end()
            elif self._is_end(match[0].upper()):
                return "".join([*pieces, text[last : match.start()]]), match.start()
        return "".join([*pieces, text[last:]]), len(text)

    def _is_secret(self) -> bool:
        # Where values are missing or too many, anything may be meant.
        is_within = self._depth > 0 or self._is_past_list
        unknown = self._is_past_list or not self._secret or self._position >= self._count
        return is_within and (unknown or self._position in self._secret)

    def _is_end(self, sign: str) -> bool:
        if sign == "(":
            self._depth += 1
            if self._depth == 1:
                self._position = 0
        elif sign == ")":
            self._depth -= 1
        elif sign == "," and self._depth == 1:
            self._position += 1
        elif sign in ("FROM", "UNION") and self._depth == self._outermost == 1:
            self._is_past_list = True
        return self._depth < 0 or (sign == ";" and self._depth <= self._outermost)
