"""Foreign keys: compared with all their options, also MATCH and the columns of SET NULL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from alembic.operations import ops
from alembic.util import sqla_compat
from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import conv

from alembic_pgpatterns.autogenerate.compare.constraints import renamed, stored_name
from alembic_pgpatterns.autogenerate.compare.forms import ConstraintForm, Forms, ReferencedForm
from alembic_pgpatterns.autogenerate.compare.relations import CommentOnOp, with_comment
from alembic_pgpatterns.autogenerate.compare.table_state import TableState
from alembic_pgpatterns.autogenerate.rewrite.changes import flatten, name_of
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import type_text

FILTER = "foreign_key_constraint"
Table = tuple[str | None, str]
Signature = tuple[tuple[str, ...], ReferencedForm]


class DropForeignKeyOp(ops.DropConstraintOp):
    """``op.drop_constraint`` of a foreign key, undone with all its options."""

    def __init__(self, table: Table, form: ConstraintForm, default_schema: str) -> None:
        super().__init__(conv(form.name), table[1], "foreignkey", schema=table[0])
        self.restored = _restored(table, form, default_schema)
        self.undo = with_comment(table, self.restored, form)

    def reverse(self) -> Any:
        """Create it again, with its comment."""
        return self.undo

    def to_constraint(self) -> Any:
        """For `alembic check`."""
        return self.restored.to_constraint()


def compare_foreign_keys(state: TableState) -> None:
    """Correct the ops for the foreign keys of a table."""
    state.remove([op for op in state.modify.ops if _is_foreign_key(op)])
    actual = {f.name: f for f in state.actual.of_kind("f").values() if state.includes_name(f.name, FILTER)}
    unmatched = dict(actual)
    missing: list[ForeignKeyConstraint] = []
    names: dict[str, str] = {}
    for key in sorted(state.declared.foreign_key_constraints, key=lambda key: tuple(c.name for c in key.columns)):
        partner = _partner(key, unmatched, state)
        if partner is None:
            missing.append(key)
        else:
            del unmatched[partner]
            name = stored_name(key, state)
            if name is not None and name != partner and state.includes(key, name, FILTER, False):
                names[partner] = name
    for partner, name in names.items():
        # What has the name now goes, or gets another name too.
        if name not in actual or name in unmatched or name in names:
            state.add(renamed(state, actual[partner], name))
    for form in unmatched.values():
        reflected = next((c for c in state.reflected.foreign_key_constraints if c.name == form.name), None)
        if reflected is None or state.includes(reflected, form.name, FILTER, True):
            state.add(DropForeignKeyOp(state.table, form, state.default_schema))
    for key in missing:
        name = sqla_compat._get_constraint_final_name(key, state.context.dialect)
        if state.includes(key, name, FILTER, False):
            state.add(ops.CreateForeignKeyOp.from_constraint(key))


def _is_foreign_key(op: ops.MigrateOperation) -> bool:
    """Whether it is Alembic's op for a foreign key."""
    if isinstance(op, ops.DropConstraintOp):
        return op.constraint_type == "foreignkey" and not isinstance(op, DropForeignKeyOp)
    return isinstance(op, ops.CreateForeignKeyOp)


def _partner(key: ForeignKeyConstraint, unmatched: dict[str, ConstraintForm], state: TableState) -> str | None:
    expected = signature(key, state)
    names = [f.name for f in unmatched.values() if (f.columns, f.referenced) == expected]
    return key.name if key.name in names else next(iter(names), None)


def signature(key: ForeignKeyConstraint, state: TableState) -> Signature:
    """A declared foreign key without its name, in the catalog's form."""
    spec = sqla_compat._fk_spec(key)
    referenced = ReferencedForm(
        schema=spec[3] or state.default_schema,
        table=spec[4],
        columns=tuple(spec[5]),
        on_update=(key.onupdate or "NO ACTION").upper(),
        on_delete=_deletion(key.ondelete),
        match=(key.match or "SIMPLE").upper(),
        deferrable=bool(key.deferrable) or (key.initially or "").upper() == "DEFERRED",
        initially_deferred=(key.initially or "").upper() == "DEFERRED",
    )
    return tuple(spec[2]), referenced


def _deletion(action: str | None) -> str:
    """ON DELETE, with the columns of ``SET NULL (a, b)`` as the catalog has them."""
    words, bracket, columns = (action or "NO ACTION").partition("(")
    listed = ", ".join(name.strip().strip('"') for name in columns.rstrip(") ").split(","))
    return f"{' '.join(words.upper().split())} ({listed})" if bracket else " ".join(words.upper().split())


