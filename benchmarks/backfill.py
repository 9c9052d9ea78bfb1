"""A backfill of a million rows beside a writer: how long the writer is blocked, next to the single UPDATE.

    python benchmarks/backfill.py [--rows 1000000] [--batch-size 1000] [--rate ROWS_PER_SECOND]

On a throw-away PostgreSQL. The writer updates one row after another, by key, as an application would; what counts
is the longest of its statements while the column is filled. Read the ratios: the numbers are this machine's.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server


@dataclass
class Outcome:
    """Seconds that the filling took, and each statement of the writer."""

    name: str
    rows: int
    seconds: float
    waits: list[float]

    @property
    def longest(self) -> float:
        return max(self.waits)

    @property
    def rate(self) -> float:
        return self.rows / self.seconds

    def __str__(self) -> str:
        ordered = sorted(self.waits)
        late = ordered[int(len(ordered) * 0.99)]
        return (
            f"{self.name:16} {self.seconds:7.1f} s  {self.rate:9.0f} rows/s  writer: {len(ordered):6} statements, "
            f"99% within {late * 1000:7.1f} ms, longest block {self.longest * 1000:8.1f} ms"
        )


def writer(server: ThrowawayServer, rows: int, stop: threading.Event, waits: list[float]) -> None:
    chance = random.Random(1)
    with server.connect("bench") as connection:
        while not stop.is_set():
            begun = time.perf_counter()
            connection.execute("UPDATE t SET seen = seen + 1 WHERE id = %s", [chance.randint(1, rows)])
            waits.append(time.perf_counter() - begun)
            time.sleep(0.002)


def measure(name: str, server: ThrowawayServer, rows: int, fill: Callable[[Operations], object]) -> Outcome:
    with server.connect("bench") as connection:
        connection.execute("DROP TABLE IF EXISTS t")
        connection.execute("CREATE TABLE t (id bigint PRIMARY KEY, price int, seen int NOT NULL, total bigint)")
        connection.execute("INSERT INTO t SELECT i, i %% 1000, 0 FROM generate_series(1, %s) i", [rows])
        connection.execute("VACUUM ANALYZE t")
    stop, waits = threading.Event(), list[float]()
    thread = threading.Thread(target=writer, args=(server, rows, stop, waits))
    engine = sa.create_engine(server.url("bench"), poolclass=sa.NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        thread.start()
        begun = time.perf_counter()
        with Operations.context(context) as op, context.begin_transaction():
            fill(op)
        seconds = time.perf_counter() - begun
    stop.set()
    thread.join()
    return Outcome(name, rows, seconds, waits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batch-size", type=int, default=1000)
    parser.add_argument("--rate", type=float)
    options = parser.parse_args()
    values, where = {"total": sa.text("price * 3")}, "total IS NULL"

    def batches(op: Operations) -> object:
        return op.backfill("t", values, where, options.batch_size, rate=options.rate)  # type: ignore[attr-defined]

    with throwaway_server() as server:
        server.create_database("bench")
        statement = "UPDATE t SET total = price * 3 WHERE total IS NULL"
        single = measure("single UPDATE", server, options.rows, lambda op: op.execute(statement))
        backfill = measure("op.backfill", server, options.rows, batches)
    print(single, backfill, sep="\n")
    print(
        f"longest block: 1/{single.longest / backfill.longest:.0f} of the single UPDATE's; "
        f"rate: {backfill.rate / single.rate:.2f} of it"
    )


if __name__ == "__main__":
    main()
