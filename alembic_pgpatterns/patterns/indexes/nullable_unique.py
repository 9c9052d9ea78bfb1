from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from alembic_pgpatterns.pattern import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns.indexes._roles import never_null
from alembic_pgpatterns.patterns.indexes._shape import definition, renamed, usable
from alembic_pgpatterns.patterns.indexes._soft_deletion import SoftDeletionOptions, soft_delete_column
from alembic_pgpatterns.patterns.indexes.unique_across_soft_deleted import referred_keys
from alembic_pgpatterns.remedies.model import Advice, CreateIndex, Remedy, ReplaceIndex, ReplaceUnique
from alembic_pgpatterns.schema.expressions import not_null_columns, null_columns
from alembic_pgpatterns.schema.model import UNKNOWN, Index, Key, Schema, Table
from alembic_pgpatterns.schema.names import quote

NULLS_NOT_DISTINCT = 15
"""The first PostgreSQL with UNIQUE NULLS NOT DISTINCT (its release notes, "Utility Commands")."""


class NullableUnique(SchemaPattern):
    """A unique rule over several columns, of which some can be null.

    Two nulls are not equal to a unique index: (7, NULL) can stand there any number of times, and ON CONFLICT
    never meets it. From PostgreSQL 15 on, UNIQUE NULLS NOT DISTINCT says that nulls are equal.

    What does not count: rules over one column, where nulls mean "has none"; a soft deletion column among the
    columns, whose null is the point; a partial index that leaves the nulls out; a companion index that is unique where
    the column is null; columns that a CHECK keeps from being null.
    """

    severity = Severity.INFO
    action = Action.REPORT
    not_when = "Keep it where a row without the value may stand beside others of its kind."
    Options = SoftDeletionOptions
    references = (
        "https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-UNIQUE-CONSTRAINTS",
        "https://www.postgresql.org/docs/current/sql-createindex.html",
    )
    bad = """
        CREATE TABLE room (id bigint PRIMARY KEY, house text NOT NULL, door text, UNIQUE (house, door));
    """
    good = """
        CREATE TABLE room (
            id bigint PRIMARY KEY, house text NOT NULL, door text, UNIQUE NULLS NOT DISTINCT (house, door)
        );
    """
    example_version = NULLS_NOT_DISTINCT
    bad_models = """
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, UniqueConstraint

metadata = MetaData()
Table(
    "room",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("house", Text, nullable=False),
    Column("door", Text),
    UniqueConstraint("house", "door", name="room_house_door"),
)
"""
    good_models = bad_models.replace('"door", name=', '"door", postgresql_nulls_not_distinct=True, name=')

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Unique constraints, and unique indexes behind none."""
        referred = referred_keys(schema)
        for table in schema.judged_tables():
            for key in table.unique_constraints:
                nullable = () if key.temporal else self._nullable(table, key.columns, key.nulls_not_distinct)
                if nullable:
                    pointed_at = (table.name, frozenset(key.columns)) in referred
                    yield self.finding(
                        at=key,
                        message=_message(f"the unique constraint {key.identifier}", nullable),
                        remedy=self._constraint_remedy(table, key, pointed_at),
                    )
            yield from self._indexes(table)

    def _indexes(self, table: Table) -> Iterator[Finding]:
        for index in table.indexes:
            if not index.unique or index.constraint is not None or index.parent is not None or not usable(index):
                continue
            if index.predicate is UNKNOWN:
                continue
            kept_out = (
                not_null_columns(index.predicate) | null_columns(index.predicate) if index.predicate else frozenset()
            )
            columns = tuple(name or "" for name in index.columns)
            nullable = self._nullable(table, columns, index.nulls_not_distinct, kept_out)
            if nullable:
                yield self.finding(
                    at=index, message=_message(str(index.name), nullable), remedy=self._index_remedy(table, index)
                )

    def _nullable(
        self, table: Table, names: tuple[str, ...], not_distinct: object, kept_out: frozenset[str] = frozenset()
    ) -> tuple[str, ...]:
        """The members by whose null the rule can be evaded; none where it is out of the question."""
        soft = soft_delete_column(table, self.options.columns)
        if len(names) < 2 or not_distinct is not False or (soft is not None and soft.name in names):
            return ()
        members = [column for column in table.columns if column.name in names and column.name not in kept_out]
        loose = [column.name for column in members if not never_null(table, column)]
        return tuple(name for name in loose if not _has_companion(table, name))

    def _constraint_remedy(self, table: Table, key: Key, pointed_at: bool) -> Remedy:
        index = None if key.name is None else table.constraint_index(key.name)
        if pointed_at or key.deferrable or (index is not None and index.replica_identity):
            return Advice("Make the columns NOT NULL: something rests on this constraint.")
        if not self.allows(NULLS_NOT_DISTINCT):
            return Advice("Make the columns NOT NULL, or add a unique index of the others WHERE the column IS NULL.")
        plain = CreateIndex.on(table.name, *key.columns)
        new = renamed(replace(plain, unique=True, include=key.include, nulls_not_distinct=True), table)
        return ReplaceUnique(table.name, key.name, key.columns, new)

    def _index_remedy(self, table: Table, index: Index) -> Remedy:
        old = definition(index, table)
        if old is None or index.replica_identity or not self.allows(NULLS_NOT_DISTINCT):
            return Advice("Make the columns NOT NULL, or add a unique index of the others WHERE the column IS NULL.")
        return ReplaceIndex(index.name, old, renamed(replace(old, nulls_not_distinct=True), table))


def _message(what: str, nullable: tuple[str, ...]) -> str:
    return f"{what} does not hold for rows whose {' or '.join(map(quote, nullable))} is null"


def _has_companion(table: Table, name: str) -> bool:
    """Whether another unique index keeps the rule for the rows where the column is null."""
    return any(
        index.unique and isinstance(index.predicate, str) and name in null_columns(index.predicate)
        for index in table.indexes
    )
