"""How do the schema patterns grow with the schema?

    python benchmarks/patterns.py [TABLES …]

For each number of tables (1,000, 5,000 and 20,000 if none is given; 5 columns and 2 indexes each, as in readers.py) it
prints seconds of reading the catalog and of all patterns, of ``MetaData.reflect()`` where there are at most
5,000 tables, how many times reading and checking go into that with all patterns and with the first five, and the peak
of memory of a process that reads and checks. Then, for each pattern, its seconds at each size and its growth: times of
the last two sizes over their sizes, 1.0 is linear. What grows faster, and takes long enough to tell, is marked.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy
from readers import build, peak_megabytes, reflected

from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.findings.run_patterns import run_pattern
from alembic_pgpatterns.patterns import SchemaPattern
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.server.throwaway import throwaway_server

FIRST = frozenset(
    {
        "duplicate-index",
        "missing-primary-key",
        "timestamp-without-time-zone",
        "unindexed-foreign-key",
        "varchar-length",
    }
)
MOST_REFLECTED = 5000
WORSE_THAN_LINEAR = 1.5
LONG_ENOUGH = 0.05


@dataclass(frozen=True, slots=True)
class Size:
    """What is measured at one size, in seconds."""

    tables: int
    read: float
    patterns: dict[str, float]
    findings: int
    reflect: float | None
    megabytes: float

    def row(self) -> str:
        """One line of the first table."""
        everything, five = sum(self.patterns.values()), sum(self.patterns[name] for name in FIRST)
        cells = [f"{self.tables:7}{self.read:9.2f}{everything:12.2f}{self.findings:10}{self.megabytes:9.0f}"]
        if self.reflect is not None:
            ratios = [self.reflect / (self.read + checked) for checked in (everything, five)]
            cells.append(f"{self.reflect:11.2f}{ratios[0]:8.1f}{ratios[1]:8.1f}")
        return "".join(cells)


def best(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """The least of three measurements of a work."""
    found = []
    for _ in range(3):
        start = clock()
        work()
        found.append(clock() - start)
    return min(found)


def measure(url: sqlalchemy.URL, tables: int) -> Size:
    engine = sqlalchemy.create_engine(url)
    build(engine, tables)
    with engine.connect() as connection:
        schema = catalog.read(connection)
        read = best(lambda: catalog.read(connection))
    times, findings = checked(schema)
    reflect = reflected(engine, tables)[0] if tables <= MOST_REFLECTED else None
    megabytes = peak_megabytes(url.render_as_string(hide_password=False))
    engine.dispose()
    return Size(tables, read, times, findings, reflect, megabytes)


def checked(schema: Schema) -> tuple[dict[str, float], int]:
    """Processor seconds of each pattern, which ask no server, and how much they find in all."""
    times, findings = {}, 0
    for pattern in chosen_patterns(Settings(), (SchemaPattern,)):
        assert isinstance(pattern, SchemaPattern)
        findings += len(run_pattern(pattern, schema))
        times[pattern.name] = best(lambda pattern=pattern: run_pattern(pattern, schema), time.process_time)  # type: ignore[misc]
    return times, findings


def growths(sizes: list[Size]) -> str:
    """The second table, slowest first."""
    last = sizes[-1]
    lines = [f"{'pattern':34}" + "".join(f"{size.tables:>9}" for size in sizes) + f"{'growth':>9}"]
    for name in sorted(last.patterns, key=lambda name: -last.patterns[name]):
        seconds = [size.patterns[name] for size in sizes]
        line = f"{name:34}" + "".join(f"{value:9.3f}" for value in seconds)
        if len(sizes) > 1:
            growth = seconds[-1] / max(seconds[-2], 1e-6) / (last.tables / sizes[-2].tables)
            worse = growth > WORSE_THAN_LINEAR and seconds[-1] > LONG_ENOUGH
            line += f"{growth:9.2f}" + ("  worse than linear" if worse else "")
        lines.append(line)
    return "\n".join(lines)


def main(counts: list[int]) -> None:
    titles = f"{'tables':>7}{'read s':>9}{'patterns s':>12}{'findings':>10}{'peak MB':>9}"
    print(f"{titles}{'reflect s':>11}{'ratio':>8}{'of 5':>8}")
    sizes = []
    with throwaway_server() as server:
        for tables in counts:
            name = server.create_database(f"tables_{tables}")
            sizes.append(measure(server.url(name), tables))
            print(sizes[-1].row(), flush=True)
            server.drop_database(name)
    print("\n" + growths(sizes))


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [1000, 5000, 20000])
