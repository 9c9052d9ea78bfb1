"""What a revision takes away from a schema that code of the release before may still use, besides tables and columns.

Nobody knows whether it does use it: only the models of that release or a recorded workload tell (`breaks-old-code`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.schema.model import Check, Column, Schema, Table
from alembic_pgpatterns.schema.sql.expressions import canonical, not_null_columns
from alembic_pgpatterns.schema.sql.lengths import longest
from alembic_pgpatterns.schema.sql.values import columns

_WAIT = "so wait until only new code runs"


def narrowed(run: RevisionRun, earlier: Sequence[RevisionRun]) -> Iterator[str]:
    """Each label, value or function that is gone after a revision, in words.

    Args:
        run: of the revision.
        earlier: the runs before it, in order, in the same database. Old code knows what was there before the first.
    """
    first_schema = (*earlier, run)[0].before
    for before in run.before.tables:
        after, first = run.after.table(before.name), first_schema.table(before.name)
        if after is None or first is None or before.partition_of is not None:
            continue
        for old in first.columns:
            last, new = before.column(old.name), after.column(old.name)
            if last is not None and new is not None:
                yield from _narrower_column(last, new)
        yield from _new_checks(first, before, after)
    yield from _dropped_functions(run, first_schema)


def _narrower_column(old: Column, new: Column) -> Iterator[str]:
    removed = [label for label in old.type.labels if label not in new.type.labels]
    if removed and new.type.labels:
        yield f"{old.identifier}: where it uses {', '.join(map(repr, removed))}, {_WAIT}"
    if _shorter(old, new):
        yield f"{old.identifier}: where its values do not fit {new.type.display}, {_WAIT}"


def _shorter(old: Column, new: Column) -> bool:
    """Whether a text or a number of the old type may not fit the new one of the same family."""
    if new.type.length is not None:
        return old.type.length is None or old.type.length > new.type.length
    if new.type.name == "numeric" and old.type.name == "numeric" and new.type.modifier:
        return not old.type.modifier or _digits(old) > _digits(new)
    if old.type.name in _SIZES and new.type.name in _SIZES:
        return _SIZES.index(new.type.name) < _SIZES.index(old.type.name)
    return False


_SIZES = ("int2", "int4", "int8", "numeric")


def _digits(column: Column) -> int:
    """Digits before the point. Those behind it are rounded, and not refused."""
    precision, *scale = column.type.modifier
    return precision - sum(scale)


def _new_checks(first: Table, before: Table, after: Table) -> Iterator[str]:
    expressions = (check.expression for check in (*first.checks, *before.checks))
    old_expressions = {canonical(expression) for expression in expressions if isinstance(expression, str)}
    # With another type PostgreSQL prints the same condition with other casts.
    same = {column.name for column in first.columns if _type(column) == _type(after.column(column.name))}
    for check in after.checks:
        expression = check.expression
        if not isinstance(expression, str) or not check.enforced or check.not_null_column is not None:
            continue
        # What it says of columns that old code does not know, and of NULL, `newly_needed` and `newly_refused` ask.
        limited = (columns(expression) & same) - not_null_columns(expression)
        if limited and canonical(expression) not in old_expressions and not _as_before(check, before):
            yield f"{check.identifier}: where its rows do not satisfy it, {_WAIT}"


def _type(column: Column | None) -> str | None:
    return None if column is None else column.type.display


def _as_before(check: Check, before: Table) -> bool:
    """Whether a CHECK only keeps the limit of a type, such as of varchar(64) that becomes text."""
    for column in before.columns:
        limit = longest(str(check.expression), column.name)
        if limit is not None:
            return column.type.length is not None and limit >= column.type.length
    return False


def _dropped_functions(run: RevisionRun, first_schema: Schema) -> Iterator[str]:
    present = {function.identifier for function in run.after.functions}
    # A trigger's function has no arguments, and goes with the trigger: no code calls it.
    commands = (statement.command for statement in run.statements)
    triggers = any(command is not None and command.kind == "drop trigger" for command in commands)
    for function in first_schema.functions:
        is_missing = function in run.before.functions and function.identifier not in present
        if is_missing and not (triggers and not function.arguments):
            yield f"{function.identifier}: where it calls it, {_WAIT}"
