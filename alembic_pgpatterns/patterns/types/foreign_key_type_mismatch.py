from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import (
    STRINGS,
    Group,
    Linked,
    Obstacles,
    apart,
    checked_keys,
    together,
)
from alembic_pgpatterns.patterns.types._text import as_wide_as_parents, chooser, spelled
from alembic_pgpatterns.patterns.types._whole import LARGEST, feeding_sequences, widened
from alembic_pgpatterns.remedies.model import Advice, Remedy, TypeChange
from alembic_pgpatterns.schema.model import UNKNOWN, Column, DataType, ForeignKey, Name, Schema, Table
from alembic_pgpatterns.schema.names import quote

FAMILIES = {
    **dict.fromkeys(LARGEST, "integer_ops"),
    **dict.fromkeys(("varchar", "text", "name"), "text_ops"),
    **dict.fromkeys(("date", "timestamp", "timestamptz"), "datetime_ops"),
    **dict.fromkeys(("float4", "float8"), "float_ops"),
    "bpchar": "bpchar_ops",
    "numeric": "numeric_ops",
}
"""Default btree operator families (pg_opfamily): equality within one needs no cast, and so can use the index."""

KEY_LENGTH = 36
"""Characters of a UUID, the longest key that is usual."""


class ForeignKeyTypeMismatch(SchemaPattern):
    """A foreign key column whose type differs from the type of the column it references.

    An `integer` that references a `bigint` works until the parent's ids pass 2,147,483,647. From then on no child can
    reference the new rows. Give both columns the same type.

    The worst case is two types that PostgreSQL compares only after a cast, such as a `bigint` that references a
    `numeric`. Then no index on the child's column can be used, and every DELETE of one parent row reads the whole child
    table. This case is an error.

    The fix changes all columns that foreign keys connect to the widest of their types, in one step.

    Not reported: a child whose type is wider (`bigint` to `integer`, `text` to `varchar(20)`), which costs nothing; a
    `varchar` with room for a UUID that references a string without a limit; a domain over the same type or another
    nullability, and another length if a TypeDecorator or a non-native Enum chose it. Another collation neither: two
    deterministic ones agree on what is equal, so that an index of the child serves the key, and where one is
    nondeterministic, PostgreSQL 18 refuses the key, so that the revision fails here too.
    """

    severity = Severity.WARNING
    action = Action.ENFORCE
    not_when = (
        "Leave it while the tables are too large to rewrite and the child's type can hold every key of the parent."
    )
    references = (
        "https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-FK",
        "https://www.postgresql.org/docs/current/btree.html#BTREE-BEHAVIOR",
    )
    bad = """
        CREATE TABLE author (id bigint PRIMARY KEY);
        CREATE TABLE book (id bigint PRIMARY KEY, author_id integer REFERENCES author);
        CREATE INDEX ON book (author_id);
    """
    good = """
        CREATE TABLE author (id bigint PRIMARY KEY);
        CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint REFERENCES author);
        CREATE INDEX ON book (author_id);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Foreign keys with a pair of columns of different types."""
        linked = schema.fact(Linked)
        for table, key in checked_keys(schema):
            for position, (column, referred) in enumerate(_pairs(schema, table, key)):
                if column is not None and referred is not None and _differ(column.type, referred.type):
                    yield self.finding(
                        at=key,
                        message=f"{column.identifier} is {column.type.display}, but "
                        f"{referred.identifier}, which it references, is {referred.type.display}",
                        remedy=_remedy(schema, linked.group(column)),
                        severity=Severity.ERROR if _leaves_family(key, position, column, referred) else None,
                        detail=_detail(table, key, column),
                    )


def _detail(table: Table, key: ForeignKey, column: Column) -> str:
    pair = quote(column.name) if len(key.columns) > 1 else ""
    return " ".join(part for part in (pair, apart(table, key)) if part)


def _pairs(schema: Schema, table: Table, key: ForeignKey) -> Iterator[tuple[Column | None, Column | None]]:
    parent = schema.table(key.referred_table)
    for name, referred in zip(key.columns, key.referred_columns, strict=False):
        yield table.column(name), parent.column(referred) if parent is not None else None


def _differ(child: DataType, parent: DataType) -> bool:
    """Whether they compare differently, or the child's type cannot hold every key of the parent."""
    if "unknown" in (child.kind, parent.kind):
        return False
    names = {child.name, parent.name}
    if names <= set(LARGEST) and child.array == parent.array:
        return LARGEST[child.name] < LARGEST[parent.name]
    same = (child.schema, child.name, child.array) == (parent.schema, parent.name, parent.array)
    if not same and not (names <= {"varchar", "text"} and child.array == parent.array):
        return True
    # The length of an Enum's varchar is that of its longest value: no one chose it.
    return not (child.decorated or parent.decorated) and _narrower(child, parent)


def _narrower(child: DataType, parent: DataType) -> bool:
    if child.length is not None:
        # How long the keys of a column without a limit get, nobody says; a UUID fits.
        return child.length < (KEY_LENGTH if parent.length is None else parent.length)
    if parent.length is not None or child.name in ("varchar", "text"):
        return False
    return child.same_storage != parent.same_storage


def _leaves_family(key: ForeignKey, position: int, column: Column, referred: Column) -> bool:
    """The constraint's equality operator is not in the family that an index on the referencing column has.

    It comes from the family of the referenced index. If that has none for both types, the referencing column is cast
    (ATAddForeignKeyConstraint in PostgreSQL's tablecmds.c).
    """
    family = FAMILIES.get(column.type.name)
    if family is None:
        return False
    if key.key_opfamilies is UNKNOWN or position >= len(key.key_opfamilies):
        return FAMILIES.get(referred.type.name, family) != family
    return Name("pg_catalog", family) not in key.key_opfamilies[position]


def _remedy(schema: Schema, group: Group) -> Remedy:
    obstacles, feeding = schema.fact(Obstacles), schema.fact(feeding_sequences)
    kinds = [column.type for column in group.columns]
    names = {kind.name for kind in kinds}
    if names <= set(LARGEST):
        widest = max(names, key=LARGEST.__getitem__)
        return together(group, obstacles, lambda column: widened(column, widest, feeding), lambda _: True)
    # A longer limit needs no rewrite, and the models keep the type that they have.
    if names == {"varchar"} and all(kind.length for kind in kinds):
        longest = max(kind.length or 0 for kind in kinds)
        return together(group, obstacles, lambda column: _longer(column, longest), lambda _: False)
    if names <= STRINGS:
        return as_wide_as_parents(schema, group)
    return Advice("Give all columns that these foreign keys connect the same type, in one revision.")


def _longer(column: Column, length: int) -> TypeChange | str | None:
    if column.type.length == length:
        return None
    if column.type.decorated:
        return chooser(column)
    return TypeChange(column.table, column.name, column.type.display, spelled(f"varchar({length})", column))
