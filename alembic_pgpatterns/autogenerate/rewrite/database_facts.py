"""What the road has to know of the database and the run, asked once; the planners see nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import text

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Connection

TableKey = tuple[str, str]
"""Schema and table; the connection's default schema where the op names none."""


@dataclass(frozen=True, slots=True)
class RoadSettings:
    """What a project decides about the road."""

    split: Literal["auto", "never", "always"] = "auto"
    lock_timeout: str = "5s"
    target_version: int | None = None
    """The oldest PostgreSQL major that runs the revisions; None: the server's at hand."""
    directives: bool = False
    """Write op directives of ours where Alembic's own operations take several."""


@dataclass(frozen=True)
class Facts:
    """The ground that a revision is written for."""

    settings: RoadSettings = field(default_factory=RoadSettings)
    default_schema: str = "public"
    version: int = 18
    created: frozenset[TableKey] = frozenset()
    """Tables that the revision creates: nobody waits for their locks."""
    dropped: frozenset[TableKey] = frozenset()
    """Tables that the revision drops."""
    partitioned: frozenset[TableKey] = frozenset()
    enums: frozenset[TableKey] = frozenset()
    """Native enum types in the database: schema and name."""
    autocommit: bool = True
    """False where env.py opens the transaction itself: an autocommit block fails there."""
    session: Mapping[str, str] = field(default_factory=dict)
    """lock_timeout and statement_timeout as env.py set them for its session; absent where it did not."""
    limited: bool = False
    """env.py, or the URL, sees to a lock_timeout, in every database that it is run for."""
    utc: bool = True
    enum_plugin: bool = False
    """alembic-postgresql-enum is at work: enum types are its business."""
    volatile: Callable[[str], bool] = lambda expression: False
    """Whether PostgreSQL has to evaluate an expression once a row."""
    taken: Callable[[str, str], bool] = lambda schema, name: False
    """Whether a schema has a constraint or relation of a name."""
    dependents: Callable[[TableKey, str], tuple[str, ...]] = lambda table, column: ()
    """What PostgreSQL builds or verifies again with a column's type."""
    refusing: Callable[[TableKey, str], tuple[str, ...]] = lambda table, column: ()
    """What makes PostgreSQL refuse another type for a column: views, generated columns, policies, triggers, functions
    (``RememberAllDependentForRebuilding`` in commands/tablecmds.c)."""
    keyed: Callable[[TableKey], bool] = lambda table: True
    """Whether a table has a primary key, along which a backfill can walk."""
    entangled: Callable[[TableKey, str], tuple[str, ...]] = lambda table, column: ("what is not known",)
    """What holds on to a column, so that another column cannot simply take its place."""

    def key(self, schema: str | None, table: str) -> TableKey:
        """A table as the other fields spell it."""
        return (str(schema or self.default_schema), str(table))

    def is_new(self, schema: str | None, table: str) -> bool:
        """Whether the revision itself creates or drops the table, so that what it holds is of no concern."""
        return self.key(schema, table) in self.created | self.dropped

    def is_partitioned(self, schema: str | None, table: str) -> bool:
        """Whether it is a partitioned parent."""
        return self.key(schema, table) in self.partitioned


def read_facts(context: MigrationContext, settings: RoadSettings, **more: Any) -> Facts:
    """The facts of a run; reads the catalog, takes no lock on tables.

    Args:
        context: of an online run on PostgreSQL.
        settings: the project's.
        more: further fields of `Facts`.
    """
    connection = context.connection
    if connection is None:
        return Facts(settings, enum_plugin=_enum_plugin(), **more)
    reader = _Reader(connection)
    server = int((context.dialect.server_version_info or (18,))[0])
    return Facts(
        settings=settings,
        default_schema=str(context.dialect.default_schema_name or "public"),
        version=settings.target_version or server,
        partitioned=reader.names(_PARTITIONED),
        enums=reader.names(_ENUMS),
        autocommit=commits(context),
        session=reader.session_timeouts(),
        limited=bool(connection.scalar(text(_LIMITED))),
        utc=str(connection.scalar(text("SELECT current_setting('TimeZone')"))).upper() in _UTC,
        enum_plugin=_enum_plugin(),
        volatile=reader.volatile,
        taken=reader.taken,
        dependents=reader.dependents,
        refusing=reader.refusing,
        keyed=reader.keyed,
        entangled=reader.entangled,
        **more,
    )


def commits(context: MigrationContext) -> bool:
    """Whether Alembic begins and ends the transactions, so that an autocommit block can be."""
    return not getattr(context, "_in_external_transaction", False)


def _enum_plugin() -> bool:
    """Whether env.py imported alembic-postgresql-enum, which is how it is enabled."""
    return "alembic_postgresql_enum" in sys.modules


_UTC = frozenset(("UTC", "GMT", "ETC/UTC", "ETC/GMT", "ZULU", "UCT", "GMT0"))
_PARTITIONED = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'p'
"""
_ENUMS = """
    SELECT n.nspname, t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'e'
