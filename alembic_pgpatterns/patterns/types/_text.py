"""The way from varchar(n) and char(n) to text."""

from __future__ import annotations

import enum
from dataclasses import replace

from alembic_pgpatterns.patterns._check_names import check_names
from alembic_pgpatterns.patterns._columns import Group, Linked, Obstacles, together
from alembic_pgpatterns.remedies.model import Advice, ChangeType, TypeChange
from alembic_pgpatterns.schema.model import Column, Schema
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.lengths import longest

GUESSED = (
    *(191, 250, 255, 256),  # MySQL's longest key in utf8mb4 is 191; one byte counts to 255
    *(500, 512, 1000, 1024, 2000, 2048, 4000, 4096, 5000),  # 4000: VARCHAR2 of Oracle
    *(8000, 8192, 10000, 16384, 32768, 65535),  # 8000: varchar of SQL Server; 65535: a row of MySQL
)
"""Lengths that come from other databases or are round numbers: nobody chose them for what the column holds."""


class KeepLimit(enum.StrEnum):
    """What becomes of a column's length when its type becomes text.

    AUTO: a CHECK keeps it, unless it is one of the usual guesses. ALWAYS: a CHECK keeps it. NEVER: it is dropped.
    """

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def spelled(base: str, column: Column) -> str:
    """A type as SQL with the column's own collation and array; ALTER COLUMN … TYPE would reset the collation."""
    collation = column.type.collation
    suffix = "[]" if column.type.array else ""
    collate = f" COLLATE {collation}" if collation is not None and collation.name != "default" else ""
    return f"{base}{suffix}{collate}"


def chooser(column: Column) -> str:
    """Who chooses the type of a column, as a reason."""
    name = column.type.decorator
    return f"its type is chosen by the TypeDecorator {name}, so change its impl" if name else "an Enum chooses its type"


def as_text(
    schema: Schema, column: Column, keep: KeepLimit, guessed: tuple[int, ...] = GUESSED, *, decorated: bool = False
) -> ChangeType | Advice:
    """A string column and all that foreign keys tie to it as text, in one step.

    Args:
        schema: it knows the other columns, and what stands in the way.
        column: the column.
        keep: which lengths are kept, as a CHECK.
        guessed: lengths that say nothing.
        decorated: change columns whose type a TypeDecorator chooses, too.
    """
    linked = schema.fact(Linked)

    def change(item: Column) -> TypeChange | str | None:
        # A child can hold only what its parent holds, so the parent's CHECK is enough.
        length = None if (item.table, item.name) in linked.bound else _limit_to_keep(item, keep, guessed)
        return _change(schema, item, length, decorated)

    return together(linked.group(column), schema.fact(Obstacles), change, _rewrites)


def as_wide_as_parents(schema: Schema, group: Group) -> ChangeType | Advice:
    """All string columns of a group that reference another one as text, so that they hold each of its values.

    A column that only others reference stays as it is, with its limit, unless it is padded: a text that equals a
    char(n) has no blanks at its end, and PostgreSQL compares the two with the blanks.
    """
    referring = schema.fact(Linked).referring

    def change(item: Column) -> TypeChange | str | None:
        if (item.table, item.name) in referring:
            return _change(schema, item, None, decorated=False)
        length = _limit_to_keep(item, KeepLimit.AUTO, GUESSED)
        return _change(schema, item, length, decorated=False) if item.type.name == "bpchar" else None

    return together(group, schema.fact(Obstacles), change, _rewrites)


def _limit_to_keep(column: Column, keep: KeepLimit, guessed: tuple[int, ...]) -> int | None:
    """The length that a CHECK must keep when the column becomes text; None if there is none."""
    length = column.type.length
    if keep == KeepLimit.NEVER or (keep == KeepLimit.AUTO and length in guessed):
        return None
    return length


def _change(schema: Schema, column: Column, length: int | None, decorated: bool) -> TypeChange | str | None:
    # A varchar without a length is a text by another name: the two are compared as one.
    if column.type.name == "text" or (column.type.name == "varchar" and column.type.length is None):
        return None
    if column.type.name not in ("varchar", "bpchar"):
        return f"its type is {column.type.display or 'not known'}"
    if column.type.decorated and not decorated:
        return chooser(column)
    # A CHECK cannot have a sub-select, which the elements would need.
    if length and column.type.array:
        return "no CHECK can keep the limit of an array's elements"
    change = TypeChange(column.table, column.name, column.type.display, spelled("text", column))
    return change if not length or _checked(schema, column, length) else _limited(schema, change, length)


def _checked(schema: Schema, column: Column, length: int) -> bool:
    """Whether a CHECK of the table keeps the limit already."""
    table = schema.table(column.table)
    checks = (check for check in table.checks if check.enforced) if table is not None else ()
    limits = (longest(check.expression, column.name) for check in checks if isinstance(check.expression, str))
    return any(limit is not None and limit <= length for limit in limits)


def _limited(schema: Schema, change: TypeChange, length: int) -> TypeChange:
    label, name = _free_names(schema, change)
    condition = f"char_length({quote(change.column)}) <= {length}"
    return replace(change, check=condition, check_name=name, check_label=label)


def _free_names(schema: Schema, change: TypeChange) -> tuple[str, str]:
    """The first pair of names whose second no other CHECK of the table has."""
    table = schema.table(change.table)
    taken = {check.name for check in table.checks} if table is not None else set()
    words = (f"{change.column}_{word}" for word in ("length", "limit", "longest"))
    pairs = [check_names(schema, change.table.name, word) for word in words]
    return next((pair for pair in pairs if not taken.intersection(pair)), pairs[0])


def _rewrites(column: Column) -> bool:
    """char(n) is padded on disk, and PostgreSQL rewrites arrays even where it would not rewrite their elements."""
    return column.type.name == "bpchar" or column.type.array
