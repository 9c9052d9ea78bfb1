"""Runs ``alembic pgrehearse``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from alembic_pgpatterns import report as reports
from alembic_pgpatterns.cli.at_heads import say_found
from alembic_pgpatterns.cli.exit_codes import FINDINGS
from alembic_pgpatterns.cli.flags import flags, incomplete
from alembic_pgpatterns.cli.stdout import standard_output
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.rehearsal.options import Options, bytes_of, demand_rows, seconds_of
from alembic_pgpatterns.rehearsal.rehearse import rehearse
from alembic_pgpatterns.rehearsal.verdict import rehearsal_of
from alembic_pgpatterns.report import rehearsal as writer
from alembic_pgpatterns.report.progress import progress_on


def run(config: Any, options: argparse.Namespace) -> int:
    """Rehearse, report, and return the exit code.

    Raises:
        PgPatternsError: the rehearsal could not be done.
    """
    settings = settings_of(config, flags(options))
    rehearsal_options = options_of(options, settings.path(settings.rows) if settings.rows is not None else None)
    outputs = reports.outputs(getattr(options, "format", None) or ["text"])
    with Project(config, settings) as project, progress_on(sys.stderr) as progress:
        gathered = rehearse(project, settings, rehearsal_options, progress)
        say_found(project)
    result = rehearsal_of(gathered, settings)
    report = Report(findings=result.findings, skipped=(*result.skipped, *result.unrehearsed))
    if getattr(options, "plan", None):
        with standard_output(config.stdout) as stream:
            writer.write_plan(result, stream, options.plan)
        return incomplete(report, settings)
    for_programs = any(output.file is None and output.format != "text" for output in outputs)
    with standard_output(config.stdout, for_programs) as stream:
        for output in outputs:
            writer.write(result, output, stream, full=getattr(options, "all", False))
    failing = report.at_least(settings.fail_on) and not getattr(options, "exit_zero", False)
    return incomplete(report, settings) or (FINDINGS if failing else 0)


def options_of(options: argparse.Namespace, seed: Path | None) -> Options:
    """The options from the flags.

    Raises:
        SettingsError: a wrong value.
    """
    values = vars(options)
    rows = values.get("rows")
    if rows is not None:
        demand_rows(rows, "--rows")
    budget, disk, seed_rows = values.get("budget"), values.get("disk"), values.get("seed_rows")
    default = Options()
    return Options(
        rows=rows if rows is not None else default.rows,
        seconds=seconds_of(budget) if budget else default.seconds,
        bytes=bytes_of(disk) if disk else default.bytes,
        revisions=tuple(values.get("revisions") or ()),
        seed=Path(seed_rows).absolute() if seed_rows else seed,
        triggers=bool(values.get("triggers")),
    )
