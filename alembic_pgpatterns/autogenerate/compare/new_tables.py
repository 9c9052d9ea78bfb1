"""New tables: report what PostgreSQL will refuse when the revision is written, not when the table is created."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from alembic.operations import ops
from sqlalchemy import ForeignKeyConstraint, Index, Integer, Sequence, Table, UniqueConstraint
from sqlalchemy.exc import SQLAlchemyError

from alembic_pgpatterns.autogenerate.compare.relations import comment_on, declared_comments
from alembic_pgpatterns.autogenerate.compare.scratch import print_declared
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp, CommentOp, Note
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.patterns.revisions.model_drift import ModelDrift

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
        modify.ops.append(refusal(str(table.fullname), name, message))
    for foreign_key in table.foreign_key_constraints:
        modify.ops.extend(unmatched(foreign_key))
    for name, comment in declared_comments(table, context.dialect).items():
        if comment is None:
            continue
        key = (table.schema, str(table.name))
        modify.ops.append(AlterTableOp(key, comment_on(key, name, comment), object_name=name))


def _say_which_keys_have_no_sequence(table: Table) -> None:
    """Mark a key that gets its values elsewhere, so that the written ``create_table`` does not make it a serial.

    SQLAlchemy sees by the foreign key, the default in Python or the ``Sequence`` that a key is not a serial. But
    Alembic writes foreign keys of a cycle after the tables, and neither of the others at all.
    """
    key = [column for column in table.primary_key.columns if column.type._type_affinity is Integer]
    if len(table.primary_key.columns) == 1 and key and key[0].autoincrement is not True:
        source, counts = key[0].default, table.autoincrement_column is key[0] or key[0].server_default is not None
        if not counts or (isinstance(source, Sequence) and not source.optional):
            key[0].autoincrement = False
        elif key[0].autoincrement == "ignore_fk":
            # Alembic 1.20 writes the word without quotes. With True SQLAlchemy counts in spite of the foreign key, too.
            key[0].autoincrement = True


def unmatched(key: ForeignKeyConstraint) -> Iterator[CommentOp]:
    """The comment that says that nothing makes the referenced columns unique, if so: PostgreSQL refuses the key."""
    try:
        referred, columns = key.referred_table, [element.column.name for element in key.elements]
    except SQLAlchemyError:
        return  # the models do not have the table
    unique = [item for item in referred.constraints if isinstance(item, UniqueConstraint)]
    keys = [set(item.columns.keys()) for item in (referred.primary_key, *unique)]
    keys += [set(_names(index)) for index in referred.indexes if index.unique]
    if set(columns) not in keys:
        key_columns = ", ".join(key.column_keys)
        message = f"no unique constraint of {referred.name} is on exactly ({', '.join(columns)})"
        yield refusal(str(key.table.name), f"the foreign key ({key_columns})", message)


def _names(index: Index) -> Iterator[str]:
    """The columns of an index on plain columns, all rows of the table; nothing of another one."""
    if index.dialect_options["postgresql"]["where"] is None:
        yield from (str(getattr(item, "name", "")) for item in index.expressions)


def refusal(table: str, name: str, message: str) -> CommentOp:
    """The comment, and the warning on the console, that say what PostgreSQL refuses.

    Raises:
        PgPatternsError: the message is SQLAlchemy's, so that no revision can be written at all.
    """
    if "literal value" in message:
        raise PgPatternsError(
            f"{name} of {table} cannot be written into a revision: {message}. Write the expression as text(), or the "
            "value as literal_column()."
        )
    fact = f"PostgreSQL refuses {name} of {table}:"
    note = Note(ModelDrift.name, f"{table}.{name}", f"{fact} {message}", warns=True)
    return CommentOp((f"# pgpatterns: {fact}", f"#   {message}"), note)
