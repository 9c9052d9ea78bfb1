"""The counters of a recording: each text once, each place once, and the longest series of calls of each place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any

from alembic_pgpatterns.workload.call_site import Caller, CallSites
from alembic_pgpatterns.workload.model import SAMPLES, TESTS, Recorded, Series, Usage, both
from alembic_pgpatterns.workload.text import Dollar, Reading, dollar, first_row, read
from alembic_pgpatterns.workload.values import WITHHELD, plain

_DISTINCT = 1000
"""The most different sets of values that are counted in a series."""
_AFTER = 3
"""How many queries without a result are remembered, because an INSERT may follow."""

Key = tuple[tuple[CodeType, int] | None, str | None, str | None]


@dataclass(slots=True)
class Place:
    """Where and when one statement was sent."""

    caller: Caller
    reason: str | None
    attribute: str | None
    transaction: Any
    commits: int
    rows: int


@dataclass(slots=True)
class Running:
    """The present series at one place: calls from one call of the application (``root``)."""

    root: Any
    test: bool
    calls: int = 0
    values: set[int] = field(default_factory=set)
    transaction: Any = None
    transactions: int = 0
    in_transaction: int = 0
    values_in_transaction: set[int] = field(default_factory=set)
    most: tuple[int, int] = (0, 0)
    repeated: int = 0
    written: int = -1
    commits: int = 0
    last_commits: int = -1
    flush: Any = None
    flushes: int = 0
    batches: int = 0
    parameters: int = 0
    rows: int = -1

    def add(self, place: Place, values: int, width: int, many: bool, written: int) -> None:
        """Count one more call. ``written``: how many statements have written until now."""
        self.calls += 1
        if place.transaction is not self.transaction:
            self._next_transaction(place.transaction)
        # After a write the same question may have another answer.
        if values in self.values_in_transaction and written == self.written:
            self.repeated += 1
        self.written = written
        self.in_transaction += 1
        for seen in (self.values, self.values_in_transaction):
            if len(seen) < _DISTINCT:
                seen.add(values)
        if self.last_commits not in (-1, place.commits):
            self.commits += 1
        self.last_commits = place.commits
        flush = place.caller.flush
        if flush is not None and flush is not self.flush:
            self.flushes += 1
        self.flush = flush
        self.batches += many
        self.parameters = max(self.parameters, width)
        self.rows = max(self.rows, place.rows)

    def _next_transaction(self, transaction: Any) -> None:
        self._note_most()
        self.transaction = transaction
        self.transactions += 1
        self.in_transaction = 0
        self.values_in_transaction = set()

    def _note_most(self) -> None:
        self.most = max(self.most, (len(self.values_in_transaction), self.in_transaction))

    def series(self) -> Series:
        """The series until now."""
        self._note_most()
        return Series(
            calls=self.calls,
            distinct=len(self.values),
            in_transaction=self.most[1],
            distinct_in_transaction=self.most[0],
            repeated=self.repeated,
            commits=self.commits,
            flushes=self.flushes,
            batches=self.batches,
            parameters=self.parameters,
            rows=self.rows,
            transactions=self.transactions,
        )


@dataclass(slots=True)
class Total:
    """All calls of one place."""

    test: bool
    calls: int = 0
    longest: Series | None = None
    tests: dict[str, None] = field(default_factory=dict)
    after: dict[str, None] = field(default_factory=dict)
    running: Running | None = None

    def fold(self) -> None:
        """Keep the present series if it is the longest, and begin a new one."""
        if self.running is not None and self.running.calls:
            series = self.running.series()
            if self.longest is None or _length(series) > _length(self.longest):
                self.longest = series
        self.running = None


def _length(series: Series) -> tuple[int, int, int]:
    return series.distinct_in_transaction, series.commits, series.calls


@dataclass(slots=True)
class Text:
    """All calls of one text."""

    dollar: Dollar
    kind: str
    calls: int = 0
    samples: dict[int, tuple[object, ...]] = field(default_factory=dict)
    first: tuple[Any, ...] | None = None
    varying: set[int] = field(default_factory=set)
    places: dict[Key, Total] = field(default_factory=dict)


class Aggregate:
    """Counts statements while they are sent. It is not thread-safe: the recorder holds a lock."""

    def __init__(self, sites: CallSites, values: str) -> None:
        self.test = ""
        self._sites = sites
        self._level = values
        self._texts: dict[tuple[str, bool], Text] = {}
        self._without_parameters: dict[str, Text] = {}
        self._written = 0
        self._empty: list[tuple[CodeType, Any, str]] = []

    def add(self, statement: str, parameters: Any, context: Any, executemany: bool, place: Place) -> None:
        """Count one call."""
        named = isinstance(parameters, dict)
        text = self._texts.get((statement, named))
        if text is None:
            text = self._texts[statement, named] = self._new(statement, parameters, context)
        text.calls += 1
        values = text.dollar.values(_first(parameters))
        key = _hash(values)
        self._sample(text, values, key)
        if text.kind != "select":
            self._written += 1
        total = self._total(text, place)
        many = _is_batch(context, parameters, executemany)
        running = total.running
        if running is None or running.root is not place.caller.root:
            total.fold()
            running = total.running = Running(place.caller.root, place.caller.test)
        # Without parameters the constants are the values.
        sent = key if values else hash(statement)
        running.add(place, sent, len(values or ()), many, self._written if text.kind == "select" else 0)
        self._follow(text, statement, total, place)

    def _new(self, statement: str, parameters: Any, context: Any) -> Text:
        """A text that was not sent before; the earlier one if they differ in constants only, and have no parameters."""
        text = Text(dollar(statement, _first(parameters)), _kind(statement, context))
        reading = None if _first(parameters) else read(text.dollar.text)
        return text if reading is None else self._without_parameters.setdefault(reading.fingerprint, text)

    def _total(self, text: Text, place: Place) -> Total:
        key = (place.caller.key, place.reason, place.attribute)
        total = text.places.get(key)
        if total is None:
            total = text.places[key] = Total(place.caller.test)
        total.calls += 1
        if self.test:
            total.tests[self.test] = None
        return total

    def _sample(self, text: Text, values: tuple[object, ...] | None, key: int) -> None:
        if values is None:
            return
        if text.first is None:
            text.first = values
        elif len(text.varying) < len(values):
            pairs = enumerate(zip(text.first, values, strict=False))
            text.varying.update(i for i, (earlier, other) in pairs if earlier is not other and earlier != other)
        if len(text.samples) < SAMPLES and key not in text.samples and self._level != "none":
            sample = tuple(plain(value, self._level) for value in values)
            if WITHHELD not in sample:
                text.samples[key] = sample

    def _follow(self, text: Text, statement: str, total: Total, place: Place) -> None:
        """Remember queries without a result, and add them to the INSERT that follows from the same function."""
        if place.caller.key is None:
            return
        code = place.caller.key[0]
        if text.kind == "select" and place.rows == 0 and place.reason is None:
            self._empty = [*self._empty[1 - _AFTER :], (code, place.transaction, statement)]
        elif text.kind == "insert" and self._empty:
            same = [query for c, t, query in self._empty if c is code and t is place.transaction]
            total.after.update(dict.fromkeys(same))

    def fold_all(self) -> None:
        """End all series: later calls belong to another test. Releases frames and transactions."""
        self._empty = []
        for text in self._texts.values():
            for total in text.places.values():
                total.fold()

    def statements(self) -> tuple[Recorded, ...]:
        """The counted statements, one per shape, without those that cannot be parsed."""
        shapes: dict[str, Recorded] = {}
        for text in {id(text): text for text in self._texts.values()}.values():
            recorded = self._recorded(text)
            if recorded is not None:
                present = shapes.get(recorded.fingerprint)
                shapes[recorded.fingerprint] = recorded if present is None else both(present, recorded)
        return tuple(shapes.values())

    def _recorded(self, text: Text) -> Recorded | None:
        reading = read(text.dollar.text)
        if reading is None:
            return None
        constant = tuple(i for i in range(len(text.first or ())) if i not in text.varying)
        row = first_row(text.dollar.text) if reading.kind == "insert" else None
        if row is not None:  # the rest says nothing more, and is long
            return replace(self._as_recorded(text, reading, ()), text=row, values=())
        return self._as_recorded(text, reading, constant)

    def _as_recorded(self, text: Text, reading: Reading, constant: tuple[int, ...]) -> Recorded:
        return Recorded(
            fingerprint=reading.fingerprint,
            text=text.dollar.text,
            kind=reading.kind,
            calls=text.calls,
            values=tuple(text.samples.values()),
            constant=constant if text.calls > 1 else (),
            tables=reading.writes,
            usages=tuple(self._usage(key, total) for key, total in text.places.items()),
        )

    def _usage(self, key: Key, total: Total) -> Usage:
        at, reason, attribute = key
        after = (read(dollar(query, {"x": 1}).text) for query in total.after)
        return Usage(
            site=self._sites.site(at, total.test) if at is not None else None,
            calls=total.calls,
            series=total.longest or Series(),
            reason=reason,
            attribute=attribute,
            tests=tuple(total.tests)[:TESTS],
            test_count=len(total.tests),
            after=tuple(dict.fromkeys(reading.fingerprint for reading in after if reading is not None)),
        )


def _kind(statement: str, context: Any) -> str:
    for name in ("insert", "update", "delete"):
        if getattr(context, f"is{name}", False):
            return name
    head = statement.lstrip()[:7].lower()
    if head.startswith(("select", "with", "values")):
        return "select"
    return next((name for name in ("insert", "update", "delete") if head.startswith(name)), "other")


def _first(parameters: Any) -> Any:
    """The parameters of the first row, if one call has many."""
    many = isinstance(parameters, list) and parameters and isinstance(parameters[0], dict | tuple)
    return parameters[0] if many else parameters


def _is_batch(context: Any, parameters: Any, executemany: bool) -> bool:
    """Whether one call has many rows: executemany, SQLAlchemy's insertmanyvalues, or VALUES with several rows."""
    if executemany and isinstance(parameters, list):
        return len(parameters) > 1
    if getattr(getattr(context, "execute_style", None), "name", "") == "INSERTMANYVALUES":
        return len(context.compiled_parameters) > 1
    # values() with a list of rows; no public attribute tells it.
    statement = getattr(getattr(context, "compiled", None), "statement", None)
    return bool(getattr(statement, "_multi_values", ()))


def _hash(values: tuple[object, ...] | None) -> int:
    try:
        return hash(values)
    except TypeError:
        # Lists and dicts have no hash.
        return hash(repr(values)[:4000])
