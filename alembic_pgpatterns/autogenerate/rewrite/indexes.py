"""Indexes and unique constraints on existing tables: built and dropped CONCURRENTLY.

PostgreSQL docs, "Building Indexes Concurrently": not in a transaction block, not on a partitioned parent, and a
build that fails leaves an INVALID index behind, which ``IF NOT EXISTS`` takes for the real one.
"""

from __future__ import annotations

from typing import Any

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.changes import altered
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Piece, Step
from alembic_pgpatterns.schema.names import quote, stored

CONCURRENTLY = "postgresql_concurrently"
PARTITIONED = (
    "CREATE INDEX and DROP INDEX of a partitioned table lock every partition, and CONCURRENTLY is refused (0A000)"
)


def plan_create_index(op: ops.CreateIndexOp, facts: Facts) -> tuple[Step, ...]:
    """CREATE INDEX takes SHARE: nobody writes to the table until the index is built."""
    if facts.is_new(op.schema, op.table_name) or op.index_name is None:
        return (plain(in_transaction(op)),)
    if facts.is_partitioned(op.schema, op.table_name):
        return (plain(in_transaction(op), strong=True, notes=(_partitioned_note(op),)),)
    if not facts.autocommit:
        return (plain(in_transaction(op), strong=True, notes=(own_transaction("blocking-index-build", _subject(op)),)),)
    why = f"built concurrently, since CREATE INDEX would stop every write to {op.table_name} until it is done"
    note = Note("blocking-index-build", _subject(op), why)
    return (Step(1, Piece(build_concurrently(op), autocommit=True, notes=(note,)), main=True),)


def plan_drop_index(op: ops.DropIndexOp, facts: Facts) -> tuple[Step, ...]:
    """DROP INDEX takes ACCESS EXCLUSIVE on the table."""
    if facts.is_new(op.schema, str(op.table_name)):
        return (plain(in_transaction(op)),)
    if facts.is_partitioned(op.schema, str(op.table_name)):
        return (plain(in_transaction(op), strong=True, notes=(_partitioned_note(op),)),)
    if not facts.autocommit:
        return (plain(in_transaction(op), strong=True, notes=(own_transaction("blocking-index-drop", _subject(op)),)),)
    why = f"dropped concurrently, since DROP INDEX would stop every reader and writer of {op.table_name}"
    note = Note("blocking-index-drop", _subject(op), why)
    return (Step(1, Piece((drop_concurrently(op),), autocommit=True, notes=(note,)), main=True),)


def plan_unique(op: ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp, facts: Facts) -> tuple[Step, ...]:
    """ADD UNIQUE builds its index under ACCESS EXCLUSIVE; made of a finished index it takes a moment."""
    subject = f"{op.constraint_name} on {op.table_name}"
    if facts.is_new(op.schema, op.table_name) or op.constraint_name is None:
        return (plain(op),)
    again = (_drop_constraint(op), op)
    if facts.is_partitioned(op.schema, op.table_name):
        why = "a partitioned table takes no finished index (USING INDEX), so the constraint is built under a lock"
        note = Note("blocking-unique", subject, why)
        return (plain(op, strong=True, again=again, notes=(note,)),)
    if not facts.autocommit:
        return (plain(op, strong=True, again=again, notes=(own_transaction("blocking-unique", subject),)),)
    why = f"its index is built first, since ADD CONSTRAINT would build it while nobody reads or writes {op.table_name}"
    index = Piece(build_concurrently(index_of(op)), autocommit=True, notes=(Note("blocking-unique", subject, why),))
    taken = Note("blocking-unique", subject, "takes the finished index, and no row is read", aside=True)
    attach = Piece((SqlOp(_using_index(op)),), strong=True, notes=(taken,))
    return (Step(1, index), Step(2, attach, main=True))


def build_concurrently(op: ops.CreateIndexOp) -> tuple[ops.MigrateOperation, ...]:
    """A build that can be run again: the INVALID index that an earlier, failed one left behind goes first."""
    assert op.index_name is not None
    options = {**op.kw, CONCURRENTLY: True}
    leftover = ops.DropIndexOp(
        op.index_name, op.table_name, schema=op.schema, if_exists=True, postgresql_concurrently=True
    )
    why = CommentOp(("# First what a build that failed would have left behind; there is nothing as a rule.",))
    return (why, leftover, altered(op, kw=options, if_not_exists=True))


