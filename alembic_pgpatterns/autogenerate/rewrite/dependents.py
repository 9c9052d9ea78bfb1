"""What depends on a column: what another column in its place needs too, and what stands in the way of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from string import Template
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from alembic_pgpatterns.autogenerate.rewrite import dependents_sql as queries
from alembic_pgpatterns.autogenerate.rewrite.in_lists import as_written
from alembic_pgpatterns.autogenerate.rewrite.own_transaction import in_transaction
from alembic_pgpatterns.autogenerate.rewrite.table_names import qualified
from alembic_pgpatterns.errors import first_line
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.binds import escape_binds


@dataclass(frozen=True, slots=True)
class IndexOn:
    """An index that uses the column, or a key with its index."""

    name: str
    definition: str
    """What pg_get_indexdef() prints."""
    comment: str | None = None
    key: str = ""
    """``p`` PRIMARY KEY, ``u`` UNIQUE, or empty for an index that belongs to no constraint."""
    deferrable: bool = False
    initially_deferred: bool = False
    key_comment: str | None = None
    clustered: bool = False
    replica_identity: bool = False
    tablespace: str | None = None


@dataclass(frozen=True, slots=True)
class CheckOn:
    """A CHECK that uses the column."""

    name: str
    definition: str
    """What pg_get_constraintdef() prints."""
    valid: bool = True
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class ForeignKeyOn:
    """A foreign key that the column belongs to, on either side."""

    schema: str
    table: str
    """The table that has the foreign key."""
    name: str
    definition: str
    referencing: bool
    """The column is on the referencing side."""
    referenced: bool
    """The column is on the referenced side."""
    peers: tuple[tuple[str, str, str], ...]
    """Schema, table and name of the columns on the other side."""
    valid: bool = True
    comment: str | None = None
    on_partitioned: bool = False
    """A partitioned table has it."""
    to_partitioned: bool = False
    """It references a partitioned table."""


@dataclass(frozen=True, slots=True)
class SequenceOf:
    """The sequence that a serial or identity column takes its values from."""

    schema: str
    name: str
    identity: str
    """``a`` always, ``d`` by default, or empty for a serial column."""
    default: str | None
    """The default of a serial column, as PostgreSQL prints it."""
    options: Mapping[str, Any]
    """The columns of pg_sequence."""
    rights: bool = False
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class ViewOn:
    """A view on the column, or a view on such a view."""

    schema: str
    name: str
    description: str
    """The view with its kind, as PostgreSQL names it."""
    copied: bool
    """A copy of it is made before the swap: it is materialised, or one that is reads it."""
    indexes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TriggerOn:
    """A trigger of the table."""

    name: str
    enabled: str = "O"
    """tgenabled of pg_trigger."""
    comment: str | None = None
    fires: bool = False
    """It fires when a statement updates any column, as the backfill does."""
    before_row: bool = False
    """It can change a row before it is written."""


@dataclass(frozen=True, slots=True)
class StatisticsOn:
    """An object of CREATE STATISTICS that uses the column."""

    schema: str
    name: str
    definition: str
    """What pg_get_statisticsobjdef() prints."""
    comment: str | None = None
    target: int | None = None
    """SET STATISTICS; None or below 0: the default."""
    owner: str | None = None
    """None: the role that reads this."""


@dataclass(frozen=True, slots=True)
class Dependents:
    """All that depends on one column."""

    indexes: tuple[IndexOn, ...] = ()
    checks: tuple[CheckOn, ...] = ()
    foreign_keys: tuple[ForeignKeyOn, ...] = ()
    sequence: SequenceOf | None = None
    views: tuple[ViewOn, ...] = ()
    triggers: tuple[TriggerOn, ...] = ()
    """All triggers of the table."""
    statistics: tuple[StatisticsOn, ...] = ()
    objects: tuple[str, ...] = ()
    """Policies, triggers, rules, publications, virtual columns and rights: gone in the swap, and back after it."""
    rebuilt: tuple[str, ...] = ()
    """Stored generated columns that read it: they can only be dropped and computed again, for all rows at once."""
    columns: frozenset[str] = frozenset()
    """All columns of the table."""
    obstacles: tuple[str, ...] = ()
    """Objects because of which no other column can take its place."""
    partitioned: bool = False
    """The table is partitioned."""

    def without(self, table: tuple[str, str], names: frozenset[tuple[str, str, str]]) -> Dependents:
        """Return the dependents without some objects.

        Args:
            table: schema and name of the column's table.
            names: schema, table and name of indexes and constraints.
        """
        return replace(
            self,
            indexes=tuple(item for item in self.indexes if (*table, item.name) not in names),
            checks=tuple(item for item in self.checks if (*table, item.name) not in names),
            foreign_keys=tuple(key for key in self.foreign_keys if (key.schema, key.table, key.name) not in names),
        )

    def redefined(self, objects: Mapping[str, IndexOn | CheckOn | None]) -> Dependents:
        """Return the dependents with other definitions of some indexes and CHECKs.

        Args:
            objects: by name; None: it is not there any more.
        """
        new = [item for item in objects.values() if item is not None]
        indexes = [item for item in self.indexes if item.name not in objects]
        checks = [item for item in self.checks if item.name not in objects]
        return replace(
            self,
            indexes=(*indexes, *(item for item in new if isinstance(item, IndexOn))),
            checks=(*checks, *(item for item in new if isinstance(item, CheckOn))),
        )

    def names(self, table: tuple[str, str]) -> frozenset[tuple[str, str, str]]:
        """Return schema, table and name of the indexes and constraints."""
        named: tuple[IndexOn | CheckOn, ...] = (*self.indexes, *self.checks)
        on_table = {(*table, item.name) for item in named}
        return frozenset(on_table | {(key.schema, key.table, key.name) for key in self.foreign_keys})


@dataclass(frozen=True, slots=True)
class Redefined:
    """Indexes and CHECKs on a column that are others once the column has another type."""

    new_type: str
    """The type as SQL."""
    objects: Mapping[str, IndexOn | CheckOn | None]
    """With the new type, by name; None: its stages do not make it."""
    left_out: frozenset[str] = frozenset()
    """With any other type, that of the downgrade: the names of those that another column's stages make."""
    after: frozenset[tuple[tuple[str, str], str]] = frozenset()
    """Table and column of those whose stages have to be over before these begin."""

    def of_type(self, new_type: str) -> Mapping[str, IndexOn | CheckOn | None]:
        """Return the definitions that are not the database's, for a new type as SQL."""
        return self.objects if new_type == self.new_type else dict.fromkeys(self.left_out)


