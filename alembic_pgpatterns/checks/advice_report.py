"""What comes of advising a project."""

from __future__ import annotations

from dataclasses import dataclass, field

from alembic_pgpatterns.advisor.model import Advice
from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.workload.model import Workload


@dataclass(frozen=True)
class AdviceReport:
    """The advice for a project, with the findings about the statements themselves."""

    workload: Workload
    advice: Advice = field(default_factory=Advice)
    report: Report = field(default_factory=Report)
