"""The advice as Markdown, for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from alembic_pgpatterns.advisor.model import AdvisedIndex
from alembic_pgpatterns.checks.advice_report import AdviceReport
from alembic_pgpatterns.output.safe_text import code
from alembic_pgpatterns.report.advice.words import ddl, location, model, one_line, plans, size, sources, summary
from alembic_pgpatterns.report.markdown_text import block, code_span, escaped
from alembic_pgpatterns.report.statements import lines as finding_lines


def write(report: AdviceReport, stream: TextIO) -> None:
    """Write the advice."""
    stream.write("\n".join(_lines(report)) + "\n")


def _lines(report: AdviceReport) -> Iterator[str]:
    yield f"## Indexes\n\n{summary(report)}. {escaped('; '.join(sources(report.advice)))}."
    for item in report.advice.indexes:
        yield from _index(item)
    for pair in report.advice.explained:
        yield block(code("\n".join(plans(pair))), "text")
    if report.advice.unused:
        yield "\n### Not needed any more\n"
        for unused in report.advice.unused:
            yield f"- {code_span(str(unused.name))} of {code_span(str(unused.table))}: {escaped(unused.reason)}"
    if report.report.findings:
        yield "\n## Statements"
        yield block("\n".join(finding_lines(report.report)), "text")


def _index(item: AdvisedIndex) -> Iterator[str]:
    yield f"\n### {code_span(str(item.index.table))}"
    yield block(code(f"{ddl(item)};"), "sql") + block(code(model(item)), "python")
    pays = f"pays from {item.break_even_rows:,} rows on" if item.break_even_rows else "pays little"
    yield f"{size(item.size)}; {pays}.\n\n| statement | sent by | cost before | after |\n|---|---|---|---|"
    for benefit in item.benefits:
        text = code_span(one_line(benefit.statement).replace("|", "\\|").replace("`", "'"))
        place = escaped(location(benefit.statement) or "")
        yield f"| {text} | {place} | {benefit.cost_before:,.0f} | {benefit.cost_after:,.1f} |"
