"""From findings to operations that fix them and operations that undo that; and findings that no revision can fix."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from alembic.operations import ops
from sqlalchemy import DefaultClause, text

from alembic_pgpatterns.autogenerate.rewrite.changes import altered, flatten
from alembic_pgpatterns.autogenerate.rewrite.column_swap import can_swap, reasons_against
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.swap_order import with_swaps_placed
from alembic_pgpatterns.autogenerate.rewrite.swap_recipes import recipes
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import rewrites
from alembic_pgpatterns.fix.missing_extensions import create_extension, missing_extensions
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.patterns.types.timestamp_without_time_zone import naive_default
from alembic_pgpatterns.remedies.fixable import carried_out, why_not_fixable
from alembic_pgpatterns.remedies.model import (
    ChangeType,
    CreateIndex,
    DropConstraint,
    DropIndex,
    RebuildIndex,
    Remedy,
    ReplaceIndex,
    ReplaceUnique,
    SetDefault,
    SetNotNull,
    Statements,
    TypeChange,
    ValidateConstraint,
)
from alembic_pgpatterns.remedies.model_line import INDEX_TEMPLATE
from alembic_pgpatterns.remedies.naming import index_name
from alembic_pgpatterns.remedies.operations import operations
from alembic_pgpatterns.remedies.sql import sequences_sql, sql
from alembic_pgpatterns.remedies.type_operations import read_in_utc
from alembic_pgpatterns.schema.model import Column, Location, Name, Schema
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.binds import escape_binds

Operations = tuple[ops.MigrateOperation, ...]


@dataclass(frozen=True, slots=True)
class Fix:
    """A remedy, the findings that it fixes, and the operations up and down.

    ``places``: where the models declare each of the changes of a ChangeType, in their order. ``defaults``: what the
    models fill in there without a time zone, although the new type has one; empty if nothing. ``index_template``: the
    models' naming convention for indexes. ``extensions``: those that it needs and the database does not have; the
    revision creates each of them once.
    """

    findings: tuple[Finding, ...]
    remedy: Remedy
    up: Operations
    down: Operations
    places: tuple[Location | None, ...] = ()
    defaults: tuple[str, ...] = ()
    index_template: str | None = INDEX_TEMPLATE
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Left:
    """A finding that no written revision fixes, and the reason. Its remedy describes what to do."""

    finding: Finding
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one round of revisions fixes, and what it leaves, forever or for the next round."""

    fixes: tuple[Fix, ...]
    left: tuple[Left, ...]


def plan(findings: Sequence[Finding], schema: Schema, *, named: bool) -> Plan:
    """The fixes for findings. A remedy of several findings is taken once. Of two on the same object the first is taken.

    The other one waits for the next round: after the first fix it may not be needed any more.

    Args:
        findings: what is to be fixed.
        schema: of the database.
        named: the user named the patterns, and so decided what else depends on rows and queries.
    """
    by_remedy: dict[Remedy, list[Finding]] = {}
    left: list[Left] = []
    for finding in findings:
        reason = why_not_fixable(finding.remedy, guess=finding.guess and not named)
        if reason is not None or finding.remedy is None:
            left.append(Left(finding, reason or ""))
        else:
            by_remedy.setdefault(carried_out(finding.remedy), []).append(finding)
    used: set[Hashable] = set()
    created: set[str] = set()
    fixes = []
    templates = {metadata.index_template for metadata in schema.metadatas} or {INDEX_TEMPLATE}
    template = templates.pop() if len(templates) == 1 else None
    for remedy, cured in by_remedy.items():
        keys = set(_touched(remedy))
        if not keys & used:
            up, down = both_ways(remedy, schema)
            extensions = missing_extensions(remedy, schema)
            # The first fix that needs one creates it: its downgrade is the last, when no index uses it any more.
            up, down = _with_extensions([name for name in extensions if name not in created], up, down)
            created.update(extensions)
            changed = tuple(_changed(remedy, schema))
            places = tuple(column.origin.location if column is not None else None for column in changed)
            defaults = tuple(map(_default_without_zone, changed))
            fixes.append(Fix(tuple(cured), remedy, up, down, places, defaults, template, extensions))
            used |= keys
    return Plan(tuple(fixes), tuple(left))


def _with_extensions(names: Sequence[str], up: Operations, down: Operations) -> tuple[Operations, Operations]:
    statements = {name: create_extension(name) for name in names}
    creating = (FixSqlOp(create, name) for name, (create, _) in statements.items())
    dropping = (FixSqlOp(drop, name) for name, (_, drop) in reversed(statements.items()))
    return (*creating, *up), (*down, *dropping)


