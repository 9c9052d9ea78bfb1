"""Objects that a revision drops: comments on what is lost, and downgrades that restore all but the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from alembic.operations import ops
from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.types import NullType

from alembic_pgpatterns.autogenerate.compare.forms import ColumnForm, ConstraintForm, Forms
from alembic_pgpatterns.autogenerate.compare.identity import is_serial
from alembic_pgpatterns.autogenerate.compare.inheritance import WITH_PARENT
from alembic_pgpatterns.autogenerate.compare.relations import comment_on
from alembic_pgpatterns.autogenerate.compare.renames import column_hint, table_hint
from alembic_pgpatterns.autogenerate.compare.serial_columns import counting, counts_again
from alembic_pgpatterns.autogenerate.rewrite.rendering import DIALECT, AlterTableOp, CommentOp, Note
from alembic_pgpatterns.patterns.revisions.drop_under_running_code import DropUnderRunningCode
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.sqltext import parse_constraint

TABLES_HAVE_OPTIONS = "with" in next(
    arguments for kind, arguments in DIALECT.construct_arguments or () if kind is Table
)
"""Whether ``Table(postgresql_with=...)`` is known: since SQLAlchemy 2.1."""


class DropTableExactlyOp(ops.DropTableOp):
    """``op.drop_table``, undone by the table as PostgreSQL printed it."""

    forms: Forms

    @classmethod
    def of(cls, op: ops.DropTableOp, forms: Forms) -> DropTableExactlyOp:
        """Alembic's op with an exact undo."""
        new = cls(op.table_name)
        vars(new).update(vars(op))
        new.forms = forms
        if forms.parents:
            # The order of drops follows it. SQLAlchemy before 2.1 does not reflect it.
            new.table_kw = {**new.table_kw, "postgresql_inherits": forms.parents}
        return new

    def reverse(self) -> Any:
        """Create the table again, and what Alembic does not reflect."""
        create = super().reverse()
        table = (create.schema, create.table_name)
        remaining = [item for item in create.columns if _is_kept(item, self.forms)]
        if not any(isinstance(item, Column) for item in remaining):
            # Alembic cannot write a table without columns, as a child may be: written ones merge with the parent's.
            remaining += [item for item in create.columns if isinstance(item, Column)]
        create.columns = remaining
        for item in create.columns:
            if isinstance(item, Column):
                _as_stored(item, self.forms)
        create.prefixes = ["UNLOGGED"] if self.forms.persistence == "u" else []
        create.kw = {**create.kw, **_options(self.forms)}
        as_sql: list[ops.MigrateOperation] = [
            added_column(table, form) for form in self.forms.columns.values() if _is_unknown(create, form.name)
        ]
        create.columns = [item for item in create.columns if not isinstance(getattr(item, "type", None), NullType)]
        if self.forms.options and not TABLES_HAVE_OPTIONS:
            as_sql.append(AlterTableOp(table, f"{_alter(table)} SET ({', '.join(self.forms.options)})"))
        as_sql += counts_again(create, self.forms)
        as_sql += [added_constraint(table, form) for form in self.forms.constraints.values() if _needs_sql(form)]
        as_sql += [
            AlterTableOp(table, comment_on(table, form.name, form.comment), object_name=form.name)
            for form in self.forms.constraints.values()
            if form.comment is not None and not form.inherited
        ]
        as_sql += [AlterTableOp(table, statement) for statement in self.forms.attached]
        return ops.ModifyTableOps(create.table_name, [create, *as_sql], schema=create.schema)


def _as_stored(column: Any, forms: Forms) -> None:
    """SQLAlchemy reflects the default and the NOT NULL of a domain as the column's; a serial's default needs its
    sequence."""
    form = forms.columns.get(column.name)
    if form is None:
        return
    column.nullable = form.nullable
    if is_serial(form) or (form.default is None and not form.identity):
        column.server_default = None
    elif column.autoincrement is True and not form.identity:
        # SQLAlchemy would make a serial column of it, with a sequence of its own.
        column.autoincrement = False


def _options(forms: Forms) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if forms.partition_key is not None:
        options["postgresql_partition_by"] = forms.partition_key
    if forms.options and TABLES_HAVE_OPTIONS:
        options["postgresql_with"] = dict(option.split("=", 1) for option in forms.options)
    if forms.parents:
        options["postgresql_inherits"] = forms.parents
    return options


