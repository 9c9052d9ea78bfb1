"""``alembic pgrebase``."""

from __future__ import annotations

import argparse
from typing import Any

from alembic_pgpatterns.cli.as_command import as_command
from alembic_pgpatterns.cli.exit_codes import end
from alembic_pgpatterns.cli.interpreter import add_flag
from alembic_pgpatterns.cli.platform import demand_unix

DESCRIPTION = """\
Turn two heads into one, without a merge revision: one branch comes after the other.

Only `down_revision` in the first file of the branch changes. Before that, the new order is proven on
a throw-away PostgreSQL: the branch runs up, down and up again behind the other head, and the schema
must be the same as when both branches run side by side. If it is not, no file is changed.

  alembic pgrebase --diff-base main    the branch that `main` in git does not have moves
  alembic pgrebase a1b2c3              the branch that ends with a1b2c3 moves
  alembic pgrebase a1b2c3 --onto d4e5  behind d4e5, where there are more than two heads

Rebase only what no database in production has run. Exit codes: 0 done, or there is one head only;
2 wrong use; 255 nothing was changed ("FAILED: ...")."""


def pgrebase(config: Any) -> None:
    """Put one branch of the history behind the other head, proven on a throw-away PostgreSQL."""
    demand_unix("pgrebase")
    with as_command():
        end(config, _run)


def _run(config: Any, options: argparse.Namespace) -> int | None:
    # Inside of `end`: Ctrl-C while it is imported, which takes a second, is no traceback either.
    from alembic_pgpatterns.cli.run_pgrebase import run

    return run(config, options)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of ``alembic pgrebase``."""
    parser.add_argument("revision", metavar="REV", nargs="?", help="the head of the branch that moves")
    parser.add_argument("--onto", metavar="REV", help="the head to come after (default: the only other one)")
    parser.add_argument(
        "--diff-base", metavar="REF", help="move the branch whose files this branch or commit of git lacks"
    )
    parser.add_argument("--dry-run", action="store_true", help="prove the new order, and change no file")
    parser.add_argument(
        "--no-downgrade", dest="downgrade", action="store_false", default=None, help="do not run downgrades"
    )
    server = parser.add_argument_group("server and run")
    server.add_argument("--server", metavar="URL", help="create the scratch databases on this PostgreSQL server")
    server.add_argument("--prepare", metavar="FILE", help="SQL file to run before the first revision")
    add_flag(server)
