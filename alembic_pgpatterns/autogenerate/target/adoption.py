"""Since when, and on what, a project wants the patterns enforced: the baseline file tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alembic_pgpatterns.autogenerate.target.metadata import Accepts
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.patterns import Finding

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class Adoption:
    """Whether anything is enforced, on what not, and what to tell the user."""

    enforced: bool
    accepts: Accepts
    hint: str | None = None
    begins: Path | None = None
    """The baseline file to be written, empty, with the project's first revision."""


def adoption(settings: Settings, has_revisions: bool | None, database: str | None = None) -> Adoption:
    """What the files of a project say.

    The file marks adoption, even when empty. A project with revisions and without the file is left alone: the debt of
    years in one revision is what nobody asked for.

    Args:
        settings: the project's.
        has_revisions: None where nobody writes revisions: autogenerate's functions called from a program.
        database: the one compared with, whose name is part of the entries where the project has several.

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
        "pgpatterns: nothing is enforced yet. To begin: `alembic pgcheck --write-baseline` accepts what is there "
        'and enforces on all that is new; or adopt = "all" in the settings pays everything now.'
    )
    return Adoption(False, _nothing, hint=hint)


def _accepts(baseline: Baseline, finding: Finding, database: str | None) -> bool:
    return baseline.accepts(finding.fingerprint) or baseline.accepts(f"{finding.fingerprint} @{database}")


def _nothing(finding: object) -> bool:
    return False


def accepted_by_files(settings: Settings) -> Accepts:
    """What the baseline accepts; a project without one accepts nothing."""
    baseline = Baseline.read(settings.path(settings.baseline))
    if baseline is None or settings.adopt == "all":
        return _nothing
    return lambda finding: baseline.accepts(finding.fingerprint)
