"""Indexes that are built, dropped and rebuilt without blocking writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from alembic.operations.ops import CreateIndexOp, DropIndexOp

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, NothingToUndo, register
from alembic_pgpatterns.operations.support.relations import TableOrIndex, relation, table
from alembic_pgpatterns.operations.support.session import (
    emit,
    explained,
    fetch,
    offline,
    outside_transaction,
    run,
    without_timeouts,
)
from alembic_pgpatterns.operations.support.template import Name, Sql, always_quoted

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import Operations
    from sqlalchemy import Index

_STOCK_ONLY = ("postgresql_concurrently",)


class CreateIndexConcurrentlyOp(Directive):
    """Build an index while the table is read and written, with everything that this needs.

    Args:
        index_name: the index's name.
        table_name: its table. On a partitioned table the index is built on every partition, one after another
            (ON ONLY the parent, CONCURRENTLY on the partition, ATTACH), at every level.
        columns: names, ``sa.text("lower(name)")`` or other expressions, as in ``op.create_index``.
        schema: the table's schema; None: PostgreSQL looks along the search path.
        unique: whether it is a unique index.
        if_not_exists: skip the build if a valid index of this name and definition exists.
        kw: ``postgresql_where``, ``postgresql_include`` and the like, as in ``op.create_index``.

    An INVALID index of this name that a failed build left is dropped first, unless its build is still running.
    lock_timeout, statement_timeout and transaction_timeout are 0 during the build and restored afterwards.
    Runs outside a transaction: the statements before it in the revision are committed, so give it its own revision.

    Lock: SHARE UPDATE EXCLUSIVE on the table: neither reads nor writes wait. The build waits for every older
    transaction. On a partitioned parent SHARE for a moment, without reading rows.
    Errors: PgPatternsError if env.py holds a transaction of its own, the table is missing, a build is still
    running, another index has the name, or the server refuses (duplicates). Remove the cause and run it again.
    Reversible: yes, by ``op.drop_index_concurrently``.
    Offline: COMMIT, CREATE INDEX CONCURRENTLY, BEGIN. There is no IF NOT EXISTS, so that an INVALID index causes an
    error instead of being accepted. On a partitioned table the server refuses it.
    Source: PostgreSQL documentation, "Building Indexes Concurrently".
    """

    name = "create_index_concurrently"

    def __init__(
        self,
        index_name: str,
        table_name: str,
        columns: Sequence[Any],
        *,
        schema: str | None = None,
        unique: bool = False,
        if_not_exists: bool = True,
        **kw: Any,
    ) -> None:
        self.index_name = index_name
        self.table_name = table_name
        self.columns = columns
        self.schema = schema
        self.unique = unique
        self.if_not_exists = if_not_exists
        self.kw = {key: value for key, value in kw.items() if key not in _STOCK_ONLY}

    @classmethod
    def from_index(cls, index: Index) -> CreateIndexConcurrentlyOp:
        """The operation that creates an index of the models.

        Raises:
            PgPatternsError: the index has no name.
        """
        assert index.table is not None
        if index.name is None:
            raise errors.PgPatternsError(f"an index on {index.table.fullname} has no name; give it one")
        stock = CreateIndexOp.from_index(index)
        return cls(
            index.name,
            stock.table_name,
            stock.columns,
            schema=stock.schema,
            unique=bool(stock.unique),
            **stock.kw,
        )

    def stock(self) -> CreateIndexOp:
        """Alembic's operation for the same index."""
        return CreateIndexOp(
            self.index_name,
            self.table_name,
            self.columns,
            schema=self.schema,
            unique=self.unique,
            if_not_exists=None if self.if_not_exists else False,
            **self.kw,
        )

    def run(self, operations: Operations) -> None:
        """Build it."""
        from alembic_pgpatterns.operations.support.index_build import IndexPlan, build

        plan = IndexPlan(self.index_name, self.columns, self.unique, self.kw)
        with outside_transaction(operations, self.name):
            if offline(operations):
                # Without a database it is not known whether the table is partitioned, where PostgreSQL refuses
                # CONCURRENTLY.
                at = TableOrIndex(self.schema, self.table_name, "r")
                with without_timeouts(operations):
                    run(operations, plan.on(self.index_name, at, operations, postgresql_concurrently=True))
            else:
                build(operations, plan, self.table_name, self.schema, skip=self.if_not_exists)

    def reverse(self) -> DropIndexConcurrentlyOp:
        """Drop it."""
        return DropIndexConcurrentlyOp(self.index_name, self.table_name, schema=self.schema, _reverse=self)

    def render(self, context: AutogenContext) -> str:
        """The same text as Alembic's for ``op.create_index``, under this directive's name."""
        from alembic.autogenerate.render import _add_index

        return _add_index(context, self.stock()).replace("create_index(", f"{self.name}(", 1)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """The tuple of Alembic's own operation."""
        return self.stock().to_diff_tuple()


