"""Which sessions hold the lock that a statement could not get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from alembic_pgpatterns.operations.support.session import fetch
from alembic_pgpatterns.operations.support.template import always_quoted
from alembic_pgpatterns.schema.sql.parser import RangeVar, postgast

if TYPE_CHECKING:
    from alembic.operations import Operations

# Also the table of an index, partitions, and tables that foreign keys refer to: a statement locks them without naming
# them.
_HOLDERS = """
    WITH named AS (
        SELECT to_regclass(name)::oid AS oid FROM unnest(CAST(:names AS text[])) AS name
    ), meant AS (
        SELECT oid FROM named WHERE oid IS NOT NULL
        UNION SELECT x.indrelid FROM pg_catalog.pg_index x JOIN named ON named.oid = x.indexrelid
        UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN named ON named.oid = i.inhparent
        UNION SELECT k.confrelid FROM pg_catalog.pg_constraint k JOIN named ON named.oid = k.conrelid
              WHERE k.contype = 'f'
    )
    SELECT l.pid, a.usename, a.application_name, a.state, string_agg(DISTINCT l.mode, ', ') AS modes,
           string_agg(DISTINCT CAST(CAST(l.relation AS regclass) AS text), ', ') AS relations,
           round(extract(epoch FROM clock_timestamp() - a.xact_start)) AS seconds
    FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
    WHERE l.granted AND l.locktype = 'relation' AND l.pid <> pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
      AND l.relation IN (SELECT oid FROM meant)
    GROUP BY l.pid, a.usename, a.application_name, a.state, a.xact_start
    ORDER BY a.xact_start
"""


def holders(operations: Operations, statement: str | None) -> str:
    """The sessions that hold locks on the tables that *statement* names, oldest transaction first, in words.

    They are looked up after the wait, so a session that has released its lock by then is not listed. The text of
    their statements is left out, since it may hold secrets; the pid is enough to find it.
    """
    rows = fetch(operations, _HOLDERS, names=sorted(set(_names(statement or ""))))
    if not rows:
        return "the session that held the lock has released it"
    return "; ".join(
        f"pid {row.pid} (role {row.usename}, application {row.application_name or '?'}, {row.state}, in a transaction "
        f"for {row.seconds} s) holds {row.modes} on {row.relations}"
        for row in rows
    )


def _names(statement: str) -> Iterator[str]:
    try:
        tree = postgast.parse(statement)
    except postgast.PgQueryError:
        return
    for table in postgast.find_nodes(tree, RangeVar):
        yield always_quoted(table.schemaname or None, table.relname)
    for parsed in tree.stmts:
        if parsed.stmt.WhichOneof("node") == "drop_stmt":
            for target in parsed.stmt.drop_stmt.objects:
                path = [item.string.sval for item in target.list.items]
                # for a policy or trigger the path ends with its own name, after the table's
                yield from (always_quoted(*part) for part in (path, path[:-1]) if part)
