from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import STRINGS
from alembic_pgpatterns.patterns.indexes._links import linking_columns
from alembic_pgpatterns.remedies.model import Advice, Remedy, Statements
from alembic_pgpatterns.remedies.naming import fit
from alembic_pgpatterns.schema.model import Index, Key, Name, Schema, Table
from alembic_pgpatterns.schema.names import quote


class MissingPrimaryKey(SchemaPattern):
    """A table without a primary key.

    Nothing identifies a row: duplicates go unnoticed and cannot be told apart later. Logical replication refuses UPDATE
    and DELETE, SQLAlchemy cannot map the table, and tools that work in batches (pg_repack, backfills) have no key to go
    by.

    If a unique constraint or a unique index exists whose columns are all NOT NULL, the fix makes a primary key of it.

    Not reported: partitions (their root table is), foreign tables, views. A parent's primary key does not apply to
    tables that inherit from it, so each of those needs its own.
    """

    severity = Severity.ERROR
    action = Action.REPORT
    not_when = "A staging table that is filled by COPY and emptied as a whole can do without one."
    references = (
        "https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-PRIMARY-KEYS",
        "https://www.postgresql.org/docs/current/logical-replication-publication.html",
    )
    bad = """
        CREATE TABLE tag (post_id bigint NOT NULL, word text NOT NULL, UNIQUE (post_id, word));
    """
    good = """
        CREATE TABLE tag (post_id bigint, word text, PRIMARY KEY (post_id, word));
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Tables and partitioned tables without a primary key."""
        for table in schema.checked_tables():
            if table.primary_key is None:
                remedy = _remedy(schema, table)
                pair = isinstance(remedy, Advice) and _pair_of_keys(table)
                yield self.finding(
                    at=table,
                    message=f"{table.name} has no primary key",
                    remedy=remedy,
                    # A team declares its link tables all in the same way.
                    cause="link tables" if linking_columns(table) else "pairs of keys" if pair else "",
                )


def _remedy(schema: Schema, table: Table) -> Remedy:
    key = next((key for key in table.unique_constraints if _could_be_primary(table, key)), None)
    index = min(filter(partial(_could_back_primary, table), table.indexes), key=partial(_width, table), default=None)
    if key is None and index is not None:
        return _from_index(schema, table, index)
    linking = linking_columns(table)
    if key is None and linking:
        # By name: the order of a set is not the same in every run.
        columns = ", ".join(quote(column.name) for column in table.columns if column.name in linking)
        return Advice(f"PRIMARY KEY ({columns}), after removing rows with null and duplicates; it replaces the UNIQUE.")
    if key is None and _pair_of_keys(table):
        columns = ", ".join(quote(column.name) for column in table.columns)
        return Advice(f"PRIMARY KEY ({columns}), after removing rows with null and duplicates.")
    if key is None:
        return Advice(
            "Declare the columns that name a row as PRIMARY KEY, after removing duplicates; where there are none, "
            "add one: id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY."
        )
    columns, name = ", ".join(map(quote, key.columns)), quote(_free_name(schema, table.name))
    if key.name is not None and _is_referred(schema, table, key.columns):
        return Advice(
            f"PRIMARY KEY ({columns}) in place of the UNIQUE. Foreign keys refer to that: drop them first, and add "
            "them again afterwards."
        )
    add, drop = f"ADD CONSTRAINT {name} PRIMARY KEY ({columns})", f"DROP CONSTRAINT {name}"
    if key.name is not None and _can_go(table, key):
        # Beside the primary key it would be a second index of the same.
        add = f"{add}, DROP CONSTRAINT {quote(key.name)}"
        drop = f"ADD CONSTRAINT {quote(key.name)} UNIQUE ({columns}), {drop}"
    return Statements(
        up=(f"ALTER TABLE {table.name} {add}",),
        down=(f"ALTER TABLE {table.name} {drop}",),
        model=f"PrimaryKeyConstraint({', '.join(map(repr, key.columns))})",
    )


def _pair_of_keys(table: Table) -> bool:
    """Whether it only links rows of two tables: two columns, each a foreign key."""
    keys = {key.columns for key in table.foreign_keys if len(key.columns) == 1}
    return len(table.columns) == 2 and keys == {(column.name,) for column in table.columns}


def _from_index(schema: Schema, table: Table, index: Index) -> Remedy:
    """The index becomes the key's, without being built again; it gets the key's name."""
    names = [name for name in index.columns if name is not None]
    name = quote(_free_name(schema, table.name))
    columns = ", ".join(map(quote, names))
    return Statements(
        up=(f"ALTER TABLE {table.name} ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {quote(index.name.name)}",),
        down=(
            f"ALTER TABLE {table.name} DROP CONSTRAINT {name}",
            f"CREATE UNIQUE INDEX {quote(index.name.name)} ON {table.name} ({columns})",
        ),
        model=f"PrimaryKeyConstraint({', '.join(map(repr, names))})  # in place of the index {index.name.name}",
    )


def _could_back_primary(table: Table, index: Index) -> bool:
    """Whether a primary key can take the index (docs, "ALTER TABLE", ADD table_constraint_using_index)."""
    columns = [table.column(name or "") for name in index.columns]
    return (
        index.unique
        and index.constraint is None
        and index.parent is None
        and table.kind == "table"
        and index.method == "btree"
        and index.predicate is None
        and index.valid
        and not (index.include or index.replica_identity or index.clustered)
        and all(column is not None and not column.nullable for column in columns)
        # A key takes an index of the default operator classes and order alone.
        and all(key.opclass_default is True and not key.descending and not key.nulls_first for key in index.keys)
    )


def _width(table: Table, index: Index) -> tuple[int, int]:
    """Columns of text, and all of them: what others refer to is best short."""
    columns = (table.column(name or "") for name in index.columns)
    return sum(column is not None and column.type.name in STRINGS for column in columns), len(index.keys)


def _is_referred(schema: Schema, table: Table, columns: tuple[str, ...]) -> bool:
    return any(
        other.referred_table == table.name and set(other.referred_columns) == set(columns)
        for item in schema.tables
        for other in item.foreign_keys
    )


def _can_go(table: Table, key: Key) -> bool:
    """Whether nothing needs the unique constraint: no replica identity, no INCLUDE of its own."""
    index = next((index for index in table.indexes if index.constraint == key.name), None)
    used = index is not None and (index.replica_identity or index.clustered)
    return not (used or key.include or key.inherited)


def _free_name(schema: Schema, table: Name) -> str:
    """The name PostgreSQL would give, or one that nothing in the schema has: keys share their namespace with tables."""
    taken = schema.fact(_relations)
    names = (fit(f"{table.name}_pkey{number or ''}") for number in count())
    return next(name for name in names if Name(table.schema, name) not in taken)


def _relations(schema: Schema) -> frozenset[Name]:
    tables = {table.name for table in schema.tables}
    tables |= {index.name for table in schema.tables for index in table.indexes}
    return frozenset(tables | {view.name for view in schema.views} | {sequence.name for sequence in schema.sequences})


def _could_be_primary(table: Table, key: Key) -> bool:
    columns = [table.column(name) for name in key.columns]
    required = all(column is not None and not column.nullable for column in columns)
    # A foreign key cannot refer to a deferrable key, and a temporal one allows a value many times.
    return required and not key.deferrable and not key.temporal
