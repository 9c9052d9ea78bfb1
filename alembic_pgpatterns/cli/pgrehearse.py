"""``alembic pgrehearse``."""

from __future__ import annotations

import argparse
from typing import Any

from alembic_pgpatterns.cli.as_command import as_command
from alembic_pgpatterns.cli.exit_codes import end
from alembic_pgpatterns.cli.interpreter import add_flag
from alembic_pgpatterns.cli.platform import demand_unix

DESCRIPTION = """\
Run revisions on millions of made-up rows, while readers and writers work, and say how long they wait.

For each revision a throw-away PostgreSQL is upgraded to its parent, the tables are filled with rows
that satisfy the schema, and the project's env.py runs the revision. First on a few rows: up, down
and up again, to find what fails only with rows, and lost data. Then at two sizes, to measure the
longest wait of reads and writes per table, and to predict it for production's size (--stats).
No real database is touched.

  alembic pgrehearse                        the revisions that pgcheck would trace
  alembic pgrehearse a1b2c3 --rows 200000   one revision, with fewer rows
  alembic pgrehearse --stats rows.txt       predict the waits for these numbers of rows
  alembic pgrehearse --budget 5m --disk 2GB limit time and disk space

Exit codes: 0 no finding at or above --fail-on (default: warning); 1 there are such findings;
2 wrong use; 255 the rehearsal could not be done ("FAILED: ...")."""


def pgrehearse(config: Any) -> None:
    """Run revisions on made-up rows under load, and say how long production waits."""
    demand_unix("pgrehearse")
    with as_command():
        end(config, _run)


def _run(config: Any, options: argparse.Namespace) -> int | None:
    # Inside of `end`: Ctrl-C while it is imported, which takes a second, is no traceback either.
    from alembic_pgpatterns.cli.run_pgrehearse import run

    return run(config, options)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of ``alembic pgrehearse``."""
    parser.add_argument("revisions", metavar="REV", nargs="*", help="the revisions (default: those pgcheck traces)")
    rows = parser.add_argument_group("rows")
    rows.add_argument("--rows", metavar="N", type=int, help="rows of the largest table (default: 1000000)")
    rows.add_argument("--stats", metavar="FILE", help="row counts in production: one `table rows` per line, or JSON")
    rows.add_argument(
        "--seed-rows", metavar="FILE", help="SQL file with rows of your own; the tables it fills are left"
    )
    rows.add_argument(
        "--triggers", action="store_true", help="let triggers run while the tables are filled (default: they do not)"
    )
    cost = parser.add_argument_group("cost")
    cost.add_argument("--budget", metavar="TIME", help="most time for all of it, such as 90s, 5m, 1h (default: 15m)")
    cost.add_argument("--disk", metavar="SIZE", help="most disk, such as 500MB, 2GB (default: 10GB)")
    _scope_flags(parser)
    _report_flags(parser)
    server = parser.add_argument_group("server and run")
    server.add_argument("--server", metavar="URL", help="rehearse on this PostgreSQL, which must say it is disposable")
    add_flag(server)
    server.add_argument("--prepare", metavar="FILE", help="SQL file to run before the first revision")


def _scope_flags(parser: argparse.ArgumentParser) -> None:
    scope = parser.add_argument_group("which revisions to rehearse")
    scope.add_argument("--since", metavar="REV", help="the revisions after REV, or all with base")
    scope.add_argument("--diff-base", metavar="REF", help="the revisions that a branch or commit of git lacks")
    scope.add_argument(
        "--no-downgrade", dest="downgrade", action="store_false", default=None, help="do not run downgrades"
    )


def _report_flags(parser: argparse.ArgumentParser) -> None:
    report = parser.add_argument_group("the report")
    report.add_argument(
        "--format",
        metavar="F[=FILE]",
        action="append",
        help="text (default), json, sarif, github, gitlab, junit, markdown, html; =FILE writes a file; may be repeated",
    )
    report.add_argument(
        "--plan",
        nargs="?",
        const="text",
        choices=("text", "markdown"),
        help="show what each revision locks, and how long that was measured to block, instead of the report",
    )
    report.add_argument("--all", action="store_true", help="show every table, statement and finding")
    report.add_argument(
        "--fail-on",
        choices=("info", "warning", "error"),
        help="lowest severity that gives exit code 1 (default: warning)",
    )
    report.add_argument("--exit-zero", action="store_true", help="exit with 0 even if there are findings")
    report.add_argument(
        "--allow-skipped", action="store_true", help="let the run pass if something could not be rehearsed"
    )
    report.add_argument("--baseline", metavar="FILE", help="the file of accepted findings")
