"""``alembic pgstats``."""

from __future__ import annotations

import argparse
from typing import Any

from alembic_pgpatterns.cli.as_command import as_command
from alembic_pgpatterns.cli.exit_codes import end
from alembic_pgpatterns.cli.platform import demand_unix

DESCRIPTION = """\
Write the sizes and statistics of a live database to a file, for --stats of the other commands.

The connection is read-only and reads only catalogs, no table. Rows and pages need no privileges;
statistics cover the columns that the role may SELECT. The file contains no value of a text column,
except those in a CHECK constraint.

  alembic pgstats -o stats.json                     of the database that env.py connects to
  alembic pgstats postgresql://host/db -o stats.json

Exit codes: 0 written; 2 wrong use; 255 it could not be done ("FAILED: ...")."""


def pgstats(config: Any) -> None:
    """Write the sizes and statistics of a live database to a file, without its values."""
    demand_unix("pgstats")
    with as_command():
        end(config, _run)


def _run(config: Any, options: argparse.Namespace) -> int | None:
    # Inside of `end`: Ctrl-C while it is imported, which takes a second, is no traceback either.
    from alembic_pgpatterns.cli.run_pgstats import run

    return run(config, options)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of ``alembic pgstats``."""
    parser.add_argument("url", metavar="URL", nargs="?", help="the database; without it the one env.py connects to")
    parser.add_argument("-o", "--output", metavar="FILE", help="where the statistics go (default: standard output)")
