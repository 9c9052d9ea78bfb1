"""Insert rows, or update them if they exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import TableClause, column, literal, literal_column
from sqlalchemy import table as lightweight_table
from sqlalchemy.dialects.postgresql import insert

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, NothingToUndo, register
from alembic_pgpatterns.operations.support.relations import TableOrIndex, reflected, table
from alembic_pgpatterns.operations.support.session import connection, fetch, offline, write
from alembic_pgpatterns.operations.support.template import literal as sql_literal

if TYPE_CHECKING:
    from alembic.operations import Operations

Rows = Sequence[Mapping[str, Any]]

_PARAMETERS = 32767
"""Highest number of parameters of a statement (a 16-bit number in the protocol, signed in asyncpg)."""

# A deferrable constraint (indimmediate is false) cannot decide about a conflict (docs, INSERT, "ON CONFLICT Clause").
_UNIQUE = """
    SELECT ARRAY(
        SELECT a.attname::text FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey[0:x.indnkeyatts - 1]) ORDER BY 1) AS columns
    FROM pg_catalog.pg_index x
    WHERE x.indrelid = CAST(:table AS regclass) AND x.indisunique AND x.indisvalid AND x.indimmediate
      AND x.indpred IS NULL AND x.indexprs IS NULL
"""


class UpsertOp(Directive):
    """Insert rows, and update those that exist already (INSERT ... ON CONFLICT).

    ::

        op.upsert("currency", [{"code": "EUR", "name": "Euro"}], conflict=["code"])

    Args:
        table_name: the table.
        rows: dicts with the same keys, the columns' names; values are bound, never SQL.
        conflict: the columns that identify a row; a unique index or constraint on exactly these must exist.
        update: the columns that are updated in an existing row; None is all that are not in *conflict*; an empty
            list leaves existing rows as they are.
        batch_size: rows per statement; fewer if there are many columns.
        schema: the table's schema; None: PostgreSQL looks along the search path.

    Runs in the migration's transaction.

    Lock: ROW EXCLUSIVE on the table, and the rows it writes, until the transaction ends.
    Errors: PgPatternsError if no unique index is on exactly *conflict* (the message lists the existing ones), if
    rows differ in their keys, or if two rows have the same *conflict* values; the server's on values that do not fit.
    Reversible: there is nothing to undo; the earlier rows are not known.
    Offline: the same statements with literal values, without the check of the unique index; no lists or dicts.
    Source: PostgreSQL documentation, "INSERT", ON CONFLICT Clause.
    """

    name = "upsert"

    def __init__(
        self,
        table_name: str,
        rows: Rows,
        conflict: Sequence[str],
        update: Sequence[str] | None = None,
        *,
        batch_size: int = 1000,
        schema: str | None = None,
    ) -> None:
        self.table_name = table_name
        self.rows = [dict(row) for row in rows]
        self.conflict = list(conflict)
        self.update = list(update) if update is not None else None
        self.batch_size = batch_size
        self.schema = schema
        self._check()

    def _check(self) -> None:
        call = f"op.upsert({self.table_name!r})"
        if not self.conflict or self.batch_size < 1:
            raise errors.PgPatternsError(f"{call}: give conflict=[...], and a batch_size of at least 1")
        for number, row in enumerate(self.rows):
            if row.keys() != self.rows[0].keys():
                raise errors.PgPatternsError(f"{call}: row {number} has different columns than row 0: {sorted(row)}")
        used = {*self.conflict, *(self.update or ())}
        missing = sorted(used - self.rows[0].keys()) if self.rows else []
        if missing:
            raise errors.PgPatternsError(f"{call}: the rows have no {', '.join(missing)}")
        seen: set[str] = set()
        for row in self.rows:
            key = repr([row[name] for name in self.conflict])
            # PostgreSQL refuses to update a row twice in one statement (21000, cardinality_violation), after many
            # batches maybe.
            if key in seen:
                raise errors.PgPatternsError(f"{call}: two rows have the same {', '.join(self.conflict)}: {key}")
            seen.add(key)

    def run(self, operations: Operations) -> None:
        """INSERT ... ON CONFLICT, in batches."""
        if not self.rows:
            return
        if offline(operations):
            target: TableClause = self._untyped()
        else:
            at = table(operations, self.table_name, self.schema)
            self._need_unique_index(operations, at)
            target = reflected(operations, at, self.rows[0])
        for batch in self._batches():
            if offline(operations):
                write(operations, self._statement(target, [_written(row) for row in batch]))
            else:
                connection(operations).execute(self._statement(target, batch))

    def _batches(self) -> Iterator[list[dict[str, Any]]]:
        size = max(1, min(self.batch_size, _PARAMETERS // len(self.rows[0])))
        for begin in range(0, len(self.rows), size):
            yield self.rows[begin : begin + size]

    def _statement(self, target: TableClause, rows: list[dict[str, Any]]) -> Any:
        statement = insert(target).values(rows)
        names = self.update if self.update is not None else [n for n in rows[0] if n not in self.conflict]
        if not names:
            return statement.on_conflict_do_nothing(index_elements=self.conflict)
        new = {name: statement.excluded[name] for name in names}
        return statement.on_conflict_do_update(index_elements=self.conflict, set_=new)

    def _untyped(self) -> TableClause:
        """The table with types taken from the values. PostgreSQL reads the literals as its columns' types."""
        columns = []
        for name in self.rows[0]:
            values = [row[name] for row in self.rows if row[name] is not None]
            if any(isinstance(value, list | dict) for value in values):
                raise errors.PgPatternsError(
                    f"op.upsert({self.table_name!r}) cannot be written as SQL (--sql): the type of {name!r}, which "
                    "has lists or dicts, is not known without the database"
                )
            columns.append(column(name, literal(values[0]).type if values else None))
        return lightweight_table(self.table_name, *columns, schema=self.schema)

    def _need_unique_index(self, operations: Operations, at: TableOrIndex) -> None:
        unique = [list(row.columns) for row in fetch(operations, _UNIQUE, table=at.quoted)]
        if sorted(self.conflict) not in unique:
            existing = "; ".join(", ".join(columns) for columns in unique) or "none"
            raise errors.PgPatternsError(
                f"op.upsert({self.table_name!r}): {at} has no unique index on exactly {', '.join(self.conflict)} "
                f"(it has: {existing}). Create one first, e.g. with op.create_unique_using_index"
            )

    def reverse(self) -> NothingToUndo:
        """Nothing to do."""
        return NothingToUndo(f"upsert into {self.table_name}: the earlier rows are not known")


def _written(row: Mapping[str, Any]) -> dict[str, Any]:
    # our own literals for strings: without a connection SQLAlchemy 2.0 doubles backslashes
    return {
        name: literal_column(sql_literal(value)) if isinstance(value, str) else value for name, value in row.items()
    }


register(UpsertOp)
