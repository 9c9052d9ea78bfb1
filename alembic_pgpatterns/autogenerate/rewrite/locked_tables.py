"""Which existing tables the ops of a transaction lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.changes import table_of
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts, TableKey
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp, InlineReferenceOp, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, referenced_table
from alembic_pgpatterns.autogenerate.rewrite.table_names import qualified

_ALTERS = (
    ops.AddColumnOp,
    ops.AlterColumnOp,
    ops.AddConstraintOp,
    ops.DropColumnOp,
    ops.DropConstraintOp,
    AlterTableOp,
)


def closed_tables(phases: Iterable[Phase], facts: Facts) -> dict[TableKey, str]:
    """Return the quoted names of existing tables that get an ACCESS EXCLUSIVE lock, by schema and name.

    Not those that an op drops or creates: they may be gone when the file runs a second time, or not there yet.
    """
    result: dict[TableKey, str] = {}
    for op in _operations(phases):
        if isinstance(op, SqlOp):
            for table in op.locks:
                _add(result, *table, facts=facts)
        if isinstance(op, _ALTERS) and not isinstance(op, ops.CreateForeignKeyOp):
            _add(result, *table_of(op), facts=facts)
    return result


def referenced_tables(phases: Iterable[Phase], facts: Facts) -> dict[TableKey, str]:
    """Return the tables on both sides of new foreign keys, which get a SHARE ROW EXCLUSIVE lock."""
    result: dict[TableKey, str] = {}
    for op in _operations(phases):
        if isinstance(op, ops.CreateForeignKeyOp):
            _add(result, *table_of(op), facts=facts)
            _add(result, op.kw.get("referent_schema"), op.referent_table, facts=facts)
        if isinstance(op, InlineReferenceOp):
            schema, table = referenced_table(op.reference, facts)
            _add(result, None if schema == facts.default_schema else schema, table, facts=facts)
    return result


def _operations(phases: Iterable[Phase]) -> Iterator[ops.MigrateOperation]:
    for phase in phases:
        if phase.strong:
            yield from phase.operations


def _add(result: dict[TableKey, str], schema: str | None, table: str | None, facts: Facts) -> None:
    key = facts.key(schema, str(table))
    if table is not None and not facts.is_new(schema, table) and facts.lockable(key):
        result[key] = qualified(schema, table)
