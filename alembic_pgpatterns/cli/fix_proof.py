"""The proof of what ``alembic pgfix`` wrote, and which fixes are to blame if it fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alembic_pgpatterns.checks.dry_run import dry_run
from alembic_pgpatterns.controller.head_schema import RunAt
from alembic_pgpatterns.controller.process import ProjectFailed
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.errors import PgPatternsError, first_line
from alembic_pgpatterns.fix.plan import Fix, Left
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.runner.messages import Failure
from alembic_pgpatterns.schema.catalog.difference import Difference
from alembic_pgpatterns.schema.sql.parser import RangeVar, postgast


class Unproven(PgPatternsError):
    """Some of the fixes cannot be proven; ``left`` says which and why. The others are worth another try."""

    def __init__(self, message: str, left: Sequence[Left]) -> None:
        """``message``: for the case that there are no others."""
        super().__init__(message)
        self.left = tuple(left)


def prove(config: Any, at: RunAt, revisions: Sequence[str], fixes: Sequence[Fix]) -> str | None:
    """Run the revisions up, down and up again. The downgrade must restore the schema before.

    Args:
        config: Alembic's.
        at: the project, on a server at the parent of the first one.
        revisions: what was written, in the order they run.
        fixes: what is in them.

    Returns:
        Why nothing was run down; None if it was.

    Raises:
        Unproven: some of the fixes are to blame.
        PgPatternsError: one fails, and nothing says for which of the fixes.
    """
    try:
        with Project(config, at.run.settings) as project:
            outcome = dry_run(at.of(project), revisions)
    except PgPatternsError as error:
        blamed = _blamed(fixes, _tables(error.__cause__))
        if not blamed:
            raise
        raise Unproven(str(error), _left(blamed, f"its revision fails: {first_line(error)}")) from error
    if lost := outcome.lost:
        lines = "\n  ".join(dict.fromkeys(map(str, lost)))
        message = f"The downgrade does not restore the schema before, so no file is left on disk:\n  {lines}"
        tables = {item.table.name for item in lost}
        raise Unproven(message, [item for fix in _blamed(fixes, tables) for item in _not_restored(fix, lost)])
    return outcome.one_way


def still_found(findings: Sequence[Finding]) -> Unproven:
    """The error for findings that are there after their revisions ran."""
    lines = "\n  ".join(finding.fingerprint for finding in findings)
    message = f"The revisions ran, but these are still found, so the files were removed again:\n  {lines}"
    return Unproven(message, [Left(finding, "its revision runs, but the finding stays") for finding in findings])


def _not_restored(fix: Fix, lost: Sequence[Difference]) -> list[Left]:
    names = {finding.table.name for finding in fix.findings if finding.table is not None}
    of_fix = next((item for item in lost if item.table.name in names), lost[0])
    return _left([fix], f"the downgrade of its revision would not restore the schema: {of_fix}")


def _left(fixes: Sequence[Fix], reason: str) -> list[Left]:
    return [Left(finding, reason) for fix in fixes for finding in fix.findings]


def _blamed(fixes: Sequence[Fix], tables: set[str]) -> list[Fix]:
    """The only fix, or those on one of the tables."""
    if len(fixes) == 1:
        return list(fixes)
    return [fix for fix in fixes if any(item.table is not None and item.table.name in tables for item in fix.findings)]


def _tables(error: BaseException | None) -> set[str]:
    """The names of the tables that the failed statement names."""
    failure = error.failure if isinstance(error, ProjectFailed) else Failure("")
    try:
        named = {item.relname for item in postgast.find_nodes(postgast.parse(failure.statement), RangeVar)}
    except postgast.PgQueryError:
        named = set()
    return named | {failure.diagnostics.get("table_name", "")} - {""}
