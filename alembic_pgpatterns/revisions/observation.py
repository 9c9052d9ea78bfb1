"""Event triggers that make a database report what statements do, and the queries beside them.

No query runs on the traced connection: that would change what happens there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alembic_pgpatterns.schema.names import Name

Connection = Any

SCHEMA = "pgpatterns_trace"
"""The schema of our functions in a watched database."""

# PG_CONTEXT (docs, "Obtaining Information about an Error" and "Obtaining Execution Location Information") has the text
# of a command that a function or a DO block runs, which log_statement does not log; for a function in SQL only its name
# and the number of the statement. For a command that was sent it has the line of our function alone.
# CREATE INDEX CONCURRENTLY fires only ddl_command_start (PostgreSQL docs, "Event Trigger Firing Matrix"; measured on
# 15 and 18). That event reports the timeouts in force. The mark is that of `serverlog.MARK`.
INSTALL = """
CREATE SCHEMA pgpatterns_trace;
GRANT USAGE ON SCHEMA pgpatterns_trace TO PUBLIC;
CREATE FUNCTION pgpatterns_trace.began() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $f$
BEGIN
    RAISE LOG 'pgpatterns-trace%', json_build_object('event', 'began', 'tag', tg_tag, 'settings', json_build_object(
        'lock_timeout', (extract(epoch FROM current_setting('lock_timeout')::interval) * 1000)::int,
        'statement_timeout', (extract(epoch FROM current_setting('statement_timeout')::interval) * 1000)::int));
END $f$;
CREATE FUNCTION pgpatterns_trace.ended() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $f$
DECLARE
    context text;
BEGIN
    GET DIAGNOSTICS context = PG_CONTEXT;
    RAISE LOG 'pgpatterns-trace%', json_build_object('event', 'ended', 'tag', tg_tag, 'context', context, 'body',
        (SELECT prosrc FROM pg_proc WHERE proname = substring(context from E'^[^\\n]*\\nSQL function "(.*?)" statement')
         ORDER BY oid DESC LIMIT 1), 'locks',
        (SELECT json_agg(json_build_array(l.relation::bigint, l.mode, n.nspname, c.relname)) FROM pg_locks l
         LEFT JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted AND l.relation >= 16384
           AND l.mode <> 'SIReadLock'));
END $f$;
CREATE FUNCTION pgpatterns_trace.rewriting() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $f$
BEGIN
    RAISE LOG 'pgpatterns-trace%', json_build_object('event', 'rewrite', 'tag', tg_tag, 'objects',
        json_build_array(pg_event_trigger_table_rewrite_oid()::bigint));
END $f$;
CREATE EVENT TRIGGER pgpatterns_trace_began ON ddl_command_start EXECUTE FUNCTION pgpatterns_trace.began();
CREATE EVENT TRIGGER pgpatterns_trace_ended ON ddl_command_end EXECUTE FUNCTION pgpatterns_trace.ended();
CREATE EVENT TRIGGER pgpatterns_trace_rewriting ON table_rewrite EXECUTE FUNCTION pgpatterns_trace.rewriting();
"""
# SIReadLock: predicate locks of serializable transactions, for which nobody waits.
HELD = """
    SELECT relation::bigint, mode FROM pg_catalog.pg_locks
    WHERE pid = %s AND locktype = 'relation' AND granted AND relation >= 16384 AND mode <> 'SIReadLock'
"""
RELATIONS = """
    SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text,
           CASE WHEN c.relispartition THEN pg_catalog.pg_partition_root(c.oid)::oid::bigint END,
           x.indrelid::bigint, c.relfilenode::bigint
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid
    WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'm', 'v', 'i', 'I') AND c.relpersistence <> 't'
      AND n.nspname NOT LIKE 'pg\\_toast%'
"""
FOREIGN_KEYS = """
    SELECT k.conname, k.conrelid::bigint FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.oid >= 16384
"""


def install(connection: Connection) -> None:
    """Create the event triggers in a database. Needs a superuser."""
    connection.execute(INSTALL)


def remove(connection: Connection) -> None:
    """Remove the event triggers and our schema from a database."""
    connection.execute("DROP SCHEMA pgpatterns_trace CASCADE")


@dataclass(frozen=True, slots=True)
class ObservedRelation:
    """A relation by its oid. ``kind`` as in pg_class; ``root``: of a partition; ``table``: of an index."""

    name: Name
    kind: str
    root: int | None
    table: int | None
    file: int


@dataclass(frozen=True)
class ObservedRelations:
    """The relations of a database at one moment."""

    by_oid: dict[int, ObservedRelation]

    @classmethod
    def read(cls, connection: Connection) -> ObservedRelations:
        """All relations except toast, temporary and system relations, in one query."""
        rows = connection.execute(RELATIONS).fetchall()
        return cls({row[0]: ObservedRelation(Name(row[1], row[2]), *row[3:]) for row in rows})

    def root(self, relation: ObservedRelation) -> Name:
        """The name of its partitioned table if it is a partition, else its own."""
        parent = self.by_oid.get(relation.root) if relation.root is not None else None
        return parent.name if parent is not None else relation.name


def held(connection: Connection, pid: int) -> dict[int, set[str]]:
    """The relation locks of a backend: modes by the relation's oid."""
    modes: dict[int, set[str]] = {}
    for relation, mode in connection.execute(HELD, (pid,)).fetchall():
        modes.setdefault(relation, set()).add(mode)
    return modes
