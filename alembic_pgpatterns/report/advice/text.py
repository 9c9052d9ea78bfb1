"""The advice for people, in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from alembic_pgpatterns.advisor.model import AdvisedIndex
from alembic_pgpatterns.checks.advice_report import AdviceReport
from alembic_pgpatterns.output.safe_text import code, prose
from alembic_pgpatterns.output.safe_text import one_line as single
from alembic_pgpatterns.report.advice.words import ddl, location, model, one_line, plans, size, sources, summary
from alembic_pgpatterns.report.statements import lines as finding_lines
from alembic_pgpatterns.workload.model import Recorded

SHOWN = 5
"""Statements that are shown per index."""


def write(report: AdviceReport, stream: TextIO) -> None:
    """Write the advice."""
    for line in _lines(report):
        stream.write(f"{line}\n")


def _lines(report: AdviceReport) -> Iterator[str]:
    yield f"pgadvise: {summary(report)}"
    yield from (f"  {prose(line)}" for line in sources(report.advice))
    for item in report.advice.indexes:
        yield ""
        yield from _index(item)
    for pair in report.advice.explained:
        yield ""
        yield from map(code, plans(pair))
    for unused in report.advice.unused:
        yield ""
        yield prose(f"{unused.name} of {unused.table} is not needed: {unused.reason}")
    for unplanned in report.advice.unplanned:
        yield ""
        yield f"not planned: {one_line(unplanned.statement)}"
        yield f"    {_place(unplanned.statement)}: {prose(unplanned.reason)}"
    yield from (f"note: {prose(note)}" for note in (*report.workload.notes, *report.advice.notes))
    if report.report.findings:
        yield ""
        yield "The statements themselves:"
        yield from finding_lines(report.report)


def _index(item: AdvisedIndex) -> Iterator[str]:
    yield code(ddl(item))
    yield f"    model  {code(model(item))}"
    pays = f"pays from {item.break_even_rows:,} rows on" if item.break_even_rows else "pays little at any size"
    robust = ", ".join(f"{factor:,.0f} times cheaper with {_rows(scale)}" for scale, factor in item.robust.items())
    yield f"    size   {size(item.size)}; {pays}; {robust}"
    for benefit in item.benefits[:SHOWN]:
        place = _place(benefit.statement)
        costs = f"{benefit.cost_before:>12,.0f} -> {benefit.cost_after:>9,.1f}"
        yield f"    {costs}  {place}  {one_line(benefit.statement)}"
    if len(item.benefits) > SHOWN:
        yield f"    … and {len(item.benefits) - SHOWN} more"


def _rows(scale: str) -> str:
    """A multiple of the rows, in words."""
    return {"0.1": "a tenth of the rows", "1": "all rows"}.get(scale, f"{scale} times the rows")


def _place(statement: Recorded) -> str:
    return single(location(statement) or "no line known")