def _changed(remedy: Remedy, schema: Schema) -> Iterator[Column | None]:
    for change in remedy.changes if isinstance(remedy, ChangeType) else ():
        table = schema.table(change.table)
        yield table.column(change.column) if table is not None else None


def _default_without_zone(column: Column | None) -> str:
    return naive_default(column) if column is not None and column.type.name == "timestamp" else ""


def unsafe(fix: Fix, facts: Facts) -> str | None:
    """Why the rewriter has no safe form of the fix for a table in use, or None."""
    for op in fix.up:
        if not isinstance(op, ops.AlterColumnOp) or op.modify_type is None:
            continue
        place = (facts.key(op.schema, op.table_name), str(op.column_name))
        dependents = facts.dependents_of(op)
        again = {*facts.droppable_views(*place), *dependents.objects, *dependents.rebuilt}
        users = [user for user in facts.blocks_type_change(*place) if user not in again]
        if users:
            return f"PostgreSQL refuses to change the type while the column is used by: {', '.join(users)}"
    blocked = _not_swapped(fix.up, facts)
    if blocked is None:
        return None
    reasons = reasons_against(*blocked)
    swap = f", and a second column cannot replace it. {' '.join(recipes(reasons))}".rstrip() if reasons else ""
    return f"every row would be rewritten under a lock that blocks reads{swap}"


def in_one_revision(fixes: Sequence[Fix], facts: Facts) -> list[Fix]:
    """The safe fixes that one revision can hold. The others wait for the next one.

    A second column replaces the first only if the same revision changes nothing else on the column or on what depends
    on it (`swap_order`). So the new types come alone and first: an index is then built once, for the new column.

    Args:
        fixes: for each of them `unsafe` returns None.
        facts: the facts of the run.
    """
    chosen = [fix for fix in fixes if any(_is_rewritten(op, facts) for op in fix.up)]
    if not chosen:
        return list(fixes)
    result: list[Fix] = []
    for fix in chosen:
        if _not_swapped([op for item in (*result, fix) for op in item.up], facts) is None:
            result.append(fix)
    return result


def _is_rewritten(op: ops.MigrateOperation, facts: Facts) -> bool:
    """Whether PostgreSQL's one statement for a change of type would write every row again."""
    if not isinstance(op, ops.AlterColumnOp) or op.modify_type is None:
        return False
    old = op.existing_type
    return old is None or rewrites(old, op.modify_type, facts.utc or read_in_utc(op))


def _not_swapped(operations: Sequence[ops.MigrateOperation], facts: Facts) -> tuple[ops.AlterColumnOp, Facts] | None:
    """A change that would rewrite the table, since no second column can replace the first; None if there is none.

    Returned with the facts that name what stands in the way: other operations of the revision may do, too.
    """
    changes, placed = with_swaps_placed(flatten(operations), facts)
    for change in changes:
        op = change.up
        if not isinstance(op, ops.AlterColumnOp) or not _is_rewritten(op, facts) or can_swap(op, placed):
            continue
        # The revision refuses a large table itself (`kept_objects`), so the lock is short.
        if not placed.dependents_of(op).rebuilt:
            return op, placed
    return None


class FixSqlOp(ops.ExecuteSQLOp):
    """A statement of a fix. By its name the downgrade finds the statement that undoes it."""

    def __init__(self, statement: str, name: str) -> None:
        super().__init__(statement)
        self.constraint_name = name

    def reverse(self) -> FixSqlOp:
        """An operation of this kind too. The real statement of the downgrade is among the operations down."""
        return FixSqlOp("", self.constraint_name)


def both_ways(remedy: Remedy, schema: Schema) -> tuple[Operations, Operations]:
    """The operations that apply the remedy, and those that restore the old state."""
    up, down = _both_ways(remedy, schema)
    name = hashlib.sha256(repr(remedy).encode()).hexdigest()
    return tuple(_named(op, name) for op in up), tuple(_named(op, name) for op in down)


def _named(op: ops.MigrateOperation, name: str) -> ops.MigrateOperation:
    return FixSqlOp(str(op.sqltext), name) if type(op) is ops.ExecuteSQLOp else op


