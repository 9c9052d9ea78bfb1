"""Run pgcheck on real projects from the package index, beside their bare upgrade, and print a row for each.

    python benchmarks/real_projects.py optuna mlflow      some of them
    python benchmarks/real_projects.py --list             which there are
    python benchmarks/real_projects.py --all --json rows.json

Each project gets a virtual environment of its own in a folder that is kept (`--root`). The bare upgrade and
pgcheck run on throw-away servers with the same settings, in turn, `--repeat` times; the best of each counts.
The processor time of each, with its server, hardly moves when the machine is busy; `in time` is judged by it.
While pgcheck runs, the project is configured for a database that does not exist, so what it finds can only
come from the throw-away server. `counted` are the same patterns by catalog queries of this benchmark's own;
they see no models, so a varchar that the models declare as an Enum is counted and rightly not found.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from projects import counts
from projects.recipe import ProjectError, Workplace, names, read

from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server

NOWHERE = "nobody:wrong@pgpatterns.invalid:1/none"
SCRATCH = "{user}:{password}@/{database}?host={host}&port={port}"
T = TypeVar("T")
ALLOWED_RATIO, ALLOWED_SECONDS = 1.15, 1.0


@dataclass(slots=True)
class Row:
    """What is measured of one project; times in seconds of the wall clock."""

    project: str
    version: str
    revisions: int
    tables: int = 0
    foreign_keys: int = 0
    upgrade: float = 0.0
    pgcheck: float = 0.0
    upgrade_cpu: float = 0.0
    pgcheck_cpu: float = 0.0
    findings: dict[str, int] = field(default_factory=dict)
    counted: dict[str, set[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    note: str = ""

    @property
    def ratio(self) -> float:
        """Time of pgcheck by time of the bare upgrade."""
        return self.pgcheck / self.upgrade if self.upgrade else 0.0

    @property
    def cpu_ratio(self) -> float:
        """Processor time of pgcheck by that of the bare upgrade, each with its server."""
        return self.pgcheck_cpu / self.upgrade_cpu if self.upgrade_cpu else 0.0

    @property
    def allowed(self) -> bool:
        """Whether pgcheck took no longer than it may on top of the upgrade, by the processor's clock."""
        return self.pgcheck_cpu <= ALLOWED_RATIO * self.upgrade_cpu + ALLOWED_SECONDS


def main() -> int:
    """Parse the command line, measure, print; 1 when a project did not do what its recipe says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="every project there is a recipe for")
    parser.add_argument("--list", action="store_true", help="name the projects and what is special about each")
    parser.add_argument("--root", type=Path, default=default_root(), help="folder of the environments (%(default)s)")
    parser.add_argument("--repeat", type=int, default=2, help="runs of each kind, the best counts (%(default)s)")
    parser.add_argument("--json", type=Path, help="also write all rows to this file, with every object counted")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{name:16} {read(name).summary}" for name in names()))
        return 0
    chosen = names() if options.all else options.names
    if not chosen:
        parser.error(f"name a project: {', '.join(names())}")
    rows, failed = [], False
    for name in chosen:
        try:
            rows.append(measure(Workplace(read(name), options.root.absolute() / name), max(options.repeat, 1)))
            print(shown(rows[-1]), flush=True)
        except ProjectError as error:
            failed = True
            print(f"{name}: {error}", file=sys.stderr)
    print("\n" + table(rows))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1, default=sorted), encoding="utf-8")
    return int(failed)


def default_root() -> Path:
    """Return the folder for the environments in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "alembic-pgpatterns" / "real_projects"


def measure(place: Workplace, repeat: int) -> Row:
    """Install the project, then run its upgrade and pgcheck in turn.

    Raises ProjectError where it cannot be installed, or does not reach (or fail to reach) head as its recipe says.
    """
    recipe = place.recipe
    if place.install():
        upgrade(place, Row(recipe.name, "", 0))  # writes the compiled modules, which would count against the first
    pgcheck(place, "--list")  # as well: ours may have changed since
    row = Row(recipe.name, version(place), place.revision_count())
    if recipe.fails_with:
        fails(place, row)
        return row
    upgrades, checks, report = [], [], {}
    for _ in range(repeat):
        upgrades.append(processor_time(lambda: upgrade(place, row)))
        (seconds, done), processor = processor_time(lambda: pgcheck(place))
        checks.append((seconds, processor))
        report = parsed(done)
    row.upgrade, row.pgcheck = min(upgrades)[0], min(checks)[0]
    row.upgrade_cpu, row.pgcheck_cpu = min(used for _, used in upgrades), min(used for _, used in checks)
    compare(row, report["findings"])
    return row


def processor_time(work: Callable[[], T]) -> tuple[T, float]:
    """Return what the work returns, and the processor seconds of all programs that it ran to their end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return result, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def version(place: Workplace) -> str:
    """Return the installed version of the project."""
    stem = place.recipe.name.replace("-", "_")
    return PathDistribution(next(place.packages.glob(f"{stem}-*.dist-info"))).version


def fails(place: Workplace, row: Row) -> None:
    """Demand that pgcheck fails as it does when a check cannot be done, and names the server's own reason."""
    row.pgcheck, done = pgcheck(place)
    reason, told = place.recipe.fails_with, done.stdout + done.stderr
    if done.returncode != 255 or "FAILED: " not in told or reason not in told:
        raise ProjectError(
            f"should fail with 255, FAILED: and {reason!r}, yet ended with {done.returncode}:\n{said(done)}"
        )
    row.note = f"fails, as it must: {reason}"


