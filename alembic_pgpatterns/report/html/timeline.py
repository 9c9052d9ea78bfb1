"""What a revision locks, statement by statement: a table whose cells last as long as the locks do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from alembic_pgpatterns.checks.deploy_plan import Plan
from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.output.safe_text import one_line
from alembic_pgpatterns.output.secrets import without_passwords
from alembic_pgpatterns.report.markup import Markup, tag
from alembic_pgpatterns.revisions.model import RevisionRun, Statement, blocks
from alembic_pgpatterns.schema.model import Name

WORK = {"rewrite": "rewrite", "scan": "scan", "foreign key": "scan", "build": "index build"}
SHOWN = 40
"""Statements of one revision that are drawn; a revision of more is mostly rows of data."""


@dataclass(frozen=True, slots=True)
class Span:
    """A lock on a table during some statements that follow each other. ``mode`` is None where there is no lock."""

    mode: str | None
    work: str
    length: int


def timeline(run: RevisionRun, plan: Plan) -> Markup:
    """One revision: when it holds which lock, and what that stops.

    Args:
        run: what the revision did.
        plan: the same in words.
    """
    statements = [statement for statement in run.statements if statement.locks or statement.held or statement.work]
    tables = tuple(line.table for line in plan.lines)
    return tag(
        "section",
        tag("h3", tag("code", plan.revision), " ", tag("small", plan.heading)),
        _grid(statements[:SHOWN], tables) if tables else tag("p", "Locks no table that existed before."),
        tag("p", f"Not drawn: {counted(len(statements) - SHOWN, 'statements')} more.")
        if len(statements) > SHOWN
        else None,
        _old_code(plan),
        class_="revision",
    )


def legend() -> Markup:
    """What the colours mean."""
    items = (
        ("access-exclusive", "reads and writes wait"),
        ("share", "writes wait"),
        ("share-update-exclusive", "nobody waits"),
    )
    busy = tag("li", tag("span", "", class_="lock share busy"), " with a scan, a rewrite or an index build")
    return tag(
        "ul",
        [tag("li", tag("span", "", class_=f"lock {name}"), f" {text}") for name, text in items],
        busy,
        class_="legend",
    )


def _old_code(plan: Plan) -> Markup:
    if not plan.old_code and plan.contract:
        words = "The file says that it waits until only new code runs (contract)."
        return tag("p", tag("strong", "Stop the old code first. "), words, class_="stop")
    if not plan.old_code:
        return tag("p", "The old code can keep running.")
    names = ", ".join(plan.old_code)
    return tag("p", tag("strong", "Stop the old code first. "), f"It would fail on {names}.", class_="stop")


def _grid(statements: Sequence[Statement], tables: Sequence[Name]) -> Markup:
    lines = [tag("th", str(item.location.line), title=_first_line(item.sql), scope="col") for item in statements]
    head = [
        tag("tr", tag("th", "", scope="col"), list(_transactions(statements))),
        tag("tr", tag("th", "line", scope="row"), lines),
    ]
    rows = [
        tag("tr", tag("th", str(table), scope="row"), [_cell(span) for span in spans(statements, table)])
        for table in tables
    ]
    return tag("div", tag("table", tag("thead", head), tag("tbody", rows), class_="timeline"), class_="scroll")


def _transactions(statements: Sequence[Statement]) -> Iterator[Markup]:
    numbers = list(dict.fromkeys(statement.transaction for statement in statements if statement.transactional))
    for (number, transactional), group in groupby(statements, lambda item: (item.transaction, item.transactional)):
        words = f"transaction {numbers.index(number) + 1}" if transactional else "no transaction"
        yield tag("th", words, colspan=len(list(group)), scope="colgroup")


def spans(statements: Sequence[Statement], table: Name) -> Iterator[Span]:
    """The locks on one table, in order. Locks of one transaction that follow each other are one span."""
    states = [
        (statement.mode(table), _work(statement, table), (statement.transaction if statement.transactional else index))
        for index, statement in enumerate(statements)
    ]
    for (mode, work, _), group in groupby(states):
        yield Span(mode, work, len(list(group)))


def _work(statement: Statement, table: Name) -> str:
    return ", ".join(dict.fromkeys(WORK[item.kind] for item in statement.work if item.root == table))


def _cell(span: Span) -> Markup:
    if span.mode is None:
        return tag("td", span.work or None, colspan=span.length, class_="none")
    words = f"{span.mode}: {blocks(span.mode)} wait"
    if blocks(span.mode).startswith("neither"):
        words = f"{span.mode}: nobody waits"
    strength = span.mode.lower().replace(" ", "-")
    return tag(
        "td",
        tag("span", span.mode, class_="mode"),
        tag("span", span.work, class_="work") if span.work else None,
        colspan=span.length,
        class_=f"lock {strength}{' busy' if span.work else ''}",
        title=f"{words}{f' during {span.work}' if span.work else ''}",
    )


def _first_line(sql: str) -> str:
    return one_line(" ".join(without_passwords(sql).split()))[:200]
