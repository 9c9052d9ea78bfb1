"""Fixes as revision files, by the project's own env.py, template and hooks, made safe by the rewriter."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.database_facts import read_facts
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, Note
from alembic_pgpatterns.autogenerate.rewrite.rewriter import rewrite_settings, rewriter
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fix.plan import Fix, Left, unsafe
from alembic_pgpatterns.runner.project import Project
from alembic_pgpatterns.runner.run_env import explained, run_revisions

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that was written."""

    revision: str
    path: Path


@dataclass
class Files:
    """What a round wrote: the files, the fixes in them, and those that had no safe way."""

    files: list[WrittenFile] = field(default_factory=list)
    fixes: list[Fix] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def write(
    config: Any,
    fixes: Sequence[Fix],
    message: str | Callable[[Sequence[Fix]], str],
    head: str,
    folder: Path,
) -> Files:
    """Write the revisions for some fixes.

    Args:
        config: Alembic's.
        fixes: what they do.
        message: of the revisions; or what makes it of the fixes that are in them.
        head: the revision they come after.
        folder: where the files go; one of Alembic's version locations.

    Raises:
        PgPatternsError: what Alembic, env.py or a hook raised; nothing is left on disk.
    """
    from alembic.autogenerate.api import RevisionContext

    project, result = Project(config), Files()

    def directives(context: MigrationContext, revision: Any, scripts: list[ops.MigrationScript]) -> None:
        ops_of_fixes = _safe(context, fixes, result)
        scripts[-1].message = message if isinstance(message, str) else message(result.fixes)
        scripts[-1].upgrade_ops_list[-1].ops, scripts[-1].downgrade_ops_list[-1].ops = ops_of_fixes
        rewriter.process_revision_directives(context, None, scripts)

    given: dict[str, Any] = {"message": None, "head": head, "rev_id": None, "splice": False, "sql": False}
    given |= {"branch_label": None, "version_path": str(folder), "depends_on": None, "autogenerate": False}
    revisions = RevisionContext(config, project.script, given, process_revision_directives=directives)

    def steps(revision: Any, context: MigrationContext) -> list[Any]:
        revisions.run_no_autogenerate(revision, context)
        return []

    run_revisions(project, steps, template_args={"config": config}, revision_context=revisions)
    if result.fixes:
        _generate(revisions, project, result)
    return result


def _generate(revisions: Any, project: Project, result: Files) -> None:
    """Have Alembic write the files; none of them stays where one fails."""
    try:
        # "Generating ..." is not what the command has to say.
        with contextlib.redirect_stdout(sys.stderr):
            for script in revisions.generate_scripts():
                if script is not None:
                    result.files.append(WrittenFile(script.revision, Path(script.path)))
    except Exception as error:
        for one in result.files:
            one.path.unlink(missing_ok=True)
        raise explained(error, project) from error
    if not result.files:
        raise PgPatternsError("A process_revision_directives of env.py took every revision away.")


def _safe(
    context: MigrationContext, fixes: Sequence[Fix], result: Files
) -> tuple[list[ops.MigrateOperation], list[ops.MigrateOperation]]:
    """The ops of what is safe, there and back; the result says which fixes these are."""
    facts = read_facts(context, rewrite_settings(context))
    up: list[ops.MigrateOperation] = []
    down: list[ops.MigrateOperation] = []
    for fix in fixes:
        reason = unsafe(fix, facts)
        if reason is not None:
            result.left += [Left(finding, reason) for finding in fix.findings]
            continue
        result.fixes.append(fix)
        up += [*_comments(fix), *fix.up]
        down[:0] = fix.down
    return up, down


def _comments(fix: Fix) -> list[CommentOp]:
    notes = (Note(finding.pattern, finding.object, finding.message) for finding in fix.findings)
    return [CommentOp.of(note) for note in notes]
