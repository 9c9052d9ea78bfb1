"""Which changes of a column's type make PostgreSQL rewrite the table."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.parsed import TypeText
from alembic_pgpatterns.schema.sql.sqltext import parse_type

_MICROSECONDS = 6
_TEXTS = frozenset(("text", "varchar"))
_TIMES = frozenset(("time", "timetz", "timestamp", "timestamptz"))
_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def type_text(kind: TypeEngine[object]) -> str:
    """Return a type as PostgreSQL's DDL writes it."""
    return str(kind.compile(dialect=_dialect))


def type_name(kind: TypeEngine[object]) -> str:
    """Return a type's name as SQL, without arguments and without COLLATE, which is no part of a type's name."""
    parsed = parse_type(type_text(kind))
    return type_text(kind) if parsed is None else ".".join(map(quote, parsed.names))


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
    a, b = _stored(before), _stored(after)
    if a is None or b is None or a.array != b.array:
        return True
    names = {_builtin(a), _builtin(b)}
    if a.array:
        # The elements of an array are converted one by one, also where a single value would stay as it is.
        return a != b
    if names <= _TEXTS:
        # PostgreSQL checks the values against a shorter limit by writing the table again (varchar_support in
        # utils/adt/varchar.c).
        return bool(b.modifiers) and (not a.modifiers or a.modifiers[0] > b.modifiers[0])
    if names == {"numeric"}:
        return not _numeric_fits(a.modifiers, b.modifiers)
    if _builtin(a) in _TIMES:
        return not _time_fits(a, b, utc)
    # An extension's type may have arguments that are words: geometry(Point) and geometry(Polygon) look equal here.
    return a.names[0] != "pg_catalog" or a != b


def _stored(text: str) -> TypeText | None:
    """A type without its collation, of which the stored values are independent."""
    parsed = parse_type(text)
    return None if parsed is None else replace(parsed, collation=())


def _builtin(item: TypeText) -> str | None:
    """PostgreSQL's own name of a built-in type (pg_type.typname); None for a type of another schema."""
    return item.names[-1] if item.names[:-1] in ((), ("pg_catalog",)) else None


def _numeric_fits(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    """Whether the new type is wider at the same scale, or has no limit."""
    if not new:
        return True
    if not old:
        return False
    scale = [(*each, 0)[1] for each in (old, new)]
    return scale[0] == scale[1] and old[0] <= new[0]


def _time_fits(old: TypeText, new: TypeText, utc: bool) -> bool:
    names = {_builtin(old), _builtin(new)}
    same = len(names) == 1
    if not same and not (names == {"timestamp", "timestamptz"} and utc):
        return False
    if not same and new.modifiers and new.modifiers[0] < _MICROSECONDS:
        # PostgreSQL can skip a cast or a rounding, but not both together.
        return False
    digits = [each.modifiers[0] if each.modifiers else _MICROSECONDS for each in (old, new)]
    return digits[0] <= digits[1]


def keeps_indexes(old: TypeEngine[object], new: TypeEngine[object]) -> bool:
    """Whether a change that rewrites no row keeps the indexes on the column alone, and does not build them again.

    It does if both types have the same collation and operator classes (``CheckIndexCompatible`` in
    commands/indexcmds.c), which timestamp and timestamptz have not.
    """
    if _collation(old) != _collation(new):
        return False
    return _name(old) == _name(new) or {_name(old), _name(new)} <= _TEXTS


_INTEGERS = frozenset(("int2", "int4", "int8"))
_FLOATS = frozenset(("float4", "float8"))
_NUMBERS = _INTEGERS | _FLOATS | {"numeric"}
_STRINGS = _TEXTS | {"bpchar"}
_DOCUMENTS = frozenset(("json", "jsonb"))
_FAMILIES = (_INTEGERS, _FLOATS, _TEXTS)
"""Types of one operator family (pg_amop): their values are compared without a cast, also by foreign keys."""
_BY_SESSION = ("time", "date", "interval", "money", "bytea")
"""Types whose text, or whose cast, depends on settings of the session (TimeZone, DateStyle, lc_monetary and others)."""


def assignable(old: TypeEngine[object], new: TypeEngine[object]) -> bool:
    """Whether a value of one type can be assigned to the other, with the same result in every session.

    True among numbers, among strings, among json and jsonb, and from any type to a string: every type has a cast to
    text by its output, for assignments (PostgreSQL docs, CREATE CAST). Timestamps depend on the session's TimeZone,
    and how many digits of a float are printed on extra_float_digits.
    """
    before, after = _name(old), _name(new)
    if any({before, after} <= family for family in (_NUMBERS, _STRINGS, _DOCUMENTS)):
        return True
    return castable(old, new) and after in _STRINGS and before.removesuffix("[]") not in _FLOATS


def moves_zone(old: TypeEngine[object], new: TypeEngine[object]) -> bool:
    """Whether times get a time zone or lose it."""
    return {_name(old), _name(new)} == {"timestamp", "timestamptz"}


def castable(old: TypeEngine[object], new: TypeEngine[object]) -> bool:
    """Whether an explicit cast between the types gives the same result in every session."""
    return all(name and not name.startswith(_BY_SESSION) for name in (_name(old), _name(new)))


def comparable(old: TypeEngine[object], new: TypeEngine[object]) -> bool:
    """Whether a foreign key may reference a column of one type from a column of the other."""
    return any({_name(old), _name(new)} <= family for family in _FAMILIES)


_STAMPS = frozenset(("timestamp", "timestamptz", "date"))


def work_together(old: TypeEngine[object], new: TypeEngine[object]) -> bool:
    """Whether PostgreSQL compares and assigns values of both types without a cast. False if that is not known."""
    names = {_name(old), _name(new)}
    strings = {name.removesuffix("[]") for name in names} <= _STRINGS and len(
        {name[-2:] == "[]" for name in names}
    ) == 1
    return len(names) == 1 or strings or any(names <= family for family in (_NUMBERS, _STAMPS, _DOCUMENTS))


def widens(old: TypeEngine[object], new: TypeEngine[object]) -> bool:
    """Whether an integer type becomes a wider one."""
    return {_name(old), _name(new)} <= _INTEGERS and _name(old) < _name(new)


def narrows(old: TypeEngine[object], new: TypeEngine[object]) -> bool:
    """Whether a type has no place for some values of another one of the same kind. True if that is not known."""
    names = _name(old), _name(new)
    if set(names) <= _INTEGERS | _FLOATS:
        return names[0] > names[1] or (names[0] in _FLOATS) != (names[1] in _FLOATS)
    return set(names) != _DOCUMENTS and rewrites(old, new)


def _collation(kind: TypeEngine[object]) -> tuple[str, ...]:
    parsed = parse_type(type_text(kind))
    return parsed.collation if parsed is not None else ()


def _name(kind: TypeEngine[object]) -> str:
    """PostgreSQL's name of a type without arguments; empty if it is not understood."""
    parsed = parse_type(type_text(kind))
    if parsed is None:
        return ""
    return (_builtin(parsed) or ".".join(parsed.names)) + "[]" * parsed.array
