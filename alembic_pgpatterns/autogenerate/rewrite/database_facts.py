"""What the rewriter needs to know about the database and the run. The planners see nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from alembic_pgpatterns.autogenerate.rewrite.called_functions import functions
from alembic_pgpatterns.autogenerate.rewrite.changes import table_of
from alembic_pgpatterns.autogenerate.rewrite.dependents import Dependents, Redefined, read_dependents
from alembic_pgpatterns.autogenerate.rewrite.droppable_views import droppable_views
from alembic_pgpatterns.autogenerate.rewrite.own_transaction import in_transaction
from alembic_pgpatterns.autogenerate.rewrite.recast import Recast, Recasts
from alembic_pgpatterns.autogenerate.rewrite.rendering import DIALECT
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import type_text
from alembic_pgpatterns.autogenerate.rewrite.type_users import read_identities
from alembic_pgpatterns.operations.support.template import Name, Sql, Template
from alembic_pgpatterns.schema.sql.binds import escape_binds

if TYPE_CHECKING:
    from alembic.operations import ops
    from alembic.operations.ops import MigrateOperation
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Connection

TableKey = tuple[str, str]
"""Schema and table; the connection's default schema if the op names none."""

FOREIGN_KEYS_NOT_VALID_ON_PARTITIONED = 18
"""First major version where a partitioned table can have a NOT VALID foreign key (PostgreSQL 18 release notes)."""


@dataclass(frozen=True, slots=True)
class RewriteSettings:
    """The project's settings for the rewriter."""

    split: Literal["auto", "never", "always"] = "auto"
    lock_timeout: str = "5s"
    target_version: int | None = None
    """The oldest PostgreSQL major version that runs the revisions; None: the connected server's."""
    directives: bool = False
    """Write one directive of this package instead of several of Alembic's own operations."""
    phases: bool = False
    """Put what old code cannot live with into revisions of its own."""


