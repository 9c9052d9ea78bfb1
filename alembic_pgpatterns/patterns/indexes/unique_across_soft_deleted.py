from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._words import names_any
from alembic_pgpatterns.patterns.indexes._evidence import queries_on, with_condition
from alembic_pgpatterns.patterns.indexes._roles import reads
from alembic_pgpatterns.patterns.indexes._shape import beside, definition, index_of, usable
from alembic_pgpatterns.patterns.indexes._soft_deletion import SoftDeletionOptions, deletion_marks, soft_delete_column
from alembic_pgpatterns.remedies.model import Advice, CreateIndex, Remedy, ReplaceIndex, ReplaceUnique
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Index, Key, Name, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.values import calls
from alembic_pgpatterns.schema.sql.values import columns as columns_of


@dataclass(frozen=True, slots=True)
class UniqueAcrossSoftDeletedOptions(SoftDeletionOptions):
    """How a table says that a row is deleted, and which values never come back."""

    made_up: tuple[str, ...] = (
        "uuid", "guid", "token", "digest", "hash", "checksum", "fingerprint", "version", "revision", "generation",
    )  # fmt: skip
    """Words in the names of columns whose values are generated or count up, so that nobody asks for a deleted row's
    value again."""


class UniqueAcrossSoftDeleted(SchemaPattern):
    """A unique constraint that also applies to deleted rows.

    If a member is deleted by setting `deleted_at`, the same address cannot be registered again: the deleted row still
    has it. A unique index `WHERE deleted_at IS NULL` applies only to rows that are not deleted.

    It is a guess where the application's source is known, and nothing in it sets the column, or no query asks for the
    rows that are not deleted and no index of the table leaves the deleted ones out: the table may have the column from
    a base class, and delete its rows for good.

    Not reported: primary keys; keys that foreign keys reference, which must hold for all rows; keys that contain the
    deletion column, or whose index is partial on it; generated values (uuid, identity, sequence, names in the option
    `made_up`), which nobody asks for again.
    """

    severity = Severity.WARNING
    action = Action.SUGGEST
    weighs_queries = True
    not_when = "Keep it if a deleted row may be restored, or if its key must never be used again."
    Options = UniqueAcrossSoftDeletedOptions
    references = ("https://www.postgresql.org/docs/current/indexes-partial.html#INDEXES-PARTIAL-EX3",)
    bad = """
        CREATE TABLE member (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, deleted_at timestamptz);
    """
    good = """
        CREATE TABLE member (id bigint PRIMARY KEY, email text NOT NULL, deleted_at timestamptz);
        CREATE UNIQUE INDEX ON member (email) WHERE deleted_at IS NULL;
    """
    bad_models = """
from sqlalchemy import BigInteger, Column, DateTime, MetaData, Table, Text, UniqueConstraint

metadata = MetaData()
Table(
    "member",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("email", Text, nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
    UniqueConstraint("email", name="member_email"),
)
"""
    good_models = bad_models.replace(
        'UniqueConstraint("email", name="member_email")',
        'Index("member_email", "email", unique=True, postgresql_where=text("deleted_at IS NULL"))',
    ).replace("UniqueConstraint", "Index, text")

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Unique constraints, and unique indexes behind none."""
        referred = referred_keys(schema)
        for table in schema.checked_tables():
            column = soft_delete_column(table, self.options.columns)
            if column is not None:
                guess = not self._keeps_deleted(schema, table)
                for finding in (*self._constraints(table, column, referred), *self._indexes(table, column, referred)):
                    # Whether a deleted row's name can be used again is one decision for all tables.
                    yield finding.but(guess=guess, cause=column.name)

    def _keeps_deleted(self, schema: Schema, table: Table) -> bool:
        """Whether the table really keeps deleted rows; also where nothing is known of the queries."""
        if schema.evidence is None:
            return True
        marks = deletion_marks(table, self.options.columns)
        shapes = queries_on(schema, table)
        sets = schema.evidence.may_set
        return any(sets(table.name.schema, table.name.name, mark.column) for mark in marks) and (
            any(with_condition(shapes, mark.column, mark.uses, mark.fits) for mark in marks)
            or any(
                isinstance(index.predicate, str) and mark.column in columns_of(index.predicate)
                for index in table.indexes
                for mark in marks
            )
        )

    def _constraints(
        self, table: Table, column: Column, referred: set[tuple[Name, frozenset[str]]]
    ) -> Iterator[Finding]:
        for key in table.unique_constraints:
            columns = frozenset(key.columns)
            # A foreign key can only refer to a rule for all rows; and periods say by themselves when a row held.
            exempt = key.temporal or (table.name, columns) in referred or self._made_up(table, key.columns)
            if exempt or column.name in columns:
                continue
            yield self.finding(
                at=key, message=_message(key.identifier, table, column), remedy=_replaced(table, key, column)
            )

    def _indexes(self, table: Table, column: Column, referred: set[tuple[Name, frozenset[str]]]) -> Iterator[Finding]:
        for index in table.indexes:
            # A constraint's index is reported as the constraint; a partition's as the parent's.
            if not index.unique or index.constraint is not None or not usable(index) or index.parent is not None:
                continue
            names = tuple(name for name in index.columns if name is not None)
            referenced = (table.name, frozenset(names)) in referred and len(names) == len(index.keys)
            if reads(index, column.name) or referenced or self._made_up(table, names):
                continue
            yield self.finding(
                at=index, message=_message(str(index.name), table, column), remedy=_partial(table, index, column)
            )

    def _made_up(self, table: Table, names: tuple[str, ...]) -> bool:
        columns = (table.column(name) for name in names)
        return any(column is not None and is_made_up(column, self.options.made_up) for column in columns)


def is_made_up(column: Column, names: tuple[str, ...]) -> bool:
    """Whether a machine makes the column's values, so that none comes twice."""
    if column.identity is not None or column.sequence not in (None, UNKNOWN) or names_any(column.name, names):
        return True
    if column.default is UNKNOWN or column.default is None:
        return str(column.python_default).startswith("uuid.")
    return any(name.startswith(("nextval", "uuid", "gen_random_uuid")) for name in calls(column.default))


def referred_keys(schema: Schema) -> set[tuple[Name, frozenset[str]]]:
    """The sets of columns that foreign keys reference, with their table."""
    return {
        (key.referred_table, frozenset(key.referred_columns)) for table in schema.tables for key in table.foreign_keys
    }


def _message(rule: str, table: Table, column: Column) -> str:
    return f"{rule} is unique among all rows of {table.name}, also those whose {quote(column.name)} is set"


def _replaced(table: Table, key: Key, column: Column) -> Remedy:
    index = index_of(table, key)
    where = f"{quote(column.name)} IS NULL"
    if key.deferrable or (index is not None and index.replica_identity) or key.nulls_not_distinct is UNKNOWN:
        return Advice(f"Make it a unique index WHERE {where}; what rests on this constraint must be changed first.")
    new = replace(
        CreateIndex.on(table.name, *key.columns),
        unique=True,
        include=key.include,
        nulls_not_distinct=key.nulls_not_distinct,
        where=where,
    )
    return ReplaceUnique(table.name, key.name, key.columns, beside(new, table, key.name, "partial"))


def _partial(table: Table, index: Index, column: Column) -> Remedy:
    where = f"{quote(column.name)} IS NULL"
    old = definition(index, table)
    if old is None or index.replica_identity:
        return Advice(f"Make it partial: WHERE {where}.")
    both = f"({old.where}) AND {where}" if old.where else where
    return ReplaceIndex(index.name, old, beside(replace(old, where=both), table, index.name.name, "partial"))
