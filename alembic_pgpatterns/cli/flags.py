"""What several commands do with their flags."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.cli.exit_codes import NOT_DONE, say_error
from alembic_pgpatterns.cli.interpreter import interpreter
from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.patterns import Severity

if TYPE_CHECKING:
    from alembic_pgpatterns.findings.report_model import Report


def flags(options: argparse.Namespace) -> dict[str, object]:
    """The settings from flags; None for a flag that was not used.

    Raises:
        SettingsError: --select or --ignore is there, but names nothing; the file of --baseline is not there; --plan
            and --format are given together.
    """
    values = vars(options)
    _demand_baseline(values)
    if values.get("plan") and values.get("format"):
        raise SettingsError(
            "--plan prints the plan in place of the report, so --format has no effect. Leave one of them out; "
            "--format html=FILE has the locks of each revision, too."
        )
    fail_on = values.get("fail_on")
    return {
        "select": _names("--select", values.get("select")),
        "ignore": _names("--ignore", values.get("ignore")),
        "target_version": values.get("target_version"),
        "baseline": _path(values.get("baseline")),
        "fail_on": Severity[fail_on.upper()] if fail_on else None,
        "server": values.get("server") or os.environ.get("PGPATTERNS_SERVER"),
        "upgrade_command": values.get("upgrade_command"),
        "python": interpreter(options),
        "prepare": _path(values.get("prepare")),
        "create_all": values.get("create_all"),
        "since": values.get("since"),
        "guesses": values.get("guesses"),
        "diff_base": values.get("diff_base"),
        "old_code": values.get("old_code"),
        "phases": values.get("phases"),
        "downgrade": values.get("downgrade"),
        "cache": values.get("cache"),
        "stats": _path(values.get("stats")),
        "fail_on_skipped": "never" if values.get("allow_skipped") else None,
    }


def _demand_baseline(values: Mapping[str, Any]) -> None:
    """A missing file after ``--baseline`` would accept nothing, and nobody would know why."""
    named = values.get("baseline")
    if named and not values.get("write_baseline") and not Path(named).exists():
        raise SettingsError(f"--baseline: there is no {named}; --write-baseline of pgcheck creates it.")


def _names(flag: str, values: list[str] | None) -> tuple[str, ...] | None:
    if not values:
        return None
    names = tuple(name.strip() for value in values for name in value.split(",") if name.strip())
    if not names:
        # An empty variable of a shell, as in --select "$NAMES": that every pattern runs is not what was meant.
        raise SettingsError(f"{flag} names no pattern. Give names, folders or globs, with commas, or leave it out.")
    return names


def _path(value: str | None) -> Path | None:
    return Path(value).absolute() if value else None


def incomplete(report: Report, settings: Settings) -> int:
    """The exit code of a run that could not check everything; 0 if it could, or if the settings let it pass."""
    missed = report.missed if settings.skips_fail else report.broken
    if not missed:
        return 0
    from alembic_pgpatterns.report.words import skipped_texts

    lines = ["\n    ".join(lines) for lines, _ in skipped_texts(missed)]
    way_out = "" if report.broken else '\nTo let such a run pass: --allow-skipped, or fail_on_skipped = "never".'
    say_error("\n  ".join(["FAILED: not everything was checked:", *lines]) + way_out)
    return NOT_DONE