class DropIndexConcurrentlyOp(Directive):
    """Drop an index while the table is read and written.

    Args:
        index_name: the index's name.
        table_name: its table, as information for the reader of the revision.
        schema: the schema of the index and its table; None: PostgreSQL looks along the search path.
        if_exists: no error if it does not exist, so that the revision can be run again.

    Runs outside a transaction; lock_timeout, statement_timeout and transaction_timeout are 0 for that time.

    Lock: SHARE UPDATE EXCLUSIVE on the table: neither reads nor writes wait. It waits for every transaction that
    uses the table. PostgreSQL cannot drop the index of a partitioned table this way: there it is a plain DROP INDEX,
    with ACCESS EXCLUSIVE on the parent and all partitions for a moment, under the session's lock_timeout.
    Errors: PgPatternsError if env.py holds a transaction of its own, or the server refuses (the index belongs to a
    constraint: drop that).
    Reversible: yes, if autogenerate wrote it. If you wrote it, add ``op.create_index_concurrently`` to
    ``downgrade()``.
    Offline: COMMIT, DROP INDEX CONCURRENTLY IF EXISTS, BEGIN.
    Source: PostgreSQL documentation, "DROP INDEX".
    """

    name = "drop_index_concurrently"

    def __init__(
        self,
        index_name: str,
        table_name: str | None = None,
        *,
        schema: str | None = None,
        if_exists: bool = True,
        _reverse: CreateIndexConcurrentlyOp | None = None,
    ) -> None:
        self.index_name = index_name
        self.table_name = table_name
        self.schema = schema
        self.if_exists = if_exists
        self._reverse = _reverse

    @classmethod
    def from_index(cls, index: Index) -> DropIndexConcurrentlyOp:
        """The operation that drops an index of the models, and that can create it again."""
        return CreateIndexConcurrentlyOp.from_index(index).reverse()

    @classmethod
    def from_stock(cls, operation: DropIndexOp) -> DropIndexConcurrentlyOp:
        """From Alembic's own operation, as autogenerate has it."""
        return cls.from_index(operation.to_index())

    def run(self, operations: Operations) -> None:
        """Drop it."""
        with outside_transaction(operations, self.name):
            index = None if offline(operations) else relation(operations, self.index_name, self.schema)
            way_out = "Remove the cause, then run the revision again"
            with explained(f"index {self.index_name} could not be dropped", way_out):
                # DROP INDEX CONCURRENTLY is refused for the index of a partitioned table (docs, DROP INDEX).
                if index is not None and index.partitioned:
                    emit(operations, "DROP INDEX {name}", name=index.sql)
                else:
                    with without_timeouts(operations):
                        emit(
                            operations,
                            "DROP INDEX CONCURRENTLY {check}{name}",
                            check=Sql("IF EXISTS " if self.if_exists else ""),
                            name=Name(self.schema, self.index_name),
                        )

    def reverse(self) -> CreateIndexConcurrentlyOp:
        """Build it again.

        Raises:
            PgPatternsError: the columns of the index are not known.
        """
        if self._reverse is None:
            raise errors.PgPatternsError(f"index {self.index_name!r}: its definition is not known; write downgrade()")
        return self._reverse