def with_released_keys(operations: list[Any], forms: Mapping[Table, Forms], default_schema: str) -> list[Any]:
    """Take away the foreign keys that hold a unique constraint or index which is replaced, and create them again after.

    Args:
        operations: all ops of the upgrade.
        forms: the tables as they are in the database.
        default_schema: of tables without one.
    """
    changes = [change.up for change in flatten(operations)]
    dropped_objects = {
        _object_of(op, default_schema) for op in changes if isinstance(op, ops.DropConstraintOp | ops.DropIndexOp)
    }
    dropped = {(op.schema, op.table_name) for op in changes if isinstance(op, ops.DropTableOp)}
    retyped = _retyped(changes, default_schema)
    result = list(operations)
    for table, form in [(key, form) for key, item in forms.items() for form in item.of_kind("f").values()]:
        target = form.referenced
        assert target is not None
        held = (target.schema, target.table, form.holds) in dropped_objects
        name = (table[0] or default_schema, table[1], form.name)
        going = table in dropped or name in dropped_objects
        joins = _joins_other_types(_source(table, form, default_schema), _target(form), retyped)
        if going:
            # Replaced anyway, so it only has to go early enough.
            result[:0] = _taken(result, ops.DropConstraintOp, name, default_schema) if joins else ()
            continue
        drop = DropForeignKeyOp(table, form, default_schema)
        if held:
            result.append(ops.ModifyTableOps(table[1], [drop, drop.undo], schema=table[0]))
        elif joins:
            result.insert(0, ops.ModifyTableOps(table[1], [drop], schema=table[0]))
            result.append(ops.ModifyTableOps(table[1], [drop.undo], schema=table[0]))
        if held or joins:
            result += _taken(result, CommentOnOp, name, default_schema)
    return result


_ALIKE = (
    frozenset(("smallint", "integer", "bigint")),
    frozenset(("text", "varchar", "character varying")),
)
"""Types that PostgreSQL compares with each other, so that a foreign key holds while one side has its new type."""


def _retyped(changes: Iterable[ops.MigrateOperation], default_schema: str) -> set[tuple[str, str, str]]:
    """The columns whose new type cannot be compared with the old one."""
    result: set[tuple[str, str, str]] = set()
    for op in changes:
        if isinstance(op, ops.AlterColumnOp) and op.modify_type is not None:
            kinds = {_kind(op.existing_type), _kind(op.modify_type)}
            if not any(kinds <= alike for alike in _ALIKE):
                result.add((op.schema or default_schema, str(op.table_name), str(op.column_name)))
    return result


def _kind(kind: Any) -> str:
    """The name of a type without its length; empty for one that SQLAlchemy does not reflect."""
    try:
        return type_text(kind).lower().partition("(")[0]
    except CompileError:
        return ""


Columns = set[tuple[str, str, str]]
"""Schema, table and name of each."""


def _source(table: Table, form: ConstraintForm, default_schema: str) -> Columns:
    return {(table[0] or default_schema, table[1], column) for column in form.columns}


def _target(form: ConstraintForm) -> Columns:
    target = form.referenced
    assert target is not None
    return {(target.schema, target.table, name) for name in target.columns}


def _joins_other_types(source: Columns, target: Columns, retyped: Columns) -> bool:
    """Whether both sides of a foreign key get another type."""
    return bool(retyped & source) and bool(retyped & target)


def _taken(
    operations: list[Any], kind: type[ops.MigrateOperation], name: tuple[str, str, str], default_schema: str
) -> list[ops.MigrateOperation]:
    """Take ops on a constraint out of the containers of their tables, and return them in containers of their own."""
    result: list[ops.MigrateOperation] = []
    for container in [op for op in operations if isinstance(op, ops.ModifyTableOps)]:
        taken = [op for op in container.ops if isinstance(op, kind) and _object_of(op, default_schema) == name]
        container.ops = [op for op in container.ops if all(op is not other for other in taken)]
        result += [ops.ModifyTableOps(container.table_name, [op], schema=container.schema) for op in taken]
    return result


def _object_of(op: Any, default_schema: str) -> tuple[str, str, str]:
    return (op.schema or default_schema, str(op.table_name), str(name_of(op)))


def _restored(table: Table, form: ConstraintForm, default_schema: str) -> ops.CreateForeignKeyOp:
    target = form.referenced
    assert target is not None
    options: dict[str, Any] = {
        "onupdate": None if target.on_update == "NO ACTION" else target.on_update,
        "ondelete": None if target.on_delete == "NO ACTION" else target.on_delete,
        "match": None if target.match == "SIMPLE" else target.match,
        "deferrable": target.deferrable or None,
        "initially": "DEFERRED" if target.initially_deferred else None,
    }
    schema = None if target.schema == default_schema else target.schema
    return ops.CreateForeignKeyOp(
        conv(form.name),
        table[1],
        target.table,
        list(form.columns),
        list(target.columns),
        source_schema=table[0],
        referent_schema=schema,
        **{name: value for name, value in options.items() if value is not None},
    )
