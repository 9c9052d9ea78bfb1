"""CHECK, EXCLUDE, UNIQUE and PRIMARY KEY: added, dropped, replaced or renamed, as the models have them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from alembic.operations import ops
from alembic.util import sqla_compat
from sqlalchemy import CheckConstraint, Constraint, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.schema import conv

from alembic_pgpatterns.autogenerate.compare.forms import ConstraintForm
from alembic_pgpatterns.autogenerate.compare.relations import with_comment
from alembic_pgpatterns.autogenerate.compare.retyped import keeps_constraint
from alembic_pgpatterns.autogenerate.compare.table_state import TableState
from alembic_pgpatterns.autogenerate.rewrite.new_names import RenameOp
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp, expression_text
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.binds import escape_binds
from alembic_pgpatterns.schema.sql.sqltext import parse_constraint


@dataclass(frozen=True, slots=True)
class Kind:
    """What the comparison needs to know about one kind of constraint."""

    code: str
    """As pg_constraint.contype."""
    filter_name: str
    """What the user's include_object and include_name get as ``type_``."""
    drop_type: str | None
    """``type_`` of op.drop_constraint; None: dropped by SQL, since Alembic has no operation for it."""
    declared: type[Constraint]
    add: Callable[[TableState, ConstraintForm, Any], ops.MigrateOperation]
    restore: Callable[[TableState, ConstraintForm], ops.MigrateOperation]


class DropConstraintExactlyOp(ops.DropConstraintOp):
    """``op.drop_constraint``, undone by an op that restores the constraint as PostgreSQL printed it."""

    def __init__(self, state: TableState, form: ConstraintForm, kind: Kind) -> None:
        super().__init__(conv(form.name), state.name, kind.drop_type, schema=state.schema)
        self.restored = with_comment(state.table, kind.restore(state, form), form)

    def reverse(self) -> Any:
        """The op that restores the constraint."""
        return self.restored

    def to_constraint(self) -> Constraint:
        """For `alembic check`: a constraint with the name."""
        return CheckConstraint(text("true"), name=self.constraint_name)


def compare_constraints(state: TableState, kind: Kind) -> None:
    """Correct the ops for one kind of constraints."""
    state.remove([op for op in state.modify.ops if _is_of(op, kind)])
    names = final_names(state, kind.declared)
    expected = _without_key_duplicates(state, kind)
    actual = {n: f for n, f in state.actual.of_kind(kind.code).items() if _seen(state, kind, n)}
    pairs = _matched(state, expected, actual, set(names))
    for form in actual.values():
        if form.name not in pairs.values():
            _drop(state, kind, form)
    for name, form in expected.items():
        partner = actual.get(pairs.get(name, ""))
        declared = names.get(name)
        if partner is None:
            if state.includes(declared, name, kind.filter_name, False):
                state.add(kind.add(state, _free_name(state, form, names), declared))
        elif not (state.same.constraints(form, partner) and keeps_constraint(state, form, partner)):
            if state.includes(declared, name, kind.filter_name, False, _reflected(state, partner.name)):
                # First of all: if a type changes in between, PostgreSQL prints the CHECK differently.
                state.add_first(DropConstraintExactlyOp(state, partner, kind))
                state.add(kind.add(state, form, declared))
        elif name in names and partner.name != name:
            state.add(renamed(state, partner, name))


def _drop(state: TableState, kind: Kind, form: ConstraintForm) -> None:
    item = _reflected(state, form.name) or CheckConstraint(text("true"), name=form.name)
    if state.includes(item, form.name, kind.filter_name, True):
        state.add_first(DropConstraintExactlyOp(state, form, kind))


def _seen(state: TableState, kind: Kind, name: str) -> bool:
    return state.includes_name(name, kind.filter_name)


def _is_of(op: ops.MigrateOperation, kind: Kind) -> bool:
    """Whether it is Alembic's op, for this kind. Others stay: a new column takes its constraints along."""
    if isinstance(op, DropConstraintExactlyOp):
        return False
    if isinstance(op, ops.DropConstraintOp):
        return op.constraint_type == kind.drop_type and kind.drop_type is not None
    added: dict[str, type[ops.MigrateOperation]] = {
        "c": ops.CreateCheckConstraintOp,
        "u": ops.CreateUniqueConstraintOp,
        "p": ops.CreatePrimaryKeyOp,
    }
    return kind.code in added and isinstance(op, added[kind.code])


def _without_key_duplicates(state: TableState, kind: Kind) -> dict[str, ConstraintForm]:
    """What the models declare; PostgreSQL itself merges a UNIQUE into a primary key on the same columns."""
    return state.printed.forms.of_kind(kind.code)


def final_names(state: TableState, kind: type[Constraint]) -> dict[str, Any]:
    """The declared constraints that have a name, by the name that PostgreSQL stores."""
    return {name: item for item in declared_constraints(state, kind) if (name := stored_name(item, state)) is not None}


def declared_constraints(state: TableState, kind: type[Constraint]) -> Iterable[Any]:
    """The constraints that the table and its columns declare."""
    items = [item for item in state.declared.constraints if isinstance(item, kind)]
    items += [item for column in state.declared.columns for item in column.constraints if isinstance(item, kind)]
    return {id(item): item for item in items}.values()


