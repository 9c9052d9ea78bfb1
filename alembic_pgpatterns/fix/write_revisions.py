"""Fixes as revision files, written with the project's own env.py, template and hooks, made safe by the rewriter."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.attached_comments import attached
from alembic_pgpatterns.autogenerate.rewrite.changes import altered
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts, read_facts
from alembic_pgpatterns.autogenerate.rewrite.filling import ASK, FILLING, value_for_rows
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, Note
from alembic_pgpatterns.autogenerate.rewrite.rewriter import HOOK, rewrite_settings, rewriter
from alembic_pgpatterns.controller.env_run import perform
from alembic_pgpatterns.controller.head_schema import RunAt
from alembic_pgpatterns.errors import PgPatternsError, first_line
from alembic_pgpatterns.fix.plan import Fix, Left, in_one_revision, unsafe
from alembic_pgpatterns.fix.time_pairs import without_halves
from alembic_pgpatterns.processes.channel import Parent
from alembic_pgpatterns.remedies.apply import find_table
from alembic_pgpatterns.remedies.type_operations import assumed_zone
from alembic_pgpatterns.runner.messages import Route
from alembic_pgpatterns.runner.observers import metadatas_of
from alembic_pgpatterns.runner.script_directory import ProjectScripts
from alembic_pgpatterns.runner.task import redirected
from alembic_pgpatterns.schema.names import Name

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

_Bodies = tuple[list[ops.MigrateOperation], list[ops.MigrateOperation]]
"""The operations of the upgrade and of the downgrade."""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that was written."""

    revision: str
    path: Path


@dataclass
class Files:
    """What a round wrote: the files, the fixes in them, and the fixes without a safe form.

    A fix that is in neither waits for the next round.
    """

    files: list[WrittenFile] = field(default_factory=list)
    fixes: list[Fix] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def write(
    at: RunAt, fixes: Sequence[Fix], message: str | Callable[[Sequence[Fix]], str], head: str, folder: Path
) -> Files:
    """Write the revisions for some fixes.

    Args:
        at: the project, on a server at head.
        fixes: the fixes.
        message: the message of the revisions; or a function that makes it from the fixes in them.
        head: the parent of the revisions.
        folder: for the files; one of Alembic's version locations.

    Raises:
        PgPatternsError: what Alembic, env.py or a hook raised. No file is left.
    """

    def task(scripts: ProjectScripts, parent: Parent, route: Route) -> Any:
        with redirected(scripts.config, parent, route):
            return _write(scripts, fixes, message, head, folder)

    files, safe, reasons = perform(at.run, at.databases, task)
    return Files(
        [WrittenFile(revision, Path(path)) for revision, path in files],
        [fixes[number] for number in safe],
        [Left(finding, reason) for number, reason in reasons for finding in fixes[number].findings],
    )


@dataclass
class _Choice:
    """Which of the fixes have a safe form, and why the others have none, by their numbers."""

    safe: list[int] = field(default_factory=list)
    reasons: list[tuple[int, str]] = field(default_factory=list)

    def clear(self) -> None:
        """Forget both."""
        self.safe, self.reasons = [], []


def _write(
    scripts: ProjectScripts,
    fixes: Sequence[Fix],
    message: str | Callable[[Sequence[Fix]], str],
    head: str,
    folder: Path,
) -> tuple[list[tuple[str, str]], list[int], list[tuple[int, str]]]:
    """Write them in the project's process. Returns identifiers and paths, the fixes in them, and why others are not."""
    from alembic.autogenerate.api import RevisionContext
    from alembic.runtime.environment import EnvironmentContext

    config, choice = scripts.config, _Choice()
    # Alembic's "Generating ..." would name a folder that nobody sees afterwards. The summary names the final files.
    scripts.directory.messaging_opts = {"quiet": True}

    def directives(context: MigrationContext, revision: Any, scripts_of_revision: list[ops.MigrationScript]) -> None:
        # As with autogenerate, the project's own hook comes first, and sees only operations that Alembic knows.
        hook = _Hook(context.opts.get(HOOK), context, revision, tuple(scripts_of_revision))
        context.opts[HOOK] = None
        scripts_of_revision[:] = hook.after_it(fixes, message, choice)
        for script in scripts_of_revision:
            # A hook may send a file to another folder, where it would be before it is proven.
            script.version_path = str(folder)
        # Called here, since env.py may have no rewriter: a fix must be safe in any project.
        rewriter.process_revision_directives(context, None, scripts_of_revision)

    arguments: dict[str, Any] = {"message": None, "head": head, "rev_id": None, "splice": False, "sql": False}
    arguments |= {"branch_label": None, "version_path": str(folder), "depends_on": None, "autogenerate": False}
    revisions = RevisionContext(config, scripts.directory, arguments, process_revision_directives=directives)

    def steps(revision: Any, context: MigrationContext) -> list[Any]:
        revisions.run_no_autogenerate(revision, context)
        return []

    with EnvironmentContext(
        config, scripts.directory, fn=steps, template_args={"config": config}, revision_context=revisions
    ):
        scripts.directory.run_env()
    return (_generate(revisions) if choice.safe else []), choice.safe, choice.reasons


