"""Attach and detach partitions without a scan or a long wait under a strong lock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, register
from alembic_pgpatterns.operations.support.relations import TableOrIndex, derived_name, table
from alembic_pgpatterns.operations.support.session import (
    emit,
    explained,
    fetch,
    fetch_value,
    log,
    offline,
    online_only,
    outside_transaction,
    without_timeouts,
)
from alembic_pgpatterns.operations.support.template import Name, Sql

if TYPE_CHECKING:
    from alembic.operations import Operations

_WAY_OUT = "Remove the cause, then run the revision again"

_ATTACHED = """
    SELECT EXISTS (SELECT FROM pg_catalog.pg_inherits
                   WHERE inhparent = CAST(:parent AS regclass) AND inhrelid = CAST(:partition AS regclass))
"""
_DEFAULT_PARTITION = """
    SELECT n.nspname, c.relname, c.relkind::text AS kind
    FROM pg_catalog.pg_partitioned_table p
    JOIN pg_catalog.pg_class c ON c.oid = p.partdefid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE p.partrelid = CAST(:parent AS regclass)
"""


class _Partition(Directive):
    """A partitioned table, and a table that is or becomes a partition of it."""

    def __init__(
        self,
        parent: str,
        partition: str,
        bound: str,
        *,
        schema: str | None = None,
        partition_schema: str | None = None,
    ) -> None:
        self.parent = parent
        self.partition = partition
        self.bound = bound
        self.schema = schema
        self.partition_schema = partition_schema

    def _tables(self, operations: Operations) -> tuple[TableOrIndex, TableOrIndex]:
        parent = table(operations, self.parent, self.schema)
        if not parent.partitioned:
            raise errors.PgPatternsError(f"op.{self.name}: {parent} is not a partitioned table")
        return parent, table(operations, self.partition, self.partition_schema or self.schema)


class AttachPartitionOp(_Partition):
    """Attach a table to a partitioned table without reading rows under a strong lock.

    Args:
        parent: the partitioned table.
        partition: the table that becomes a partition. It has the same columns, and preferably the same indexes:
            PostgreSQL builds missing ones while it holds the lock.
        bound: the text after FOR VALUES, ``"FROM ('2026-01-01') TO ('2026-02-01')"``; or ``"DEFAULT"``.
        schema: the parent's schema; None: PostgreSQL looks along the search path.
        partition_schema: the partition's schema, if it is another one.

    Steps, each a transaction of its own: add a CHECK that proves the bound to the partition, NOT VALID (and a CHECK
    of the opposite to a default partition); VALIDATE; ATTACH; drop the CHECKs. PostgreSQL itself computes the CHECK,
    from empty temporary tables. Steps that an earlier run completed are skipped. (The one thing for which PostgreSQL
    accepts no proof is a hash partition by a text column: there ATTACH reads the table.)

    Lock: ACCESS EXCLUSIVE on the partition and on a default partition, for moments; SHARE UPDATE EXCLUSIVE on the
    parent and while the rows are checked.
    Errors: PgPatternsError if a row does not fit, a table is missing, or env.py holds a transaction of its own.
    Reversible: yes, by ``op.detach_partition``. Offline: an error, since the CHECK is computed by the database.
    Source: PostgreSQL documentation, "Partition Maintenance".
    """

    name = "attach_partition"

    def run(self, operations: Operations) -> None:
        """Run the steps that are not done yet."""
        online_only(operations, self.name, "asks PostgreSQL for the CHECK that proves the bound")
        with outside_transaction(operations, self.name):
            parent, partition = self._tables(operations)
            proofs = self._proofs(operations, parent, partition)
            names = {at: derived_name(at.name, "bound", self.partition) for at in proofs}
            if not fetch_value(operations, _ATTACHED, parent=parent.quoted, partition=partition.quoted):
                for at, condition in proofs.items():
                    _prove(operations, at, names[at], condition)
                with explained(f"{partition} could not be attached to {parent}", _WAY_OUT):
                    emit(
                        operations,
                        "ALTER TABLE {parent} ATTACH PARTITION {partition} {bound}",
                        parent=parent.sql,
                        partition=partition.sql,
                        bound=_bound(self.bound),
                    )
            for at, name in names.items():
                _drop_check(operations, at, name)

    def _proofs(self, operations: Operations, parent: TableOrIndex, partition: TableOrIndex) -> dict[TableOrIndex, str]:
        if self.bound.strip().upper() == "DEFAULT":
            return {}
        condition = _bound_as_condition(operations, parent, self.bound)
        defaults = fetch(operations, _DEFAULT_PARTITION, parent=parent.quoted)
        proofs = {partition: condition}
        for row in defaults:
            # Without this proof PostgreSQL looks for such rows in the default partition, under ACCESS EXCLUSIVE (docs,
            # ALTER TABLE, ATTACH PARTITION).
            proofs[TableOrIndex(row.nspname, row.relname, row.kind)] = f"NOT ({condition})"
        return proofs

    def reverse(self) -> DetachPartitionOp:
        """Detach it."""
        return DetachPartitionOp(
            self.parent, self.partition, self.bound, schema=self.schema, partition_schema=self.partition_schema
        )


def _bound(bound: str) -> Sql:
    return Sql("DEFAULT" if bound.strip().upper() == "DEFAULT" else f"FOR VALUES {bound}")


def _prove(operations: Operations, at: TableOrIndex, name: str, condition: str) -> None:
    _drop_check(operations, at, name)
    emit(
        operations,
        "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID",
        table=at.sql,
        name=Name(name),
        condition=Sql(condition),
    )
    failure = f"{at} has rows that do not fit the bound"
    with explained(failure, "Move or delete them, then run the revision again"), without_timeouts(operations):
        emit(operations, "ALTER TABLE {table} VALIDATE CONSTRAINT {name}", table=at.sql, name=Name(name))


def _drop_check(operations: Operations, at: TableOrIndex, name: str) -> None:
    emit(operations, "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}", table=at.sql, name=Name(name))


_TEMP_PARENT = TableOrIndex("pg_temp", "pgpatterns_parent", "p")
_TEMP_PARTITION = TableOrIndex("pg_temp", "pgpatterns_partition", "r")


def _bound_as_condition(operations: Operations, parent: TableOrIndex, bound: str) -> str:
    """The CHECK that PostgreSQL itself would apply to such a partition."""
    # PostgreSQL turns a bound into a condition only for a partition that exists, so an empty one is made.
    key = fetch_value(operations, "SELECT pg_get_partkeydef(CAST(:parent AS regclass))", parent=parent.quoted)
    with explained(f"{bound!r} is not a bound for a partition of {parent}", "Correct it in the revision"):
        emit(
            operations,
            "CREATE TEMP TABLE {scratch} (LIKE {parent}) PARTITION BY {key}",
            scratch=_TEMP_PARENT.sql,
            parent=parent.sql,
            key=Sql(key),
        )
        try:
            emit(
                operations,
                "CREATE TEMP TABLE {partition} PARTITION OF {scratch} {bound}",
                partition=_TEMP_PARTITION.sql,
                scratch=_TEMP_PARENT.sql,
                bound=_bound(bound),
            )
            query = "SELECT pg_get_partition_constraintdef(CAST(:partition AS regclass))"
            condition = str(fetch_value(operations, query, partition=_TEMP_PARTITION.quoted))
        finally:
            emit(operations, "DROP TABLE {scratch}", scratch=_TEMP_PARENT.sql)
    # the condition of a hash partition contains its parent's oid, here the temporary table's
    oid = fetch_value(operations, "SELECT CAST(CAST(:parent AS regclass) AS oid)::text", parent=parent.quoted)
    return re.sub(r"(satisfies_hash_partition\(')\d+('::oid)", rf"\g<1>{oid}\g<2>", condition)


_PENDING = """
    SELECT inhdetachpending FROM pg_catalog.pg_inherits
    WHERE inhparent = CAST(:parent AS regclass) AND inhrelid = CAST(:partition AS regclass)
