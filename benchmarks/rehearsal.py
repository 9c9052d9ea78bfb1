"""A rehearsal against the truth: predictions, the probes' error, and how fast rows are made.

    python benchmarks/rehearsal.py predictions [--only index,rewrite] [--large 8000000]
    python benchmarks/rehearsal.py probes [--times 5]
    python benchmarks/rehearsal.py rows [--rows 2000000]

On a throw-away PostgreSQL with its own defaults, on disk. Nothing else may run on the machine meanwhile. The first
needs 8 GB of disk, and about half a minute per statement after a minute for the rows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from alembic.config import Config

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.rehearsal.measure import measure
from alembic_pgpatterns.rehearsal.model import Measurement
from alembic_pgpatterns.rehearsal.options import Budget
from alembic_pgpatterns.rehearsal.results import result_of
from alembic_pgpatterns.rehearsal.rows.fill import fill
from alembic_pgpatterns.rehearsal.rows.merged import expected_types, merged
from alembic_pgpatterns.rehearsal.rows.model import ColumnShape, Request
from alembic_pgpatterns.rehearsal.server import rehearsal_server
from alembic_pgpatterns.rehearsal.sizes import Sizes, touched
from alembic_pgpatterns.rehearsal.stage import Stage
from alembic_pgpatterns.rehearsal.watch import Watch
from alembic_pgpatterns.report.progress import progress_on
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Name, Schema

SMALL, MIDDLE = 250_000, 1_000_000
CLOSE = 1.5
"""A prediction is right if it is wrong by no more than this factor."""
WAITS = 0.5
"""Seconds: a shorter wait on a table is compared with nothing, since other processes cause as much."""
ORDERS = Name("public", "orders")
CUSTOMERS = Name("public", "customers")
START = """
CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE orders (
    id bigint PRIMARY KEY, number bigint NOT NULL, customer_id bigint NOT NULL, quantity integer NOT NULL,
    price numeric(10, 2) NOT NULL, total numeric(12, 2), note text, created_at timestamptz NOT NULL
);
"""
APART = "with op.get_context().autocommit_block():\n    "
STATEMENTS = {
    "index": 'op.create_index("ix", "orders", ["customer_id"])',
    "concurrently": APART + 'op.execute("CREATE INDEX CONCURRENTLY ixc ON orders (customer_id, created_at)")',
    "rewrite": 'op.execute("ALTER TABLE orders ALTER quantity TYPE bigint")',
    "foreign_key": (
        'op.execute("ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (customer_id) REFERENCES customers NOT VALID")\n'
        + APART
        + 'op.execute("ALTER TABLE orders VALIDATE CONSTRAINT fk")'
    ),
    "check": (
        'op.execute("ALTER TABLE orders ADD CONSTRAINT ck CHECK (quantity >= 0 AND price > 0) NOT VALID")\n'
        + APART
        + 'op.execute("ALTER TABLE orders VALIDATE CONSTRAINT ck")'
    ),
    "backfill": 'op.backfill("orders", {"total": sa.text("price * quantity")}, where="total IS NULL")',
    "update": 'op.execute("UPDATE orders SET total = price * quantity")',
    "not_null": 'op.alter_column("orders", "note", nullable=False)',
    "volatile": 'op.execute("ALTER TABLE orders ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid()")',
    "primary_key": (
        APART + 'op.execute("CREATE UNIQUE INDEX CONCURRENTLY pk ON orders (number)")\n'
        'op.execute("ALTER TABLE orders DROP CONSTRAINT orders_pkey, ADD CONSTRAINT pk PRIMARY KEY USING INDEX pk")'
    ),
}
ENV = """
from alembic import context
from sqlalchemy import create_engine, pool

with create_engine("postgresql+psycopg://nobody@db.example.invalid/app", poolclass=pool.NullPool).connect() as link:
    context.configure(connection=link)
    with context.begin_transaction():
        context.run_migrations()
