"""Which changes of a column's type make PostgreSQL rewrite the table."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

_TYPE = re.compile(r"^(?P<name>[\w \".]*?)\s*(?:\((?P<arguments>[^)]*)\))?(?P<rest>[A-Za-z ]*)(?P<array>(?:\[\])*)$")
_MICROSECONDS = 6
_REAL_BITS = 24
"""FLOAT(24) is real, FLOAT(25) double precision (PostgreSQL docs, "Floating-Point Types")."""
_TEXTS = frozenset(("TEXT", "VARCHAR"))
_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class _Type:
    name: str
    arguments: tuple[int, ...]


def type_text(kind: TypeEngine[object]) -> str:
    """Return a type as PostgreSQL's DDL writes it."""
    return str(kind.compile(dialect=_dialect))


def rewrites(old: TypeEngine[object], new: TypeEngine[object], utc: bool = True) -> bool:
    """Whether ALTER COLUMN TYPE rewrites every row, under ACCESS EXCLUSIVE.

    Args:
        old: the type in the database.
        new: the new type.
        utc: whether the session's TimeZone is UTC, in which timestamp and timestamptz are stored alike
            (``ATColumnChangeRequiresRewrite`` in commands/tablecmds.c).

    Returns:
        True also if that is not known.
    """
    before, after = type_text(old), type_text(new)
    if before == after:
        return False
    a, b = _parsed(before), _parsed(after)
    if a is None or b is None:
        return True
    if {a.name, b.name} <= _TEXTS:
        return bool(b.arguments) and (not a.arguments or a.arguments[0] > b.arguments[0])
    if a.name == b.name == "NUMERIC":
        return not _numeric_fits(a.arguments, b.arguments)
    if a.name.startswith(("TIMESTAMP", "TIME")):
        return not _time_fits(a, b, utc)
    return a.name != b.name or a.arguments != b.arguments


def _parsed(text: str) -> _Type | None:
    match = _TYPE.match(text)
    if match is None:
        return None
    name = f"{match['name']} {match['rest'].strip()}".strip() + match["array"]
    arguments = match["arguments"]
    if arguments is not None and not re.fullmatch(r"[\d, ]*", arguments):
        return None
    if name == "FLOAT":
        single = arguments is not None and int(arguments) <= _REAL_BITS
        return _Type("REAL" if single else "DOUBLE PRECISION", ())
    return _Type(name, tuple(int(part) for part in (arguments or "").replace(" ", "").split(",") if part))


def _numeric_fits(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    """Whether the new type is wider at the same scale, or has no limit."""
    if not new:
        return True
    if not old:
        return False
    scale = [(*each, 0)[1] for each in (old, new)]
    return scale[0] == scale[1] and old[0] <= new[0]


def _time_fits(old: _Type, new: _Type, utc: bool) -> bool:
    names = {old.name, new.name}
    same = len(names) == 1
    timestamps = names == {"TIMESTAMP WITHOUT TIME ZONE", "TIMESTAMP WITH TIME ZONE"}
    if not same and not (timestamps and utc):
        return False
    if not same and new.arguments and new.arguments[0] < _MICROSECONDS:
        # PostgreSQL can skip a cast or a rounding, but not both together.
        return False
    digits = [each.arguments[0] if each.arguments else _MICROSECONDS for each in (old, new)]
    return digits[0] <= digits[1]


_NUMBERS = frozenset(("SMALLINT", "INTEGER", "BIGINT", "NUMERIC", "REAL", "DOUBLE PRECISION"))
_STRINGS = frozenset(("TEXT", "VARCHAR", "CHAR"))


def assignable(old: TypeEngine[object], new: TypeEngine[object]) -> bool:
    """Whether a value of one type can be assigned to the other, with the same result in every session.

    True among numbers and among strings. Timestamps depend on the session's TimeZone.
    """
    parsed = [_parsed(type_text(kind)) for kind in (old, new)]
    names = {item.name for item in parsed if item is not None}
    return None not in parsed and (names <= _NUMBERS or names <= _STRINGS)