"""
_CHECKS = """
    SELECT conname, pg_catalog.pg_get_expr(conbin, conrelid) AS condition FROM pg_catalog.pg_constraint
    WHERE conrelid = CAST(:partition AS regclass) AND contype = 'c'
"""


class DetachPartitionOp(_Partition):
    """Detach a partition while the partitioned table is read and written.

    Args:
        parent: the partitioned table.
        partition: the partition, which becomes an independent table and keeps its rows.
        bound: its bound, the text after FOR VALUES, for the downgrade.
        schema: the parent's schema; None: PostgreSQL looks along the search path.
        partition_schema: the partition's schema, if it is another one.

    If an earlier run was interrupted, FINALIZE completes it. PostgreSQL leaves a CHECK of the bound on the table,
    which is dropped. Runs outside a transaction; lock, statement and transaction timeouts are 0 for that time.

    Lock: SHARE UPDATE EXCLUSIVE on the parent, ACCESS EXCLUSIVE on the partition at the end. It waits for older
    transactions that use the parent. With a default partition PostgreSQL cannot do it this way: then it is a plain
    DETACH, with ACCESS EXCLUSIVE on all three tables for a moment, under the session's lock_timeout.
    Errors: PgPatternsError if a table is missing, if env.py holds a transaction of its own, or if the server refuses.
    Reversible: yes, by ``op.attach_partition``.
    Offline: COMMIT, DETACH PARTITION CONCURRENTLY, BEGIN. The CHECK stays. The server refuses it if there is a
    default partition.
    Source: PostgreSQL documentation, "ALTER TABLE", DETACH PARTITION (14 and later).
    """

    name = "detach_partition"

    def run(self, operations: Operations) -> None:
        """DETACH."""
        with outside_transaction(operations, self.name):
            if offline(operations):
                schemas = (self.schema, self.partition_schema or self.schema)
                parent, partition = Name(schemas[0], self.parent), Name(schemas[1], self.partition)
                with without_timeouts(operations):
                    _detach(operations, parent, partition, " CONCURRENTLY")
            else:
                self._run_online(operations, *self._tables(operations))

    def _run_online(self, operations: Operations, parent: TableOrIndex, partition: TableOrIndex) -> None:
        pending = fetch(operations, _PENDING, parent=parent.quoted, partition=partition.quoted)
        if not pending:
            log.info("%s is not a partition of %s: nothing to detach", partition, parent)
            return
        before = self._checks_before(operations, parent, partition, pending=pending[0].inhdetachpending)
        with explained(f"{partition} could not be detached from {parent}", _WAY_OUT):
            # An interrupted DETACH CONCURRENTLY can only be finished (docs, ALTER TABLE, DETACH PARTITION).
            if pending[0].inhdetachpending:
                _detach(operations, parent.sql, partition.sql, " FINALIZE")
            # CONCURRENTLY is refused if there is a default partition (docs, ALTER TABLE, DETACH PARTITION).
            elif fetch(operations, _DEFAULT_PARTITION, parent=parent.quoted):
                _detach(operations, parent.sql, partition.sql, "")
            else:
                with without_timeouts(operations):
                    _detach(operations, parent.sql, partition.sql, " CONCURRENTLY")
        for row in fetch(operations, _CHECKS, partition=partition.quoted):
            if row.conname not in before:
                _drop_check(operations, partition, row.conname)

    def _checks_before(
        self, operations: Operations, parent: TableOrIndex, partition: TableOrIndex, *, pending: bool
    ) -> set[str]:
        """The checks that the partition had before. An interrupted DETACH has already left the check of the bound."""
        rows = fetch(operations, _CHECKS, partition=partition.quoted)
        check_of_bound = _bound_as_condition(operations, parent, self.bound) if pending else None
        return {row.conname for row in rows if row.condition != check_of_bound}

    def reverse(self) -> AttachPartitionOp:
        """Attach it."""
        return AttachPartitionOp(
            self.parent, self.partition, self.bound, schema=self.schema, partition_schema=self.partition_schema
        )


def _detach(operations: Operations, parent: Name, partition: Name, how: str) -> None:
    emit(
        operations,
        "ALTER TABLE {parent} DETACH PARTITION {partition}{how}",
        parent=parent,
        partition=partition,
        how=Sql(how),
    )


register(AttachPartitionOp, DetachPartitionOp)
