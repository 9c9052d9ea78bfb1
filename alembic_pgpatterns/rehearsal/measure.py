"""One run of a revision on filled tables, under load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress

import psycopg
from psycopg import sql

from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.rehearsal.load import Load, under_load
from alembic_pgpatterns.rehearsal.model import Measurement
from alembic_pgpatterns.rehearsal.server import make_durable
from alembic_pgpatterns.rehearsal.stage import RunOutcome, Stage
from alembic_pgpatterns.schema.model import Name, Table

# Temporary files are gone as soon as their statement ends; only the counter temp_bytes of pg_stat_database tells of
# them.
_WRITTEN = """
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint, pg_database_size(current_database()),
       (SELECT temp_bytes FROM pg_stat_database WHERE datname = current_database())
"""


def measure(
    stage: Stage,
    script: Revision,
    line: int,
    copies: Mapping[str, str],
    tables: Mapping[str, Sequence[Table]],
    rows: Mapping[str, Mapping[Name, int]],
) -> tuple[dict[str, Measurement], RunOutcome]:
    """Run the upgrade of the revision in copies of the databases, while readers and writers work there.

    Args:
        stage: with the databases.
        script: the revision.
        line: of its upgrade.
        copies: of the databases, by their names.
        tables: to read and write, by database.
        rows: of the tables, by database.
    """
    before = {name: _written(stage, copies[name]) for name in tables}
    loads: dict[str, Load] = {}
    # With fsync, as in production, for this run only: filling the tables does without.
    make_durable(stage.run.server, True)
    with ExitStack() as stack:
        stack.callback(make_durable, stage.run.server, False)
        for name in tables:
            with stage.run.server.connect(copies[name]) as connection:
                read_through(connection, tables[name])
        for name in tables:
            loads[name] = stack.enter_context(under_load(stage.run.server, copies[name], tables[name]))
        outcome = stage.step(script, True, line, copies)
    result = {}
    for name, load in loads.items():
        # WAL is one for the whole server, so what the writers of the load wrote is in it.
        wal, size, temporary = (new - old for new, old in zip(_written(stage, copies[name]), before[name], strict=True))
        result[name] = Measurement(
            rows=dict(rows[name]),
            reads=load.reads,
            writes=load.writes,
            statements=outcome.statements,
            seconds=outcome.seconds,
            wal_bytes=wal,
            disk_bytes=max(0, size) + max(0, temporary),
        )
    return result, outcome


def read_through(connection: psycopg.Connection, tables: Sequence[Table]) -> None:
    """Let the kernel's page cache hold the tables, whatever it has dropped since they were filled.

    Some machines drop pages soon (DAMON's proactive reclaim: Linux docs, "DAMON-based Reclamation"), the more, the
    larger a table is. Then few rows would be read from memory and many from the disk, and no growth tells of that.
    The rows were vacuumed when they were made, so reading them sets no hint bits and writes nothing.

    Args:
        connection: in autocommit mode; its planner settings change.
        tables: those that the revision touches. Locks taken: ACCESS SHARE on each, one after the other.
    """
    # Of an index-only scan only the index would be in memory.
    for name in ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"):
        connection.execute("SELECT set_config(%s, 'off', false)", (name,))
    for table in tables:
        if table.kind != "foreign":
            # On a server of the user's, a forced policy may demand a setting that only the application knows.
            with suppress(psycopg.Error):
                connection.execute(
                    sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table.name.schema, table.name.name))
                )


def _written(stage: Stage, database: str) -> tuple[int, int, int]:
    with stage.run.server.connect(database) as connection:
        wal, size, temporary = connection.execute(_WRITTEN).fetchone() or (0, 0, 0)
    return int(wal), int(size), int(temporary or 0)
