"""What tracing costs: a project's bare upgrade, pgcheck with and without it, and one statement.

    python benchmarks/tracing.py [folder of a project] [-c alembic.ini] [-x argument]

Without a folder a history of a hundred revisions is made. Times are of one run on this machine; read the ratios.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psycopg

from alembic_pgpatterns.revisions.observation import ObservedRelations, held, install
from alembic_pgpatterns.revisions.serverlog import SETTINGS
from alembic_pgpatterns.server.throwaway import throwaway_server

REVISIONS = 100


def history(folder: Path) -> None:
    """A project of a hundred revisions; every fourth makes a table, the others change one."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests import projects

    project = projects.make(folder)
    for number in range(REVISIONS):
        table = f"t{number // 4}"
        up, down = {
            0: (f"op.create_table('{table}', sa.Column('id', sa.BigInteger(), primary_key=True))",
                f"op.drop_table('{table}')"),
            1: (f"op.add_column('{table}', sa.Column('a', sa.Text()))", f"op.drop_column('{table}', 'a')"),
            2: (f"op.create_index('ix_{table}', '{table}', ['a'])", f"op.drop_index('ix_{table}', '{table}')"),
            3: (f"op.alter_column('{table}', 'a', nullable=False)", f"op.alter_column('{table}', 'a', nullable=True)"),
        }[number % 4]  # fmt: skip
        project.revision(f"r{number:03}", up, f"r{number - 1:03}" if number else None, down)


def timed(name: str, folder: Path, *arguments: str, expected: tuple[int, ...] = (0, 1), **environment: str) -> float:
    """Run the alembic program; wall time and processor time in seconds."""
    before, start = os.times(), time.perf_counter()
    command = [sys.executable, "-m", "alembic", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **environment})
    wall, after = time.perf_counter() - start, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    if done.returncode not in expected:
        raise SystemExit(f"{name}: exit {done.returncode}: {done.stderr[-2000:]}")
    print(f"{name:45} {wall:8.2f} s   {cpu:8.2f} s of processor")
    return wall


def statement_cost(tables: int) -> None:
    """One ALTER TABLE with and without the event triggers and the monitor, on a database of so many tables."""
    with throwaway_server(settings=SETTINGS) as server:
        plain, traced = (server.create_database(name) for name in ("plain", "traced"))
        times = {}
        for name in (plain, traced):
            with server.connect(name) as connection, server.connect() as monitor:
                if name == traced:
                    install(connection)
                for number in range(tables):
                    connection.execute(f"CREATE TABLE t{number} (id bigint)")
                times[name] = one_by_one(connection, monitor if name == traced else None)
        with server.connect(traced) as connection:
            start = time.perf_counter()
            ObservedRelations.read(connection)
            read = time.perf_counter() - start
        more = (times[traced] - times[plain]) * 1000
        print(f"a statement among {tables:5} tables: {times[plain] * 1000:6.2f} ms alone, {more:5.2f} ms more traced; "
              f"names read once a revision in {read * 1000:.1f} ms")  # fmt: skip


def one_by_one(connection: psycopg.Connection, monitor: psycopg.Connection | None) -> float:
    """The median time of a statement, in seconds."""
    found = []
    pid = connection.info.backend_pid
    for number in range(200):
        start = time.perf_counter()
        connection.execute(f"ALTER TABLE t0 ALTER id SET DEFAULT {number}")
        if monitor is not None:
            held(monitor, pid)
        found.append(time.perf_counter() - start)
    return median(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("-c", dest="ini", default="alembic.ini")
    parser.add_argument("-x", dest="extra", action="append", default=[])
    options = parser.parse_args()
    for tables in (10, 2000):
        statement_cost(tables)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        if options.folder is None:
            history(folder)
        common = ["-c", options.ini, *(f"-x={item}" for item in options.extra), "pgcheck", "--exit-zero"]
        schema = ("--select", "indexes,types,constraints,security")
        timed("pgcheck, no revision in scope", folder, *common, *schema)
        last = ["--since", "r098"] if options.folder is None else ["--since", "base"]
        timed(f"pgcheck {' '.join(last)}", folder, *common, *last)
        timed(f"pgcheck {' '.join(last)} --no-downgrade", folder, *common, *last, "--no-downgrade")
        if options.folder is None:
            timed("pgcheck --since base --no-downgrade", folder, *common, "--since", "base", "--no-downgrade")
            timed("pgcheck --since base", folder, *common, "--since", "base")


if __name__ == "__main__":
    main()