def drop_concurrently(op: ops.DropIndexOp) -> ops.DropIndexOp:
    """``IF EXISTS``, so that it can be run again. What else described the index is of no use to a DROP."""
    return altered(op, if_exists=True, kw={CONCURRENTLY: True}, _reverse=None)


def in_transaction(op: Any) -> Any:
    """An index op as it runs in a transaction, where CONCURRENTLY is refused, whatever the models say."""
    kept = {name: value for name, value in op.kw.items() if name != CONCURRENTLY}
    return altered(op, kw=kept)


def plain(
    op: ops.MigrateOperation,
    strong: bool = False,
    notes: tuple[Note, ...] = (),
    again: tuple[ops.MigrateOperation, ...] | None = None,
) -> Step:
    """An op as Alembic wrote it."""
    return Step(0, Piece((op,), strong=strong, notes=notes, again=again or repeatable(op)), main=True)


def repeatable(op: ops.MigrateOperation) -> tuple[ops.MigrateOperation, ...] | None:
    """The op with IF EXISTS or IF NOT EXISTS, where Alembic has it for the op."""
    if isinstance(op, ops.CreateTableOp | ops.CreateIndexOp | ops.AddColumnOp):
        return (altered(op, if_not_exists=True),)
    if isinstance(op, ops.DropTableOp | ops.DropIndexOp | ops.DropColumnOp | ops.DropConstraintOp):
        return (altered(op, if_exists=True),)
    return None


def own_transaction(pattern: str, subject: str) -> Note:
    """Why an op was left as it is under an env.py that autocommit blocks fail in."""
    why = (
        "left as it is: env.py opens a transaction of its own before context.configure(), in which an autocommit "
        "block fails. Let context.begin_transaction() open it, and this op can be written without the lock"
    )
    return Note(pattern, subject, why)


def _partitioned_note(op: ops.CreateIndexOp | ops.DropIndexOp) -> Note:
    if isinstance(op, ops.DropIndexOp):
        return Note("concurrent-on-partitioned-parent", _subject(op), PARTITIONED)
    name, table = quote(str(op.index_name)), qualified(op.schema, op.table_name)
    more = (
        "For large partitions write it in stages instead; the first and the last take a moment:",
        f"  CREATE INDEX {name} ON ONLY {table} (...);",
        f"  CREATE INDEX CONCURRENTLY {name}_<partition> ON <partition> (...);   -- each, in an autocommit block",
        f"  ALTER INDEX {name} ATTACH PARTITION {name}_<partition>;   -- each",
    )
    return Note("concurrent-on-partitioned-parent", _subject(op), PARTITIONED, more=more)


def _subject(op: ops.CreateIndexOp | ops.DropIndexOp) -> str:
    return f"{op.index_name} on {op.table_name}"


_OF_INDEX = ("postgresql_include", "postgresql_nulls_not_distinct", "postgresql_ops")


def index_of(op: ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp) -> ops.CreateIndexOp:
    """The unique index that a constraint is made of."""
    options = {name: value for name, value in op.kw.items() if name in _OF_INDEX and value}
    return ops.CreateIndexOp(
        stored(op.constraint_name), op.table_name, list(op.columns), schema=op.schema, unique=True, **options
    )


def _using_index(op: ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp) -> str:
    kind = "PRIMARY KEY" if isinstance(op, ops.CreatePrimaryKeyOp) else "UNIQUE"
    name = quote(stored(op.constraint_name))
    statement = f"{alter_table(op.schema, op.table_name)} ADD CONSTRAINT {name} {kind} USING INDEX {name}"
    if op.kw.get("deferrable"):
        statement += " DEFERRABLE"
    if op.kw.get("initially"):
        statement += f" INITIALLY {str(op.kw['initially']).upper()}"
    return statement


def _drop_constraint(op: ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp) -> ops.DropConstraintOp:
    kind = "primary" if isinstance(op, ops.CreatePrimaryKeyOp) else "unique"
    return ops.DropConstraintOp(op.constraint_name, op.table_name, kind, schema=op.schema, if_exists=True)


def alter_table(schema: str | None, table: str) -> str:
    """``ALTER TABLE``, with the table's name in quotes where it needs them."""
    return f"ALTER TABLE {qualified(schema, table)}"


def qualified(schema: str | None, table: str) -> str:
    """A table's name as SQL."""
    return ".".join(quote(part) for part in (schema, table) if part)