def _generate(revisions: Any) -> list[tuple[str, str]]:
    """Let Alembic write the files. If one fails, none is left."""
    files: list[tuple[str, str]] = []
    try:
        for script in revisions.generate_scripts():
            if script is not None:
                files.append((str(script.revision), str(script.path)))
    except Exception:
        for _, path in files:
            Path(path).unlink(missing_ok=True)
        raise
    if not files:
        raise PgPatternsError("A process_revision_directives of env.py removed every revision.")
    return files


@dataclass(frozen=True)
class _Hook:
    """The project's ``process_revision_directives`` (None: there is none), and what Alembic gives it."""

    call: Any
    context: MigrationContext
    revision: Any
    scripts: Sequence[ops.MigrationScript]

    def after_it(
        self, fixes: Sequence[Fix], message: str | Callable[[Sequence[Fix]], str], choice: _Choice
    ) -> list[ops.MigrationScript]:
        """The scripts with the fixes that are safe and that the hook takes, after the hook.

        ``choice`` is filled. Raises what the hook raises if it refuses no fix in particular.
        """
        refused: dict[int, str] = {}
        while True:
            choice.clear()
            result = _with_fixes(self.scripts, _safe(self.context, fixes, choice, refused))
            chosen = [fixes[number] for number in choice.safe]
            result[-1].message = message if isinstance(message, str) else message(chosen)
            if self.call is None or not chosen:
                return result
            try:
                self.call(self.context, self.revision, result)
            except Exception:
                more = dict(self._refused(fixes, choice.safe))
                if not more:
                    raise
                refused |= more
            else:
                return result

    def _refused(self, fixes: Sequence[Fix], chosen: Sequence[int]) -> Iterator[tuple[int, str]]:
        """The fixes that the hook refuses, each tried alone, and why.

        Some hooks know few operations: those of OpenStack sort them into expand and contract, and raise for others.
        """
        for number in chosen:
            fix = fixes[number]
            try:
                self.call(self.context, self.revision, _with_fixes(self.scripts, (list(fix.up), list(fix.down))))
            except Exception as error:
                reason = f"{type(error).__name__}: {first_line(error)}"
                yield number, f"process_revision_directives of env.py refuses it: {reason}"


def _with_fixes(scripts: Sequence[ops.MigrationScript], operations: _Bodies) -> list[ops.MigrationScript]:
    """Copies of the scripts, for a hook that may change or drop them; the last one does the operations."""
    copies = [copy.copy(script) for script in scripts]
    last = copies[-1]
    up, down = last.upgrade_ops_list[-1], last.downgrade_ops_list[-1]
    last._upgrade_ops = [*last.upgrade_ops_list[:-1], ops.UpgradeOps(operations[0], up.upgrade_token)]
    last._downgrade_ops = [*last.downgrade_ops_list[:-1], ops.DowngradeOps(operations[1], down.downgrade_token)]
    return copies


def _safe(context: MigrationContext, fixes: Sequence[Fix], choice: _Choice, refused: Mapping[int, str]) -> _Bodies:
    """The operations of the safe fixes, up and down. ``choice`` is filled with which fixes these are.

    ``refused``: those that the project refuses, and why.
    """
    facts = read_facts(context, rewrite_settings(context))
    safe: list[Fix] = []
    for number, fix in enumerate(fixes):
        reason = refused.get(number) or unsafe(fix, facts)
        if reason is None:
            safe.append(fix)
        else:
            choice.reasons.append((number, reason))
    safe = _without_halves(fixes, safe, choice)
    up: list[ops.MigrateOperation] = []
    down: list[ops.MigrateOperation] = []
    for fix in in_one_revision(safe, facts):
        choice.safe.append(fixes.index(fix))
        up += [*_comments(fix), *(_with_value(op, context, facts) for op in fix.up)]
        # The last one is undone first.
        down[:0] = fix.down
    return attached(up), down


def _without_halves(fixes: Sequence[Fix], safe: Sequence[Fix], choice: _Choice) -> list[Fix]:
    left = [Left(finding, reason) for number, reason in choice.reasons for finding in fixes[number].findings]
    remaining, halves = without_halves(safe, left)
    reasons = {item.finding.fingerprint: item.reason for item in halves}
    choice.reasons += [(fixes.index(fix), reasons[fix.findings[0].fingerprint]) for fix in safe if fix not in remaining]
    return remaining


def _with_value(op: ops.MigrateOperation, context: MigrationContext, facts: Facts) -> ops.MigrateOperation:
    """For NOT NULL, as autogenerate: rows without a value get what the models give new rows. Else a person writes it.

    Found here, in the project's process: only there are the models' defaults more than a text.
    """
    if not isinstance(op, ops.AlterColumnOp) or op.modify_nullable is not False:
        return op
    schema, name = facts.key(op.schema, op.table_name)
    tables = (find_table(metadata, Name(schema, name), schema) for metadata in metadatas_of(context))
    columns = (column for table in tables if table is not None for column in table.columns)
    values = (value_for_rows(column) for column in columns if column.name == op.column_name)
    return altered(op, **{FILLING: next((value for value in values if value is not None), ASK)})


def _comments(fix: Fix) -> list[CommentOp]:
    return [
        CommentOp.of(Note(finding.pattern, finding.object, f"{finding.message}{assumed_zone(finding.remedy)}"))
        for finding in fix.findings
    ]
