"""What a table demands of a row that leaves a column out, as INSERTs of code do that does not know the column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alembic_pgpatterns.revisions.filled import trigger_may_fill
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.schema.model import Column, Table
from alembic_pgpatterns.schema.sql.expressions import needed_columns

NOT_NULL = "NOT NULL"


def demands(table: Table, column: Column) -> tuple[str, ...]:
    """What refuses a row without a value of this column: NOT NULL, or a CHECK by its name; nothing if it gets one.

    A constraint that is NOT VALID counts: it is checked for every new row, and for old rows that are updated (docs,
    "ALTER TABLE", ADD table_constraint).
    """
    # A domain may have a default, which the catalog's reader does not tell.
    if column.default is not None or column.identity is not None or column.generated or column.type.domains:
        return ()
    checks = (check for check in table.checks if check.enforced and isinstance(check.expression, str))
    named = (
        f"CHECK {check.name}" if check.not_null_column is None else NOT_NULL
        for check in checks
        if column.name == check.not_null_column or _is_needed(column, check.expression, check.not_null_column)
    )
    return tuple(dict.fromkeys((*((NOT_NULL,) if not column.nullable else ()), *named)))


def _is_needed(column: Column, expression: object, not_null_column: str | None) -> bool:
    return not_null_column is None and isinstance(expression, str) and column.name in needed_columns(expression)


def newly_needed(run: RevisionRun, earlier: Sequence[RevisionRun]) -> Iterator[Column]:
    """Columns that a revision makes necessary, and that code from before the first revision does not know.

    A column that only gets a new name is left out: `rename-under-running-code` reports it by its old name, which is
    the one that old code sends.

    Args:
        run: of the revision.
        earlier: the runs before it, in order, in the same database.
    """
    for old, before, column in _newly_demanded(run, earlier):
        if old.column(column.name) is None and column.name not in _new_names(run, before):
            yield column


def newly_refused(run: RevisionRun, earlier: Sequence[RevisionRun]) -> Iterator[Column]:
    """Columns that old code knows and may leave NULL, and that a revision makes NOT NULL.

    SQLAlchemy's INSERT has NULL for a value that nobody set, unless the model or the column has a default.

    Args:
        run: of the revision.
        earlier: the runs before it, in order, in the same database.
    """
    for old, before, column in _newly_demanded(run, earlier):
        last = before.column(column.name)
        if old.column(column.name) is not None and last is not None and last.nullable:
            yield column


def _newly_demanded(run: RevisionRun, earlier: Sequence[RevisionRun]) -> Iterator[tuple[Table, Table, Column]]:
    """Each column of which a revision demands more: its table before all and before the revision, and the column after.

    Not those that a trigger of the revisions may fill.
    """
    statements = [statement for item in (*earlier, run) for statement in item.statements]
    for old in (*earlier, run)[0].before.tables:
        after, before = run.after.table(old.name), run.before.table(old.name)
        if after is None or before is None or old.partition_of is not None:
            continue
        for column in after.columns:
            last = before.column(column.name)
            demanded = demands(before, last) if last is not None else ()
            is_new = bool(set(demands(after, column)) - set(demanded))
            if is_new and not trigger_may_fill(statements, old.name, column.name):
                yield old, before, column


def _new_names(run: RevisionRun, table: Table) -> set[str]:
    """The names that a revision gives to columns that the table had before."""
    old = {column.name for column in table.columns}
    names = old
    for statement in run.statements:
        command = statement.command
        renames = command is not None and command.kind == "rename column" and table.name in statement.tables
        if command is not None and renames and command.name in names:
            names = names - {command.name} | {command.new_name}
    return names - old
