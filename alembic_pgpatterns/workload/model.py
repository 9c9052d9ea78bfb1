"""A workload as plain data: each statement once, with its senders, counts and values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

SAMPLES: Final = 5
"""How many sets of values are stored per statement."""
TESTS: Final = 5
"""How many names of tests are stored per place."""

SOURCE: Final = "source"
"""The source of a workload from the application's files: no statement ran."""
TESTS_SOURCE: Final = "pytest"
"""The source of a workload from tests: its counts do not show how often production runs a statement."""


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """The place in the application that sends a statement. ``test``: it is the body of a test."""

    path: str
    line: int
    function: str
    test: bool = False

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Series:
    """The longest series of one statement from one place within one call of the application.

    Attributes:
        calls: how often it was sent.
        distinct: with how many different sets of values.
        in_transaction: the most calls within one transaction.
        distinct_in_transaction: different sets of values within that transaction.
        repeated: calls with values that the same transaction had sent before, with no write between.
        commits: how often something was committed between two of the calls.
        flushes: by how many flushes of the ORM the calls were sent; 0 where none sent them.
        batches: how many of the calls carried many rows (executemany).
        parameters: the most parameters of one call.
        rows: the most rows that one call returned or changed; -1 where the driver did not say.
        transactions: in how many transactions.
    """

    calls: int = 1
    distinct: int = 1
    in_transaction: int = 1
    distinct_in_transaction: int = 1
    repeated: int = 0
    commits: int = 0
    flushes: int = 0
    batches: int = 0
    parameters: int = 0
    rows: int = -1
    transactions: int = 1


@dataclass(frozen=True, slots=True)
class Usage:
    """One place that sends a statement.

    ``reason``: "lazy load", "eager load" or "column load" if the ORM sends it by itself; None for the application.
    ``attribute``: what is loaded (``User.orders``, or the class). ``after``: fingerprints of queries that found no row
    in the same function and transaction just before.
    """

    site: Site | None
    calls: int
    series: Series = Series()
    reason: str | None = None
    attribute: str | None = None
    tests: tuple[str, ...] = ()
    test_count: int = 0
    after: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[Site | None, str | None, str | None]:
        """The key by which two records are the same place."""
        return self.site, self.reason, self.attribute


@dataclass(frozen=True, slots=True)
class Recorded:
    """One statement of the workload.

    Attributes:
        fingerprint: of its shape, by PostgreSQL's parser: lists of any length and all constants are alike.
        text: SQL with ``$1`` for parameters.
        kind: "select", "insert", "update", "delete" or "other".
        calls: how often it was sent.
        values: up to five different sets of values, as JSON has them; empty where they are not known or not allowed.
        constant: positions (from 0) of the parameters that had one value in all calls.
        milliseconds: mean time, where the source knows it.
        tables: the tables it writes.
    """

    fingerprint: str
    text: str
    kind: str
    calls: int = 1
    values: tuple[tuple[object, ...], ...] = ()
    constant: tuple[int, ...] = ()
    milliseconds: float | None = None
    tables: tuple[str, ...] = ()
    usages: tuple[Usage, ...] = ()

    @property
    def site(self) -> Site | None:
        """The place that sends it most often. Places in the application come before those in tests."""
        with_site = [usage for usage in self.usages if usage.site is not None]
        if not with_site:
            return None
        return min(with_site, key=lambda usage: (usage.site.test if usage.site else True, -usage.calls)).site

    def on_one_line(self, most: int) -> str:
        """The text on one line, cut after so many characters."""
        text = " ".join(self.text.split())
        return text if len(text) <= most else f"{text[:most]}…"


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """How an engine of the application pools its connections. ``overflow`` -1: without limit; sizes in connections."""

    dialect: str
    pool: str
    size: int | None = None
    overflow: int | None = None
    recycle: int | None = None
    pre_ping: bool = False
    is_async: bool = False
    expires_on_commit: bool | None = None
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """All statements of a recording or an import.

    ``source``: "pytest", "record", "pg_stat_statements", "sql", "log" or "source"; several are joined by "+".
    """

    statements: tuple[Recorded, ...] = ()
    source: str = TESTS_SOURCE
    engines: tuple[EngineFacts, ...] = ()
    notes: tuple[str, ...] = ()
    _by_fingerprint: dict[str, Recorded] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_fingerprint.update((statement.fingerprint, statement) for statement in self.statements)

    def statement(self, fingerprint: str) -> Recorded | None:
        """The statement with this fingerprint."""
        return self._by_fingerprint.get(fingerprint)

    def of_application(self) -> Workload:
        """The workload without statements that only bodies of tests send; all statements if there are no others."""
        sent = [item for item in self.statements if not item.usages or any(not _in_test(u) for u in item.usages)]
        return replace(self, statements=tuple(sent)) if sent else self

    @property
    def from_production(self) -> bool:
        """Whether all of it comes from a live server, so that counts and values are those of production."""
        return set(self.source.split("+")) <= {"record", "pg_stat_statements", "log"}