def _is_unknown(create: ops.CreateTableOp, name: str) -> bool:
    return any(
        isinstance(item, Column) and item.name == name and isinstance(item.type, NullType) for item in create.columns
    )


def _is_kept(item: Any, forms: Forms) -> bool:
    """Whether create_table can hold a part of the table; the rest follows as SQL, or comes from a parent."""
    if isinstance(item, Column) and forms.parents:
        # Written out, it would be the child's own: it would stay when the parent loses it.
        column = forms.columns.get(item.name)
        return column is None or column.local or not column.inherited
    if isinstance(item, CheckConstraint | ExcludeConstraint):
        return False
    if isinstance(item, UniqueConstraint | ForeignKeyConstraint):
        form = forms.constraints.get(str(item.name))
        # Of a foreign key to a partitioned table PostgreSQL keeps one more for each partition.
        return form is None or not (_needs_sql(form) or form.inherited)
    return True


def _needs_sql(form: ConstraintForm) -> bool:
    if form.inherited:
        return False
    if form.kind in "cx":
        return True
    if form.kind == "f":
        assert form.referenced is not None
        return form.referenced.match != "SIMPLE" or "(" in form.referenced.on_delete
    if form.kind != "u":
        return False
    key = parse_constraint(form.definition)
    # What SQLAlchemy does not reflect of a UNIQUE, or Alembic does not render in a create_table.
    return key is None or bool(key.including or key.nulls_not_distinct or key.deferrable or key.without_overlaps)


def added_constraint(table: tuple[str | None, str], form: ConstraintForm) -> AlterTableOp:
    """A constraint as PostgreSQL printed it."""
    return AlterTableOp(table, f"{_alter(table)} ADD CONSTRAINT {quote(form.name)} {form.sql}")


def added_column(table: tuple[str | None, str], form: ColumnForm) -> AlterTableOp:
    """A column of a type that SQLAlchemy does not know."""
    parts = [f"{_alter(table)} ADD COLUMN {quote(form.name)} {form.type}"]
    if form.generated:
        kind = "STORED" if form.generated == "s" else "VIRTUAL"
        parts.append(f"GENERATED ALWAYS AS ({form.default}) {kind}")
    elif form.default is not None:
        parts.append(f"DEFAULT {form.default}")
    parts += [] if form.nullable else ["NOT NULL"]
    return AlterTableOp(table, " ".join(parts), object_name=form.name)


def _alter(table: tuple[str | None, str]) -> str:
    return f"ALTER TABLE {'.'.join(quote(part) for part in table if part)}"


class DropColumnExactlyOp(ops.DropColumnOp):
    """``op.drop_column`` of a serial column, or one whose type SQLAlchemy does not know, with an exact undo."""

    form: ColumnForm

    @classmethod
    def of(cls, op: ops.DropColumnOp, form: ColumnForm) -> DropColumnExactlyOp:
        """Alembic's op with an exact undo."""
        new = cls(op.table_name, op.column_name)
        vars(new).update(vars(op))
        new.form = form
        return new

    def reverse(self) -> Any:
        """Add the column again."""
        table = (self.schema, self.table_name)
        if not is_serial(self.form):
            return added_column(table, self.form)
        added = super().reverse()
        return ops.ModifyTableOps(self.table_name, counting(table, added, self.form), schema=self.schema)


def exactly(operations: Sequence[ops.MigrateOperation], forms: dict[tuple[str | None, str], Forms]) -> list[Any]:
    """Alembic's ops, with drops of tables and columns undone exactly.

    Args:
        operations: all ops of the upgrade.
        forms: what the tables are in the database.
    """
    result: list[Any] = []
    for op in operations:
        if isinstance(op, ops.ModifyTableOps):
            op.ops = exactly(_generated_first(op.ops, forms), forms)
            result += [op] if op.ops else []
            continue
        table = forms.get((getattr(op, "schema", None), str(getattr(op, "table_name", ""))))
        if table is not None and (_is_inherited(op, table) or _is_not_ours(op, table)):
            continue
        if table is not None and isinstance(op, ops.DropTableOp | ops.DropColumnOp):
            result.append(CommentOp.of(_loss(op, table, operations)))
        if isinstance(op, ops.CreateTableOp):
            result += [op, *_with_operator_classes(op)]
        elif table is not None and type(op) is ops.DropTableOp:
            result.append(DropTableExactlyOp.of(op, table))
        elif table is not None and type(op) is ops.DropColumnOp and _needs_form(op, table):
            result.append(DropColumnExactlyOp.of(op, table.columns[op.column_name]))
        else:
            if table is not None and type(op) is ops.DropColumnOp and op._reverse is not None:
                _as_stored(op._reverse.column, table)
            result.append(op)
    return result


