"""Findings in the page: by pattern, each with its fix, and the pattern's explanation above them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from itertools import groupby, starmap

from alembic_pgpatterns.patterns import Finding, registry
from alembic_pgpatterns.report.markup import Child, Markup, joined, tag
from alembic_pgpatterns.report.places import displayed
from alembic_pgpatterns.report.words import advice_parts, fix_lines, is_advice, message


def filters(findings: Sequence[Finding]) -> Markup:
    """The controls that choose what is shown; without JavaScript all is shown and they are hidden."""
    severities = [
        tag("label", tag("input", type="checkbox", value=str(severity), checked=True, name="severity"), f" {severity}")
        for severity in sorted({finding.severity for finding in findings}, reverse=True)
    ]
    return tag(
        "form",
        tag("fieldset", tag("legend", "Severity"), severities),
        _select("pattern", "All patterns", sorted({finding.pattern for finding in findings})),
        _select("table", "All tables", sorted({_table(finding) for finding in findings})),
        tag("label", "Contains ", tag("input", type="search", name="text")),
        tag("output", f"{len(findings)} shown", id="shown"),
        id="filters",
        hidden=True,
    )


def _select(name: str, everything: str, options: Sequence[str]) -> Markup:
    choices = [tag("option", everything, value=""), *(tag("option", item, value=item) for item in options)]
    return tag("label", f"{name.capitalize()} ", tag("select", choices, name=name))


def _table(finding: Finding) -> str:
    return str(finding.table) if finding.table is not None else "the project"


def findings_by_pattern(findings: Sequence[Finding]) -> Iterator[Markup]:
    """A section per pattern, in the order of their first findings."""
    order = {name: number for number, name in enumerate(dict.fromkeys(finding.pattern for finding in findings))}
    ranked = sorted(findings, key=lambda finding: order[finding.pattern])
    for name, group in groupby(ranked, lambda finding: finding.pattern):
        yield _pattern(name, tuple(group))


def _pattern(name: str, findings: Sequence[Finding]) -> Markup:
    worst = max(finding.severity for finding in findings)
    return tag(
        "section",
        tag("h3", name, " ", tag("small", str(len(findings)), class_=f"pill {worst}")),
        explanation(name),
        [_finding(finding) for finding in findings],
        class_="pattern",
        id=f"pattern-{name}",
    )


def explanation(name: str) -> Markup | None:
    """What the pattern says of itself: its first sentence, and the rest to be unfolded."""
    cls = registry().get(name)
    if cls is None:
        return None
    first, _, details = inspect.cleandoc(cls.__doc__ or "").partition("\n")
    not_when = joined(tag("h4", "When not to follow it"), paragraphs(cls.not_when)) if cls.not_when else None
    links = [tag("li", tag("a", url, href=url)) for url in cls.references]
    return joined(
        tag("p", *code_spans(first)),
        tag(
            "details",
            tag("summary", "Why, and when not"),
            paragraphs(details),
            not_when,
            tag("ul", links) if links else None,
        ),
    )


def paragraphs(text: str) -> Markup:
    """Prose with empty lines between paragraphs, as in docstrings; lines that begin with ``- `` are a list."""
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]
    return joined([_paragraph(block) for block in blocks])


def _paragraph(block: str) -> Markup:
    if block.startswith("- "):
        items = re.split(r"\n(?=- )", block)
        return tag("ul", [tag("li", *code_spans(item.removeprefix("- "))) for item in items])
    return tag("p", *code_spans(block))


def code_spans(text: str) -> Iterator[Child]:
    """The text with what stands between backticks as code."""
    for number, part in enumerate(re.split(r"`+", text)):
        yield tag("code", part) if number % 2 else part


def _finding(finding: Finding) -> Markup:
    return tag(
        "article",
        tag("p", tag("span", str(finding.severity), class_=f"pill {finding.severity}"), " ", message(finding)),
        tag("p", _places(finding), class_="place") if finding.location or finding.revision or finding.also else None,
        _fix(finding),
        class_=f"finding {finding.severity}",
        data_severity=str(finding.severity),
        data_pattern=finding.pattern,
        data_table=_table(finding),
    )


def _places(finding: Finding) -> Markup:
    parts = []
    if finding.location:
        parts.append(joined("at ", tag("code", str(displayed(finding.location)))))
    if finding.revision:
        parts.append(joined("revision ", tag("code", finding.revision)))
    for other in finding.also:
        where = ", ".join([other.object, *([str(displayed(other.location))] if other.location else [])])
        parts.append(joined("also ", tag("code", where)))
    return joined(parts[0], *(joined(", ", part) for part in parts[1:]))


def _fix(finding: Finding) -> Markup | None:
    lines = fix_lines(finding)
    if not lines:
        return None
    if is_advice(finding):
        return joined(*starmap(_advice, advice_parts("\n".join(lines))))
    return _code("\n".join(lines))


def _advice(language: str, text: str) -> Markup:
    return _code(text) if language else tag("p", tag("strong", "Fix: "), *code_spans(text))


def _code(text: str) -> Markup:
    copy = tag("button", "Copy", type="button", class_="copy", hidden=True)
    return tag("div", copy, tag("pre", tag("code", text)), class_="fix")
