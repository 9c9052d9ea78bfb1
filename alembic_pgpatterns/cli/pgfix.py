"""``alembic pgfix``."""

from __future__ import annotations

import argparse
from typing import Any

from alembic_pgpatterns.cli.exit_codes import end

DESCRIPTION = """\
Write the revisions that cure findings of pgcheck, and prove them on a throw-away PostgreSQL.

They are made safe for tables in use, run up, down and up again, and the check is repeated: only when the
findings are gone, and the downgrades restore what was there, do the files stay. No real database is touched.

  alembic pgfix --select unindexed-foreign-key      what a pattern, a folder of patterns or a glob finds
  alembic pgfix orders public.book                  what is found on some tables
  alembic pgfix --all --models                      everything; the models' source too
  alembic pgfix --all --dry-run                     show it, write nothing

Findings that the baseline accepts can be chosen too: their lines are taken out of it.

Exit codes: 0 done, or nothing to do; 2 wrong use; 255 not done, and nothing is left on disk ("FAILED: ...")."""


def pgfix(config: Any) -> None:
    """Write the revisions that cure findings of pgcheck."""
    from alembic_pgpatterns.cli.run_pgfix import run

    end(config, run)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of ``alembic pgfix``."""
    what = parser.add_argument_group("what to fix")
    what.add_argument("tables", nargs="*", metavar="TABLE", help="what is found on this table, `name` or `schema.name`")
    what.add_argument("--select", metavar="NAMES", action="append", help="patterns, folders or globs, by commas")
    what.add_argument("--ignore", metavar="NAMES", action="append", help="not these")
    what.add_argument("--all", action="store_true", help="everything that can be fixed")

    how = parser.add_argument_group("how")
    how.add_argument("--models", action="store_true", help="change the models' source too (needs the extra [fix])")
    how.add_argument("--dry-run", action="store_true", help="show the changes, and leave nothing on disk")
    how.add_argument("-m", "--message", metavar="TEXT", help="message of the revisions")
    how.add_argument("--head", metavar="REV", default="head", help="head to go on from, where there are several")

    server = parser.add_argument_group("server and run")
    server.add_argument("--server", metavar="URL", help="make the scratch database on this PostgreSQL instead")
    server.add_argument("--prepare", metavar="FILE", help="SQL to run before the first revision")
