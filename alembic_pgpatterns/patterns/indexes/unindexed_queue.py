from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from alembic_pgpatterns.evidence.model import Condition, QueryShape
from alembic_pgpatterns.patterns import Action, Basis, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._words import names_any
from alembic_pgpatterns.patterns.indexes._evidence import (
    ONE_VALUE,
    counted,
    not_found_otherwise,
    ordered_by,
    queries_on,
    with_condition,
)
from alembic_pgpatterns.patterns.indexes._roles import STATUS_NAMES, default_constant, is_status
from alembic_pgpatterns.patterns.indexes._shape import named
from alembic_pgpatterns.remedies.model import CreateIndex, IndexedKey
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Index, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.expressions import text_literal
from alembic_pgpatterns.schema.sql.values import columns

MOMENTS = frozenset({"timestamp", "timestamptz"})


@dataclass(frozen=True, slots=True)
class UnindexedQueueOptions:
    """What tells a queue."""

    status: tuple[str, ...] = STATUS_NAMES
    """Words in the name of the column with the state of an item."""

    waiting: tuple[str, ...] = (
        "pending",
        "queued",
        "enqueued",
        "waiting",
        "scheduled",
        "new",
        "todo",
        "unprocessed",
    )
    """Values of it that mean: not done yet. Upper and lower case are the same."""

    moments: tuple[str, ...] = (
        "scheduled_at", "scheduled_for", "run_at", "run_after", "next_run_at", "available_at", "due_at",
        "enqueued_at", "queued_at", "created_at", "created_on", "created", "inserted_at",
    )  # fmt: skip
    """Names of the timestamp by which items are taken, the most telling first."""


class UnindexedQueue(SchemaPattern):
    """A table of things to do, without an index that finds the next one.

    Workers ask again and again for the oldest item that waits. Finished items stay, so without an index on the waiting
    ones each of these queries reads all items. A partial index, `(created_at) WHERE status = 'pending'`, contains only
    waiting items.

    A queue is recognised by a status column whose default means that the item waits, and a timestamp that says since or
    until when.

    Not reported: a table with an index on both columns, or with one that is partial on the status.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    basis = Basis.QUERIES
    not_when = "Leave it out if no query asks for the waiting rows, or if finished rows are deleted at once."
    Options = UnindexedQueueOptions
    references = (
        "https://www.postgresql.org/docs/current/indexes-partial.html",
        "https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE",
    )
    bad = """
        CREATE TABLE job (
            id bigint PRIMARY KEY, status text NOT NULL DEFAULT 'pending', created_at timestamptz NOT NULL DEFAULT now()
        );
    """
    good = bad + "CREATE INDEX ON job (created_at) WHERE status = 'pending';"
    bad_models = """
from sqlalchemy import BigInteger, Column, DateTime, Index, MetaData, Table, Text, func, text

metadata = MetaData()
job = Table(
    "job",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("status", Text, server_default=text("'pending'"), nullable=False),
    Column("created_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
)
"""
    good_models = (
        bad_models
        + """
Index("job_pending", job.c.created_at, postgresql_where=text("status = 'pending'"))
"""
    )

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Queues whose waiting items no index holds in their order."""
        for table in schema.checked_tables():
            status = self._status(table)
            moment = None if status is None else self._moment(table)
            if status is None or moment is None or any(_serves(index, status, moment) for index in table.indexes):
                continue
            value = default_constant(status) or ""
            where = f"{quote(status.name)} = {text_literal(value)}"
            shapes = with_condition(queries_on(schema, table), status.name, ONE_VALUE, _asks_for(text_literal(value)))
            others = not_found_otherwise(schema, table, besides=status.name)
            polled = [shape for shape in shapes if shape in others and _takes_the_next(shape, moment)]
            yield self.finding(
                at=status,
                message=f"no index of {table.name} holds the rows where {where} in the order of {quote(moment.name)}",
                remedy=named(CreateIndex(table.name, (IndexedKey(moment.name),), where=where), table),
                evidence=counted("they are asked for", polled),
            )

    def _status(self, table: Table) -> Column | None:
        for column in table.columns:
            value = default_constant(column)
            if value is not None and value.lower() in self.options.waiting and is_status(column, self.options.status):
                return column
        return None

    def _moment(self, table: Table) -> Column | None:
        moments = [column for column in table.columns if column.type.name in MOMENTS and not column.type.array]
        for name in self.options.moments:
            for column in moments:
                if names_any(column.name, (name,)):
                    return column
        return None


def _takes_the_next(shape: QueryShape, moment: Column) -> bool:
    """Whether a query takes items in the order of the moment: others count or list what waits, and do so rarely."""
    takes_few = shape.limit or bool(shape.lock)
    if not shape.order:
        return takes_few
    # A priority may come before the moment: the waiting rows alone are still a small index.
    later = takes_few and moment.name in {key.column for key in shape.order}
    return later or bool(ordered_by([shape], moment.name))


def _asks_for(literal: str) -> Callable[[Condition], bool]:
    """Whether a condition asks for that value, or for one that changes; not a filter that a user may set."""
    return lambda condition: condition.literal in (None, literal) and not condition.optional


def _serves(index: Index, status: Column, moment: Column) -> bool:
    """Whether it was made with both in mind; what models leave unsaid is taken to be."""
    if index.predicate is UNKNOWN or (index.predicate is not None and status.name in columns(index.predicate)):
        return True
    return {status.name, moment.name} <= {*index.columns, *index.include}
