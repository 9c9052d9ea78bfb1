"""The way from varchar(n) and char(n) to text."""

from __future__ import annotations

from alembic_pgpatterns.patterns._columns import Group, Obstacles, together
from alembic_pgpatterns.remedies.model import Advice, ChangeType, TypeChange
from alembic_pgpatterns.remedies.naming import fit
from alembic_pgpatterns.schema.model import Column
from alembic_pgpatterns.schema.names import quote


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


def as_text(group: Group, obstacles: Obstacles, keep_limit: bool, decorated: bool = False) -> ChangeType | Advice:
    """All string columns of a group as text, in one step.

    Args:
        group: columns that foreign keys tie together.
        obstacles: what stands in the way.
        keep_limit: keep the old length as a CHECK.
        decorated: change columns whose type a TypeDecorator chooses, too.
    """

    def change(column: Column) -> TypeChange | str | None:
        return _change(column, keep_limit, decorated)

    return together(group, obstacles, change, _rewrites)


def _change(column: Column, keep_limit: bool, decorated: bool) -> TypeChange | str | None:
    if column.type.name == "text":
        return None
    if column.type.name not in ("varchar", "bpchar"):
        return f"its type is {column.type.display or 'not known'}"
    if column.type.decorated and not decorated:
        return chooser(column)
    # A CHECK cannot have a sub-select, which the elements would need.
    if keep_limit and column.type.array and column.type.length:
        return "no CHECK can keep the limit of an array's elements"
    change = TypeChange(column.table, column.name, column.type.display, spelled("text", column))
    return _limited(change, column.type.length) if keep_limit and column.type.length else change


def _limited(change: TypeChange, length: int) -> TypeChange:
    return TypeChange(
        change.table,
        change.column,
        change.old,
        change.new,
        check=f"char_length({quote(change.column)}) <= {length}",
        check_name=fit(f"ck_{change.table.name}_{change.column}_length"),
    )


def _rewrites(column: Column) -> bool:
    """char(n) is padded on disk, and PostgreSQL rewrites arrays even where it would not rewrite their elements."""
    return column.type.name == "bpchar" or column.type.array
