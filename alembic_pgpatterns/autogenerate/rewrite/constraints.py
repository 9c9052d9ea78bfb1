"""Foreign keys and checks on existing tables: NOT VALID, then VALIDATE in a transaction of its own.

PostgreSQL docs, ALTER TABLE, "VALIDATE CONSTRAINT": it takes SHARE UPDATE EXCLUSIVE, which stops neither reads
nor writes, but in the transaction that added the constraint that one's stronger lock is held through the scan.
"""

from __future__ import annotations

from typing import Any

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.changes import altered, table_of
from alembic_pgpatterns.autogenerate.rewrite.database_facts import FOREIGN_KEYS_NOT_VALID_ON_PARTITIONED, Facts
from alembic_pgpatterns.autogenerate.rewrite.plain_steps import NOT_VALID, own_transaction, plain
from alembic_pgpatterns.autogenerate.rewrite.rendering import Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, Step, referenced_tables
from alembic_pgpatterns.autogenerate.rewrite.table_names import alter_table
from alembic_pgpatterns.patterns.revisions.drop_under_running_code import DropUnderRunningCode
from alembic_pgpatterns.patterns.revisions.model_drift import ModelDrift
from alembic_pgpatterns.patterns.revisions.validating_check import ValidatingCheck
from alembic_pgpatterns.patterns.revisions.validating_foreign_key import ValidatingForeignKey
from alembic_pgpatterns.schema.names import quote, stored


def plan_foreign_key(op: ops.CreateForeignKeyOp, facts: Facts) -> tuple[Step, ...]:
    """ADD FOREIGN KEY takes SHARE ROW EXCLUSIVE on both tables, and holds it while it reads the referencing one."""
    source = (op.kw.get("source_schema"), op.source_table)
    target = (op.kw.get("referent_schema"), op.referent_table)
    if facts.is_new(*source) or op.kw.get(NOT_VALID) or op.constraint_name is None:
        return (plain(op, strong=not (facts.is_new(*source) and facts.is_new(*target))),)
    subject = f"{op.constraint_name} on {op.source_table}"
    if facts.is_partitioned(*source) and facts.version < FOREIGN_KEYS_NOT_VALID_ON_PARTITIONED:
        reason = "before PostgreSQL 18 a partitioned table has no NOT VALID foreign keys: rows are read under a lock"
        note = Note(ValidatingForeignKey.name, subject, reason)
        return (plain(op, strong=True, idempotent=_anew(op), notes=(note,), long=True),)
    reason = "NOT VALID for now: a plain one would block writes to both tables while it reads every row"
    return _not_valid(op, facts, Note(ValidatingForeignKey.name, subject, reason))


def plan_check(op: ops.CreateCheckConstraintOp, facts: Facts) -> tuple[Step, ...]:
    """ADD CHECK takes ACCESS EXCLUSIVE and holds it while it reads the table."""
    if facts.is_new(op.schema, op.table_name) or op.kw.get(NOT_VALID) or op.constraint_name is None:
        return (plain(op, strong=not facts.is_new(op.schema, op.table_name)),)
    subject = f"{op.constraint_name} on {op.table_name}"
    reason = "NOT VALID for now: a plain one would block every reader and writer while it reads every row"
    return _not_valid(op, facts, Note(ValidatingCheck.name, subject, reason))


def _not_valid(op: Any, facts: Facts, note: Note) -> tuple[Step, ...]:
    if not facts.autocommit:
        return (plain(op, strong=True, idempotent=_anew(op), notes=(own_transaction(note.pattern, note.subject),)),)
    staged = altered(op, kw={**op.kw, NOT_VALID: True})
    add = Phase((staged,), strong=True, idempotent=_anew(staged), notes=(note,))
    return (Step(0, add, owns_downgrade=True), Step(1, validate(op)))


def validate(op: Any) -> Phase:
    """Return the VALIDATE of a constraint. It does nothing if the constraint is valid already."""
    schema, table = table_of(op)
    name = stored(op.constraint_name)
    reason = "reads all rows, but blocks neither reads nor writes"
    pattern = ValidatingForeignKey.name if isinstance(op, ops.CreateForeignKeyOp) else ValidatingCheck.name
    statement = f"{alter_table(schema, str(table))} VALIDATE CONSTRAINT {quote(name)}"
    return Phase((SqlOp(statement),), autocommit=True, notes=(Note(pattern, f"{name} on {table}", reason, aside=True),))


def _anew(op: Any) -> tuple[ops.MigrateOperation, ...]:
    kind = "foreignkey" if isinstance(op, ops.CreateForeignKeyOp) else "check"
    schema, table = table_of(op)
    # PostgreSQL has no ADD CONSTRAINT IF NOT EXISTS.
    return (ops.DropConstraintOp(op.constraint_name, str(table), kind, schema=schema, if_exists=True), op)


def plan_drop_constraint(op: ops.DropConstraintOp, facts: Facts) -> tuple[Step, ...]:
    """DROP CONSTRAINT takes ACCESS EXCLUSIVE for a moment; of a foreign key, on both tables."""
    return (plain(op, strong=not facts.is_new(op.schema, op.table_name)),)


def plan_table(op: ops.CreateTableOp | ops.DropTableOp, facts: Facts) -> tuple[Step, ...]:
    """A new table blocks nobody, but its foreign keys lock the tables they reference."""
    others = (table for table in referenced_tables(op, facts) if table not in facts.created | facts.dropped)
    key = facts.key(op.schema, op.table_name)
    existing = isinstance(op, ops.DropTableOp) and key in facts.dropped
    users = facts.blocks_drop(key) if existing else ()
    reason = f"this uses the table: {', '.join(users)}. Drop or change that first: PostgreSQL refuses"
    notes = (Note(DropUnderRunningCode.name, key[1], reason),) if users else _without_partition(op)
    return (plain(op, strong=existing or any(others), notes=notes),)


def _without_partition(op: ops.CreateTableOp | ops.DropTableOp) -> tuple[Note, ...]:
    if isinstance(op, ops.DropTableOp) or not op.kw.get("postgresql_partition_by"):
        return ()
    reason = f"{op.table_name} is partitioned: PostgreSQL refuses every row for which there is no partition yet"
    return (Note(ModelDrift.name, op.table_name, reason, warns=True),)
