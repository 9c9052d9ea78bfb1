from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Action, Basis, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._words import names_any, words
from alembic_pgpatterns.patterns.indexes._evidence import RANGES, counted, ordered_by, queries_on, with_condition
from alembic_pgpatterns.patterns.indexes._shape import beside, definition, named, replaceable, usable
from alembic_pgpatterns.remedies.model import CreateIndex, IndexedKey, Remedy, ReplaceIndex
from alembic_pgpatterns.schema.model import Column, Index, Schema, Table
from alembic_pgpatterns.schema.sql.expressions import is_now

MOMENTS = frozenset({"timestamp", "timestamptz"})


@dataclass(frozen=True, slots=True)
class PlainIndexOnTimeSeriesOptions:
    """What tells a time series."""

    kinds: tuple[str, ...] = (
        "event", "events", "log", "logs", "audit", "audits", "metric", "metrics", "measurement", "measurements",
        "reading", "readings", "telemetry",
    )  # fmt: skip
    """The last word of the table's name, but for `entries` after it: `audit_log`, `metric_samples`."""

    entries: tuple[str, ...] = (
        "entry", "entries", "record", "records", "line", "lines", "row", "rows", "item", "items", "sample", "samples",
        "value", "values", "point", "points", "data", "message", "messages", "trail",
    )  # fmt: skip
    """Words that may follow the kind and say nothing new."""

    moments: tuple[str, ...] = (
        "created", "occurred", "recorded", "logged", "received", "ingested", "happened", "measured", "emitted",
        "timestamp", "time", "ts", "at",
    )  # fmt: skip
    """Words in the name of the timestamp that says when a row was made."""

    changes: tuple[str, ...] = (
        "updated", "modified", "changed", "edited", "touched", "deleted", "archived", "discarded", "processed",
        "finished", "completed", "ended", "closed", "start", "starts", "started", "end", "ends", "published",
    )  # fmt: skip
    """Words in the names of other times; with one of them the table is not taken for append-only."""

    rows: int = 100_000
    """Fewer rows than these, where statistics of a live database are at hand, need no BRIN."""


class PlainIndexOnTimeSeries(SchemaPattern):
    """A table that only grows in the order of time, whose timestamp has no index or only a btree.

    Rows that are added in the order of time and never changed lie on disk in that order. A BRIN index stores only the
    smallest and largest time of each 128 blocks. It is about a thousand times smaller than a btree and costs almost
    nothing on INSERT, and a search for a span of time still skips everything outside of it.

    A table is recognised by a timestamptz with the default now() that says when the row was made, no time that says
    when it was changed, and a name that ends in a word for events, logs, audits or metrics; or it is partitioned by
    that timestamp.

    Not reported: tables with a status or a second, nullable time, whose rows change; timestamps that are the first
    column of an index over several columns or of one behind a constraint; with statistics of a live database, tables
    below the option `rows`.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    basis = Basis.QUERIES
    not_when = (
        "Keep the btree if single rows are looked up by time, or the latest few are read (ORDER BY … LIMIT): BRIN "
        "cannot sort, and it does not help if rows are updated, backfilled or deleted here and there."
    )
    Options = PlainIndexOnTimeSeriesOptions
    references = (
        "https://www.postgresql.org/docs/current/brin.html",
        "https://www.postgresql.org/docs/current/indexes-types.html#INDEXES-TYPES-BRIN",
    )
    bad = """
        CREATE TABLE audit_log (id bigint PRIMARY KEY, what text, created_at timestamptz NOT NULL DEFAULT now());
        CREATE INDEX audit_log_created ON audit_log (created_at);
    """
    good = """
        CREATE TABLE audit_log (id bigint PRIMARY KEY, what text, created_at timestamptz NOT NULL DEFAULT now());
        CREATE INDEX audit_log_created ON audit_log USING brin (created_at);
    """
    bad_models = """
from sqlalchemy import BigInteger, Column, DateTime, Index, MetaData, Table, Text, func

metadata = MetaData()
Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("what", Text),
    Column("created_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
    Index("audit_log_created", "created_at"),
)
"""
    good_models = bad_models.replace('"created_at"),\n)', '"created_at", postgresql_using="brin"),\n)')

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """The timestamps of time series that BRIN would serve."""
        for table in schema.checked_tables():
            telling = self._is_named_so(table)
            moment = self._moment(table) if telling or table.partition_strategy == "range" else None
            if moment is None or self._small(table) or not (telling or table.partition_keys[:1] == (moment.name,)):
                continue
            leading = [
                index for index in table.indexes if index.columns[:1] == (moment.name,) and index.predicate is None
            ]
            if all(_plain(index) for index in leading):
                shapes = queries_on(schema, table)
                spans = with_condition(shapes, moment.name, RANGES)
                # BRIN has no order: for the newest ten rows a btree is better.
                latest = [shape for shape in ordered_by(shapes, moment.name) if shape.limit]
                yield self.finding(
                    at=moment,
                    message=f"{table.name} only grows, in the order of {moment.name}: {_state(leading)}",
                    remedy=_remedy(table, moment, leading),
                    evidence=None if latest else counted("spans of time are searched", spans),
                )

    def _moment(self, table: Table) -> Column | None:
        """When a row was made; None where another time says that rows change."""
        times = [column for column in table.columns if column.type.name in MOMENTS and not column.type.array]
        moments = [column for column in times if self._is_moment(column)]
        others = [column for column in times if column not in moments]
        # Rows that are updated move, and a range of blocks then holds any times.
        changes = any(column.nullable or names_any(column.name, self.options.changes) for column in others)
        stateful = any(names_any(column.name, ("status", "state")) for column in table.columns)
        return None if not moments or changes or stateful else moments[0]

    def _is_moment(self, column: Column) -> bool:
        return (
            column.type.name == "timestamptz"
            and isinstance(column.default, str)
            and is_now(column.default)
            and names_any(column.name, self.options.moments)
            and not names_any(column.name, self.options.changes)
        )

    def _is_named_so(self, table: Table) -> bool:
        name_words = list(words(table.name.name))
        while name_words and name_words[-1] in self.options.entries:
            name_words.pop()
        return bool(name_words) and name_words[-1] in self.options.kinds

    def _small(self, table: Table) -> bool:
        # -1: nobody has counted them yet (pg_class.reltuples).
        return table.statistics is not None and 0 <= table.statistics.rows < self.options.rows


def _plain(index: Index) -> bool:
    return index.method == "btree" and len(index.keys) == 1 and usable(index) and replaceable(index)


def _state(leading: list[Index]) -> str:
    return f"{leading[0].name} is a btree" if leading else "no index starts with it"


def _remedy(table: Table, moment: Column, leading: list[Index]) -> Remedy:
    new = CreateIndex(table.name, (IndexedKey(moment.name),), method="brin")
    old = definition(leading[0], table) if leading else None
    return (
        named(new, table) if old is None else ReplaceIndex(leading[0].name, old, beside(new, table, old.name, "brin"))
    )