"""
_TIMEOUTS = """
    SELECT name, current_setting(name) FROM pg_settings
    WHERE name IN ('lock_timeout', 'statement_timeout') AND source = 'session' AND setting <> reset_val
"""
_LIMITED = """
    SELECT count(*) FROM pg_settings WHERE name = 'lock_timeout' AND source IN ('session', 'client') AND setting <> '0'
"""
_VOLATILE = """
    SELECT count(*) FILTER (WHERE provolatile = 'v') > 0 OR count(*) = 0
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.proname = :name
      AND (n.nspname = CAST(:schema AS text) OR CAST(:schema AS text) IS NULL AND pg_function_is_visible(p.oid))
"""
_TAKEN = """
    SELECT EXISTS (SELECT FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
                   WHERE n.nspname = :schema AND k.conname = :name)
        OR EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname = :schema AND c.relname = :name)
"""
_DEPENDENTS = """
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
_REFUSING = """
    WITH the AS (
        SELECT a.attrelid, a.attnum FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = :schema AND c.relname = :table AND a.attname = :column)
    SELECT DISTINCT replace(pg_describe_object(d.classid, d.objid, d.objsubid), 'rule "_RETURN" on ', '')
    FROM the JOIN pg_depend d
      ON d.refclassid = 'pg_class'::regclass AND d.refobjid = the.attrelid AND d.refobjsubid = the.attnum
    LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
    WHERE f.adnum <> the.attnum OR d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass,
        'pg_trigger'::regclass, 'pg_proc'::regclass, 'pg_publication_rel'::regclass)
    ORDER BY 1
"""
_KEYED = """
    SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
                   JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname = :schema AND c.relname = :table AND i.indisprimary)
"""
_ENTANGLED = """
    WITH the AS (
        SELECT a.attrelid, a.attnum, a.attacl, a.attinhcount, c.relispartition, c.relkind, c.relhassubclass
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = :schema AND c.relname = :table AND a.attname = :column)
    SELECT pg_describe_object(d.classid, d.objid, d.objsubid) FROM the JOIN pg_depend d
      ON d.refclassid = 'pg_class'::regclass AND d.refobjid = the.attrelid AND d.refobjsubid = the.attnum
    WHERE d.classid <> 'pg_attrdef'::regclass
      AND NOT (d.classid = 'pg_constraint'::regclass
               AND (SELECT contype FROM pg_constraint k WHERE k.oid = d.objid) = 'n')
    UNION ALL
    SELECT 'a generated column' FROM the JOIN pg_attribute g USING (attrelid, attnum) WHERE g.attgenerated <> ''
       OR g.attidentity <> ''
    UNION ALL
    SELECT 'a generated column' FROM the JOIN pg_depend d
      ON d.refobjid = the.attrelid AND d.refobjsubid = the.attnum AND d.classid = 'pg_attrdef'::regclass
    JOIN pg_attrdef f ON f.oid = d.objid AND f.adnum <> the.attnum
    UNION ALL
    SELECT 'a partition or a parent' FROM the
    WHERE relkind <> 'r' OR relispartition OR relhassubclass OR attinhcount > 0
    UNION ALL
    SELECT 'rights on the column' FROM the WHERE attacl IS NOT NULL
    UNION ALL
    SELECT 'trigger ' || t.tgname || ', which every row of a backfill would fire' FROM the
    JOIN pg_trigger t ON t.tgrelid = the.attrelid AND NOT t.tgisinternal
    ORDER BY 1
"""


class _Reader:
    """Questions to the catalog of the database that autogenerate compares with."""

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

    def taken(self, schema: str, name: str) -> bool:
        return bool(self.connection.scalar(text(_TAKEN), {"schema": schema, "name": name}))

    def dependents(self, table: TableKey, column: str) -> tuple[str, ...]:
        return self._of_column(_DEPENDENTS, table, column)

    def refusing(self, table: TableKey, column: str) -> tuple[str, ...]:
        return self._of_column(_REFUSING, table, column)

    def keyed(self, table: TableKey) -> bool:
        return bool(self.connection.scalar(text(_KEYED), {"schema": table[0], "table": table[1]}))

    def entangled(self, table: TableKey, column: str) -> tuple[str, ...]:
        return self._of_column(_ENTANGLED, table, column)

    def _of_column(self, query: str, table: TableKey, column: str) -> tuple[str, ...]:
        given = {"schema": table[0], "table": table[1], "column": column}
        return tuple(str(name) for (name,) in self.connection.execute(text(query), given))


def functions(expression: str) -> list[tuple[str | None, str]]:
    """The functions an SQL expression calls, each with the schema it is written with."""
    from alembic_pgpatterns.schema.sql.parser import postgast

    try:
        tree = postgast.parse(f"SELECT {expression}")
    except postgast.PgQueryError:
        # What cannot be read is taken for the worse case: a function that no catalog has.
        return [(None, "")]
    return [_function(call) for call in postgast.find_nodes(tree, postgast.pg_query_pb2.FuncCall)]


def _function(call: Any) -> tuple[str | None, str]:
    parts = [part.string.sval for part in call.funcname]
    return (parts[-2] if len(parts) > 1 else None, parts[-1])
