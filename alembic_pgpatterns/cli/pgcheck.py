"""``alembic pgcheck``."""

from __future__ import annotations

import argparse
from typing import Any

from alembic_pgpatterns.cli.exit_codes import end

DESCRIPTION = """\
Bring the revisions to head on a throw-away PostgreSQL, and check schema, revisions and models.

No database is needed and none is touched: the server is started for the run and every
connection that env.py opens is redirected to it. Only --live looks at a real one, and
reads its catalogs, nothing else.

  alembic pgcheck                           the report, in the terminal
  alembic pgcheck --write-baseline          accept what is there; from now on report only what is new
  alembic pgcheck --select indexes          only a folder of patterns, a name or a glob
  alembic pgcheck --format json             for programs; stdout carries nothing else
  alembic pgcheck --live                    the configured database too, read-only: drift, settings, statistics

Exit codes: 0 nothing at or above --fail-on (default: warning); 1 findings, or an env.py
that fails here; 2 wrong use; 255 the check itself could not be done ("FAILED: ...")."""


def pgcheck(config: Any) -> None:
    """Check schema, revisions and models on a throw-away PostgreSQL."""
    from alembic_pgpatterns.cli.run_pgcheck import run

    end(config, run)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of ``alembic pgcheck``."""
    what = parser.add_argument_group("what to check")
    names = "patterns, folders of patterns or globs, separated by commas"
    what.add_argument("--select", metavar="NAMES", action="append", help=f"only these: {names}")
    what.add_argument("--ignore", metavar="NAMES", action="append", help=f"not these: {names}")
    what.add_argument("--target-version", metavar="N", type=int, help="oldest PostgreSQL major in production")

    what.add_argument(
        "--live",
        metavar="URL",
        nargs="?",
        const="",
        help="the database in use, read-only: the one that env.py connects to, or the one of this URL",
    )

    _revision_flags(parser)

    report = parser.add_argument_group("the report")
    report.add_argument(
        "--format",
        metavar="F[=FILE]",
        action="append",
        help="text (default), json, sarif, github, gitlab, junit, markdown; =FILE writes a file; may be repeated",
    )
    report.add_argument("--all", action="store_true", help="show every finding in full, not only the twenty worst")
    report.add_argument(
        "--fail-on", choices=("info", "warning", "error"), help="least severity for exit code 1 (default: warning)"
    )
    report.add_argument("--exit-zero", action="store_true", help="exit with 0 even when there are findings")

    adoption = parser.add_argument_group("adoption")
    adoption.add_argument("--baseline", metavar="FILE", help="file of accepted findings")
    adoption.add_argument("--write-baseline", action="store_true", help="accept all findings there are now")

    server = parser.add_argument_group("server and run")
    server.add_argument("--server", metavar="URL", help="make the scratch database on this PostgreSQL instead")
    server.add_argument("--upgrade-command", metavar="CMD", help="bring the database to head by this command instead")
    server.add_argument("--prepare", metavar="FILE", help="SQL to run before the first revision")
    server.add_argument("--create-all", action="store_true", default=None, help="build from the models, run nothing")
    server.add_argument(
        "--no-cache", dest="cache", action="store_false", default=None, help="run all from nothing, keep nothing"
    )

    about = parser.add_argument_group("information")
    about.add_argument("--list", action="store_true", help="all patterns, with severity and action as they are set")
    about.add_argument("--explain", metavar="PATTERN", help="the page of a pattern")
    about.add_argument("--show-settings", action="store_true", help="print what is in force and where it came from")


def _revision_flags(parser: argparse.ArgumentParser) -> None:
    revisions = parser.add_argument_group("which revisions to trace")
    revisions.add_argument("--since", metavar="REV", help="those after this one, or base (default: the baseline's)")
    revisions.add_argument("--diff-base", metavar="REF", help="those that are not in this branch or commit of git")
    revisions.add_argument(
        "--no-downgrade", dest="downgrade", action="store_false", default=None, help="do not run their downgrades"
    )
    revisions.add_argument("--stats", metavar="FILE", help="rows per table in production: `table rows` a line, or JSON")

    revisions.add_argument(
        "--plan",
        nargs="?",
        const="text",
        choices=("text", "markdown"),
        help="in place of the report: what each revision locks, scans and rewrites (always exits with 0)",
    )
