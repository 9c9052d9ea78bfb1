"""New tables: report what PostgreSQL will refuse when the revision is written, not when the table is created."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic.operations import ops
from sqlalchemy import Sequence, Table

from alembic_pgpatterns.autogenerate.compare.relations import comment_on, declared_comments
from alembic_pgpatterns.autogenerate.compare.scratch import print_declared
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp, CommentOp
from alembic_pgpatterns.errors import PgPatternsError

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


def check(context: AutogenContext, modify: ops.ModifyTableOps, table: Table) -> None:
    """Comment on parts of a new table that PostgreSQL refuses, and write the comments of its constraints.

    Args:
        context: of the run.
        modify: the ops that follow the create_table.
        table: of the target metadata.

    Raises:
        PgPatternsError: SQLAlchemy cannot write a part of the table as SQL.
    """
    _say_which_keys_have_no_sequence(table)
    connection = context.connection
    printed = (
        print_declared(connection, table, [*table.metadata._sequences.values()]) if connection is not None else None
    )
    for name, message in printed.refused.items() if printed is not None else ():
        modify.ops.append(CommentOp(refusal(str(table.fullname), name, message)))
    for name, comment in declared_comments(table, context.dialect).items():
        if comment is None:
            continue
        key = (table.schema, str(table.name))
        modify.ops.append(AlterTableOp(key, comment_on(key, name, comment), object_name=name))


def _say_which_keys_have_no_sequence(table: Table) -> None:
    """Mark a key that gets its values elsewhere, so that the written ``create_table`` does not make it a serial.

    SQLAlchemy sees by the foreign key or the ``Sequence`` that a key is not a serial. But Alembic writes foreign keys
    of a cycle after the tables, and does not write a ``Sequence`` at all.
    """
    key = list(table.primary_key.columns)
    if len(key) == 1 and key[0].autoincrement is not True:
        source = key[0].default
        if key[0].foreign_keys or (isinstance(source, Sequence) and not source.optional):
            key[0].autoincrement = False


def refusal(table: str, name: str, message: str) -> tuple[str, ...]:
    """The lines that say what PostgreSQL refuses.

    Raises:
        PgPatternsError: the message is SQLAlchemy's, so that no revision can be written at all.
    """
    if "literal value" in message:
        raise PgPatternsError(
            f"{name} of {table} cannot be written into a revision: {message}. Write the expression as text(), or the "
            "value as literal_column()."
        )
    return (f"# pgpatterns: PostgreSQL refuses {name} of {table}:", f"#   {message}")