def _both_ways(remedy: Remedy, schema: Schema) -> tuple[Operations, Operations]:
    default = schema.default_schema
    up = tuple(_completed(op, schema) for op in operations(remedy, default))
    # Nothing to undo: an index that is whole again, and a constraint that is checked, are what the old schema claimed
    # to have.
    if isinstance(remedy, RebuildIndex | ValidateConstraint):
        return up, ()
    if isinstance(remedy, DropConstraint):
        key = f"ALTER TABLE {remedy.table} ADD CONSTRAINT {quote(remedy.constraint)} {remedy.definition}"
        return up, (ops.ExecuteSQLOp(escape_binds(key)),)
    if isinstance(remedy, Statements):
        return up, tuple(ops.ExecuteSQLOp(escape_binds(statement)) for statement in remedy.down)
    if isinstance(remedy, ReplaceUnique) and remedy.constraint is not None:
        schema_name = None if remedy.table.schema == default else remedy.table.schema
        columns = list(remedy.columns)
        unique = ops.CreateUniqueConstraintOp(remedy.constraint, remedy.table.name, columns, schema=schema_name)
        return up, (unique, up[0].reverse())
    if isinstance(remedy, ChangeType) and any(isinstance(op, ops.ExecuteSQLOp) for op in up):
        altered_back = tuple(op.reverse() for op in reversed(up) if isinstance(op, ops.AlterColumnOp))
        # A type that SQLAlchemy cannot write has its whole remedy as SQL.
        statements = sequences_sql(_swapped(remedy)) if altered_back else sql(_swapped(remedy))
        back = tuple(ops.ExecuteSQLOp(escape_binds(item)) for item in statements)
        return up, (*_dropped_checks(remedy), *altered_back, *back)
    # In the reverse order: what an operation needs is still there when it is undone.
    return up, tuple(op.reverse() for op in reversed(up))


def _dropped_checks(remedy: ChangeType) -> Operations:
    checks = ((change.table, change.check_name) for change in remedy.changes if change.check_name)
    statements = (f"ALTER TABLE {table} DROP CONSTRAINT {quote(name)}" for table, name in checks)
    return tuple(ops.ExecuteSQLOp(escape_binds(statement)) for statement in statements)


def _swapped(remedy: ChangeType) -> ChangeType:
    return ChangeType(
        tuple(
            TypeChange(item.table, item.column, item.new, item.old, sequence=item.sequence) for item in remedy.changes
        )
    )


def _completed(op: ops.MigrateOperation, schema: Schema) -> ops.MigrateOperation:
    """Add what the rewriter needs: to move an alter_column to a second column, or to fill rows before NOT NULL."""
    if not isinstance(op, ops.AlterColumnOp) or (op.existing_nullable is not None and op.modify_nullable is None):
        return op
    table = schema.table(Name(op.schema or schema.default_schema, op.table_name))
    column = table.column(op.column_name) if table is not None else None
    if column is None:
        return op
    if op.modify_type is None and op.modify_nullable is None:
        return altered(op, existing_nullable=column.nullable)
    # The default of a sequence is no value for rows that exist.
    plain = isinstance(column.default, str) and column.sequence is None
    default = DefaultClause(text(escape_binds(str(column.default)))) if plain else op.existing_server_default
    return altered(
        op, existing_nullable=column.nullable, existing_server_default=default, existing_comment=column.comment
    )


def _touched(remedy: Remedy) -> Iterator[Hashable]:
    """The objects that two remedies must not both change in one round."""
    if isinstance(remedy, CreateIndex):
        yield from _created(remedy)
    elif isinstance(remedy, DropIndex | RebuildIndex):
        yield ("index", remedy.index)
    elif isinstance(remedy, ReplaceIndex):
        yield ("index", remedy.index)
        yield from _created(remedy.new)
    elif isinstance(remedy, ReplaceUnique):
        yield ("constraint", remedy.table, remedy.constraint)
        yield from _created(remedy.new)
    elif isinstance(remedy, ChangeType):
        yield from (("column", change.table, change.column) for change in remedy.changes)
    elif isinstance(remedy, SetNotNull | SetDefault):
        yield ("column", remedy.table, remedy.column)
    elif isinstance(remedy, DropConstraint | ValidateConstraint):
        yield ("constraint", remedy.table, remedy.constraint)
    else:
        yield remedy


def _created(index: CreateIndex) -> Iterator[Hashable]:
    """The index's name and its first column: of two indexes with the same first column one may be unnecessary."""
    yield ("index", Name(index.table.schema, index_name(index)))
    yield ("leading", index.table, index.keys[0].column or index.keys[0].expression, index.method)
