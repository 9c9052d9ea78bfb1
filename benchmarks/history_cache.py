"""What keeping the history saves: pgcheck on real projects, cold, warm, and with one new revision.

    python benchmarks/history_cache.py apache-airflow langflow-base      --root as for real_projects.py

For each project: the bare upgrade; pgcheck with nothing kept, and with nothing traced; again with everything kept; with
one new revision after the head (it is traced, up, down and up again, and taken away afterwards); with the same revision
once more; and with that revision edited. Wall and processor seconds, the best of `--repeat`.
The reports of a run from nothing and of one from what was kept are compared: they have to be equal.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from projects.recipe import REVISION_LINE, ProjectError, Workplace, read
from real_projects import Row, default_root, parsed, pgcheck, processor_time, upgrade

NEW = '''"""One revision more"""
from alembic import op
import sqlalchemy as sa

revision = "pgpatterns_new"
down_revision = {parents!r}
branch_labels = None
depends_on = None


def upgrade():
    op.create_table("pgpatterns_new", sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True))
    op.create_index("ix_pgpatterns_new", "pgpatterns_new", ["id"])


def downgrade():
    op.drop_table("pgpatterns_new")
'''
Measured = tuple[float, float]


def main() -> int:
    """Parse the command line, measure, print; 1 where reports differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--root", type=Path, default=default_root(), help="folder of the environments (%(default)s)")
    parser.add_argument("--repeat", type=int, default=2, help="runs of each kind, the best counts (%(default)s)")
    options = parser.parse_args()
    failed = False
    print("| project | run | wall s | CPU s | CPU by upgrade |\n|---|---|---|---|---|")
    for name in options.names:
        with tempfile.TemporaryDirectory() as cache:
            os.environ["XDG_CACHE_HOME"] = cache
            place = Workplace(read(name), options.root.absolute() / name)
            try:
                failed |= measure(place, options.repeat, Path(cache))
            except ProjectError as error:
                print(f"{name}: {error}", file=sys.stderr)
                failed = True
    return int(failed)


def measure(place: Workplace, repeat: int, cache: Path) -> bool:
    """Measure one project and print its rows; whether what was kept changed a report."""
    place.install()
    row = Row(place.recipe.name, "", 0)
    reports: dict[str, str] = {}

    def checked(what: str, *flags: str, fresh: bool = False) -> Measured:
        if fresh:
            for kept in (cache / "alembic-pgpatterns").glob("history-*"):
                shutil.rmtree(kept)
        (seconds, done), processor = processor_time(lambda: pgcheck(place, *flags))
        report = parsed(done)
        reports[what] = json.dumps({"findings": report["findings"], "skipped": report["skipped"]})
        return seconds, processor

    checked("warm-up")
    base = best(repeat, lambda: _upgraded(place, row))
    shown(row.project, "bare upgrade", base, base)
    shown(row.project, "pgcheck, nothing kept (--no-cache)", best(repeat, lambda: checked("none", "--no-cache")), base)
    shown(row.project, "cold: the history runs and is kept", best(repeat, lambda: checked("cold", fresh=True)), base)
    shown(row.project, "warm", best(repeat, lambda: checked("warm")), base)
    with new_revision(place) as (path, head):
        since = ("--since", head)
        first = checked("new", *since)
        shown(row.project, "warm, one new revision (traced, up, down, up)", first, base)
        shown(row.project, "warm, the same again", best(repeat, lambda: checked("again", *since)), base)
        path.write_text(path.read_text() + "# edited\n")
        shown(row.project, "warm, the new revision edited", checked("edited", *since), base)
        checked("new from nothing", *since, "--no-cache")
    pairs = (("none", "cold"), ("none", "warm"), *(("new from nothing", name) for name in ("new", "again", "edited")))
    differing = [f"{one} and {other}" for one, other in pairs if reports[one] != reports[other]]
    print(f"{row.project}: reports {'differ: ' + '; '.join(differing) if differing else 'equal'}", flush=True)
    return bool(differing)


def _upgraded(place: Workplace, row: Row) -> Measured:
    seconds, processor = processor_time(lambda: upgrade(place, row))
    return seconds, processor


def best(repeat: int, work: Callable[[], Measured]) -> Measured:
    """The least of some runs, by wall and by processor time."""
    runs = [work() for _ in range(max(repeat, 1))]
    return min(run[0] for run in runs), min(run[1] for run in runs)


def shown(project: str, what: str, measured: Measured, base: Measured) -> None:
    """Print a row."""
    ratio = measured[1] / base[1] if base[1] else 0.0
    print(f"| {project} | {what} | {measured[0]:.2f} | {measured[1]:.2f} | {ratio:.2f} |", flush=True)


@contextlib.contextmanager
def new_revision(place: Workplace) -> Iterator[tuple[Path, str]]:
    """A revision after the only head, for the time of the measurement."""
    folder = place.packages / place.recipe.revisions
    head = only_head(folder)
    path = folder / "pgpatterns_new_revision.py"
    path.write_text(NEW.format(parents=head))
    try:
        yield path, head
    finally:
        path.unlink()


def only_head(folder: Path) -> str:
    """The identifier of the revision that no other one names."""
    texts = [path.read_text("utf-8", "replace") for path in folder.rglob("*.py")]
    found = {match for text in texts if REVISION_LINE.search(text) for match in _identifiers(text, "revision")}
    named = {match for text in texts for match in _identifiers(text, "down_revision")}
    heads = found - named
    if len(heads) != 1:
        raise ProjectError(f"one head was expected in {folder}, there are {sorted(heads)}")
    return heads.pop()


def _identifiers(text: str, variable: str) -> list[str]:
    for node in ast.parse(text).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if getattr(target, "id", None) == variable and node.value is not None:  # type: ignore[union-attr]
            value = ast.literal_eval(node.value)  # type: ignore[union-attr]
            return [value] if isinstance(value, str) else list(value or ())
    return []


if __name__ == "__main__":
    sys.exit(main())