@dataclass(frozen=True)
class Facts:
    """What a revision is written for: database, session and settings."""

    settings: RewriteSettings = field(default_factory=RewriteSettings)
    default_schema: str = "public"
    version: int = 18
    created: frozenset[TableKey] = frozenset()
    """Tables that the revision creates. Nobody else waits for their locks."""
    dropped: frozenset[TableKey] = frozenset()
    """Tables that the revision drops."""
    partitioned: frozenset[TableKey] = frozenset()
    enums: frozenset[TableKey] = frozenset()
    """Enum and domain types in the database: schema and name."""
    forced_row_security: frozenset[TableKey] = frozenset()
    """Tables whose policies apply to their owner too."""
    autocommit: bool = True
    """False if env.py opens the transaction itself: then an autocommit block fails."""
    session: Mapping[str, str] = field(default_factory=dict)
    """lock_timeout and statement_timeout, if env.py sets them for its session."""
    has_lock_timeout: bool = False
    """Whether env.py or the URL sets a lock_timeout."""
    utc: bool = True
    enum_plugin: bool = False
    """alembic-postgresql-enum is in use and takes care of enum types."""
    volatile: Callable[[str], bool] = lambda expression: False
    """Whether PostgreSQL has to evaluate an expression once per row."""
    holds: Callable[[str, str, str, str], bool] = lambda definition, column, kind, value: False
    """Whether a CHECK on one column, as pg_get_constraintdef() prints it, is true for a value of a type."""
    name_exists: Callable[[str, str], bool] = lambda schema, name: False
    """Whether a schema has a constraint or relation of a name."""
    type_exists: Callable[[str], bool] = lambda name: True
    """Whether the database has a type, given as SQL."""
    rebuilt_with_type: Callable[[TableKey, str], tuple[str, ...]] = lambda table, column: ()
    """What PostgreSQL rebuilds or checks again when a column's type changes."""
    blocks_type_change: Callable[[TableKey, str], tuple[str, ...]] = lambda table, column: ()
    """Objects because of which PostgreSQL refuses a new type for a column: views, generated columns, policies, triggers
    and functions (``RememberAllDependentForRebuilding`` in commands/tablecmds.c)."""
    droppable_views: Callable[[TableKey, str], tuple[str, ...]] = lambda table, column: ()
    """The views on a column and the views on these, if nothing else depends on any of them."""
    blocks_drop: Callable[[TableKey], tuple[str, ...]] = lambda table: ()
    """What makes PostgreSQL refuse to drop a table: views and functions that use it."""
    lockable: Callable[[TableKey], bool] = lambda table: True
    """Whether LOCK TABLE takes it: a table, and no materialised view or foreign table."""
    has_primary_key: Callable[[TableKey], bool] = lambda table: True
    """Whether a table has a primary key, which a backfill needs."""
    dependents: Callable[[TableKey, str], Dependents] = lambda table, column: Dependents(
        obstacles=("its dependents, which could not be read",)
    )
    """What depends on a column in the database."""
    dropped_before: Mapping[tuple[TableKey, str], frozenset[tuple[str, str, str]]] = field(default_factory=dict)
    """Indexes and constraints that the revision drops before it changes the type of a column."""
    held: Mapping[tuple[TableKey, str], tuple[str, ...]] = field(default_factory=dict)
    """What the revision itself does to a column before its type changes, so that the catalog does not say all."""

    redefined: Mapping[tuple[TableKey, str], Redefined] = field(default_factory=dict)
    """Indexes and CHECKs that the revision changes together with the type of their column."""
    retyped: tuple[ops.AlterColumnOp, ...] = ()
    """The changes of type in the revision."""
    dropped_columns: frozenset[tuple[TableKey, str]] = frozenset()
    """The columns that the revision drops."""
    recasts: Callable[[TableKey, ops.AlterColumnOp, Dependents], Recast] = lambda table, op, dependents: Recast()
    """What a new type of a column does to what reads it."""
    identities: Callable[[TableKey, str], Mapping[str, str]] = lambda table, column: {}
    """What reads a column: what notes call it, and its identity."""

    def dependents_of(self, op: ops.AlterColumnOp) -> Dependents:
        """Return what depends on the column of an op at the time when the revision changes its type."""
        table = self.key(op.schema, op.table_name)
        place = (table, str(op.column_name))
        result = self.dependents(*place).without(table, self.dropped_before.get(place, frozenset()))
        changed = self.redefined.get(place)
        if changed is not None and op.modify_type is not None:
            result = result.redefined(changed.of_type(type_text(op.modify_type)))
        recast = self._recast(op, result)
        result = recast.with_definitions(result)
        return replace(result, obstacles=(*result.obstacles, *self.held.get(place, ()), *recast.refused))

    def recast_of(self, op: ops.AlterColumnOp) -> Recast:
        """Return what the new type of a column does to what reads it."""
        return self._recast(op, replace(self, recasts=lambda *_: Recast()).dependents_of(op))

    def _recast(self, op: ops.AlterColumnOp, dependents: Dependents) -> Recast:
        if op.modify_type is None or self.is_new(op.schema, op.table_name):
            return Recast()
        table, column = self.key(op.schema, op.table_name), op.column_name
        others = [op for op in self.retyped if self.key_of(op) == table and op.column_name != column]
        beside = [(other, self.recasts(table, other, Dependents())) for other in others]
        dropped = frozenset(name for place, name in self.dropped_columns if place == table)
        return self.recasts(table, op, dependents).beside(beside, dropped)

    def users_in_the_way(self, op: ops.AlterColumnOp) -> tuple[str, ...]:
        """Return what makes PostgreSQL refuse a new type in one statement, and cannot be created again."""
        table, column = self.key(op.schema, op.table_name), str(op.column_name)
        dependents = self.dependents_of(op)
        again = {*self.droppable_views(table, column), *dependents.objects, *dependents.rebuilt}
        users = (user for user in self.blocks_type_change(table, column) if user not in again)
        return (*users, *self.recast_of(op).by_statement())

    def key(self, schema: str | None, table: str) -> TableKey:
        """Return a table's key, with the default schema if it has none."""
        return (str(schema or self.default_schema), str(table))

    def key_of(self, op: MigrateOperation) -> TableKey:
        """Return the key of the table that an op is about."""
        schema, table = table_of(op)
        return self.key(schema, str(table))

    def is_new(self, schema: str | None, table: str) -> bool:
        """Whether the revision creates or drops the table, so that its locks block nobody."""
        return self.key(schema, table) in self.created | self.dropped

    def is_partitioned(self, schema: str | None, table: str) -> bool:
        """Whether a table is partitioned."""
        return self.key(schema, table) in self.partitioned


