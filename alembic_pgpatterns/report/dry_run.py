"""The outcome of a dry run in lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alembic_pgpatterns.checks.dry_run import DryRun
from alembic_pgpatterns.output.safe_text import one_line
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.report.places import displayed
from alembic_pgpatterns.report.plan import text
from alembic_pgpatterns.report.words import message
from alembic_pgpatterns.server.protocol import Server


def lines_of(outcome: DryRun, names: Sequence[str], server: Server) -> Iterator[str]:
    """What happened, what is locked (as ``alembic pgcheck --plan`` says it), what was found.

    Args:
        outcome: of the dry run.
        names: the files, as people write them.
        server: where it happened.
    """
    version = f"{server.version // 10000}.{server.version % 10000}"
    ways = "up, down and up again" if outcome.one_way is None else "up"
    yield f"pgpatterns: {one_line(', '.join(names))}: {ways} on PostgreSQL {version}."
    if outcome.without_env_py is not None:
        yield (
            "pgpatterns: warning: env.py failed, so the revisions ran without what it does (a search_path, a role): "
            f"{one_line(outcome.without_env_py)}"
        )
    if outcome.one_way is not None:
        yield f"pgpatterns: nothing was run down: {one_line(outcome.one_way)}"
    several = len(outcome.plans) > 1
    for plan in outcome.plans:
        yield from (f"  {one_line(plan.heading)}",) if several else ()
        yield from (f"{'    ' if several else '  '}{line}" for line in text(plan))
    if outcome.unseen is not None:
        yield f"pgpatterns: {outcome.unseen}."
    yield from dict.fromkeys(map(_line, outcome.new))
    for lost in dict.fromkeys(map(str, outcome.lost)):
        yield f"pgpatterns: the downgrade does not restore everything: {one_line(lost)}"


def _line(finding: Finding) -> str:
    where = f" ({one_line(str(displayed(finding.location)))})" if finding.location else ""
    return f"pgpatterns: {finding.severity}: {finding.pattern}: {message(finding)}{where}"
