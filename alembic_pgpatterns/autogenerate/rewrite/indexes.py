"""Indexes and unique constraints on existing tables: built and dropped CONCURRENTLY.

PostgreSQL docs, "Building Indexes Concurrently": not in a transaction block and not on a partitioned parent. A failed
build leaves an INVALID index, which ``IF NOT EXISTS`` mistakes for the real one.
"""

from __future__ import annotations

from typing import Any

from alembic.operations import ops
from sqlalchemy.sql.elements import UnaryExpression

from alembic_pgpatterns.autogenerate.rewrite.changes import altered
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.plain_steps import own_transaction, plain
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, Note, SqlOp, sql_text
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, Step
from alembic_pgpatterns.autogenerate.rewrite.table_names import alter_table, qualified
from alembic_pgpatterns.patterns.revisions.blocking_index_build import BlockingIndexBuild
from alembic_pgpatterns.patterns.revisions.blocking_index_drop import BlockingIndexDrop
from alembic_pgpatterns.patterns.revisions.blocking_unique import BlockingUnique
from alembic_pgpatterns.patterns.revisions.concurrent_on_partitioned_parent import ConcurrentOnPartitionedParent
from alembic_pgpatterns.schema.names import quote, stored

CONCURRENTLY = "postgresql_concurrently"
PARTITIONED = (
    "CREATE INDEX and DROP INDEX of a partitioned table lock every partition, and CONCURRENTLY is refused (0A000)"
)


def plan_create_index(op: ops.CreateIndexOp, facts: Facts) -> tuple[Step, ...]:
    """CREATE INDEX takes SHARE: nobody can write to the table until the index is built."""
    if facts.is_new(op.schema, op.table_name) or op.index_name is None:
        return (plain(in_transaction(op)),)
    if facts.is_partitioned(op.schema, op.table_name):
        return (plain(in_transaction(op), strong=True, notes=(_partitioned_note(op),), long=True),)
    if not facts.autocommit:
        return (
            plain(in_transaction(op), strong=True, notes=(own_transaction(BlockingIndexBuild.name, _subject(op)),)),
        )
    reason = f"built concurrently: CREATE INDEX would block every write to {op.table_name} until it is done"
    note = Note(BlockingIndexBuild.name, _subject(op), reason, more=duplicates(op))
    return (Step(1, Phase(build_concurrently(op), autocommit=True, notes=(note,)), owns_downgrade=True),)


def plan_drop_index(op: ops.DropIndexOp, facts: Facts) -> tuple[Step, ...]:
    """DROP INDEX takes ACCESS EXCLUSIVE on the table."""
    if facts.is_new(op.schema, str(op.table_name)):
        return (plain(in_transaction(op)),)
    if facts.is_partitioned(op.schema, str(op.table_name)):
        return (plain(in_transaction(op), strong=True, notes=(_partitioned_note(op),)),)
    if not facts.autocommit:
        return (plain(in_transaction(op), strong=True, notes=(own_transaction(BlockingIndexDrop.name, _subject(op)),)),)
    reason = f"dropped concurrently: DROP INDEX would block every reader and writer of {op.table_name}"
    if getattr(op, "built_again", False):
        reason += ". Until the new one is built, queries have no such index"
        reason += ", and rows with the same values can get in" if getattr(op._reverse, "unique", False) else ""
    note = Note(BlockingIndexDrop.name, _subject(op), reason)
    return (Step(1, Phase((drop_concurrently(op),), autocommit=True, notes=(note,)), owns_downgrade=True),)


def plan_unique(op: ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp, facts: Facts) -> tuple[Step, ...]:
    """ADD UNIQUE builds its index under ACCESS EXCLUSIVE. With a finished index it takes a moment."""
    subject = f"{op.constraint_name} on {op.table_name}"
    if facts.is_new(op.schema, op.table_name) or op.constraint_name is None:
        return (plain(op),)
    idempotent = (_drop_constraint(op), op)
    if facts.is_partitioned(op.schema, op.table_name):
        reason = "USING INDEX does not work on a partitioned table, so the constraint is built under a lock"
        note = Note(BlockingUnique.name, subject, reason)
        return (plain(op, strong=True, idempotent=idempotent, notes=(note,), long=True),)
    if not facts.autocommit:
        return (plain(op, strong=True, idempotent=idempotent, notes=(own_transaction(BlockingUnique.name, subject),)),)
    reason = (
        f"its index is built first: ADD CONSTRAINT would block reads and writes of {op.table_name} until it is built"
    )
    built = index_of(op)
    note = Note(BlockingUnique.name, subject, reason, more=duplicates(built))
    index = Phase(build_concurrently(built), autocommit=True, notes=(note,))
    attach_note = Note(BlockingUnique.name, subject, "uses the finished index; no row is read", aside=True)
    attach = Phase((SqlOp(_using_index(op)),), strong=True, notes=(attach_note,))
    return (Step(1, index), Step(2, attach, owns_downgrade=True))