def _in_test(usage: Usage) -> bool:
    return usage.site is not None and usage.site.test


def merged(workloads: Iterable[Workload]) -> Workload:
    """Several workloads as one: calls are added up, places and values united."""
    statements: dict[str, Recorded] = {}
    engines: dict[EngineFacts, None] = {}
    sources: dict[str, None] = {}
    notes: dict[str, None] = {}
    for workload in workloads:
        sources.update(dict.fromkeys(workload.source.split("+")))
        engines.update(dict.fromkeys(workload.engines))
        notes.update(dict.fromkeys(workload.notes))
        for statement in workload.statements:
            present = statements.get(statement.fingerprint)
            statements[statement.fingerprint] = statement if present is None else both(present, statement)
    return Workload(tuple(statements.values()), "+".join(sources) or TESTS_SOURCE, tuple(engines), tuple(notes))


def both(first: Recorded, other: Recorded) -> Recorded:
    """Two records of one statement as one."""
    main, second = (first, other) if first.calls >= other.calls else (other, first)
    alike = main.text == second.text
    values = tuple(dict(_by_values((*main.values, *(second.values if alike else ())))).values())[:SAMPLES]
    constant = tuple(p for p in main.constant if alike and p in second.constant and _same(main, second, p))
    return replace(
        main,
        calls=main.calls + second.calls,
        values=values,
        constant=constant if alike else main.constant,
        milliseconds=_mean(main, second),
        tables=tuple(dict.fromkeys((*main.tables, *second.tables))),
        usages=_united((*main.usages, *second.usages)),
    )


def _by_values(samples: Iterable[tuple[object, ...]]) -> Iterator[tuple[str, tuple[object, ...]]]:
    return ((repr(sample), sample) for sample in samples)


def _same(first: Recorded, other: Recorded, position: int) -> bool:
    samples = [sample[position] for sample in (*first.values, *other.values) if len(sample) > position]
    return all(value == samples[0] for value in samples)


def _mean(first: Recorded, other: Recorded) -> float | None:
    timed = [item for item in (first, other) if item.milliseconds is not None]
    calls = sum(item.calls for item in timed)
    return sum((item.milliseconds or 0.0) * item.calls for item in timed) / calls if calls else None


def _united(usages: Iterable[Usage]) -> tuple[Usage, ...]:
    places: dict[tuple[Site | None, str | None, str | None], Usage] = {}
    for usage in usages:
        present = places.get(usage.key)
        places[usage.key] = usage if present is None else _one_place(present, usage)
    return tuple(places.values())


def _one_place(first: Usage, other: Usage) -> Usage:
    return replace(
        first,
        calls=first.calls + other.calls,
        series=max(first.series, other.series, key=lambda series: (series.distinct_in_transaction, series.calls)),
        tests=tuple(dict.fromkeys((*first.tests, *other.tests)))[:TESTS],
        test_count=first.test_count + other.test_count,
        after=tuple(dict.fromkeys((*first.after, *other.after))),
    )


def by_site(workload: Workload) -> Mapping[Site, list[tuple[Recorded, Usage]]]:
    """The statements of each place, in the order of the workload."""
    places: dict[Site, list[tuple[Recorded, Usage]]] = {}
    for statement in workload.statements:
        for usage in statement.usages:
            if usage.site is not None:
                places.setdefault(usage.site, []).append((statement, usage))
    return places
