"""Runs ``alembic pgadvise``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from alembic_pgpatterns.advisor.model import Options
from alembic_pgpatterns.checks.advice import advise
from alembic_pgpatterns.cli.at_heads import say_found
from alembic_pgpatterns.cli.exit_codes import say_error
from alembic_pgpatterns.cli.flags import flags, incomplete
from alembic_pgpatterns.cli.stdout import standard_output
from alembic_pgpatterns.config.settings import SettingsError
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.report.advice import write
from alembic_pgpatterns.report.progress import progress_on

WRONG_USE = 2


def run(config: Any, options: argparse.Namespace) -> int:
    """Advise, and write the advice.

    Raises:
        PgPatternsError: it could not be done.
    """
    try:
        settings = settings_of(config, flags(options))
        if options.max_indexes is not None and options.max_indexes < 1:
            raise SettingsError("--max-indexes: expected a number, 1 or more.")
    except SettingsError as error:
        say_error(f"alembic pgadvise: {error}")
        return WRONG_USE
    from_settings = [str(settings.path(settings.workload))] if settings.workload else []
    workloads = options.workload or from_settings
    options_of_advice = Options(options.max_indexes, tuple(options.table or ()), options.explain)
    with Project(config, settings) as project, progress_on(sys.stderr) as progress:
        report = advise(project, settings, progress, workloads, options_of_advice)
        say_found(project)
    with standard_output(config.stdout, options.format != "text") as stream:
        write(report, stream, options.format)
    return incomplete(report.report, settings)