@contextmanager
def database(place: Workplace) -> Iterator[tuple[ThrowawayServer, str]]:
    """A fresh database on a server of its own, with what must stand before the first revision."""
    with throwaway_server(listen=True) as server:
        name = server.create_database("project")
        if place.recipe.prepare is not None:
            with server.connect(name) as connection:
                connection.execute(place.bootstrap.read_bytes())
        yield server, name


def upgrade(place: Workplace, row: Row) -> float:
    """Run the project's own upgrade, count what it built into the row, and return its seconds."""
    recipe = place.recipe
    with database(place) as (server, name):
        url = f"{recipe.scheme}://postgres:{server.password}@127.0.0.1:{server.port}/{name}"
        place.write_ini(url)
        command = [*alembic(place, place.programs / "alembic", url), "upgrade", "heads"]
        if recipe.upgrade_command:
            command = shlex.split(place.fill(recipe.upgrade_command, url))
        seconds, done = timed(command, place, place.environment(url))
        if done.returncode and not recipe.fails_with:
            raise ProjectError(f"its own upgrade ended with {done.returncode}:\n{said(done)}")
        with server.connect(name) as connection:
            count(connection, row)
    return seconds


def count(connection: psycopg.Connection[Any], row: Row) -> None:
    """Fill in what the catalog of the upgraded database holds."""
    row.tables, row.foreign_keys = counts.size(connection)
    row.counted = counts.expected(connection)


def compare(row: Row, findings: list[dict[str, Any]]) -> None:
    """Fill in the findings, and where they are not the objects that the benchmark's own queries list."""
    row.findings = dict(sorted(Counter(finding["pattern"] for finding in findings).items()))
    for pattern, objects in row.counted.items():
        found = {finding["object"] for finding in findings if finding["pattern"] == pattern}
        row.missing += [f"{pattern} {name}" for name in sorted(objects - found)]
        row.extra += [f"{pattern} {name}" for name in sorted(found - objects)]


def pgcheck(place: Workplace, *flags: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Run pgcheck on the project, configured for a database that does not exist; return the seconds too."""
    recipe = place.recipe
    nowhere = f"{recipe.scheme}://{NOWHERE}"
    place.write_ini(nowhere)
    place.write_settings(f"{recipe.scheme}://{SCRATCH}")
    command = [*alembic(place, place.checker, nowhere), "pgcheck", "--format", "json", "--exit-zero", *flags]
    if recipe.upgrade_command:
        command += ["--upgrade-command", place.fill(recipe.upgrade_command, nowhere)]
    return timed(command, place, place.environment(nowhere))


def alembic(place: Workplace, program: Path, url: str) -> list[str]:
    """Return the command line of `alembic` up to its command."""
    arguments = [place.fill(word, url) for word in place.recipe.arguments]
    return [str(program), "-c", str(place.ini), "-c", str(place.root / "pyproject.toml"), *arguments]


def timed(
    command: list[str], place: Workplace, environment: dict[str, str]
) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Run a command in the project's folder and return how long it took."""
    # Else a package that is installed editable is compiled again and again.
    ambient = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=place.root, env={**ambient, **environment}, capture_output=True, text=True, check=False
    )
    return time.perf_counter() - began, done


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return the end of what a program wrote, to either stream."""
    return "\n".join(text.strip()[-3000:] for text in (done.stdout, done.stderr) if text.strip())


def parsed(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the report. Raises ProjectError where the check failed, or standard output holds anything else."""
    if done.returncode:
        raise ProjectError(f"pgcheck ended with {done.returncode}:\n{said(done)}")
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise ProjectError(f"standard output is not JSON alone ({error}): {done.stdout[:500]!r}") from error
    return report


def shown(row: Row) -> str:
    """Return a row with its findings beside what the benchmark counted itself."""
    title = f"{row.project} {row.version}: "
    if row.note:
        return title + row.note
    lines = [f"{title}{row.upgrade:.1f} s (CPU {row.upgrade_cpu:.2f}), pgcheck {row.pgcheck:.1f} s"]
    lines[0] += f" (CPU {row.pgcheck_cpu:.2f})"
    for pattern in sorted({*row.findings, *row.counted}):
        own = f"  counted {len(row.counted[pattern])}" if pattern in row.counted else ""
        lines.append(f"  {pattern:32} {row.findings.get(pattern, 0):5}{own}")
    lines += [f"  counted, not found: {name}" for name in row.missing]
    lines += [f"  found, not counted: {name}" for name in row.extra]
    return "\n".join(lines)


def table(rows: list[Row]) -> str:
    """Return all rows as one Markdown table."""
    head = ["project", "revisions", "tables", "foreign keys", "upgrade s", "pgcheck s", "ratio"]
    head += ["upgrade CPU s", "pgcheck CPU s", "CPU ratio", "in time", "findings"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        patterns = ", ".join(f"{pattern} {number}" for pattern, number in row.findings.items())
        cells = [f"{row.project} {row.version}", row.revisions, row.tables or "-", row.foreign_keys or "-"]
        times = [f"{row.upgrade:.1f}", f"{row.pgcheck:.1f}", f"{row.ratio:.2f}", f"{row.upgrade_cpu:.1f}"]
        times += [f"{row.pgcheck_cpu:.1f}", f"{row.cpu_ratio:.2f}", "yes" if row.allowed else "NO"]
        if row.note:
            times = ["-", f"{row.pgcheck:.1f}", *["-"] * 5]
        lines.append("| " + " | ".join(map(str, [*cells, *times, row.note or patterns])) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
