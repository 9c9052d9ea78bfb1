"""The report as one HTML file that needs no network: findings with filters, a diagram of the schema, locks."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from importlib import resources
from typing import TextIO

from alembic_pgpatterns.checks.deploy_plan import plans
from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.patterns import Severity
from alembic_pgpatterns.report.diagram.layout import layout
from alembic_pgpatterns.report.diagram.model import diagram
from alembic_pgpatterns.report.diagram.svg import svg
from alembic_pgpatterns.report.html.findings import code_spans, filters, findings_by_pattern
from alembic_pgpatterns.report.html.timeline import legend, timeline
from alembic_pgpatterns.report.markup import Markup, joined, tag
from alembic_pgpatterns.report.words import count_line, found_out, looked_at, severity_name, skipped_lines


def write(report: Report, stream: TextIO, full: bool = True) -> None:
    """Write the page; it always holds every finding."""
    style, script = _asset("page.css"), _asset("page.js")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        # In the page: as a file, or as an artifact of CI, it comes from no server that could send the header.
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        tag("title", f"pgcheck: {count_line(report)}"),
        tag("style", style),
    )
    body = tag("body", tag("main", list(_sections(report))), tag("script", script))
    stream.write(f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n")


def _policy(style: str, script: str) -> str:
    """Nothing is loaded, and no other script runs: not even one that a name in the schema would smuggle in."""
    return f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _asset(name: str) -> Markup:
    """A file beside this one. It is part of this package and has no ``</``, so it can stand in the page as it is."""
    return Markup((resources.files(__name__) / name).read_text(encoding="utf-8"))


def _sections(report: Report) -> Iterator[Markup]:
    yield _header(report)
    if report.skipped:
        yield _skipped(report)
    yield tag("section", tag("h2", "Findings"), _findings(report), id="findings")
    yield from _diagrams(report)
    if report.runs:
        yield _locks(report)
    if report.accepted or report.stale:
        yield _accepted(report)


def _header(report: Report) -> Markup:
    tiles = [_tile(name, count) for name, count in report.counts().items()]
    patterns = [
        tag("li", tag("a", name, href=f"#pattern-{name}"), f" {count}", class_=str(severity))
        for name, severity, count in _patterns(report)
    ]
    return tag(
        "header",
        tag("h1", "pgcheck"),
        tag("p", looked_at(report)),
        tag("p", line, class_="found-out") if (line := found_out(report)) is not None else None,
        tag("ul", tiles, class_="tiles"),
        tag("p", count_line(report)),
        tag("ul", patterns, class_="patterns") if patterns else None,
        [tag("p", *code_spans(hint), class_="hint") for hint in report.hints],
        _contents(report),
    )


def _tile(severity: str, count: int) -> Markup:
    return tag("li", tag("strong", count), f" {severity_name(severity, count)}", class_=f"tile {severity}")


def _patterns(report: Report) -> list[tuple[str, Severity, int]]:
    """The patterns with their worst severity and their number of findings: the worst first, then the most frequent."""
    worst: dict[str, Severity] = {}
    for finding in report.causes:
        worst[finding.pattern] = max(finding.severity, worst.get(finding.pattern, finding.severity))
    # by_pattern() has the most frequent first, and a sort keeps the order of equals.
    counts = report.by_pattern().items()
    return [(name, worst[name], count) for name, count in sorted(counts, key=lambda item: -worst[item[0]])]


def _contents(report: Report) -> Markup:
    parts = [("findings", "Findings"), ("schema-0", "Schema")]
    parts += [("locks", "Locks per revision")] if report.runs else []
    return tag("nav", tag("ul", [tag("li", tag("a", text, href=f"#{name}")) for name, text in parts], class_="parts"))


def _skipped(report: Report) -> Markup:
    lines = list(skipped_lines(report.skipped))
    items = [tag("li", tag("strong", line) if missed else line) for line, missed in lines]
    words = "Not checked"
    broken = tag("p", "The project does not work here, so this check does not pass.", class_="stop")
    return tag(
        "section",
        broken if report.broken else None,
        tag("details", tag("summary", words), tag("ul", items), open=bool(report.missed or report.left_out)),
        class_="skipped",
    )


def _findings(report: Report) -> Markup:
    if not report.findings:
        return tag("p", "No findings.")
    return joined(filters(report.causes), *findings_by_pattern(report.causes))


def _diagrams(report: Report) -> Iterator[Markup]:
    for number, (label, schema) in enumerate(report.schemas):
        drawn = diagram(schema, report.findings)
        if drawn.boxes:
            yield tag(
                "section",
                tag("h2", f"Schema {label}".strip()),
                tag("p", "Drag to move, use the wheel or the buttons to zoom. Select a table to see its findings."),
                _controls(),
                tag("div", svg(drawn, layout(drawn), f"diagram-{number}"), class_="canvas"),
                tag("div", class_="selection", aria_live="polite"),
                class_="schema",
                id=f"schema-{number}",
            )


def _controls() -> Markup:
    buttons = (("zoom-in", "+", "Zoom in"), ("zoom-out", "−", "Zoom out"), ("fit", "Fit", "Show all"))  # noqa: RUF001
    return tag(
        "p",
        [tag("button", text, type="button", data_do=do, aria_label=label) for do, text, label in buttons],
        tag("label", "Find a table ", tag("input", type="search", class_="find")),
        class_="controls",
    )


def _locks(report: Report) -> Markup:
    pairs = zip(report.runs, plans(report.runs, report.findings), strict=True)
    return tag(
        "section",
        tag("h2", "Locks per revision"),
        tag(
            "p",
            "Only tables that existed before the revision are shown. Each column is a statement, named by its line. "
            "The server was empty, so the widths say nothing about time.",
        ),
        legend(),
        [timeline(run, plan) for run, plan in pairs],
        id="locks",
    )


def _accepted(report: Report) -> Markup:
    accepted = [tag("li", tag("code", finding.fingerprint)) for finding in report.accepted]
    stale = [tag("li", tag("code", entry)) for entry in report.stale]
    return tag(
        "section",
        tag("h2", "Baseline"),
        tag("details", tag("summary", f"{len(accepted)} accepted"), tag("ul", accepted)) if accepted else None,
        tag("details", tag("summary", f"{len(stale)} that match nothing any more"), tag("ul", stale))
        if stale
        else None,
    )
