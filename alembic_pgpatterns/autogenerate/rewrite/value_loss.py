"""What a new type takes from the stored values in silence: PostgreSQL rounds, or cuts, what has no place in it."""

from __future__ import annotations

from dataclasses import dataclass

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.table_names import qualified
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import type_text
from alembic_pgpatterns.remedies.type_operations import in_utc
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.parsed import TypeText
from alembic_pgpatterns.schema.sql.sqltext import parse_type


@dataclass(frozen=True, slots=True)
class Loss:
    """What a change of type does to values."""

    words: str = ""
    """A sentence; empty if all values stay."""
    query: str = ""
    """Finds the rows whose value changes; empty if all rows do, or lose only what the old type does not promise."""
    promised: bool = False
    """The old type promises to keep what is lost."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of a comment that show the query."""
        return ("Rows whose value changes:", f"  {self.query}") if self.query else ()


def value_loss(op: ops.AlterColumnOp) -> Loss:
    """Return what is lost of the values of a column that gets another type."""
    if op.existing_type is None or op.modify_type is None:
        return Loss()
    before, after = type_text(op.existing_type), type_text(op.modify_type)
    old, new = parse_type(before), parse_type(after)
    column = quote(str(op.column_name))
    if old is not None and new is not None and _never_fits(old, new):
        return Loss(_NO_UUID.format(old=before.lower()), promised=True)
    if old is not None and new is not None and _loses_json(old, new):
        return Loss(_MEMBERS, promised=True)
    if old is None or new is None or old.array != new.array or op.kw.get("postgresql_using") not in _casts(op, after):
        return Loss()
    words = _words(old, new)
    if not words:
        return Loss()
    if words == _DAY or (new.names[-1] == "numeric" and not new.modifiers):
        return Loss(words, promised=words == _DAY)
    table = qualified(op.schema, op.table_name)
    query = f"SELECT * FROM {table} WHERE {column} <> {column}::{after}::{before};"  # noqa: S608 - for people
    return Loss(words, query, promised=True)


_NO_UUID = (
    "No {old} is a uuid, so this fails where the table has rows: give them a second column with new values first "
    "(`gen_random_uuid()`), and the columns that reference it too; then drop the old ones"
)


_MEMBERS = "Numbers, booleans and documents within the document become text"


def _loses_json(old: TypeText, new: TypeText) -> bool:
    return not old.array and old.names[-1] in ("json", "jsonb") and new.names[-1] == "hstore"


def _never_fits(old: TypeText, new: TypeText) -> bool:
    """Whether no value at all has a form in the new type: PostgreSQL only finds that out with the first row."""
    numbers = (*_DIGITS, *_WHOLE, "numeric", "bool")
    return not (old.array or new.array) and new.names[-1] == "uuid" and old.names[-1] in (*numbers, *_CLOCKS, "date")


def _casts(op: ops.AlterColumnOp, new: str) -> tuple[str | None, ...]:
    """What a USING may be that does no more than PostgreSQL's own cast."""
    column = str(op.column_name)
    return (None, in_utc(column), f"{quote(column)}::{new.lower()}")


_DIGITS = {"float4": 6, "float8": 15}
"""FLT_DIG and DBL_DIG: the digits that the cast to numeric prints (utils/adt/numeric.c)."""
_WHOLE = {"int2": 4, "int4": 9, "int8": 18}
"""Digits of which every number fits."""
_CLOCKS = ("time", "timetz", "timestamp", "timestamptz")
_STAMPS = ("timestamp", "timestamptz")
_MICROSECONDS = 6
_DAY = "The day is lost"


def _words(old: TypeText, new: TypeText) -> str:
    before, after = old.names[-1], new.names[-1]
    if before in (*_DIGITS, *_WHOLE, "numeric"):
        return _of_numbers(old, new)
    if before in _CLOCKS and after in _CLOCKS:
        digits = [item.modifiers[0] if item.modifiers else _MICROSECONDS for item in (old, new)]
        rounded = f"Values are rounded to {_counted(digits[1])} after the second" if digits[1] < digits[0] else ""
        return _DAY if before in _STAMPS and after not in _STAMPS else rounded
    return "The time of day is lost" if before in _STAMPS and after == "date" else ""


def _of_numbers(old: TypeText, new: TypeText) -> str:
    before, after = old.names[-1], new.names[-1]
    if after in _DIGITS:
        return f"{_DIGITS[after]} digits of each value stay" if _most_digits(old) > _DIGITS[after] else ""
    places = _places(old)
    if after in _WHOLE:
        return "Values are rounded to whole numbers" if places else ""
    if after != "numeric":
        return ""
    if new.modifiers and (scale := _scale(new)) < places:
        if scale < 0:
            return f"The last {_counted(-scale)} before the point are rounded to 0"
        return f"Values are rounded to {f'{_counted(scale)} after the point' if scale else 'whole numbers'}"
    if before in _DIGITS and not new.modifiers:
        return f"{_DIGITS[before]} digits of each value stay, as with PostgreSQL's own cast"
    return ""


def _counted(digits: int) -> str:
    return f"{digits} digit{'' if digits == 1 else 's'}"


_UNLIMITED = 1000


def _places(item: TypeText) -> int:
    """Digits after the point that a value may have."""
    if item.names[-1] in _WHOLE:
        return 0
    return _scale(item) if item.modifiers and item.names[-1] == "numeric" else _UNLIMITED


def _scale(item: TypeText) -> int:
    return (*item.modifiers, 0)[1]


def _most_digits(item: TypeText) -> int:
    """Digits that a value may need."""
    name = item.names[-1]
    if name in (*_DIGITS, *_WHOLE):
        return {**_DIGITS, **_WHOLE}[name]
    return item.modifiers[0] if item.modifiers else _UNLIMITED
