"""Runs ``alembic pgstats``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from alembic_pgpatterns.advisor.export import summary
from alembic_pgpatterns.checks.statistics_export import export_statistics
from alembic_pgpatterns.cli.exit_codes import say_error
from alembic_pgpatterns.cli.stdout import standard_output
from alembic_pgpatterns.config.settings import SettingsError
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.safe_text import one_line
from alembic_pgpatterns.report.progress import progress_on

WRONG_USE = 2


def run(config: Any, options: argparse.Namespace) -> int:
    """Export, write, and say what was left out.

    Raises:
        PgPatternsError: it could not be done.
    """
    try:
        settings = settings_of(config, {})
    except SettingsError as error:
        say_error(f"alembic pgstats: {error}")
        return WRONG_USE
    with Project(config, settings) as project, progress_on(sys.stderr) as progress:
        document = export_statistics(project, settings, progress, options.url)
    text = json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n"
    if options.output is None:
        with standard_output(config.stdout, True) as stream:
            stream.write(text)
    else:
        try:
            Path(options.output).write_text(text, encoding="utf-8")
        except OSError as error:
            raise PgPatternsError(f"{options.output}: cannot be written: {error.strerror or error}") from error
        config.print_stdout("%s", one_line(f"{options.output}: {summary(document)[0]}"))
    for line in summary(document)[1:]:
        sys.stderr.write(f"{one_line(line)}\n")
    return 0
