"""What ``alembic pgfix`` says when it is done."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from typing import Any, TextIO

from alembic_pgpatterns.cli.stdout import standard_output
from alembic_pgpatterns.fix.edit_models import Edited
from alembic_pgpatterns.report.words import fix_lines
from alembic_pgpatterns.runner.project import relative


def tell(outcome: Any, edited: Edited | None, options: argparse.Namespace, stream: TextIO) -> None:
    """Write it: files, what they cure, what is left and the way, what the models lack."""
    with standard_output(stream) as out:
        for line in _lines(outcome, edited, options.dry_run, options.models):
            out.write(f"{line}\n")


def _lines(outcome: Any, edited: Edited | None, dry_run: bool, models: bool) -> Iterator[str]:
    if dry_run:
        yield from _sources(outcome, edited)
    names = [relative(str(one.path.absolute())) for one in outcome.written]
    yield f"pgfix: {len(outcome.fixed)} findings fixed{' (dry run: nothing is left on disk)' if dry_run else ''}"
    for pattern, count in Counter(finding.pattern for finding in outcome.fixed).most_common():
        yield f"  {pattern:34} {count:>5}"
    if names:
        yield "Run up, down and up again, and checked anew:"
        yield from (f"  {name}" for name in names)
    if edited is not None:
        yield from _models(edited, models)
    if outcome.left:
        yield ""
        yield f"{len(outcome.left)} left, which no revision here can cure safely:"
        for left in outcome.left.values():
            yield f"  {left.finding.pattern} {left.finding.object}: {left.reason}"
            yield from (f"      fix  {line}" for line in fix_lines(left.finding))


def _models(edited: Edited, models: bool) -> Iterator[str]:
    if edited.files:
        yield f"Models changed: {', '.join(map(str, edited.files))}"
    if edited.drift and edited.by_hand:
        yield ""
        yield "The models do not say so yet, and the next autogenerate would take it back. Write there:"
        yield from (f"  {line}" for line in dict.fromkeys(edited.by_hand))
        if not models:
            yield "  (--models does the indexes, Text and DateTime(timezone=True))"
    elif edited.drift:
        yield ""
        yield "Models and database still differ:"
        yield from (f"  {line}" for line in edited.drift)
    else:
        yield "Models and database agree: the next autogenerate of these tables is empty."


def _sources(outcome: Any, edited: Edited | None) -> Iterator[str]:
    for one in outcome.written:
        name = relative(str(one.path.absolute()))
        lines = one.path.read_text(encoding="utf-8").splitlines()
        yield "--- /dev/null"
        yield f"+++ b/{name}"
        yield f"@@ -0,0 +1,{len(lines)} @@"
        yield from (f"+{line}" for line in lines)
    if edited is not None:
        yield from (line.rstrip("\n") for line in edited.diff())