def stored_name(item: Any, state: TableState) -> str | None:
    """The name with the naming convention applied and cut to 63 bytes; None if there is none."""
    # Private, but it is how Alembic itself finds the name: a convention applies only when the DDL is compiled.
    name = sqla_compat._get_constraint_final_name(item, state.context.dialect)
    return None if name is None else str(name).encode()[:63].decode(errors="ignore")


def _matched(
    state: TableState, expected: dict[str, ConstraintForm], actual: dict[str, ConstraintForm], named: set[str]
) -> dict[str, str]:
    """For each declared constraint the equal one in the database.

    It is found by name if the models name it, otherwise by its definition, because then PostgreSQL chose the name.
    """
    pairs = {name: name for name in expected if name in named and name in actual}
    for name, form in expected.items():
        if name in pairs:
            continue
        unmatched = [item for item in actual.values() if item.name not in pairs.values()]
        partner = next((item for item in unmatched if item.definition == form.definition), None)
        partner = partner or next((item for item in unmatched if state.same.constraints(form, item)), None)
        if partner is None and name not in named:
            partner = next((item for item in unmatched if item.name == name), None)
        if partner is not None:
            pairs[name] = partner.name
    return pairs


def _free_name(state: TableState, form: ConstraintForm, named: dict[str, Any]) -> ConstraintForm:
    """The form with a name that no other constraint of the table has, if PostgreSQL chose its name."""
    from dataclasses import replace

    if form.name in named or form.name not in state.actual.constraints:
        return form
    candidates = (f"{form.name}{number}" for number in range(1, 1000))
    return replace(form, name=next(name for name in candidates if name not in state.actual.constraints))


def renamed(state: TableState, old: ConstraintForm, new: str) -> RenameOp:
    """The op that gives a constraint the name that the models have for it."""
    return RenameOp.constraint(state.table, old.name, new, old.columns, old.kind in "pux")


def _reflected(state: TableState, name: str) -> Any:
    return next((item for item in state.reflected.constraints if item.name == name), None)


def _add_check(state: TableState, form: ConstraintForm, declared: CheckConstraint | None) -> ops.MigrateOperation:
    if declared is None:
        return restored_check(state, form)
    condition = text(escape_binds(expression_text(declared.sqltext)))
    return ops.CreateCheckConstraintOp(conv(form.name), state.name, condition, schema=state.schema)


def restored_check(state: TableState, form: ConstraintForm) -> ops.MigrateOperation:
    """A CHECK as PostgreSQL printed it."""
    if not form.sql.endswith(")"):
        return restored(state, form)
    condition = text(escape_binds(form.sql.removeprefix("CHECK (").removesuffix(")")))
    return ops.CreateCheckConstraintOp(conv(form.name), state.name, condition, schema=state.schema)


def restored(state: TableState, form: ConstraintForm, declared: object = None) -> ops.MigrateOperation:
    """Any constraint as PostgreSQL printed it, as SQL."""
    add = f"{state.alter} ADD CONSTRAINT {quote(form.name)} {form.sql}"
    op = AlterTableOp(state.table, add, f"{state.alter} DROP CONSTRAINT {quote(form.name)}", form.name)
    op.makes_unique = form.kind in "up"
    return op


def restored_key(state: TableState, form: ConstraintForm, declared: object = None) -> ops.MigrateOperation:
    """A UNIQUE constraint or PRIMARY KEY as PostgreSQL printed it."""
    key = parse_constraint(form.definition)
    if key is None or key.including or key.without_overlaps:
        return restored(state, form)
    options: dict[str, Any] = {}
    if key.deferrable:
        options["deferrable"] = True
    if key.initdeferred:
        options["initially"] = "DEFERRED"
    if key.nulls_not_distinct:
        options["postgresql_nulls_not_distinct"] = True
    kind = ops.CreateUniqueConstraintOp if form.kind == "u" else ops.CreatePrimaryKeyOp
    return kind(conv(form.name), state.name, list(form.columns), schema=state.schema, **options)


def _add_key(state: TableState, form: ConstraintForm, declared: object) -> ops.MigrateOperation:
    added = restored_key(state, form)
    if isinstance(declared, UniqueConstraint) and isinstance(added, AlterTableOp):
        op = ops.CreateUniqueConstraintOp.from_constraint(declared)
        op.constraint_name = conv(form.name)
        return op
    if declared is None and isinstance(added, ops.CreateUniqueConstraintOp):
        # PostgreSQL chose the name for a temporary table; here it may be in use.
        added.constraint_name = None
    return added


CHECK = Kind("c", "check_constraint", "check", CheckConstraint, _add_check, restored_check)
EXCLUDE = Kind("x", "exclude_constraint", None, ExcludeConstraint, restored, restored)
UNIQUE = Kind("u", "unique_constraint", "unique", UniqueConstraint, _add_key, restored_key)
PRIMARY_KEY = Kind("p", "primary_key_constraint", "primary", PrimaryKeyConstraint, _add_key, restored_key)
