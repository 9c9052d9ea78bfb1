"""``alembic pgadvise``."""

from __future__ import annotations

import argparse
from typing import Any

from alembic_pgpatterns.cli.as_command import as_command
from alembic_pgpatterns.cli.exit_codes import end
from alembic_pgpatterns.cli.interpreter import add_flag
from alembic_pgpatterns.cli.platform import demand_unix

DESCRIPTION = """\
Say which indexes the application's statements need, with the evidence, and what is wrong with the statements.

Record first what your tests send:  pytest --pgpatterns-record=workload.jsonl
Say how large the tables are:       a file with `table rows` per line, or `alembic pgstats -o FILE`

No database is needed and none is touched: each statement is planned on a throw-away PostgreSQL
that believes its tables to be as large as production's, with and without each index.

  alembic pgadvise --workload workload.jsonl --stats rows.txt
  alembic pgadvise --workload workload.jsonl --format json       for programs
  alembic pgadvise --workload workload.jsonl --table orders      only indexes of one table

Exit codes: 0 done, whatever was found; 2 wrong use; 255 it could not be done ("FAILED: ...")."""


def pgadvise(config: Any) -> None:
    """Say which indexes the application's statements need, with the evidence."""
    demand_unix("pgadvise")
    with as_command():
        end(config, _run)


def _run(config: Any, options: argparse.Namespace) -> int | None:
    # Inside of `end`: Ctrl-C while it is imported, which takes a second, is no traceback either.
    from alembic_pgpatterns.cli.run_pgadvise import run

    return run(config, options)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of ``alembic pgadvise``."""
    parser.add_argument(
        "--workload",
        metavar="FILE",
        nargs="+",
        help="recordings of `pytest --pgpatterns-record`, folders of SQL, logs of PostgreSQL (.log, .csv, .json), CSV "
        "of pg_stat_statements, or the URL of a database that has it; several are one workload",
    )
    parser.add_argument("--stats", metavar="FILE", help="rows per table: `table rows` per line, JSON, or an export")
    parser.add_argument("--format", choices=("text", "json", "markdown", "html"), default="text", help="default: text")
    parser.add_argument("--max-indexes", metavar="N", type=int, help="at most so many indexes, the best first")
    parser.add_argument("--table", metavar="NAME", action="append", help="only indexes of this table; repeatable")
    parser.add_argument("--explain", metavar="INDEX", help="the plans of its statements, without the index and with it")
    parser.add_argument("--select", metavar="NAMES", action="append", help="patterns of statements to run")
    parser.add_argument("--ignore", metavar="NAMES", action="append", help="patterns of statements to leave out")
    add_flag(parser)
    parser.add_argument("--server", metavar="URL", help="make the scratch database on this PostgreSQL instead")
    parser.add_argument("--create-all", action="store_true", default=None, help="build from the models, run nothing")
    parser.add_argument(
        "--no-cache", dest="cache", action="store_false", default=None, help="run all from nothing, keep nothing"
    )
