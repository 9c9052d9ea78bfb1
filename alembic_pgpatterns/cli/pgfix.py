"""``alembic pgfix``."""

from __future__ import annotations

import argparse
from typing import Any

from alembic_pgpatterns.cli.as_command import as_command
from alembic_pgpatterns.cli.exit_codes import end
from alembic_pgpatterns.cli.interpreter import add_flag
from alembic_pgpatterns.cli.platform import demand_unix

DESCRIPTION = """\
Write revisions that fix findings of pgcheck, and test them on a throw-away PostgreSQL.

The revisions are safe for tables in use. They run up, down and up again, and the check runs again.
The files stay only if the findings are gone and the downgrades restore the old schema. No real
database is touched.

  alembic pgfix --select unindexed-foreign-key      fix the findings of some patterns: name, folder or glob
  alembic pgfix orders public.book                  fix the findings on some tables
  alembic pgfix --all --models                      fix everything, and change the models' source
  alembic pgfix --all --dry-run                     show the changes, write nothing

You can also fix findings that the baseline accepts: their lines leave the baseline.

Guesses, which pgcheck hides, are fixed only with --guesses or --select.

Exit codes: 0 done, or nothing to do; 1 done, but something is left for you: lines to write in
the models, or findings that no revision can fix; 2 wrong use; 255 not done, and no file was
changed ("FAILED: ..."). --dry-run gives the code that the real run would give."""


def pgfix(config: Any) -> None:
    """Write revisions that fix findings of pgcheck."""
    demand_unix("pgfix")
    with as_command():
        end(config, _run)


def _run(config: Any, options: argparse.Namespace) -> int | None:
    # Inside of `end`: Ctrl-C while it is imported, which takes a second, is no traceback either.
    from alembic_pgpatterns.cli.run_pgfix import run

    return run(config, options)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of ``alembic pgfix``."""
    scope = parser.add_argument_group("what to fix")
    scope.add_argument(
        "tables", nargs="*", metavar="TABLE", help="fix the findings on this table: `name` or `schema.name`"
    )
    scope.add_argument(
        "--select", metavar="NAMES", action="append", help="names of patterns, folders or globs, separated by commas"
    )
    scope.add_argument("--ignore", metavar="NAMES", action="append", help="leave these out")
    scope.add_argument("--all", action="store_true", help="fix everything that can be fixed")

    scope.add_argument(
        "--guesses", action="store_true", default=None, help="also fix what no query of the application supports"
    )

    how = parser.add_argument_group("how")
    how.add_argument("--models", action="store_true", help="also change the models' source (needs the extra [fix])")
    how.add_argument("--dry-run", action="store_true", help="show the changes, write nothing")
    how.add_argument("-m", "--message", metavar="TEXT", help="message of the revisions")
    how.add_argument("--head", metavar="REV", default="head", help="the head to continue from, if there are several")

    server = parser.add_argument_group("server and run")
    server.add_argument("--server", metavar="URL", help="create the scratch database on this PostgreSQL server")
    add_flag(server)
    server.add_argument("--prepare", metavar="FILE", help="SQL file to run before the first revision")
