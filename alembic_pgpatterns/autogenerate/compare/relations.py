"""What belongs to a table as a whole: UNLOGGED, storage parameters, partitioning, comments of its constraints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alembic.operations import ops
from alembic.util import sqla_compat
from sqlalchemy import ForeignKeyConstraint, Table

from alembic_pgpatterns.autogenerate.compare.forms import ConstraintForm
from alembic_pgpatterns.autogenerate.compare.table_state import TableState
from alembic_pgpatterns.autogenerate.rewrite.new_names import RenameOp
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp, CommentOp, Note
from alembic_pgpatterns.patterns.revisions.table_rewrite import TableRewrite
from alembic_pgpatterns.schema.names import quote


def compare_relation(state: TableState) -> None:
    """Add the ops that Alembic does not have."""
    _compare_persistence(state)
    _compare_options(state)
    _compare_partitioning(state)


def compare_comments(state: TableState) -> None:
    """Comments of the constraints that the models name: those that stay, and those that are new or created again."""
    dropped = {str(op.constraint_name) for op in state.modify.ops if isinstance(op, ops.DropConstraintOp)}
    old_names = {op.object_name: op.old_name for op in state.modify.ops if isinstance(op, RenameOp)}
    for name, comment in declared_comments(state.declared, state.context.dialect).items():
        form = state.actual.constraints.get(old_names.get(name, name))
        stays = form is not None and name not in dropped
        existing = form.comment if form is not None and stays else None
        if existing != comment:
            undo = comment_on(state.table, name, existing) if stays else None
            state.add(CommentOnOp(state.table, comment_on(state.table, name, comment), undo, name))


class CommentOnOp(AlterTableOp):
    """``COMMENT ON CONSTRAINT``."""


def _compare_persistence(state: TableState) -> None:
    unlogged = "UNLOGGED" in [str(prefix).upper() for prefix in state.declared._prefixes]
    if state.actual.kind == "r" and unlogged != (state.actual.persistence == "u"):
        words = ("SET LOGGED", "SET UNLOGGED")
        reason = "every row is written again while nobody can read or write"
        note = Note(TableRewrite.name, state.name, reason)
        change, undo = words[unlogged], words[not unlogged]
        op = PersistenceOp(state.table, f"{state.alter} {change}", f"{state.alter} {undo}", None, note, note)
        op.logged = not unlogged
        state.add(op)


def _compare_options(state: TableState) -> None:
    """Storage parameters, if the models declare any with ``postgresql_with``."""
    declared = state.declared.dialect_options["postgresql"].get("with") or {}
    if not declared or state.actual.kind != "r":
        return
    expected = {str(name).lower(): str(value) for name, value in dict(declared).items()}
    if not state.actual.toasted and not state.printed.forms.toasted:
        expected = {name: value for name, value in expected.items() if not name.startswith("toast.")}
    actual = dict(option.split("=", 1) for option in state.actual.options)
    change = _set_options(expected, actual)
    if change:
        undo = _set_options(actual, expected)
        state.add(AlterTableOp(state.table, f"{state.alter} {change}", f"{state.alter} {undo}"))


def _set_options(new: dict[str, str], old: dict[str, str]) -> str:
    """The actions of ALTER TABLE that turn one set of options into another; empty if they are the same."""
    changed = any(old.get(name, "").lower() != value.lower() for name, value in new.items())
    removed = [name for name in old if name not in new]
    # All of them, because PostgreSQL keeps their order.
    statements = [f"SET ({', '.join(f'{name} = {value}' for name, value in new.items())})"] if changed else []
    return ", ".join(statements + ([f"RESET ({', '.join(removed)})"] if removed else []))


_ATTACH = (
    "#   Or attach the table as the new one's first partition, which copies nothing: docs/partitioning.md of",
    "#   alembic-pgpatterns has the two revisions.",
)


def _compare_partitioning(state: TableState) -> None:
    declared = state.declared.dialect_options["postgresql"].get("partition_by")
    if bool(declared) == (state.actual.kind == "p"):
        return
    expected = f"partitioned by {declared}" if declared else "not partitioned"
    lines = (
        f"# pgpatterns: the models have {state.qualified} {expected}, the database has not. PostgreSQL cannot change",
        "#   that: rename the table, create the new one, copy the rows in batches, and drop the old one.",
        *(_ATTACH if declared else ()),
    )
    state.add(CommentOp(lines))


class PersistenceOp(AlterTableOp):
    """``ALTER TABLE … SET LOGGED`` or ``SET UNLOGGED``."""

    logged: bool


def with_persistence_placed(operations: Sequence[Any]) -> list[Any]:
    """The ops of an upgrade: SET LOGGED before a new foreign key to the table, SET UNLOGGED after old ones went.

    PostgreSQL lets no permanent table reference an UNLOGGED one (ATAddForeignKeyConstraint and
    ATPrepChangePersistence in commands/tablecmds.c).
    """
    containers = [op for op in operations if type(op) is ops.ModifyTableOps]
    leaves = [*operations, *(each for op in containers for each in op.ops)]
    referenced = {name for op in leaves for name in _referenced(op)}
    released = any(isinstance(op, ops.DropTableOp | ops.DropConstraintOp | ops.DropColumnOp) for op in leaves)
    made = [op for op in leaves if isinstance(op, PersistenceOp)]
    early = [op for op in made if op.logged and str(op.table_name) in referenced]
    late = [op for op in made if not op.logged and released]
    for persistence in late:
        persistence.after_drops = True
    for op in containers:
        op.ops = [each for each in op.ops if all(each is not item for item in (*early, *late))]
    return [*early, *operations, *late]


def _referenced(op: Any) -> list[str]:
    """The names of the tables that the foreign keys of a new table, or a new foreign key, reference."""
    if isinstance(op, ops.CreateForeignKeyOp):
        return [str(op.referent_table)]
    columns = op.columns if isinstance(op, ops.CreateTableOp) else ()
    keys = [item for item in columns if isinstance(item, ForeignKeyConstraint)]
    return [element.target_fullname.split(".")[-2] for key in keys for element in key.elements]


def with_comment(table: tuple[str | None, str], restored: ops.MigrateOperation, form: ConstraintForm) -> Any:
    """The op that restores a constraint, together with the comment that it had."""
    if form.comment is None:
        return restored
    comment = AlterTableOp(table, comment_on(table, form.name, form.comment), object_name=form.name)
    return ops.ModifyTableOps(table[1], [restored, comment], schema=table[0])


def declared_comments(table: Table, dialect: Any) -> dict[str, str | None]:
    """The comments of a table's constraints that have a name, by this name."""
    comments: dict[str, str | None] = {}
    for item in table.constraints:
        name = sqla_compat._get_constraint_final_name(item, dialect)
        if name is not None:
            comments[str(name)] = getattr(item, "comment", None)
    return comments


def comment_on(table: tuple[str | None, str], name: str, comment: str | None) -> str:
    """The statement that sets the comment of a constraint."""
    qualified = ".".join(quote(part) for part in table if part)
    value = "NULL" if comment is None else "'" + comment.replace("'", "''") + "'"
    return f"COMMENT ON CONSTRAINT {quote(name)} ON {qualified} IS {value}"
