"""Operations that stay as Alembic wrote them, with the form that can run again."""

from __future__ import annotations

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.changes import altered
from alembic_pgpatterns.autogenerate.rewrite.rendering import Note
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, Step

NOT_VALID = "postgresql_not_valid"
"""The option of an operation that adds a constraint without reading the rows."""


def plain(
    op: ops.MigrateOperation,
    strong: bool = False,
    notes: tuple[Note, ...] = (),
    idempotent: tuple[ops.MigrateOperation, ...] | None = None,
    long: bool = False,
) -> Step:
    """Return an op as Alembic wrote it. ``long``: see `Phase`."""
    phase = Phase((op,), strong=strong, notes=notes, idempotent=idempotent or repeatable(op), long=long)
    return Step(0, phase, owns_downgrade=True)


_WITH_CONDITION = ("alembic.operations.", "alembic_pgpatterns.")


def repeatable(op: ops.MigrateOperation) -> tuple[ops.MigrateOperation, ...] | None:
    """Return the op with IF EXISTS or IF NOT EXISTS, or None if Alembic does not have it for the op."""
    if not type(op).__module__.startswith(_WITH_CONDITION):
        # Such as GeoAlchemy2's add_geospatial_column, which takes no if_not_exists.
        return None
    if isinstance(op, ops.CreateTableOp | ops.CreateIndexOp | ops.AddColumnOp):
        return (altered(op, if_not_exists=True),)
    if isinstance(op, ops.DropTableOp | ops.DropIndexOp | ops.DropColumnOp | ops.DropConstraintOp):
        return (altered(op, if_exists=True),)
    return None


def own_transaction(pattern: str, subject: str) -> Note:
    """Explain why an op was left as it is: autocommit blocks fail under this env.py."""
    reason = (
        "left as it is: env.py opens its own transaction before context.configure(), and an autocommit block fails "
        "in that. Let context.begin_transaction() open it; then this op can be written without the lock"
    )
    return Note(pattern, subject, reason)
