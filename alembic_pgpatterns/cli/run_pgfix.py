"""What ``alembic pgfix`` does: findings, fixes, files, and the proof."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from alembic_pgpatterns.checks.dry_run import dry_run
from alembic_pgpatterns.cli.fix_summary import summary
from alembic_pgpatterns.cli.stdout import standard_output
from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.controller.head_schema import enriched
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.run_patterns import run_patterns, suppressed
from alembic_pgpatterns.fix.edit_models import edit_models, paid, why_not_editable
from alembic_pgpatterns.fix.plan import Fix, Left, plan
from alembic_pgpatterns.fix.workspace import Change, Workspace, workspace
from alembic_pgpatterns.fix.write_revisions import WrittenFile, write
from alembic_pgpatterns.output.files import read_regular
from alembic_pgpatterns.output.safe_text import inert
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.report.progress import progress_on
from alembic_pgpatterns.runner.project import Project
from alembic_pgpatterns.runner.run_env import Configured, run_to_heads
from alembic_pgpatterns.runner.target_metadata import read_models
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Name, Schema
from alembic_pgpatterns.server.protocol import Server

LEFT_BY_HAND = 1
ROUNDS = 5
"""Chains of revisions: what one cures may let the next see further."""


@dataclass
class Outcome:
    """What was done, and what is left.

    ``first``: the fingerprints that were there before anything was done. ``unedited``: something is left because its
    models could not be edited.
    """

    written: list[WrittenFile] = field(default_factory=list)
    fixes: list[Fix] = field(default_factory=list)
    left: dict[str, Left] = field(default_factory=dict)
    first: set[str] = field(default_factory=set)
    unedited: bool = False

    @property
    def fixed(self) -> tuple[Finding, ...]:
        """The findings that are gone."""
        return tuple(finding for fix in self.fixes for finding in fix.findings)


@dataclass(frozen=True)
class Chosen:
    """Which findings are meant."""

    tables: tuple[str, ...]

    def takes(self, finding: Finding) -> bool:
        """Whether the finding is on one of the tables, where some were named."""
        if not self.tables:
            return True
        table = finding.table
        return table is not None and (table.name in self.tables or f"{table.schema}.{table.name}" in self.tables)


def run(config: Any, options: argparse.Namespace) -> int:
    """Fix, and return the exit code.

    Raises:
        PgPatternsError: it could not be done; nothing is left on disk.
    """
    settings = settings_of(config, _flags(options))
    if not (options.tables or options.select or options.all):
        raise SettingsError("say what to fix: --select NAMES, a table, or --all")
    _refuse(settings)
    outcome, edited = Outcome(), None
    project = Project(config)
    with workspace(config, project, options.head) as work:
        try:
            with progress_on(sys.stderr) as progress:
                _fix(config, options, settings, progress, outcome, work)
                if outcome.fixes:
                    progress.say("comparing the models")
                    edited = edit_models(config, outcome.fixes, work, settings, change=options.models)
        except PgPatternsError as error:
            raise PgPatternsError(work.in_final_words(str(error))) from error
        lines = list(summary(outcome, edited, work, options))
        if not options.dry_run:
            _pay(settings, outcome, work)
            work.commit()
    with standard_output(config.stdout) as out:
        out.writelines(f"{inert(line)}\n" for line in lines)
    return LEFT_BY_HAND if options.models and (outcome.unedited or (edited is not None and edited.drift)) else 0


def _flags(options: argparse.Namespace) -> dict[str, object]:
    def names(values: list[str] | None) -> tuple[str, ...] | None:
        split = (name.strip() for value in values or () for name in value.split(","))
        return tuple(name for name in split if name) or None

    return {
        "select": names(options.select),
        "ignore": names(options.ignore),
        "server": options.server or os.environ.get("PGPATTERNS_SERVER"),
        "prepare": Path(options.prepare).absolute() if options.prepare else None,
    }


def _refuse(settings: Settings) -> None:
    if settings.create_all or settings.upgrade_command is not None:
        which = "create_all" if settings.create_all else "upgrade_command"
        raise PgPatternsError(
            f"pgfix needs revisions that run under `alembic` from the first one on; the settings have {which}. "
            "`alembic pgcheck --all` prints the SQL and the model's lines to write."
        )


def _fix(
    config: Any, options: argparse.Namespace, settings: Settings, progress: Progress, outcome: Outcome, work: Workspace
) -> None:
    chosen = Chosen(tuple(options.tables))
    project = Project(config)
    names = [script.revision for script in project.revisions]
    with Run(project, settings, progress).at(names) as server:
        progress.say("running the revisions")
        entry = _to_heads(project)
        for _ in range(ROUNDS):
            schema = _schema(entry, server, settings)
            _must_exist(chosen, schema)
            found = _found(schema, settings, chosen)
            _must_be_gone(outcome, found)
            _leave_suggestions(found, outcome)
            fixes = _possible(found, schema, entry, server, outcome)
            if options.models:
                fixes = _editable(fixes, outcome)
            if not fixes:
                return
            progress.say("writing the revisions")
            written = write(config, fixes, options.message or _message, options.head, work.versions)
            outcome.written += written.files
            for left in written.left:
                outcome.left[left.finding.fingerprint] = left
            done = [fix for fix in fixes if fix in written.fixes]
            if not done:
                return
            outcome.fixes += done
            _prove(config, written.files, settings, server, progress)
        _must_be_gone(outcome, _found(_schema(entry, server, settings), settings, chosen))


def _editable(fixes: Sequence[Fix], outcome: Outcome) -> list[Fix]:
    """Without those whose models cannot be edited: a revision without its model would be taken back by the next one."""
    result = []
    for fix in fixes:
        reason = why_not_editable(fix)
        if reason is None:
            result.append(fix)
            continue
        outcome.unedited = True
        for finding in fix.findings:
            outcome.left[finding.fingerprint] = Left(finding, reason)
    return result


def _must_exist(chosen: Chosen, schema: Schema) -> None:
    names = {form for table in schema.tables for form in (table.name.name, f"{table.name.schema}.{table.name.name}")}
    for name in chosen.tables:
        if name not in names:
            near = difflib.get_close_matches(name, sorted(names), 3)
            meant = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise PgPatternsError(f"There is no table {name!r} at head.{meant}")


def _to_heads(project: Project) -> Configured:
    entries = [entry for entry in run_to_heads(project).configured if entry.database]
    if len(entries) != 1:
        raise PgPatternsError(
            f"pgfix writes revisions for one database, and env.py connected to {len(entries)}. "
            "`alembic pgcheck --all` prints the SQL and the model's lines to write."
        )
    return entries[0]


def _schema(entry: Configured, server: Server, settings: Settings) -> Schema:
    table = Name(entry.version_schema or "", entry.version_table)
    with server.connect(entry.database) as connection:
        schema = catalog.read(connection, version_tables=(table,))
    return enriched(schema, read_models(entry.metadatas, schema.default_schema, settings).schema)


def _found(schema: Schema, settings: Settings, chosen: Chosen) -> list[Finding]:
    """The worst first, so that of two remedies for one object the more important one is taken."""
    found = [f for f in run_patterns(schema, settings).findings if not suppressed(f) and chosen.takes(f)]
    return sorted(found, key=lambda finding: -finding.severity)


def _must_be_gone(outcome: Outcome, found: Sequence[Finding]) -> None:
    there = {finding.fingerprint for finding in found}
    still = [finding.fingerprint for finding in outcome.fixed if finding.fingerprint in there]
    if still:
        raise PgPatternsError(
            "The revisions ran, and yet these are still found, so they were taken away again:\n  " + "\n  ".join(still)
        )


def _leave_suggestions(found: Sequence[Finding], outcome: Outcome) -> None:
    """What only the fixes brought: an index that was built just now is not replaced because it could be smaller."""
    if not outcome.fixes:
        outcome.first = {finding.fingerprint for finding in found}
    for finding in found:
        if finding.fingerprint not in outcome.first and finding.severity is Severity.INFO:
            outcome.left.setdefault(finding.fingerprint, Left(finding, "a suggestion that came with the fixes"))


def _possible(
    found: Sequence[Finding], schema: Schema, entry: Configured, server: Server, outcome: Outcome
) -> list[Fix]:
    planned = plan([f for f in found if f.fingerprint not in outcome.left], schema)
    for left in planned.left:
        outcome.left[left.finding.fingerprint] = left
    fixes = []
    with server.connect(entry.database) as connection:
        for fix in planned.fixes:
            refused = _refused(connection, fix)
            if refused is None:
                fixes.append(fix)
            for finding in fix.findings if refused else ():
                outcome.left[finding.fingerprint] = Left(finding, f"PostgreSQL refuses it: {refused}")
    return fixes


def _refused(connection: psycopg.Connection[Any], fix: Fix) -> str | None:
    """What PostgreSQL has against the remedy in its plain form, tried and rolled back."""
    try:
        with connection.transaction(force_rollback=True):
            for statement in sql(fix.remedy):
                connection.execute(statement.encode())
    except psycopg.Error as error:
        return " ".join(str(error.diag.message_primary or error).split())
    return None


def _message(fixes: Sequence[Fix]) -> str:
    names = list(dict.fromkeys(finding.pattern for fix in fixes for finding in fix.findings))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"fix {', '.join(names[:3])}{more}"


def _prove(config: Any, files: Sequence[WrittenFile], settings: Settings, server: Server, progress: Progress) -> None:
    """Up, down and up again; the way down must restore what was there."""
    outcome_of_run = dry_run(Project(config), [one.revision for one in files], settings, server, progress)
    if outcome_of_run.lost:
        lost = "\n  ".join(outcome_of_run.lost)
        raise PgPatternsError(f"The downgrade does not restore what was there, so nothing is left on disk:\n  {lost}")


def _pay(settings: Settings, outcome: Outcome, work: Workspace) -> None:
    """Add the baseline without what was fixed to the changes."""
    after = paid(settings, outcome.fixes)
    path = settings.path(settings.baseline)
    if after is not None:
        before = read_regular(path)
        if after.text().encode() != before:
            work.changes[path] = Change(before, after.text().encode())