def _generated_first(operations: Iterable[Any], forms: dict[tuple[str | None, str], Forms]) -> list[Any]:
    """Dropped columns in an order that PostgreSQL accepts: generated ones before the columns that they use."""
    result = list(operations)
    places = [i for i, op in enumerate(result) if isinstance(op, ops.DropColumnOp)]
    drops = sorted((result[i] for i in places), key=lambda op: not _is_generated(op, forms))
    for place, op in zip(places, drops, strict=True):
        result[place] = op
    return result


def _is_generated(op: ops.DropColumnOp, forms: dict[tuple[str | None, str], Forms]) -> bool:
    table = forms.get((op.schema, op.table_name))
    form = table.columns.get(op.column_name) if table is not None else None
    return form is not None and bool(form.generated)


def _with_operator_classes(op: ops.CreateTableOp) -> list[AlterTableOp]:
    """Remove from a create_table the EXCLUDE constraints with operator classes, which Alembic does not render."""
    late = [item for item in op.columns if isinstance(item, ExcludeConstraint) and item.ops]
    op.columns = [item for item in op.columns if all(item is not other for other in late)]
    nothing: Any = None
    compiler = DIALECT.ddl_compiler(DIALECT, nothing)
    table = (op.schema, op.table_name)
    return [AlterTableOp(table, f"{_alter(table)} ADD {compiler.process(item)}") for item in late]


def _is_not_ours(op: ops.MigrateOperation, forms: Forms) -> bool:
    """Whether models do not declare such tables: a partition of a table that stays, or a table of an extension."""
    return isinstance(op, ops.DropTableOp | ops.DropIndexOp) and (forms.is_partition or forms.of_extension)


def _loss(op: ops.DropTableOp | ops.DropColumnOp, forms: Forms, siblings: Sequence[ops.MigrateOperation]) -> Note:
    rows = "its rows" if forms.rows is None else f"its rows, about {forms.rows}"
    table = ".".join(part for part in (op.schema, op.table_name) if part)
    if isinstance(op, ops.DropTableOp):
        more = f". With it go: {', '.join(forms.going)}" if forms.going else ""
        reason = f"drops {table} and {rows}; a downgrade creates it without them{more}"
        # Always a warning: the console leaves out other lines if there are many.
        return _with_rename(Note(DropUnderRunningCode.name, table, reason, warns=True), table_hint(op, siblings))
    subject = f"{table}.{op.column_name}"
    reason = f"drops {subject} and its values; a downgrade cannot restore them"
    return _with_rename(Note(DropUnderRunningCode.name, subject, reason), column_hint(op, siblings))


def _with_rename(note: Note, hint: tuple[str, ...]) -> Note:
    """A drop that may be a rename is a warning on the console too: whoever does not read the file loses the rows."""
    return replace(note, more=hint, warns=True, advice=f"{hint[0]} {hint[1].strip()}") if hint else note


def _is_inherited(op: ops.MigrateOperation, forms: Forms) -> bool:
    """Whether it drops a column that comes from a parent, which PostgreSQL refuses, or which goes with the parent's."""
    if not isinstance(op, ops.DropColumnOp) or op.column_name not in forms.columns:
        return False
    column = forms.columns[op.column_name]
    return column.inherited and not (column.local and getattr(op, WITH_PARENT, False))


def _needs_form(op: ops.DropColumnOp, forms: Forms) -> bool:
    """Whether Alembic reflects less of a column than its type and default."""
    form = forms.columns.get(op.column_name)
    if op._reverse is None or form is None:
        return False
    return isinstance(op._reverse.column.type, NullType) or is_serial(form)