"""


@dataclass(frozen=True)
class Ready:
    """A project whose revisions can be measured. ``runs``: on empty tables. ``schema``: with all that they demand."""

    stage: Stage
    scripts: Mapping[str, Revision]
    runs: Mapping[str, RevisionRun]
    schema: Schema


def write_project(folder: Path, statements: Mapping[str, str]) -> Config:
    """A history in which each statement is a branch of its own after the start."""
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "migrations" / "env.py").write_text(ENV)
    sources = {"start": f'op.execute("""{START}""")', **statements}
    for name, source in sources.items():
        parent = None if name == "start" else "start"
        text = f"import sqlalchemy as sa\nfrom alembic import op\n\nrevision = {name!r}\ndown_revision = {parent!r}\n"
        text += f"\n\ndef upgrade():\n{indent(source, '    ')}\n\n\ndef downgrade():\n    raise NotImplementedError\n"
        (versions / f"{name.replace('-', '_')}.py").write_text(text)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    return Config(str(folder / "alembic.ini"))


@contextmanager
def ready(statements: Mapping[str, str]) -> Iterator[Ready]:
    """The project on a rehearsal's server, at the start."""
    with tempfile.TemporaryDirectory() as name:
        config = write_project(Path(name), statements)
        settings = settings_of(config, {"downgrade": False})
        with Project(config, settings) as project, progress_on(sys.stderr) as progress:
            scripts = {script.revision: script for script in project.revisions}
            run = Run(project, settings, progress)
            runs = {item.revision: item for item in run.trace(project.revisions).runs}
            failures = [f"{item.revision}: {item.failure}" for item in runs.values() if item.failure]
            if failures:
                raise SystemExit("\n".join(failures))
            last = runs[project.revisions[-1].revision].after
            with rehearsal_server(settings) as server:
                stage = Stage(run.on(server), Watch(server, Budget(3600.0), 40 << 30))
                stage.advance(frozenset({"start"}))
                yield Ready(stage, scripts, runs, merged(runs["start"].after, last))


def predictions(options: argparse.Namespace) -> None:
    """Measure each statement at two sizes, predict the third, measure that too, and print the ratios."""
    names = options.only.split(",") if options.only else list(STATEMENTS)
    points: dict[str, list[tuple[int, Measurement]]] = {name: [] for name in names}
    with ready({name: STATEMENTS[name] for name in names}) as place:
        for rows, times in ((SMALL, 2), (MIDDLE, 1), (options.large, 1)):
            with place.stage.copied() as filled:
                counts = _fill(place, filled, rows)
                for name in names:
                    points[name] += [(rows, _measured(place, name, filled, counts)) for _ in range(times)]
        close = sum([_row(place, name, points[name], options.large) for name in names])
    print(f"{close} of {len(names)} within a factor of {CLOSE}")


