"""The plan of the next deployment in words: a table of locks and work per revision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from alembic_pgpatterns.checks.deploy_plan import Plan
from alembic_pgpatterns.output.safe_text import inert, one_line, without_mentions


def write(plans: Sequence[Plan], stream: TextIO, format: str) -> None:
    """Write the plans as "text" or "markdown"."""
    lines = _markdown(plans) if format == "markdown" else _text(plans)
    stream.write(inert("\n".join(lines)) + "\n")


def _text(plans: Sequence[Plan]) -> Iterator[str]:
    if not plans:
        yield "No revision to check, so there is nothing to plan."
    for plan in plans:
        yield f"{plan.revision}  {plan.heading}"
        yield from (f"  {line}" for line in text(plan))
        yield ""


def text(plan: Plan) -> Iterator[str]:
    """One plan in lines, without its heading."""
    rows = [tuple(map(one_line, row)) for row in plan.rows()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    if not rows:
        yield "locks no table that existed before"
    yield f"keep running the old code: {_old_code(plan)}"


def _markdown(plans: Sequence[Plan]) -> Iterator[str]:
    if not plans:
        yield "No revision to check."
    for plan in plans:
        yield f"### `{plan.revision}`\n{_escaped(plan.heading)}\n"
        rows = [f"| {' | '.join(map(_escaped, row))} |" for row in plan.rows()]
        if rows:
            yield f"{rows[0]}\n{'|---' * len(plan.rows()[0])}|"
            yield from rows[1:]
        else:
            yield "Locks no table that existed before."
        yield f"\nKeep running the old code: **{_escaped(_old_code(plan))}**\n"


def _old_code(plan: Plan) -> str:
    if plan.old_code:
        return f"no, it would fail ({', '.join(plan.old_code)})"
    return "no, the file says that it waits until only new code runs (contract)" if plan.contract else "yes"


def _escaped(text: str) -> str:
    # In a comment on GitHub or GitLab an @name of a table would notify a person.
    return without_mentions(one_line(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;"))
