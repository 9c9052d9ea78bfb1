"""The schema of a database, from pg_catalog.

A fixed number of set-based queries, for any number of tables. It only reads, and needs only the right to connect. It
takes ACCESS SHARE on catalogs, and on PostgreSQL 17 and later for a moment on tables with expressions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.schema.catalog.constraints import Constraints, TableConstraints, read_policies
from alembic_pgpatterns.schema.catalog.indexes import read_indexes
from alembic_pgpatterns.schema.catalog.others import (
    read_default_privileges,
    read_extensions,
    read_functions,
    read_grants,
    read_namespaces,
    read_sequences,
    read_views,
)
from alembic_pgpatterns.schema.catalog.queries import others as sql
from alembic_pgpatterns.schema.catalog.queries.constraints import DISABLED_TRIGGERS, PINNED, PUBLISHED, RULES
from alembic_pgpatterns.schema.catalog.relations import (
    TABLE_KINDS,
    ColumnSequences,
    Facts,
    Relation,
    read_columns,
    read_facts,
)
from alembic_pgpatterns.schema.catalog.session import Connection, Session, catalog_session
from alembic_pgpatterns.schema.collector import without_collector
from alembic_pgpatterns.schema.model import Schema, Table, TableKind, TableStatistics
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.parts import ColumnStatistics, Index, Policy

_KINDS: dict[str, TableKind] = {"r": "table", "p": "partitioned", "f": "foreign", "m": "materialized view"}
_ATTEMPTS = 3
_STRATEGIES = {"l": "list", "r": "range", "h": "hash"}


def read(
    connection: Connection,
    *,
    default_schema: str | None = None,
    statistics: bool = False,
    version_tables: Collection[Name] = (),
) -> Schema:
    """Everything in the catalog that a pattern may need.

    Left out: system schemas, temporary objects, members of extensions, and tables of migration tools.

    Args:
        connection: psycopg's, SQLAlchemy's (any driver), or a function that runs one SQL text and returns rows. An open
            transaction stays open and unchanged; if there is none, none is left open.
        default_schema: the schema of unqualified names; None: the first schema of the search_path that exists.
        statistics: also read row counts, sizes, scans, pg_stats and the sequences' values; for a live database.
        version_tables: the project's own Alembic version tables, if they have other names or columns.

    Raises:
        psycopg.Error, sqlalchemy.exc.DBAPIError: the server refused. The caller's transaction is aborted then.
        PgPatternsError: the schema kept changing while it was read.
    """
    with without_collector(), catalog_session(connection) as session:
        attempts = _ATTEMPTS
        while True:
            try:
                return _read(session, default_schema, statistics, version_tables)
            except KeyError as error:
                # Each query sees what is committed when it starts: an index may be on a column that was added after
                # the columns were read. A snapshot would not help: pg_get_expr and similar functions ignore it.
                attempts -= 1
                if not attempts:
                    raise PgPatternsError(
                        f"The schema changed while it was read ({error} is missing), {_ATTEMPTS} times in a row. "
                        "Run this again when no migration is running."
                    ) from error


def _read(session: Session, default_schema: str | None, statistics: bool, version_tables: Collection[Name]) -> Schema:
    facts = read_facts(session, version_tables)
    sequences, column_sequences = read_sequences(session, facts, statistics)
    return Schema(
        source="database",
        tables=_Tables(session, facts, column_sequences, statistics).read(),
        server_version=session.version,
        default_schema=default_schema or session.current_schema or "public",
        views=read_views(session, facts),
        sequences=sequences,
        functions=read_functions(session),
        namespaces=read_namespaces(session),
        extensions=read_extensions(session),
        grants=tuple(read_grants(session, facts)),
        default_privileges=read_default_privileges(session),
    )


@dataclass(frozen=True, slots=True)
class _Statistics:
    tables: dict[int, TableStatistics]
    columns: dict[tuple[str, str, str], ColumnStatistics]
    indexes: dict[int, tuple[int | None, int | None]]


def _read_statistics(session: Session) -> _Statistics:
    tables = {}
    for oid, rows, dead, modified, size, scans, index_scans, read_rows in session.rows(sql.TABLE_STATISTICS):
        tables[oid] = TableStatistics(
            rows, dead or 0, modified or 0, size or 0, scans or 0, index_scans or 0, read_rows or 0
        )
    columns = {
        (schema, table, column): ColumnStatistics(null_frac, n_distinct)
        for schema, table, column, null_frac, n_distinct in session.rows(sql.COLUMN_STATISTICS)
    }
    return _Statistics(tables, columns, {oid: (scans, size) for oid, scans, size in session.rows(sql.INDEX_STATISTICS)})


class _Tables:
    """Everything that belongs to a table, by the table's oid; then the tables."""

    def __init__(self, session: Session, facts: Facts, sequences: ColumnSequences, statistics: bool) -> None:
        self._facts = facts
        self._sequences = sequences
        self._statistics = _read_statistics(session) if statistics else _Statistics({}, {}, {})
        self._indexes: dict[int, tuple[Index, ...]] = read_indexes(session, facts, self._statistics.indexes)
        self._constraints = Constraints(session, facts, self._indexes).by_table
        self._policies: dict[int, list[Policy]] = read_policies(session, facts)
        self._rules: dict[int, list[str]] = defaultdict(list)
        for oid, rule in session.rows(RULES):
            self._rules[oid].append(rule)

        self._pinned: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for oid, column, user in session.rows(PINNED):
            self._pinned[oid].append((column, user))
        self._disabled: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for oid, key, trigger in session.rows(DISABLED_TRIGGERS):
            self._disabled[oid].append((key, trigger))
        self._published = {oid for (oid,) in session.rows(PUBLISHED)}

    def read(self) -> tuple[Table, ...]:
        """Sorted by schema and name."""
        return tuple(
            self._table(oid, relation)
            for oid, relation in self._facts.relations.items()
            if relation.kind in TABLE_KINDS
        )

    def _table(self, oid: int, relation: Relation) -> Table:
        parents = self._parents(oid)
        constraints = self._constraints.get(oid) or TableConstraints()
        return Table(
            name=relation.name,
            kind=_KINDS[relation.kind],
            persistence="unlogged" if relation.persistence == "u" else "permanent",
            partition_of=parents[0] if relation.partition and parents else None,
            partition_strategy=_STRATEGIES.get(relation.strategy or ""),
            partition_keys=self._partition_keys(oid, relation),
            inherits=() if relation.partition else parents,
            owner=relation.owner,
            row_security=relation.row_security,
            force_row_security=relation.force_row_security,
            replica_identity=relation.replica_identity,
            columns=read_columns(self._facts, oid, self._sequences, self._statistics.columns),
            primary_key=constraints.primary_key,
            unique_constraints=tuple(constraints.unique),
            foreign_keys=tuple(constraints.foreign_keys),
            checks=tuple(constraints.checks),
            exclusions=tuple(constraints.exclusions),
            indexes=self._indexes.get(oid, ()),
            policies=tuple(self._policies.get(oid, ())),
            rules=tuple(self._rules.get(oid, ())),
            pinned=tuple(self._pinned.get(oid, ())),
            disabled_triggers=tuple(self._disabled.get(oid, ())),
            published=oid in self._published,
            options=relation.options,
            comment=self._facts.comment(oid),
            statistics=self._statistics.tables.get(oid),
        )

    def _parents(self, oid: int) -> tuple[Name, ...]:
        names = self._facts.names
        return tuple(names[parent] for parent in self._facts.parents.get(oid, ()) if parent in names)

    def _partition_keys(self, oid: int, relation: Relation) -> tuple[str | None, ...]:
        names = self._facts.column_names.get(oid, {})
        return tuple(names.get(int(number)) for number in (relation.partition_attributes or "").split())
