"""``alembic pgexpand``."""

from __future__ import annotations

import argparse
from typing import Any

from alembic_pgpatterns.cli.as_command import as_command
from alembic_pgpatterns.cli.exit_codes import end
from alembic_pgpatterns.cli.interpreter import add_flag
from alembic_pgpatterns.cli.platform import demand_unix

DESCRIPTION = """\
Print the revision up to which the code of the release before can run: the last one before the
contract revisions (`alembic pgrevision --phases`) at the end of the history.

  alembic upgrade "$(alembic pgexpand)"    before the new code is deployed
  alembic upgrade head                     when no process runs the old code

Where branches with labels each have a head of their own, name one: `alembic pgexpand shop`.

No database is needed or touched. Exit codes: 0 printed; 255 there is no revision, more than one head,
or the history cannot be read ("FAILED: ...")."""


def pgexpand(config: Any) -> None:
    """Print the revision up to which the code of the release before can run."""
    demand_unix("pgexpand")
    with as_command():
        end(config, _run)


def _run(config: Any, options: argparse.Namespace) -> int | None:
    # Inside of `end`: Ctrl-C while it is imported, which takes a second, is no traceback either.
    from alembic_pgpatterns.cli.run_pgexpand import run

    return run(config, options)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of ``alembic pgexpand``."""
    parser.add_argument("branch", metavar="BRANCH", nargs="?", help="the label of a branch with a head of its own")
    add_flag(parser)