def read_facts(context: MigrationContext, settings: RewriteSettings, **more: Any) -> Facts:
    """Read the facts of a run from the catalog. Takes no lock on tables.

    Args:
        context: the context of an online run on PostgreSQL.
        settings: the project's settings.
        more: further fields of `Facts`.
    """
    connection = context.connection
    if connection is None:
        return Facts(settings, enum_plugin=enum_plugin(), **more)
    reader = _Reader(connection)
    server = int((context.dialect.server_version_info or (18,))[0])
    return Facts(
        settings=settings,
        default_schema=str(context.dialect.default_schema_name or "public"),
        version=settings.target_version or server,
        partitioned=reader.names(_PARTITIONED),
        enums=reader.names(_ENUMS),
        forced_row_security=reader.names(_FORCED_ROW_SECURITY),
        autocommit=commits(context),
        session=reader.session_timeouts(),
        has_lock_timeout=bool(connection.scalar(text(_HAS_LOCK_TIMEOUT))),
        utc=str(connection.scalar(text("SELECT current_setting('TimeZone')"))).upper() in _UTC,
        enum_plugin=enum_plugin(),
        volatile=reader.volatile,
        holds=reader.holds,
        name_exists=reader.name_exists,
        type_exists=reader.type_exists,
        rebuilt_with_type=reader.rebuilt_with_type,
        blocks_type_change=reader.blocks_type_change,
        droppable_views=reader.droppable_views,
        blocks_drop=reader.blocks_drop,
        lockable=cache(reader.lockable),
        has_primary_key=reader.has_primary_key,
        dependents=cache(partial(read_dependents, connection)),
        recasts=Recasts(connection),
        identities=partial(read_identities, connection),
        **more,
    )


def commits(context: MigrationContext) -> bool:
    """Whether Alembic begins and ends the transactions, so that an autocommit block works."""
    return not getattr(context, "_in_external_transaction", False)


def enum_plugin() -> bool:
    """Whether env.py imported alembic-postgresql-enum, which is how it is enabled."""
    # It has no setting: its import registers a comparator.
    return "alembic_postgresql_enum" in sys.modules


# In these zones a new type, timestamptz for timestamp, rewrites no row (TimestampTimestampTzRequiresRewrite in
# utils/adt/timestamp.c, PostgreSQL 12).
_UTC = frozenset(("UTC", "GMT", "ETC/UTC", "ETC/GMT", "ZULU", "UCT", "GMT0"))
_PARTITIONED = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'p'
"""
_FORCED_ROW_SECURITY = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relrowsecurity AND c.relforcerowsecurity
"""
_LOCKABLE = """
    SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.relkind IN ('r', 'p') AND n.nspname = :schema AND c.relname = :table)
"""
_ENUMS = """
    SELECT n.nspname, t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype IN ('e', 'd')
"""
# Only what env.py has SET: a value of the URL or of the role is the session's default, to which RESET goes back.
_TIMEOUTS = """
    SELECT name, current_setting(name) FROM pg_settings
    WHERE name IN ('lock_timeout', 'statement_timeout') AND source = 'session' AND setting <> reset_val
"""
_HAS_LOCK_TIMEOUT = """
    SELECT count(*) FROM pg_settings WHERE name = 'lock_timeout' AND source IN ('session', 'client') AND setting <> '0'
"""
# A function that is not in the catalog counts as volatile, since it may be.
_VOLATILE = """
    SELECT count(*) FILTER (WHERE provolatile = 'v') > 0 OR count(*) = 0
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.proname = :name
      AND (n.nspname = CAST(:schema AS text) OR CAST(:schema AS text) IS NULL AND pg_function_is_visible(p.oid))
"""
_NAME_EXISTS = """
    SELECT EXISTS (SELECT FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
                   WHERE n.nspname = :schema AND k.conname = :name)
        OR EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname = :schema AND c.relname = :name)
        OR EXISTS (SELECT FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
                   WHERE n.nspname = :schema AND s.stxname = :name)
"""
# Only indexes with a condition or an expression: a plain one is kept if the type allows it (TryReuseIndex in
# commands/tablecmds.c, CheckIndexCompatible in commands/indexcmds.c).
_REBUILT = """
    WITH the AS (
        SELECT a.attrelid, a.attnum FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = :schema AND c.relname = :table AND a.attname = :column)
    SELECT 'index ' || i.indexrelid::regclass FROM the JOIN pg_index i ON i.indrelid = the.attrelid
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
      AND d.refobjid = the.attrelid AND d.refobjsubid = the.attnum
    WHERE i.indpred IS NOT NULL OR i.indexprs IS NOT NULL
    UNION
    SELECT 'check ' || quote_ident(k.conname) FROM the JOIN pg_constraint k ON k.conrelid = the.attrelid
    WHERE k.contype = 'c' AND the.attnum = ANY (k.conkey)
    ORDER BY 1
"""
# The defaults of other columns in pg_attrdef are those of generated columns: no other default can name a column.
_BLOCKING = """
    WITH the AS (
        SELECT a.attrelid, a.attnum FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = :schema AND c.relname = :table AND a.attname = :column)
    SELECT DISTINCT replace(pg_describe_object(d.classid, d.objid, d.objsubid), 'rule _RETURN on ', '')
    FROM the JOIN pg_depend d
      ON d.refclassid = 'pg_class'::regclass AND d.refobjid = the.attrelid AND d.refobjsubid = the.attnum
    LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
    WHERE f.adnum <> the.attnum OR d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass,
        'pg_trigger'::regclass, 'pg_proc'::regclass, 'pg_publication_rel'::regclass)
    UNION SELECT 'the partition key' FROM the JOIN pg_partitioned_table p ON p.partrelid = the.attrelid
    WHERE the.attnum = ANY (p.partattrs::int2[])
    ORDER BY 1
"""
# deptype n: what is automatic (a) goes with the table. A rule on the table itself is not in its way.
_BLOCKING_DROP = """
    SELECT DISTINCT replace(pg_describe_object(d.classid, d.objid, d.objsubid), 'rule _RETURN on ', '')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    WHERE n.nspname = :schema AND c.relname = :table AND d.deptype = 'n'
      AND (r.ev_class <> c.oid OR d.classid = 'pg_proc'::regclass)
    ORDER BY 1
"""
_HAS_PRIMARY_KEY = """
    SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
                   JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname = :schema AND c.relname = :table AND i.indisprimary)
"""


