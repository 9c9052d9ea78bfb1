"""An advised index in words and code, shared by the formats. Each format makes safe for its readers what it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from alembic.autogenerate import render_python_code
from alembic.operations import ops

from alembic_pgpatterns.advisor.model import Advice, AdvisedIndex, PlanPair
from alembic_pgpatterns.checks.advice_report import AdviceReport
from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.output.safe_text import one_line as single
from alembic_pgpatterns.remedies.model_line import index_expression
from alembic_pgpatterns.remedies.operations import operations
from alembic_pgpatterns.remedies.sql import create_index
from alembic_pgpatterns.workload.model import Recorded


def ddl(item: AdvisedIndex) -> str:
    """The statement that makes the index, with the extension that it needs before it."""
    statement = create_index(item.index)
    return f"{item.requires}; {statement}" if item.requires else statement


def model(item: AdvisedIndex) -> str:
    """The line for the model's ``__table_args__``."""
    return index_expression(item.index)


def operation(item: AdvisedIndex) -> str:
    """The line for a revision."""
    made = operations(item.index, "public")
    rendered = render_python_code(ops.UpgradeOps(ops=list(made)))
    return "\n".join(line for line in rendered.splitlines() if not line.lstrip().startswith("#")).strip()


def location(statement: Recorded) -> str | None:
    """The line of the application that sends the statement."""
    return str(statement.site) if statement.site is not None else None


def one_line(statement: Recorded, width: int = 110) -> str:
    """The statement on one line, cut where it is long."""
    text = single(" ".join(statement.text.split()))
    return text if len(text) <= width else f"{text[: width - 1]}…"


def plans(pair: PlanPair) -> Iterator[str]:
    """The plans of a statement without an index and with it."""
    yield f"{location(pair.statement) or 'no line known'}  {one_line(pair.statement)}"
    for word, lines in (("without", pair.before), ("with", pair.after)):
        yield f"    {word} the index:"
        yield from (f"      {line}" for line in lines)


def size(number: float) -> str:
    """Bytes for people."""
    for unit in ("bytes", "kB", "MB"):
        if number < 1024 or unit == "MB":
            break
        number /= 1024
    return f"{number / 1024:.1f} GB" if number >= 1024 else f"{number:.0f} {unit}"


def sources(advice: Advice) -> Iterator[str]:
    """Where the sizes come from, the assumed ones last."""
    counted = Counter(item.source for item in advice.sizes.values())
    words = {"declared": "declared in the models", "export": "exported from a database", "assumed": "assumed"}
    for source, count in sorted(counted.items(), key=lambda item: item[0] == "assumed"):
        yield f"{count} of {len(advice.sizes)} table sizes {words.get(source, f'from {source}')}"


def summary(report: AdviceReport) -> str:
    """What was done, in one sentence."""
    advice = report.advice
    return (
        f"{counted(len(advice.indexes), 'indexes', 'index')} for {counted(advice.planned, 'statements')}, chosen from "
        f"{counted(advice.candidates, 'candidates')} by {counted(advice.plans, 'plans')} ({advice.mode})"
    )
