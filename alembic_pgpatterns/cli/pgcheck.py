"""``alembic pgcheck``."""

from __future__ import annotations

import argparse
from typing import Any

from alembic_pgpatterns.cli.as_command import as_command
from alembic_pgpatterns.cli.exit_codes import end
from alembic_pgpatterns.cli.interpreter import add_flag

DESCRIPTION = """\
Run all revisions on a throw-away PostgreSQL, then check the schema, the revisions and the models.

You need no database. The server is started for this run only, and every connection that
env.py opens goes to it. Only --live connects to a real database, and only reads.

  alembic pgcheck                           show the report in the terminal
  alembic pgcheck --init                    find out and write the settings that a project needs
  alembic pgcheck --write-baseline          accept today's findings; later runs report only new ones
  alembic pgcheck --select indexes          check only some patterns: a name, a folder or a glob
  alembic pgcheck --format json             for programs; stdout holds only the JSON
  alembic pgcheck --live                    also read the database in use: drift, settings, statistics
  alembic pgfix --all --dry-run             show the revisions that would fix the findings

Exit codes: 0 no finding at or above --fail-on (default: warning); 1 there are such findings;
2 wrong use; 255 not everything could be checked ("FAILED: ...")."""


def pgcheck(config: Any) -> None:
    """Check schema, revisions and models on a throw-away PostgreSQL."""
    with as_command():
        end(config, _run)


def _run(config: Any, options: argparse.Namespace) -> int | None:
    # Inside of `end`: Ctrl-C while it is imported, which takes a second, is no traceback either.
    from alembic_pgpatterns.cli.run_pgcheck import run

    return run(config, options)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of ``alembic pgcheck``."""
    scope = parser.add_argument_group("what to check")
    names = "names of patterns, folders or globs, separated by commas"
    scope.add_argument("--select", metavar="NAMES", action="append", help=f"check only these: {names}")
    scope.add_argument("--ignore", metavar="NAMES", action="append", help=f"leave these out: {names}")
    scope.add_argument("--target-version", metavar="N", type=int, help="oldest PostgreSQL major version in production")

    scope.add_argument(
        "--live",
        metavar="URL",
        nargs="?",
        const="",
        help="also read the database in use: the one env.py connects to, or the one at URL",
    )

    _revision_flags(parser)
    _report_flags(parser)
    _server_flags(parser)
    about = parser.add_argument_group("information")
    about.add_argument("--list", action="store_true", help="list all patterns with their severity and action")
    about.add_argument("--explain", metavar="PATTERN", help="show the page of a pattern")
    about.add_argument(
        "--show-settings", action="store_true", help="show the settings in use and where each comes from"
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
        "--guesses",
        action="store_true",
        default=None,
        help="also show what would be a finding if a query of the application supported it",
    )
    report.add_argument("--all", action="store_true", help="show every finding in full")
    report.add_argument(
        "--fail-on",
        choices=("info", "warning", "error"),
        help="lowest severity that gives exit code 1 (default: warning)",
    )
    report.add_argument(
        "--allow-skipped", action="store_true", help="let the run pass if something could not be checked"
    )
    report.add_argument("--exit-zero", action="store_true", help="exit with 0 even if there are findings")

    adoption = parser.add_argument_group("adoption")
    adoption.add_argument("--baseline", metavar="FILE", help="the file of accepted findings")
    adoption.add_argument("--write-baseline", action="store_true", help="accept all findings that there are now")


def _server_flags(parser: argparse.ArgumentParser) -> None:
    server = parser.add_argument_group("server and run")
    server.add_argument("--server", metavar="URL", help="create the scratch database on this PostgreSQL server")
    add_flag(server)
    server.add_argument(
        "--upgrade-command", metavar="CMD", help="bring the database to head with this command, or to {revision} in it"
    )
    server.add_argument(
        "--init", action="store_true", help="find out which settings the project needs, try and write them, then check"
    )
    server.add_argument("--prepare", metavar="FILE", help="SQL file to run before the first revision")
    server.add_argument(
        "--create-all", action="store_true", default=None, help="create the tables from the models, run no revision"
    )
    server.add_argument(
        "--no-cache",
        dest="cache",
        action="store_false",
        default=None,
        help="run every revision again, keep no snapshot",
    )
    server.add_argument(
        "--verify-cache", action="store_true", help="check twice, with what is cached and without; fail if that differs"
    )


def _revision_flags(parser: argparse.ArgumentParser) -> None:
    revisions = parser.add_argument_group("which revisions to check")
    revisions.add_argument(
        "--since", metavar="REV", help="check the revisions after REV, or all with base (default: after the baseline)"
    )
    revisions.add_argument(
        "--diff-base", metavar="REF", help="check the revisions that a branch or commit of git lacks"
    )
    revisions.add_argument(
        "--old-code",
        metavar="REF",
        help="the release whose code still runs during the deployment, in git (default: where the branch left "
        "--diff-base)",
    )
    revisions.add_argument(
        "--no-downgrade", dest="downgrade", action="store_false", default=None, help="do not run downgrades"
    )
    revisions.add_argument(
        "--stats", metavar="FILE", help="row counts in production: one `table rows` per line, or JSON"
    )

    revisions.add_argument(
        "--plan",
        nargs="?",
        const="text",
        choices=("text", "markdown"),
        help="show what each revision locks, scans and rewrites instead of the report (always exits with 0)",
    )
