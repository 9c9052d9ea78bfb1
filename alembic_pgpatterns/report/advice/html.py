"""The advice as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from alembic_pgpatterns.advisor.model import AdvisedIndex, Benefit
from alembic_pgpatterns.checks.advice_report import AdviceReport
from alembic_pgpatterns.output.safe_text import code, one_line, prose
from alembic_pgpatterns.report.advice.words import ddl, location, model, plans, size, sources, summary
from alembic_pgpatterns.report.markup import Markup, tag
from alembic_pgpatterns.report.statements import lines as finding_lines

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8884; border-radius: .4rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .3rem .6rem; vertical-align: top }
td.n { text-align: right; font-variant-numeric: tabular-nums } tr { border-bottom: 1px solid #8883 }
section { margin: 2rem 0 }
"""


def write(report: AdviceReport, stream: TextIO) -> None:
    """Write the page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width"),
        tag("title", "Indexes"),
        tag("style", Markup(STYLE)),
    )
    stream.write(f"<!DOCTYPE html>\n{tag('html', head, tag('body', list(_sections(report))), lang='en')}\n")


def _sections(report: AdviceReport) -> Iterator[Markup]:
    yield tag("h1", "Indexes")
    yield tag("p", prose(f"{summary(report)}. {'; '.join(sources(report.advice))}."))
    yield from map(_index, report.advice.indexes)
    if report.advice.explained:
        plan_text = "\n\n".join("\n".join(plans(pair)) for pair in report.advice.explained)
        yield tag("section", tag("h2", "Plans"), tag("pre", code(plan_text)))
    if report.advice.unused:
        items = [tag("li", prose(f"{item.name}: {item.reason}")) for item in report.advice.unused]
        yield tag("section", tag("h2", "Not needed any more"), tag("ul", items))
    if report.report.findings:
        text = "\n".join(finding_lines(report.report, shown=1000))
        yield tag("section", tag("h2", "Statements"), tag("pre", text))


def _index(item: AdvisedIndex) -> Markup:
    pays = f"pays from {item.break_even_rows:,} rows on" if item.break_even_rows else "pays little"
    head = tag("tr", [tag("th", text) for text in ("statement", "sent by", "cost before", "after")])
    return tag(
        "section",
        tag("h2", one_line(str(item.index.table))),
        tag("pre", code(f"{ddl(item)};\n{model(item)}")),
        tag("p", f"{size(item.size)}; {pays}."),
        tag("table", head, [_row(benefit) for benefit in item.benefits]),
    )


def _row(benefit: Benefit) -> Markup:
    statement = code(" ".join(benefit.statement.text.split()))
    costs = (f"{benefit.cost_before:,.0f}", f"{benefit.cost_after:,.1f}")
    return tag(
        "tr",
        tag("td", tag("code", statement)),
        tag("td", one_line(location(benefit.statement) or "")),
        [tag("td", cost, class_="n") for cost in costs],
    )
