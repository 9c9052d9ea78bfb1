"""``alembic pgrevision``."""

from __future__ import annotations

import argparse
from typing import Any

from alembic_pgpatterns.cli.exit_codes import end

DESCRIPTION = """\
Write a new revision by autogenerate, with no database at hand.

A throw-away PostgreSQL is brought to head, the revision is generated against it by the project's
own env.py, and then runs there: up, down and up again. What it locks, and what that blocks, is shown.
No real database is needed, and none is touched.

Takes the flags of `alembic revision`; --autogenerate is implied.

Exit codes: 0 written, and it runs; 255 not written, or it does not run ("FAILED: ...")."""


def pgrevision(
    config: Any,
    message: str | None = None,
    head: str | None = None,
    splice: bool = False,
    branch_label: str | None = None,
    version_path: str | None = None,
    rev_id: str | None = None,
    depends_on: list[str] | None = None,
) -> None:
    """Autogenerate a revision on a throw-away PostgreSQL, and run it there."""
    from alembic_pgpatterns.cli.run_pgrevision import write

    given: dict[str, Any] = {"message": message, "head": head or "head", "splice": splice, "rev_id": rev_id}
    given |= {"branch_label": branch_label, "version_path": version_path, "depends_on": depends_on}
    end(config, lambda config, options: write(config, options, given))


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of ``alembic pgrevision`` beside those of ``alembic revision``."""
    parser.add_argument("--autogenerate", action="store_true", help="implied; accepted out of habit")
    server = parser.add_argument_group("server and run")
    server.add_argument("--server", metavar="URL", help="make the scratch database on this PostgreSQL instead")
    server.add_argument("--prepare", metavar="FILE", help="SQL to run before the first revision")