# The names that REINDEX CONCURRENTLY gives to an index that it builds or replaces (docs, REINDEX).
_LEFTOVERS = """
    SELECT c.relname FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
    WHERE NOT x.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'
      AND (x.indrelid = CAST(:target AS regclass)
           OR x.indrelid = (SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = CAST(:target AS regclass)))
"""


class ReindexConcurrentlyOp(Directive):
    """Rebuild an index, or all indexes of a table, while the table is read and written.

    Args:
        index_name: the index; or
        table_name: the table. Give one of the two.
        schema: its schema; None: PostgreSQL looks along the search path.

    INVALID indexes that an interrupted REINDEX left (``..._ccnew``, ``..._ccold``) are dropped first. Runs outside
    a transaction; lock_timeout, statement_timeout and transaction_timeout are 0 for that time.

    Lock: SHARE UPDATE EXCLUSIVE on the table: neither reads nor writes wait. It waits for older transactions.
    Errors: PgPatternsError unless exactly one of the two is given, if env.py holds a transaction of its own, if the
    object does not exist or if the server refuses.
    Reversible: there is nothing to undo. Offline: COMMIT, REINDEX ... CONCURRENTLY, BEGIN; INVALID indexes stay.
    Source: PostgreSQL documentation, "REINDEX".
    """

    name = "reindex_concurrently"

    def __init__(
        self, index_name: str | None = None, *, table_name: str | None = None, schema: str | None = None
    ) -> None:
        if (index_name is None) == (table_name is None):
            raise errors.PgPatternsError("op.reindex_concurrently: give either an index or table_name=")
        self.index_name = index_name
        self.table_name = table_name
        self.schema = schema

    def run(self, operations: Operations) -> None:
        """REINDEX ... CONCURRENTLY."""
        from alembic_pgpatterns.operations.support.index_build import WAY_OUT

        name = self.index_name or self.table_name or ""
        with outside_transaction(operations, self.name):
            if not offline(operations):
                self._drop_leftovers(operations, name)
            with explained(f"{name} could not be reindexed", WAY_OUT), without_timeouts(operations):
                emit(
                    operations,
                    "REINDEX {kind} CONCURRENTLY {name}",
                    kind=Sql("INDEX" if self.index_name else "TABLE"),
                    name=Name(self.schema, name),
                )

    def _drop_leftovers(self, operations: Operations, name: str) -> None:
        from alembic_pgpatterns.operations.support.index_build import drop_leftover

        target = relation(operations, name, self.schema)
        if target is None:
            raise errors.PgPatternsError(f"op.reindex_concurrently: there is no {name} in this database")
        at = target if self.table_name else self._table_of(operations, target)
        for row in fetch(operations, _LEFTOVERS, target=always_quoted(target.schema, target.name)):
            drop_leftover(operations, row.relname, at)

    def _table_of(self, operations: Operations, index: TableOrIndex) -> TableOrIndex:
        query = """
            SELECT n.nspname, c.relname FROM pg_catalog.pg_index x
            JOIN pg_catalog.pg_class c ON c.oid = x.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE x.indexrelid = CAST(:index AS regclass)
        """
        rows = fetch(operations, query, index=index.quoted)
        if not rows:
            raise errors.PgPatternsError(f"op.reindex_concurrently: {index} is not an index; is it table_name=?")
        return table(operations, rows[0].relname, rows[0].nspname)

    def reverse(self) -> NothingToUndo:
        """Nothing to do."""
        return NothingToUndo("reindex_concurrently: the index is the same as before")


register(CreateIndexConcurrentlyOp, DropIndexConcurrentlyOp, ReindexConcurrentlyOp)
