"""The advice on indexes in the formats of ``alembic pgadvise``: each is a module with ``write(report, stream)``."""

from __future__ import annotations

import importlib
from typing import TextIO

from alembic_pgpatterns.checks.advice_report import AdviceReport

FORMATS = ("text", "json", "markdown", "html")


def write(report: AdviceReport, stream: TextIO, form: str) -> None:
    """Write the advice in one of the formats."""
    importlib.import_module(f"{__name__}.{form}").write(report, stream)
