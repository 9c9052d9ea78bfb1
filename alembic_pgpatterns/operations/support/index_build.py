"""Build an index CONCURRENTLY, also after a failed build and on partitioned tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from alembic.operations.ops import CreateIndexOp
from sqlalchemy import Column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex
from sqlalchemy.types import NullType

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.support.relations import TableOrIndex, derived_name, partitions, scratch_table, table
from alembic_pgpatterns.operations.support.session import (
    emit,
    explained,
    fetch,
    fetch_value,
    log,
    run,
    without_timeouts,
)
from alembic_pgpatterns.operations.support.template import Name, always_quoted

if TYPE_CHECKING:
    from alembic.operations import Operations
    from sqlalchemy.sql.compiler import DDLCompiler

WAY_OUT = (
    "If an INVALID index was left, the next run of the revision drops it first. Remove the cause, then run it again"
)


class IndexPlan(NamedTuple):
    """The expected index, as the arguments of ``op.create_index``."""

    name: str
    columns: Any
    unique: bool
    options: dict[str, Any]

    def on(self, name: str, at: TableOrIndex, operations: Operations, **options: Any) -> CreateIndex:
        """The statement that creates it, with this name, on this table."""
        operation = CreateIndexOp(
            name, at.name, self.columns, schema=at.schema, unique=self.unique, **self.options, **options
        )
        index = operation.to_index(operations.migration_context)
        assert index.table is not None
        # as Alembic's own create_index does: the Table object must have the included columns
        for column in index.dialect_options["postgresql"]["include"] or ():
            if column not in index.table.c:
                index.table.append_column(Column(column, NullType()))
        return CreateIndex(index)


class CreateIndexOnly(CreateIndex):
    """``CREATE INDEX ... ON ONLY``, which SQLAlchemy cannot write."""


@compiles(CreateIndexOnly)
def _on_only(create: CreateIndexOnly, compiler: DDLCompiler, **kw: Any) -> str:
    index = create.element
    assert index.table is not None
    name = compiler._prepared_index_name(index, include_schema=False)
    table_name = compiler.preparer.format_table(index.table)
    visit: Callable[..., str] = compiler.visit_create_index
    text = visit(create, **kw)
    head = f"INDEX {name} ON "
    if text.count(head + table_name) != 1:
        raise errors.PgPatternsError(f"index {index.name!r} cannot be written for a partitioned table: {text}")
    return text.replace(head, head + "ONLY ", 1)


def build(operations: Operations, plan: IndexPlan, table_name: str, schema: str | None, *, skip: bool) -> None:
    """Build the index. Only outside a transaction, and online.

    Args:
        operations: of the running migration.
        plan: the index.
        table_name: its table.
        schema: its table's schema.
        skip: whether to accept an existing valid index with that name and definition.

    Raises:
        PgPatternsError: the table does not exist; a build is still running; another index has the name; the server
            refused (for example because of duplicates under a unique index).
    """
    at = table(operations, table_name, schema)
    if at.partitioned:
        _build_on_partitions(operations, plan, plan.name, at, skip=skip)
    else:
        _build_on_table(operations, plan, plan.name, at, skip=skip)


class _State(NamedTuple):
    valid: bool
    on_table: bool


_INDEX = """
    SELECT x.indisvalid, x.indrelid = CAST(:table AS regclass) AS own
    FROM pg_catalog.pg_index x WHERE x.indexrelid = to_regclass(:index)
"""


def _state(operations: Operations, name: str, at: TableOrIndex) -> _State | None:
    rows = fetch(operations, _INDEX, table=at.quoted, index=always_quoted(at.schema, name))
    return _State(rows[0].indisvalid, rows[0].own) if rows else None


def _build_on_table(operations: Operations, plan: IndexPlan, name: str, at: TableOrIndex, *, skip: bool) -> None:
    state = _state(operations, name, at)
    if state is not None and state.on_table and not state.valid:
        drop_leftover(operations, name, at)
    elif state is not None and _is_there(operations, plan, name, at, state, skip=skip):
        return
    _warn_of_old_transactions(operations, name)
    with _building(name, at), without_timeouts(operations):
        run(operations, plan.on(name, at, operations, postgresql_concurrently=True))


def _build_on_partitions(operations: Operations, plan: IndexPlan, name: str, at: TableOrIndex, *, skip: bool) -> None:
    """ON ONLY the parent, CONCURRENTLY on each partition, then ATTACH: PostgreSQL has no single statement for it."""
    state = _state(operations, name, at)
    if state is None:
        with _building(name, at):
            run(operations, CreateIndexOnly(plan.on(name, at, operations).element))
    elif _is_there(operations, plan, name, at, state, skip=True if not state.valid else skip) and state.valid:
        return
    parent = TableOrIndex(at.schema, name, "I")
    for partition in partitions(operations, at):
        # A foreign table has no indexes; CREATE INDEX on the parent leaves it out, too.
        if partition.kind == "f" or _attached(operations, parent, partition):
            continue
        child = derived_name(name, partition.name)
        build_one = _build_on_partitions if partition.partitioned else _build_on_table
        build_one(operations, plan, child, partition, skip=True)
        emit(
            operations,
            "ALTER INDEX {parent} ATTACH PARTITION {child}",
            parent=parent.sql,
            child=Name(partition.schema, child),
        )


_OLD_TRANSACTIONS = """
    SELECT pid, usename, application_name, round(extract(epoch FROM clock_timestamp() - xact_start)) AS seconds
    FROM pg_catalog.pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle in transaction'
    ORDER BY xact_start LIMIT 3
