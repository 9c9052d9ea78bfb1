"""The advice as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TextIO

from alembic_pgpatterns.advisor.model import AdvisedIndex
from alembic_pgpatterns.checks.advice_report import AdviceReport
from alembic_pgpatterns.report.advice.words import ddl, location, model, size, sources, summary
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
    stream.write("\n".join(_page(report)) + "\n")


def _page(report: AdviceReport) -> Iterator[str]:
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Indexes</title><style>{STYLE}</style>'
    yield '<meta name="viewport" content="width=device-width"><body><h1>Indexes</h1>'
    yield f"<p>{escape(summary(report))}. {escape('; '.join(sources(report.advice)))}.</p>"
    for item in report.advice.indexes:
        yield from _index(item)
    if report.advice.unused:
        items = (f"<li>{escape(str(item.name))}: {escape(item.reason)}</li>" for item in report.advice.unused)
        yield f"<section><h2>Not needed any more</h2><ul>{''.join(items)}</ul></section>"
    if report.report.findings:
        text = "\n".join(finding_lines(report.report, shown=1000))
        yield f"<section><h2>Statements</h2><pre>{escape(text)}</pre></section>"
    yield "</body></html>"


def _index(item: AdvisedIndex) -> Iterator[str]:
    pays = f"pays from {item.break_even_rows:,} rows on" if item.break_even_rows else "pays little"
    yield f"<section><h2>{escape(str(item.index.table))}</h2><pre>{escape(ddl(item))};\n{escape(model(item))}</pre>"
    yield f"<p>{size(item.size)}; {pays}.</p>"
    yield "<table><tr><th>statement<th>sent by<th>cost before<th>after</tr>"
    for benefit in item.benefits:
        text = escape(" ".join(benefit.statement.text.split()))
        costs = f'<td class="n">{benefit.cost_before:,.0f}<td class="n">{benefit.cost_after:,.1f}'
        yield f"<tr><td><code>{text}</code><td>{escape(location(benefit.statement) or '')}{costs}</tr>"
    yield "</table></section>"
