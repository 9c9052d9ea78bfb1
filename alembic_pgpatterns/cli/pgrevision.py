"""``alembic pgrevision``."""

from __future__ import annotations

import argparse
from typing import Any

from alembic_pgpatterns.cli.as_command import as_command
from alembic_pgpatterns.cli.exit_codes import end
from alembic_pgpatterns.cli.interpreter import add_flag
from alembic_pgpatterns.cli.platform import demand_unix

DESCRIPTION = """\
Write a new revision with autogenerate, without a database.

All revisions run on a throw-away PostgreSQL. Your own env.py then generates the new revision
against it, and the new revision runs there: up, down and up again. You see what it locks and
what it blocks, and a warning if the next autogenerate is not empty. No real database is needed
or touched. If there is nothing to do, no file is written.

Takes the flags of `alembic revision`; --autogenerate is implied.

Exit codes: 0 written, and it runs, or nothing to do; 1 the same, with a line at or above --fail-on (without the flag
never); 255 not written, or it does not run ("FAILED: ...")."""


def pgrevision(
    config: Any,
    message: str | None = None,
    sql: bool = False,
    head: str | None = None,
    splice: bool = False,
    branch_label: str | None = None,
    version_path: str | None = None,
    rev_id: str | None = None,
    depends_on: list[str] | None = None,
) -> None:
    """Autogenerate a revision on a throw-away PostgreSQL, and run it there."""
    demand_unix("pgrevision")
    arguments: dict[str, Any] = {"message": message, "sql": sql, "head": head or "head", "splice": splice}
    arguments |= {"branch_label": branch_label, "version_path": version_path}
    arguments |= {"rev_id": rev_id, "depends_on": depends_on}

    def run(config: Any, options: argparse.Namespace) -> int:
        # Inside of `end`: Ctrl-C while it is imported, which takes a second, is no traceback either.
        from alembic_pgpatterns.cli.run_pgrevision import write

        return write(config, options, arguments)

    with as_command():
        end(config, run)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of ``alembic pgrevision`` in addition to those of ``alembic revision``."""
    parser.add_argument("--autogenerate", action="store_true", help="implied, and accepted")
    parser.add_argument(
        "--rehearse",
        metavar="N",
        nargs="?",
        type=int,
        const=100_000,
        help="also run the new files on N made-up rows under load, as pgrehearse does (default: 100000)",
    )
    parser.add_argument(
        "--phases",
        action="store_true",
        default=None,
        help="write what old code cannot live with into revisions of its own, which wait until it is gone",
    )
    parser.add_argument(
        "--fail-on",
        choices=("info", "warning", "error"),
        help="lowest severity of a printed line that gives exit code 1, for scripts (default: none); the files stay",
    )
    server = parser.add_argument_group("server and run")
    server.add_argument("--server", metavar="URL", help="create the scratch database on this PostgreSQL server")
    add_flag(server)
    server.add_argument("--prepare", metavar="FILE", help="SQL file to run before the first revision")