class _Reader:
    """Queries of the catalog of the database that autogenerate compares with."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def names(self, query: str) -> frozenset[TableKey]:
        return frozenset((str(schema), str(name)) for schema, name in self.connection.execute(text(query)))

    def session_timeouts(self) -> dict[str, str]:
        return {str(name): str(value) for name, value in self.connection.execute(text(_TIMEOUTS))}

    def volatile(self, expression: str) -> bool:
        return any(self._volatile_function(*name) for name in functions(expression))

    def _volatile_function(self, schema: str | None, name: str) -> bool:
        return bool(self.connection.scalar(text(_VOLATILE), {"schema": schema, "name": name}))

    def holds(self, definition: str, column: str, kind: str, value: str) -> bool:
        condition = Sql(definition.removesuffix(" NOT VALID").removesuffix(" NO INHERIT").removeprefix("CHECK "))
        parts: dict[str, Any] = {"condition": condition, "column": Name(column), "kind": Sql(kind), "value": Sql(value)}
        query = Template("SELECT {condition} FROM (SELECT ({value})::{kind} AS {column}) AS t", **parts)
        with in_transaction(self.connection):
            savepoint = self.connection.begin_nested()
            try:
                # NULL is not false: the CHECK lets the row pass.
                return self.connection.scalar(text(escape_binds(str(query.compile(dialect=DIALECT))))) is not False
            except SQLAlchemyError:
                return False
            finally:
                savepoint.rollback()

    def name_exists(self, schema: str, name: str) -> bool:
        return bool(self.connection.scalar(text(_NAME_EXISTS), {"schema": schema, "name": name}))

    def type_exists(self, name: str) -> bool:
        return bool(self.connection.scalar(text("SELECT to_regtype(:name) IS NOT NULL"), {"name": name}))

    def rebuilt_with_type(self, table: TableKey, column: str) -> tuple[str, ...]:
        return self._of_column(_REBUILT, table, column)

    def blocks_type_change(self, table: TableKey, column: str) -> tuple[str, ...]:
        return self._of_column(_BLOCKING, table, column)

    def droppable_views(self, table: TableKey, column: str) -> tuple[str, ...]:
        return droppable_views(self.connection, table, column)

    def blocks_drop(self, table: TableKey) -> tuple[str, ...]:
        values = {"schema": table[0], "table": table[1]}
        return tuple(str(name) for (name,) in self.connection.execute(text(_BLOCKING_DROP), values))

    def lockable(self, table: TableKey) -> bool:
        return bool(self.connection.scalar(text(_LOCKABLE), {"schema": table[0], "table": table[1]}))

    def has_primary_key(self, table: TableKey) -> bool:
        return bool(self.connection.scalar(text(_HAS_PRIMARY_KEY), {"schema": table[0], "table": table[1]}))

    def _of_column(self, query: str, table: TableKey, column: str) -> tuple[str, ...]:
        values = {"schema": table[0], "table": table[1], "column": column}
        return tuple(str(name) for (name,) in self.connection.execute(text(query), values))