def _fill(place: Ready, filled: Mapping[str, str], rows: int) -> dict[Name, int]:
    (copy,) = filled.values()
    like = expected_types(place.runs["start"].after, place.schema)
    shapes = {(ORDERS, "total"): ColumnShape(null_frac=1.0)}
    request = Request({ORDERS: rows, CUSTOMERS: rows // 10}, shapes=shapes, like=like)
    began = time.monotonic()
    with place.stage.run.server.connect(copy) as connection:
        result = fill(connection, place.schema, request)
    if result.unfilled:
        raise SystemExit(str(result.unfilled))
    print(f"{rows:,} orders filled in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return dict(result.rows)


def _measured(place: Ready, name: str, filled: dict[str, str], counts: Mapping[Name, int]) -> Measurement:
    tables = [table for table in place.runs["start"].after.tables if table.name in (ORDERS, CUSTOMERS)]
    (database,) = filled
    with place.stage.copied(filled) as copies:
        script = place.scripts[name]
        result, outcome = measure(
            place.stage, script, script.upgrade_line, copies, {database: tables}, {database: counts}
        )
    if outcome.failure is not None:
        raise SystemExit(f"{name}: {outcome.failure}")
    return result[database]


def _row(place: Ready, name: str, points: Sequence[tuple[int, Measurement]], large: int) -> bool:
    """Print one line of the table: who waits longest if somebody waits, else how long the statements take."""
    schema = place.runs["start"].after
    tables = tuple(table for table in schema.tables if table in touched(place.runs[name]) or table.name == ORDERS)
    sizes = Sizes(schema, {ORDERS: large, CUSTOMERS: large // 10}, tables, MIDDLE)
    result = result_of(place.runs[name], sizes, points[:-1])
    truth = points[-1][1]
    seconds = sum(item.seconds for item in truth.statements)
    predicted = sum(item.predicted or item.seconds for item in result.statements)
    series = [sum(item.seconds for item in measurement.statements) for _, measurement in points]
    ratios = [_ratio("statements", series, predicted, seconds, name)]
    for table in result.tables:
        ahead = table.predicted
        waits = {"reads": truth.reads[table.table].waited, "writes": truth.writes[table.table].waited}
        expected = {"reads": ahead.read_wait, "writes": ahead.write_wait} if ahead else {}
        for who, wait in waits.items():
            if max(wait, expected[who]) >= WAITS:
                series = [(m.reads if who == "reads" else m.writes)[table.table].waited for _, m in points]
                ratios.append(_ratio(f"{who} of {table.table.name}", series, expected[who], wait, name))
    return all(1 / CLOSE <= ratio <= CLOSE for ratio in ratios)


def _ratio(what: str, series: Sequence[float], predicted: float, measured: float, name: str) -> float:
    ratio = predicted / max(measured, 1e-3)
    shown = " ".join(f"{seconds:7.2f}" for seconds in series[:-1])
    print(f"{name:13} {what:20} {shown}  predicted {predicted:7.2f}  measured {measured:7.2f}  ratio {ratio:5.2f}")
    return ratio


def probes(options: argparse.Namespace) -> None:
    """Block readers and writers for a known time, and print by how much the measured wait differs."""
    held = 2.0
    source = f'op.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")\nop.execute("SELECT pg_sleep({held})")'
    with ready({"lock": source}) as place:
        for _ in range(options.times):
            with place.stage.copied() as filled:
                counts = _fill(place, filled, 1000)
                result = _measured(place, "lock", filled, counts)
            waits = {"reads": result.reads[ORDERS].waited, "writes": result.writes[ORDERS].waited}
            free = max(result.reads[CUSTOMERS].waited, result.writes[CUSTOMERS].waited)
            # What the lock really lasted: until the commit, which is not a statement of the revision.
            print(
                ", ".join(f"{who} {wait:.3f} s ({100 * (wait / held - 1):+.1f} %)" for who, wait in waits.items())
                + f"; of {held} s; on a table without a lock {free * 1000:.0f} ms"
            )


def rows(options: argparse.Namespace) -> None:
    """Print how many rows per second are made."""
    script = """
        CREATE TABLE parent (id bigint PRIMARY KEY);
        CREATE TABLE narrow (id bigint PRIMARY KEY, parent_id bigint NOT NULL REFERENCES parent, n integer NOT NULL,
                             at timestamptz NOT NULL);
    """
    with rehearsal_server(Settings()) as server:
        server.create_database("rows")
        with server.connect("rows") as connection:
            connection.execute(script)
            schema = catalog.read(connection)
            request = Request({Name("public", "parent"): 1000, Name("public", "narrow"): options.rows})
            began = time.monotonic()
            result = fill(connection, schema, request)
            seconds = time.monotonic() - began
    made = sum(result.rows.values())
    print(f"{made:,} rows in {seconds:.1f} s: {made / seconds:,.0f} rows per second")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("predictions", "probes", "rows"))
    parser.add_argument("--only", help="names of statements, separated by commas")
    parser.add_argument("--large", type=int, default=8_000_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--rows", type=int, default=2_000_000)
    options = parser.parse_args()
    {"predictions": predictions, "probes": probes, "rows": rows}[options.what](options)


if __name__ == "__main__":
    main()