def duplicates(op: ops.CreateIndexOp) -> tuple[str, ...]:
    """Return the lines of a comment that show the query for rows that a unique index refuses."""
    if not op.unique:
        return ()
    # The order of a key is no part of its value.
    keys = [item.element if isinstance(item, UnaryExpression) and item.modifier else item for item in op.columns]
    names = ", ".join(quote(item) if isinstance(item, str) else sql_text(item) for item in keys)
    # NULL is no duplicate of NULL, unless the index says so.
    conditions = [] if op.kw.get("postgresql_nulls_not_distinct") else [f"({names}) IS NOT NULL"]
    conditions += [sql_text(where)] if (where := op.kw.get("postgresql_where")) is not None else []
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    query = f"SELECT {names}, count(*) FROM {qualified(op.schema, op.table_name)}{where}"  # noqa: S608 - for people
    return ("It fails if rows have the same values:", f"  {query} GROUP BY {names} HAVING count(*) > 1;")


def build_concurrently(op: ops.CreateIndexOp) -> tuple[ops.MigrateOperation, ...]:
    """Return a build that can run again: it first drops the INVALID index of a failed build."""
    assert op.index_name is not None
    options = {**op.kw, CONCURRENTLY: True}
    leftover = ops.DropIndexOp(
        op.index_name, op.table_name, schema=op.schema, if_exists=True, postgresql_concurrently=True
    )
    comment = CommentOp(("# First drop what a failed build may have left. Usually there is nothing.",))
    # IF NOT EXISTS alone would take the INVALID index of a failed build for a finished one (docs, CREATE INDEX,
    # "Building Indexes Concurrently").
    return (comment, leftover, altered(op, kw=options, if_not_exists=True))


def drop_concurrently(op: ops.DropIndexOp) -> ops.DropIndexOp:
    """Return the drop with CONCURRENTLY and IF EXISTS, so that it can run again."""
    options: dict[str, Any] = {CONCURRENTLY: True}
    # Not a copy: Alembic renders a drop from the index that the op would restore.
    return ops.DropIndexOp(op.index_name, op.table_name, schema=op.schema, if_exists=True, **options)


def in_transaction(op: Any) -> Any:
    """Return an index op without CONCURRENTLY, which PostgreSQL refuses in a transaction."""
    options = {name: value for name, value in op.kw.items() if name != CONCURRENTLY}
    return altered(op, kw=options)


def _partitioned_note(op: ops.CreateIndexOp | ops.DropIndexOp) -> Note:
    if isinstance(op, ops.DropIndexOp):
        return Note(ConcurrentOnPartitionedParent.name, _subject(op), PARTITIONED)
    name, table = quote(str(op.index_name)), qualified(op.schema, op.table_name)
    more = (
        "For large partitions write it in stages instead. The first and the last take a moment:",
        f"  CREATE INDEX {name} ON ONLY {table} (...);",
        f"  CREATE INDEX CONCURRENTLY {name}_<partition> ON <partition> (...);   -- each, in an autocommit block",
        f"  ALTER INDEX {name} ATTACH PARTITION {name}_<partition>;   -- each",
    )
    return Note(ConcurrentOnPartitionedParent.name, _subject(op), PARTITIONED, more=more)


def _subject(op: ops.CreateIndexOp | ops.DropIndexOp) -> str:
    return f"{op.index_name} on {op.table_name}"


_OF_INDEX = ("postgresql_include", "postgresql_nulls_not_distinct", "postgresql_ops")


def index_of(op: ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp) -> ops.CreateIndexOp:
    """Return the unique index for a constraint."""
    options = {name: value for name, value in op.kw.items() if name in _OF_INDEX and value}
    return ops.CreateIndexOp(
        stored(op.constraint_name), op.table_name, list(op.columns), schema=op.schema, unique=True, **options
    )


def _using_index(op: ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp) -> str:
    # Alembic has no operation with USING INDEX. The constraint takes over the index, and with it the name.
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
