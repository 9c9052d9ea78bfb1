"""Whether a project enforces the patterns, and which findings it accepts: its baseline file decides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alembic_pgpatterns.autogenerate.target.convergence import Accepts
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.patterns import Finding

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class Adoption:
    """Whether patterns are enforced, which findings are accepted, and a message for the user."""

    enforced: bool
    accepts: Accepts
    hint: str | None = None
    begins: Path | None = None
    """The baseline file to create, empty, together with the project's first revision."""


def adoption(settings: Settings, has_revisions: bool | None, database: str | None = None) -> Adoption:
    """Read from the project's files whether patterns are enforced.

    The baseline file marks adoption, even when it is empty. Nothing is enforced in a project that has revisions
    but no baseline: nobody wants to change all old findings in one revision.

    Args:
        settings: the project's settings.
        has_revisions: None if a program calls autogenerate's functions and no revision is written.
        database: name of the database compared with. It is part of baseline entries if the project has several.

    Raises:
        PgPatternsError: the baseline cannot be read.
    """
    path = settings.path(settings.baseline)
    baseline = Baseline.read(path)
    if settings.adopt == "all":
        return Adoption(True, _nothing)
    if baseline is not None:
        return Adoption(True, lambda finding: _accepts(baseline, finding, database))
    if not has_revisions:
        return Adoption(True, _nothing, begins=path if has_revisions is False else None)
    hint = (
        "pgpatterns: nothing is enforced yet. To begin: `alembic pgcheck --write-baseline` accepts today's findings "
        'and enforces the patterns on everything new. Or set adopt = "all" to change everything now.'
    )
    return Adoption(False, _nothing, hint=hint)


def _accepts(baseline: Baseline, finding: Finding, database: str | None) -> bool:
    return baseline.accepts(finding.fingerprint) or baseline.accepts(f"{finding.fingerprint} @{database}")


def _nothing(finding: object) -> bool:
    return False


def accepted_by_files(settings: Settings) -> Accepts:
    """What the baseline accepts. Without a baseline nothing is accepted."""
    baseline = Baseline.read(settings.path(settings.baseline))
    if baseline is None or settings.adopt == "all":
        return _nothing
    return lambda finding: baseline.accepts(finding.fingerprint)