def read_dependents(connection: Connection, table: tuple[str, str], column: str) -> Dependents:
    """Read what depends on a column from the catalog. Takes no lock on tables.

    Args:
        connection: to the database.
        table: its schema and name.
        column: its name.
    """
    where = {"schema": table[0], "table": table[1], "column": column}
    place = connection.execute(text(queries.COLUMN), where).one_or_none()
    if place is None:
        return Dependents(obstacles=("its dependents, which could not be read",))

    def rows(query: str) -> list[dict[str, Any]]:
        values = {"relation": place.attrelid, "number": place.attnum}
        return [dict(row) for row in connection.execute(text(query), values).mappings()]

    def first(query: str) -> list[str]:
        return [str(next(iter(row.values()))) for row in rows(query)]

    foreign_keys = tuple(
        ForeignKeyOn(**{**row, "peers": tuple(tuple(peer) for peer in row["peers"])})
        for row in rows(queries.FOREIGN_KEYS)
    )
    sequences = [SequenceOf(**row) for row in rows(queries.SEQUENCE)]
    return Dependents(
        indexes=tuple(IndexOn(**{**row, "definition": as_written(row["definition"])}) for row in rows(queries.INDEXES)),
        checks=tuple(
            CheckOn(**{**row, "definition": _check_as_written(row["definition"])}) for row in rows(queries.CHECKS)
        ),
        foreign_keys=foreign_keys,
        sequence=sequences[0] if sequences else None,
        views=tuple(ViewOn(**{**row, "indexes": tuple(row["indexes"])}) for row in rows(queries.VIEWS)),
        triggers=tuple(TriggerOn(**row) for row in rows(queries.TRIGGERS)),
        statistics=tuple(StatisticsOn(**row) for row in rows(queries.STATISTICS)),
        objects=tuple(first(queries.OBJECTS)),
        rebuilt=tuple(first(queries.REBUILT)),
        columns=frozenset(first(queries.COLUMNS)),
        obstacles=(
            *first(queries.OBSTACLES),
            *first(queries.VIEWS_HELD),
            *(first(queries.PARTITION_OBSTACLES) if place.partitioned else ()),
            *(_held_by(key) for key in foreign_keys if key.referenced and key.to_partitioned),
            *_of_sequences(sequences),
            *(_not_updated(connection, table, column) if rows(queries.SENDS_UPDATES) else ()),
        ),
        partitioned=place.partitioned,
    )


def _check_as_written(definition: str) -> str:
    alter = "ALTER TABLE t ADD "
    return as_written(alter + definition).removeprefix(alter)


def _held_by(key: ForeignKeyOn) -> str:
    # It would need the partitioned table's new key before the swap. That key can only be made in the swap, since
    # PostgreSQL has no USING INDEX for partitioned tables (docs, ALTER TABLE).
    return f"foreign key {key.name} of {key.table}, which references the partitioned table"


# What CheckCmdReplicaIdentity (executor/execReplication.c) raises; other errors are about this statement alone.
_NOT_UPDATED = ("42P10", "55000")
_UPDATE = Template("EXPLAIN UPDATE $table SET $column = $column WHERE false")


def _not_updated(connection: Connection, table: tuple[str, str], column: str) -> Iterator[str]:
    """Why PostgreSQL updates no row: a publication needs a column that does not identify rows. EXPLAIN changes none."""
    update = _UPDATE.substitute(table=qualified(*table), column=quote(column))
    try:
        with in_transaction(connection), connection.begin_nested():
            connection.execute(text(escape_binds(update)))
    except SQLAlchemyError as error:
        raised = getattr(error, "orig", None) or error
        if (getattr(raised, "sqlstate", None) or getattr(raised, "pgcode", None)) in _NOT_UPDATED:
            yield f"publications of the table, which let no row be updated ({first_line(raised)})"


def _of_sequences(sequences: list[SequenceOf]) -> tuple[str, ...]:
    """An identity's sequence goes with its column; a serial column may have its default changed by hand."""
    if len(sequences) > 1:
        return ("several sequences of the column",)
    return tuple(
        f"rights on sequence {item.name}, which belongs to the identity"
        for item in sequences
        if item.identity and item.rights
    )
