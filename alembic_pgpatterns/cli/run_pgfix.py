"""What ``alembic pgfix`` does: findings, fixes, files, and the proof."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg

from alembic_pgpatterns.checks.advised import advised, is_there
from alembic_pgpatterns.checks.sizes import sized
from alembic_pgpatterns.cli.at_heads import at_heads, demand_one_head
from alembic_pgpatterns.cli.fix_proof import Unproven, prove, still_found
from alembic_pgpatterns.cli.fix_summary import summary
from alembic_pgpatterns.cli.flags import flags
from alembic_pgpatterns.cli.interpreter import demand_this_one
from alembic_pgpatterns.cli.stdout import standard_output
from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.controller.bring_to_head import Database
from alembic_pgpatterns.controller.env_run import demand_env_py, run_env
from alembic_pgpatterns.controller.head_schema import RunAt, enriched
from alembic_pgpatterns.controller.models import Models, read_models
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.errors import PgPatternsError, WrongUse
from alembic_pgpatterns.evidence.model import Evidence
from alembic_pgpatterns.findings.application import read_application, with_evidence
from alembic_pgpatterns.findings.run_patterns import run_patterns, suppressed
from alembic_pgpatterns.fix.better_index import better_at_once
from alembic_pgpatterns.fix.edit_models import edit_models, paid, why_not_editable
from alembic_pgpatterns.fix.plain_sql import plain_sql
from alembic_pgpatterns.fix.plan import Fix, Left, Plan, plan
from alembic_pgpatterns.fix.shared_columns import why_not_together
from alembic_pgpatterns.fix.time_pairs import without_halves
from alembic_pgpatterns.fix.workspace import Change, Workspace, workspace
from alembic_pgpatterns.fix.write_revisions import Files, WrittenFile, write
from alembic_pgpatterns.output.counts import listed
from alembic_pgpatterns.output.files import read_regular
from alembic_pgpatterns.output.safe_text import inert
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.report.progress import progress_on
from alembic_pgpatterns.runner.messages import Steps
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Name, Schema
from alembic_pgpatterns.server.protocol import Server

LEFT_BY_HAND = 1
Start = AbstractContextManager[tuple[RunAt, Database]]
ROUNDS = 6
"""Chains of revisions: what one fixes may let the next see further, and new types come before all else."""


@dataclass
class Outcome:
    """What was done, and what is left.

    ``unedited``: something is left because its models could not be edited. ``one_way``: why no file was run down.
    """

    written: list[WrittenFile] = field(default_factory=list)
    fixes: list[Fix] = field(default_factory=list)
    left: dict[str, Left] = field(default_factory=dict)
    unedited: bool = False
    one_way: str | None = None

    @property
    def fixed(self) -> tuple[Finding, ...]:
        """The findings that are gone."""
        return tuple(finding for fix in self.fixes for finding in fix.findings)


@dataclass(frozen=True)
class Chosen:
    """Which findings are meant.

    ``guesses``: findings that no query of the application supports count too. ``evidence``: these queries; they decide
    what is a guess, as they do in pgcheck.
    """

    tables: tuple[str, ...]
    guesses: bool
    evidence: Evidence | None = None

    def fixes(self, finding: Finding) -> bool:
        """Whether the finding is to be fixed: what pgcheck hides is not, unless it was asked for."""
        return self.guesses or not finding.guess

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
    settings = settings_of(config, flags(options))
    if not (options.tables or options.select or options.all):
        raise SettingsError("say what to fix: --select NAMES, a table, or --all")
    _refuse(settings)
    edited = None
    with Project(config, settings) as project, workspace(config, project, options.head) as work:
        demand_one_head(project, options.head)
        try:
            with progress_on(sys.stderr) as progress:
                progress.say("running the revisions")
                start = partial(at_heads, project, settings, progress, _to_heads)
                outcome = _proven(config, options, start, work)
                if outcome.fixes:
                    progress.say("comparing the models")
                    edited = edit_models(config, outcome.fixes, work, settings, change=options.models)
        except WrongUse:
            raise
        except PgPatternsError as error:
            raise PgPatternsError(work.in_final_words(str(error))) from error
        lines = list(summary(outcome, edited, work, options))
        if not options.dry_run:
            _pay(settings, outcome, work)
            work.commit()
    with standard_output(config.stdout) as out:
        out.writelines(f"{inert(line)}\n" for line in lines)
    return LEFT_BY_HAND if outcome.left or (edited is not None and edited.drift) else 0


def _proven(config: Any, options: argparse.Namespace, start: Callable[[], Start], work: Workspace) -> Outcome:
    """Fix what can be fixed: all again without a fix whose revision cannot be proven, so that no other is lost."""
    left: dict[str, Left] = {}
    while True:
        outcome = Outcome(left=dict(left))
        try:
            with start() as started:
                _fix(config, options, started, outcome, work)
        except Unproven as error:
            new = {item.finding.fingerprint: item for item in error.left if item.finding.fingerprint not in left}
            if not new:
                raise
            left |= new
            for path in work.revisions():
                path.unlink()
        else:
            return outcome


def _refuse(settings: Settings) -> None:
    demand_this_one("pgfix", settings.python)
    if settings.create_all or settings.upgrade_command is not None:
        which = "create_all" if settings.create_all else "upgrade_command"
        raise PgPatternsError(
            f"pgfix needs revisions that run under `alembic` from the first one on; the settings have {which}. "
            "`alembic pgcheck --all` prints the SQL and the model's lines to write."
        )


def _fix(
    config: Any, options: argparse.Namespace, start: tuple[RunAt, Database], outcome: Outcome, work: Workspace
) -> None:
    at, database = start
    settings, progress = at.run.settings, at.run.progress
    schema = _schema(at, database)
    named = bool(options.select)
    evidence = read_application(settings, [schema])
    chosen = Chosen(tuple(options.tables), named or settings.guesses, evidence)
    _must_exist(chosen, schema)

    def write_files(some: list[Fix]) -> Files:
        return write(at, some, options.message or _message, options.head, work.versions)

    indexes = [item for item in advised(at.run, at.run.server, database.name, schema) if chosen.takes(item)]
    for _ in range(ROUNDS):
        schema = _schema(at, database)
        findings = [*_findings(schema, settings, chosen), *(item for item in indexes if not is_there(item, schema))]
        _must_be_gone(outcome, findings)
        open_findings = [f for f in findings if chosen.fixes(f) and f.fingerprint not in outcome.left]
        planned = plan(open_findings, schema, named=named)
        fixes = _possible(planned, database, at.run.server, outcome)
        later = _findings(_schema(at, database, fixes), settings, chosen) if fixes else []
        fixes = better_at_once(fixes, later, schema, named=named)
        if options.models:
            fixes = _editable(fixes, schema, outcome)
        fixes, halves = without_halves(fixes, [*outcome.left.values()])
        outcome.left |= {item.finding.fingerprint: item for item in halves}
        if not fixes:
            return
        progress.say("writing the revisions")
        written = write_files(fixes) if not options.models else _written(fixes, schema, outcome, write_files)
        outcome.written += written.files
        for left in written.left:
            outcome.left[left.finding.fingerprint] = left
        done = [fix for fix in fixes if fix in written.fixes]
        if not done:
            return
        outcome.fixes += done
        outcome.one_way = prove(config, at, [file.revision for file in written.files], done) or outcome.one_way
    schema = _schema(at, database)
    missing = [item for item in indexes if not is_there(item, schema)]
    _must_be_gone(outcome, [*_findings(schema, settings, chosen), *missing])


def _written(fixes: list[Fix], schema: Schema, outcome: Outcome, write_files: Callable[[list[Fix]], Files]) -> Files:
    """Write the revisions; again, with fewer fixes, if one without a safe form was to change a mixin with others."""
    left: list[Left] = []
    while True:
        files = write_files(fixes)
        files.left[:0] = left
        fixes = _together(files.fixes, schema, outcome)
        if len(fixes) == len(files.fixes):
            return files
        for file in files.files:
            file.path.unlink()
        if not fixes:
            return Files(left=files.left)
        left = files.left


def _editable(fixes: Sequence[Fix], schema: Schema, outcome: Outcome) -> list[Fix]:
    """Without fixes whose models cannot be edited: the next autogenerate would undo their revisions."""
    reasons = [(fix, why_not_editable(fix)) for fix in fixes]
    _leave(reasons, outcome)
    return _together([fix for fix, reason in reasons if reason is None], schema, outcome)


def _together(fixes: list[Fix], schema: Schema, outcome: Outcome) -> list[Fix]:
    """Without those that would change a mixin for tables that stay as they are. One may take others along."""
    while True:
        reasons = [(fix, why_not_together(fix, fixes, schema)) for fix in fixes]
        _leave(reasons, outcome)
        remaining = [fix for fix, reason in reasons if reason is None]
        if len(remaining) == len(fixes):
            return fixes
        fixes = remaining


def _leave(reasons: Sequence[tuple[Fix, str | None]], outcome: Outcome) -> None:
    for fix, reason in reasons:
        for finding in fix.findings if reason is not None else ():
            outcome.unedited = True
            outcome.left[finding.fingerprint] = Left(finding, reason or "")


def _must_exist(chosen: Chosen, schema: Schema) -> None:
    names = {form for table in schema.tables for form in (table.name.name, f"{table.name.schema}.{table.name.name}")}
    for name in chosen.tables:
        if name not in names:
            near = difflib.get_close_matches(name, sorted(names), 3)
            hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise WrongUse(f"there is no table {name!r} at head.{hint}")


def _to_heads(at: RunAt) -> Database:
    result = run_env(at.run, Steps("heads"), at.databases)
    demand_env_py(result, at.run.settings)
    at.run.project.demand_revisions("fix")
    entries = [(number, item) for number, item in enumerate(result.configured) if item.database]
    if len(entries) != 1:
        raise PgPatternsError(
            f"pgfix writes revisions for one database, and env.py connected to {len(entries)}. "
            "`alembic pgcheck --all` prints the SQL and the model's lines to write."
        )
    ((number, item),) = entries
    table = Name(item.version_schema or "", item.version_table)
    models = Models(result.run, number, item.models, item.search_path)
    return Database(item.database, "", (table,), models, default_schema=item.default_schema)


def _schema(at: RunAt, database: Database, fixes: Sequence[Fix] = ()) -> Schema:
    """The schema of the database as it is, or as it would be after some fixes. The fixes are rolled back."""
    with at.run.server.connect(database.name) as connection, connection.transaction(force_rollback=True):
        for fix in fixes:
            # Each was tried alone. After another fix it may fail.
            if _refused(connection, fix) is None:
                _carry_out(connection, fix)
        schema = catalog.read(
            connection, default_schema=database.default_schema, version_tables=database.version_tables
        )
    return enriched(schema, read_models(at.run, database.models, schema.default_schema).schema)


def _findings(schema: Schema, settings: Settings, chosen: Chosen) -> list[Finding]:
    """The worst first, so that the more important of two remedies for one object is used."""
    with_queries = with_evidence(sized(schema, settings), chosen.evidence)
    findings = [f for f in run_patterns(with_queries, settings).findings if not suppressed(f) and chosen.takes(f)]
    return sorted(findings, key=lambda finding: -finding.severity)


def _must_be_gone(outcome: Outcome, findings: Sequence[Finding]) -> None:
    fixed = {finding.fingerprint for finding in outcome.fixed}
    still = [finding for finding in findings if finding.fingerprint in fixed]
    if still:
        raise still_found(still)


def _possible(planned: Plan, database: Database, server: Server, outcome: Outcome) -> list[Fix]:
    for left in planned.left:
        outcome.left[left.finding.fingerprint] = left
    fixes = []
    with server.connect(database.name) as connection:
        for fix in planned.fixes:
            refused = _refused(connection, fix)
            if refused is None:
                fixes.append(fix)
            for finding in fix.findings if refused else ():
                outcome.left[finding.fingerprint] = Left(finding, f"PostgreSQL refuses it: {refused}")
    return fixes


def _refused(connection: psycopg.Connection[Any], fix: Fix) -> str | None:
    """The error of PostgreSQL for the fix in its plain form, tried and rolled back; None if there is none."""
    try:
        with connection.transaction(force_rollback=True):
            _carry_out(connection, fix)
    except psycopg.Error as error:
        return " ".join(str(error.diag.message_primary or error).split())
    return None


def _carry_out(connection: psycopg.Connection[Any], fix: Fix) -> None:
    for statement in plain_sql(fix):
        # As bytes: in psycopg's types (Query) a str must be a literal, so that nobody puts values into SQL by mistake.
        connection.execute(statement.encode())


def _message(fixes: Sequence[Fix]) -> str:
    return f"fix {listed(list(dict.fromkeys(finding.pattern for fix in fixes for finding in fix.findings)))}"


def _pay(settings: Settings, outcome: Outcome, work: Workspace) -> None:
    """Add to the changes a baseline without the fixed findings."""
    after = paid(settings, outcome.fixes)
    path = settings.path(settings.baseline)
    if after is not None:
        before = read_regular(path)
        if after.text().encode() != before:
            work.changes[path] = Change(before, after.text().encode())
