"""A change of type that rewrites nothing, on a column with CHECKs, without reading the rows under the lock."""

from __future__ import annotations

from collections.abc import Sequence

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.dependents import CheckOn
from alembic_pgpatterns.autogenerate.rewrite.renamed_column import NotRenamedError, Renamed, constraint_statement
from alembic_pgpatterns.autogenerate.rewrite.rendering import Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, Step
from alembic_pgpatterns.autogenerate.rewrite.table_names import alter_table, qualified
from alembic_pgpatterns.schema.names import quote


def checks_later(op: ops.AlterColumnOp, checks: Sequence[CheckOn], note: Note) -> tuple[Step, ...] | None:
    """Return the steps: without its CHECKs the column gets its type, then they are added again and validated.

    ALTER COLUMN TYPE adds each CHECK on the column again and reads all rows for that (ATPostAlterTypeCleanup in
    commands/tablecmds.c), although no value has changed.

    Args:
        op: the change of type.
        checks: the CHECKs on the column.
        note: why it is written like this.

    Returns:
        None if a CHECK cannot be read.
    """
    table, alter = qualified(op.schema, op.table_name), alter_table(op.schema, op.table_name)
    column = Renamed(str(op.column_name), str(op.column_name))
    try:
        added = [constraint_statement(item.definition, table, item.name, column) for item in checks]
    except NotRenamedError:
        return None
    dropped = [SqlOp(f"{alter} DROP CONSTRAINT IF EXISTS {quote(item.name)}") for item in checks]
    comments = [
        SqlOp(f"COMMENT ON CONSTRAINT {quote(item.name)} ON {table} IS " + "'" + item.comment.replace("'", "''") + "'")
        for item in checks
        if item.comment is not None
    ]
    change = Phase((*dropped, op, *map(SqlOp, added), *comments), strong=True, notes=(note,))
    valid = [SqlOp(f"{alter} VALIDATE CONSTRAINT {quote(item.name)}") for item in checks if item.valid]
    proof = Note(note.pattern, note.subject, "reads all rows, but blocks neither reads nor writes", aside=True)
    steps = (Step(0, change, owns_downgrade=True),)
    return (*steps, Step(1, Phase(tuple(valid), autocommit=True, notes=(proof,)))) if valid else steps
