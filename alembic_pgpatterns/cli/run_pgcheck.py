"""Runs ``alembic pgcheck``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO

from alembic_pgpatterns import report as reports
from alembic_pgpatterns.cli.exit_codes import FINDINGS
from alembic_pgpatterns.cli.flags import flags, incomplete
from alembic_pgpatterns.cli.platform import demand_server
from alembic_pgpatterns.cli.stdout import standard_output
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.output.safe_text import one_line
from alembic_pgpatterns.patterns import Action, registry
from alembic_pgpatterns.report.progress import progress_on

if TYPE_CHECKING:
    from alembic_pgpatterns.findings.report_model import Report

_SECRETS = "alembic_pgpatterns.output.secret_sql"
"""Nearly every report needs it, and its expressions take long to compile."""


def run(config: Any, options: argparse.Namespace) -> int:
    """Check, report, and return the exit code.

    Raises:
        PgPatternsError: the check could not be done.
    """
    settings = settings_of(config, flags(options))
    outputs = reports.outputs(getattr(options, "format", None) or ["text"])
    # `--explain ""`, from an empty variable of a shell, names no pattern; it does not mean the whole check.
    if any(getattr(options, flag, None) not in (None, False) for flag in ("show_settings", "list", "explain")):
        with standard_output(config.stdout) as stream:
            _inform(settings, options, stream)
        return 0
    demand_server(settings)
    report = _report(config, settings, options, outputs)
    if getattr(options, "verify_cache", False):
        _verify(config, settings)
    if getattr(options, "plan", None):
        from alembic_pgpatterns.checks.deploy_plan import plans
        from alembic_pgpatterns.report.plan import write as write_plan

        with standard_output(config.stdout) as stream:
            write_plan(plans(report.runs, report.findings), stream, options.plan)
        return incomplete(report, settings)
    if getattr(options, "write_baseline", False):
        return _accept(report, settings, config.stdout)
    for_programs = any(output.file is None and output.format != "text" for output in outputs)
    with standard_output(config.stdout, for_programs) as stream:
        for output in outputs:
            output.write(report, stream, full=getattr(options, "all", False))
    failing = report.at_least(settings.fail_on) and not getattr(options, "exit_zero", False)
    return incomplete(report, settings) or (FINDINGS if failing else 0)


def _report(config: Any, settings: Settings, options: argparse.Namespace, outputs: Iterable[reports.Output]) -> Report:
    with Project(config, settings) as project, progress_on(sys.stderr) as progress:
        # Before the patterns are imported: both processes load what they need at the same time.
        project.start()
        project.load_while_waiting(*(output.module for output in outputs), _SECRETS)
        if getattr(options, "init", False):
            from alembic_pgpatterns.cli.find_settings import find_settings

            return find_settings(project, settings, lambda project, settings: _check(project, settings, progress))
        return _checked(project, settings, progress, getattr(options, "live", None))


def _check(project: Project, settings: Settings, progress: Progress) -> Report:
    from alembic_pgpatterns.checks.project import check

    return check(project, settings, progress)


def _verify(config: Any, settings: Settings) -> None:
    """Check again, once with what the cache holds by now, and once without it.

    Raises:
        PgPatternsError: the reports differ; the message says where.
    """
    reports = []
    for cache in (True, False):
        with_it = replace(settings, cache=cache)
        with Project(config, with_it) as project, progress_on(sys.stderr) as progress:
            reports.append(_check(project, with_it, progress))
    first, second = map(_as_lines, reports)
    different = [f"only with the cache: {line}" for line in first if line not in second]
    different += [f"only without it: {line}" for line in second if line not in first]
    if different:
        raise PgPatternsError(
            "The cache gives another report than a run from scratch. Please report this; until then use --no-cache.\n  "
            + "\n  ".join(different)
        )


def _as_lines(report: Report) -> list[str]:
    """The content of a report, without the facts about the run."""
    findings = [f"{f.severity} {f.fingerprint} {f.message} {f.location} {f.revision}" for f in report.findings]
    return [*findings, *(f"skipped {item.subject}: {item.reason}" for item in report.skipped)]


def _checked(project: Project, settings: Settings, progress: Progress, live: str | None) -> Report:
    """The report on a live database, where ``live`` is its URL, or empty for env.py's; else on a throw-away one."""
    if live is None:
        return _check(project, settings, progress)
    from alembic_pgpatterns.checks.live import check_live

    return check_live(project, settings, progress, live or None)


def _inform(settings: Settings, options: argparse.Namespace, stream: TextIO) -> None:
    from alembic_pgpatterns.report.explain import explain, write_list
    from alembic_pgpatterns.report.settings import write_settings

    if getattr(options, "show_settings", False):
        write_settings(settings, stream)
    elif getattr(options, "list", False):
        write_list(settings, stream)
    else:
        explain(options.explain, stream)


def _accept(report: Report, settings: Settings, stream: TextIO) -> int:
    from alembic_pgpatterns.findings.baseline import Baseline, escaped
    from alembic_pgpatterns.findings.revision_patterns import about_a_revision

    path = settings.path(settings.baseline)
    before = Baseline.read(path) or Baseline()
    # The heads in the file accept what revisions do: revisions up to them are not checked again.
    lasting = [finding for finding in (*report.findings, *report.accepted) if not about_a_revision(finding)]
    # Exactly what the report shows. Where the head is right and the models are not, nothing is accepted: else the
    # next autogenerate would undo what is right.
    accepted = list(dict.fromkeys(finding.fingerprint for finding in lasting))
    # With --select, or without the models, not all patterns ran: accepted findings of the others stay.
    unseen = set(before.entries) - set(report.stale) - {escaped(finding.fingerprint) for finding in report.accepted}
    # Autogenerate knows no guesses: it would write what the pattern demands, and until then it would be drift.
    enforced = [item.fingerprint for item in report.guesses if registry()[item.pattern].action is Action.ENFORCE]
    before.covering(dict.fromkeys((*accepted, *enforced)), report.heads, unseen).write(path)
    stale = len(report.stale)
    removed = f"; {stale} that no longer {'match' if stale > 1 else 'matches'} removed" if stale else ""
    # Together these are all findings of the report, with each repetition.
    passing = len(report.findings) + len(report.accepted) - len(lasting)
    old = f", {passing} more in revisions, which are not checked again" if passing else ""
    text = f"{path}: {counted(len(accepted), 'findings')} accepted, one line each{old}{removed}. Commit this file."
    with standard_output(stream) as out:
        out.write(one_line(text) + "\n")
    return 0