"""


def _warn_of_old_transactions(operations: Operations, name: str) -> None:
    """Log the sessions that the build waits for. Without a timeout it may wait forever, also for our own session."""
    for row in fetch(operations, _OLD_TRANSACTIONS):
        log.warning(
            "index %s waits for pid %s (role %s, application %s), idle in a transaction for %s s",
            *(name, row.pid, row.usename, row.application_name or "?", row.seconds),
        )


@contextmanager
def _building(name: str, at: TableOrIndex) -> Iterator[None]:
    with explained(f"index {name} on {at} could not be built", WAY_OUT):
        yield


_ATTACHED = """
    SELECT EXISTS (SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_index x ON x.indexrelid = i.inhrelid
                   WHERE i.inhparent = CAST(:parent AS regclass) AND x.indrelid = CAST(:table AS regclass))
"""


def _attached(operations: Operations, parent: TableOrIndex, partition: TableOrIndex) -> bool:
    return bool(fetch_value(operations, _ATTACHED, parent=parent.quoted, table=partition.quoted))


# pg_stat_progress_create_index hides the table of a session from roles that may not see its statements
_UNDER_WAY = """
    SELECT p.pid FROM pg_catalog.pg_stat_progress_create_index p
    JOIN pg_catalog.pg_locks l ON l.pid = p.pid AND l.relation = CAST(:table AS regclass)
    WHERE l.mode = 'ShareUpdateExclusiveLock' AND l.granted AND p.pid <> pg_backend_pid()
"""


def drop_leftover(operations: Operations, name: str, at: TableOrIndex) -> None:
    """Drop an INVALID index that a failed build left.

    Raises:
        PgPatternsError: the build of this index is still running.
    """
    pid = fetch_value(operations, _UNDER_WAY, table=at.quoted)
    if pid is not None:
        raise errors.PgPatternsError(
            f"index {name} on {at} is being built by the session with pid {pid}. Wait for it, or end it with "
            f"SELECT pg_cancel_backend({pid}), and run this revision again"
        )
    log.info("dropping the INVALID index %s on %s that an earlier build left", name, at)
    with _building(name, at), without_timeouts(operations):
        emit(operations, "DROP INDEX CONCURRENTLY IF EXISTS {name}", name=Name(at.schema, name))


def _is_there(
    operations: Operations, plan: IndexPlan, name: str, at: TableOrIndex, state: _State, *, skip: bool
) -> bool:
    if not state.on_table:
        raise errors.PgPatternsError(f"index {name} exists in schema {at.schema}, but not on {at}: choose another name")
    if not skip:
        return False
    expected = _description_of(operations, plan, at)
    actual = _description(operations, TableOrIndex(at.schema, name, "i"))
    if expected is not None and expected != actual:
        raise errors.PgPatternsError(
            f"index {name} exists on {at} with another definition ({actual}; expected is {expected}). "
            "Drop it first with op.drop_index_concurrently, or choose another name"
        )
    log.info("index %s on %s exists already", name, at)
    return True


# Through jsonb: indnullsnotdistinct is new in PostgreSQL 15, and a query that names it fails before.
_DESCRIPTION = """
    SELECT concat_ws('; ',
        am.amname, CASE WHEN x.indisunique THEN 'unique' END,
        (SELECT string_agg(pg_catalog.pg_get_indexdef(x.indexrelid, k, true), ', ' ORDER BY k)
         FROM generate_series(1, x.indnatts) k),
        'keys ' || x.indnkeyatts, 'options ' || x.indoption::text, 'operators ' || x.indclass::text,
        'collations ' || x.indcollation::text, 'where ' || pg_catalog.pg_get_expr(x.indpred, x.indrelid),
        'nulls not distinct ' || (to_jsonb(x) ->> 'indnullsnotdistinct'), 'with ' || c.reloptions::text)
    FROM pg_catalog.pg_index x
    JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
    JOIN pg_catalog.pg_am am ON am.oid = c.relam
    WHERE x.indexrelid = CAST(:index AS regclass)
"""


def _description(operations: Operations, index: TableOrIndex) -> str:
    return str(fetch_value(operations, _DESCRIPTION, index=index.quoted))


def _description_of(operations: Operations, plan: IndexPlan, at: TableOrIndex) -> str | None:
    """The `_description` of the planned index; None if this role may not create temporary tables."""
    with scratch_table(operations, at) as scratch:
        if scratch is None:
            return None
        run(operations, plan.on("pgpatterns_scratch", scratch, operations))
        return _description(operations, TableOrIndex("pg_temp", "pgpatterns_scratch", "i"))
