"""The summary that ``alembic pgfix`` prints at its end."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from alembic_pgpatterns.fix.edit_models import Edited
from alembic_pgpatterns.fix.plan import Left
from alembic_pgpatterns.fix.workspace import Workspace
from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.output.safe_text import one_line
from alembic_pgpatterns.report.words import fix_lines


def summary(outcome: Any, edited: Edited | None, work: Workspace, options: argparse.Namespace) -> Iterator[str]:
    """The lines: the findings that are fixed, the new files, changed models, and the findings that are left."""
    if options.dry_run:
        yield from _sources(outcome, edited, work)
    count = len(outcome.fixed)
    note = " (dry run: nothing is written)" if options.dry_run else ""
    yield f"pgfix: {counted(count, 'findings fixed')}{note}"
    for pattern, count in Counter(finding.pattern for finding in outcome.fixed).most_common():
        yield f"  {pattern:34} {count:>5}"
    if outcome.written:
        ways = "up, down and up again" if outcome.one_way is None else "up"
        yield f"New revisions, run {ways}, and checked:"
        yield from (f"  {work.shown(file.path)}" for file in outcome.written)
        if outcome.one_way is not None:
            yield f"Nothing was run down: {one_line(work.in_final_words(outcome.one_way))}"
    if edited is not None:
        yield from _models(edited, options.models)
    if outcome.left:
        yield ""
        yield f"{len(outcome.left)} left, which no revision here can fix safely:"
        yield from _left(outcome.left.values())
    if outcome.unedited or (edited is not None and edited.drift):
        yield ""
        yield "NOT ALL DONE: you have to change some models yourself, see above (exit code 1)."
    elif outcome.left:
        yield ""
        yield "NOT ALL DONE: what is left needs a person, see above (exit code 1)."


def _left(items: Iterable[Left]) -> Iterator[str]:
    """The findings that are left. Those with the same reason and the same fix are named together: a line of a mixin
    may hold for many tables."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for left in items:
        key = (left.finding.pattern, one_line(left.reason), *fix_lines(left.finding))
        alike.setdefault(key, []).append(one_line(left.finding.object))
    for (pattern, reason, *lines), objects in alike.items():
        yield f"  {pattern} {', '.join(objects)}: {reason}"
        yield from (f"      fix  {line}" for line in lines)


def _models(edited: Edited, models: bool) -> Iterator[str]:
    if edited.files:
        yield f"Models changed: {', '.join(map(str, edited.files))}"
    if edited.drift and edited.by_hand:
        yield ""
        yield "The models do not say so yet, so the next autogenerate would undo it. Write in the models:"
        yield from (f"  {line}" for line in dict.fromkeys(edited.by_hand))
        if not models:
            yield "  (--models writes indexes, Text, BigInteger, DateTime(timezone=True) and nullable=False for you)"
    elif edited.drift:
        yield ""
        yield "Models and database still differ:"
        yield from (f"  {line}" for line in edited.drift)
    else:
        yield "Models and database agree: the next autogenerate of these tables is empty."


def _sources(outcome: Any, edited: Edited | None, work: Workspace) -> Iterator[str]:
    for file in outcome.written:
        lines = read_text(file.path).splitlines()
        yield "--- /dev/null"
        yield f"+++ b/{work.shown(file.path)}"
        yield f"@@ -0,0 +1,{len(lines)} @@"
        yield from (f"+{line}" for line in lines)
    if edited is not None:
        yield from (line.rstrip("\r\n") for line in edited.diff())
