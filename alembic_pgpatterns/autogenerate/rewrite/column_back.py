"""A column that a downgrade adds again: its values are lost, and rows need one if it is NOT NULL."""

from __future__ import annotations

from alembic.operations import ops
from sqlalchemy import Uuid, text
from sqlalchemy.schema import DefaultClause

from alembic_pgpatterns.autogenerate.rewrite.changes import altered
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.filling import stand_in
from alembic_pgpatterns.autogenerate.rewrite.plain_steps import plain
from alembic_pgpatterns.autogenerate.rewrite.rendering import Note
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, Step
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import type_text
from alembic_pgpatterns.patterns.revisions.required_column_without_default import RequiredColumnWithoutDefault
from alembic_pgpatterns.schema.sql.binds import escape_binds

RANDOM = "gen_random_uuid()"
"""Another value for each row, for a UUID that is unique. PostgreSQL has it since version 13."""


def column_back(op: ops.AddColumnOp, facts: Facts) -> tuple[Step, ...]:
    """Fill a NOT NULL column that a downgrade adds again, since its values are lost, or say that it cannot."""
    if facts.is_new(op.schema, op.table_name):
        return (plain(op),)
    subject = f"{op.table_name}.{op.column.name}"
    value = stand_in(op.column)
    if isinstance(op.column.type, Uuid) and not fits(op, str(value), facts):
        value = RANDOM
    if value is None or not fits(op, value, facts):
        reason = "the dropped values are lost, so on a table with rows this fails unless you give it a server_default"
        return (plain(op, strong=True, notes=(Note(RequiredColumnWithoutDefault.name, subject, reason),)),)
    reason = f"the dropped values are lost: existing rows get {value}; write another value here if they need one"
    column = op.column._copy()
    column.server_default = DefaultClause(text(escape_binds(value)))
    drop_default = ops.AlterColumnOp(
        op.table_name,
        op.column.name,
        schema=op.schema,
        existing_type=op.column.type,
        existing_nullable=False,
        modify_server_default=None,
    )
    notes = (Note(RequiredColumnWithoutDefault.name, subject, reason),)
    phase = Phase((altered(op, column=column), drop_default), strong=True, notes=notes)
    return (Step(0, phase, owns_downgrade=True),)


def fits(op: ops.AddColumnOp, value: str, facts: Facts) -> bool:
    """Whether all rows may have a value: no key or foreign key is on the column, and its CHECKs hold."""
    dependents = facts.dependents(facts.key(op.schema, op.table_name), str(op.column.name))
    unique = value != RANDOM and any(
        index.key or index.definition.startswith("CREATE UNIQUE") for index in dependents.indexes
    )
    excluded = any("exclusion" in obstacle or "not be read" in obstacle for obstacle in dependents.obstacles)
    if unique or excluded or any(key.referencing for key in dependents.foreign_keys):
        return False
    row = (str(op.column.name), type_text(op.column.type), value)
    return all(facts.holds(check.definition, *row) for check in dependents.checks)
