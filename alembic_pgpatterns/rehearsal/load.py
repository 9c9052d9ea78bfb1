"""A reader and a writer on each table, and how long their slowest statement took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg import sql
from psycopg.conninfo import make_conninfo

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.rehearsal.model import Wait
from alembic_pgpatterns.schema.model import Column, Name, Table
from alembic_pgpatterns.server.protocol import Server

KEYS = 20
"""Rows of a table that a probe reads or writes in turn."""
INTERVAL = 0.005
"""Least seconds between two statements of a probe. A measured wait may be too short by this."""
PER_PROBE = 0.002
"""Seconds between two statements of all probes together, so that the revision can use the machine."""


@dataclass
class Load:
    """The results of the probes after their end."""

    reads: dict[Name, Wait] = field(default_factory=dict)
    writes: dict[Name, Wait] = field(default_factory=dict)


@contextmanager
def under_load(server: Server, database: str, tables: Sequence[Table]) -> Iterator[Load]:
    """A context in which one reader and one writer work on each table, in a separate process.

    The reader takes ACCESS SHARE, the writer ROW EXCLUSIVE and the lock of one row; each commits at once.

    Args:
        server: with the database.
        database: its name.
        tables: to read and write.

    Raises:
        PgPatternsError: the probes could not connect.
    """
    load = Load()
    with server.connect(database) as connection:
        probes = [probe for table in tables for probe in _probes(connection, table)]
    if not probes:
        yield load
        return
    interval = max(INTERVAL, PER_PROBE * len(probes))
    task = {"conninfo": make_conninfo("", **server.parameters(database)), "interval": interval, "probes": probes}
    process = _start(task)
    try:
        yield load
        output, _ = process.communicate(timeout=600)
        _read(output, load, {str(table.name): table.name for table in tables})
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _start(task: dict[str, Any]) -> subprocess.Popen[str]:
    program = Path(__file__).with_name("load_program.py")
    # libpq would take what the probes' connection string does not say from PGHOST and the like.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    process = subprocess.Popen(
        # Another process: threads of this one would wait for the interpreter while the migration computes in it, and
        # their times would say so.
        [sys.executable, "-I", str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(task) + "\n")
    process.stdin.flush()
    if process.stdout.readline() != "ready\n":
        _, error = process.communicate()
        last = error.strip().splitlines()[-1:] or ["it ended"]
        raise PgPatternsError(f"The readers and writers of the rehearsal could not start: {last[0]}")
    return process


def _read(output: str, load: Load, names: dict[str, Name]) -> None:
    for item in json.loads(output):
        kind, _, table = item["name"].partition(" ")
        wait = Wait(item["longest"], item["usual"], item["count"], item["error"])
        (load.reads if kind == "read" else load.writes)[names[table]] = wait


def _probes(connection: Any, table: Table) -> Iterator[dict[str, Any]]:
    where = _conditions(connection, table)
    name = sql.Identifier(table.name.schema, table.name.name)
    reads = [sql.SQL("SELECT 1 FROM {}{} LIMIT 1").format(name, condition) for condition in where]
    yield {"name": f"read {table.name}", "statements": [item.as_string(connection) for item in reads]}
    column = _written(table)
    if column is not None and table.kind in ("table", "partitioned"):
        quoted = sql.Identifier(column.name)
        # The same value again: no constraint can refuse it, and the lock is that of any UPDATE.
        writes = [sql.SQL("UPDATE {} SET {} = {}{}").format(name, quoted, quoted, condition) for condition in where]
        yield {"name": f"write {table.name}", "statements": [item.as_string(connection) for item in writes]}


def _conditions(connection: Any, table: Table) -> list[sql.Composable]:
    """Conditions that match one row each, for some rows from all parts of the table."""
    key = table.primary_key
    if key is None:
        # Without a row the statement still takes its lock on the table, and waits for it.
        return [sql.SQL(" WHERE false")] if not table.columns else [_any_row(table)]
    names = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in key.columns)
    # Rows of all parts of the table without a look at all of it; LIMIT alone gives the rows of its first pages.
    query = sql.SQL("SELECT {} FROM {} TABLESAMPLE SYSTEM (5) LIMIT {}")
    place = sql.Identifier(table.name.schema, table.name.name)
    rows = connection.execute(query.format(names, place, sql.Literal(KEYS))).fetchall()
    if not rows:
        query = sql.SQL("SELECT {} FROM {} LIMIT {}")
        rows = connection.execute(query.format(names, place, sql.Literal(KEYS))).fetchall()
    types = [sql.SQL(column.type.display) for name in key.columns if (column := table.column(name)) is not None]
    result: list[sql.Composable] = []
    for row in rows:
        equal = [
            sql.SQL("{} = {}::{}").format(sql.Identifier(name), sql.Literal(value), kind)
            for name, value, kind in zip(key.columns, row, types, strict=True)
        ]
        result.append(sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(equal)))
    return result or [sql.SQL(" WHERE false")]


def _any_row(table: Table) -> sql.Composable:
    place = sql.Identifier(table.name.schema, table.name.name)
    return sql.SQL(" WHERE ctid = (SELECT ctid FROM {} LIMIT 1)").format(place)


def _written(table: Table) -> Column | None:
    """The column that the writer sets to its present value: one without a key, if there is one."""
    free = [c for c in table.columns if c.generated is None and (c.identity is None or not c.identity.always)]
    # Where no indexed column changes, no index needs a new entry (docs, "Heap-Only Tuples"): the usual time is short
    # and even.
    keys = {name for index in table.indexes for name in index.columns}
    keys |= {name for key in table.foreign_keys for name in key.columns}
    return next((c for c in free if c.name not in keys), free[0] if free else None)
