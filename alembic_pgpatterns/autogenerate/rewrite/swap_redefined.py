"""Indexes and CHECKs that a revision changes together with the type of their column.

A partial index on a label, ``WHERE state = 'new'``, has another definition once the column is an enum, so autogenerate
drops it and creates it again. If that stood beside a change in stages, an object on the old column would go with it, or
hold it. So the stages make the objects: the new column gets them as the models have them, before the swap and without
blocking anybody, and the downgrade's new column gets those that the database has now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alembic.operations import ops
from sqlalchemy import Column
from sqlalchemy.schema import CreateIndex, conv
from sqlalchemy.types import NullType

from alembic_pgpatterns.autogenerate.rewrite.changes import Change, name_of
from alembic_pgpatterns.autogenerate.rewrite.column_swap import swaps
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts, TableKey
from alembic_pgpatterns.autogenerate.rewrite.dependents import CheckOn, IndexOn, Redefined
from alembic_pgpatterns.autogenerate.rewrite.rendering import DIALECT, AlterTableOp, expression_text
from alembic_pgpatterns.autogenerate.rewrite.steps import Key, touches
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import type_text
from alembic_pgpatterns.schema.names import stored

Place = tuple[TableKey, str]
_INDEXES = (ops.CreateIndexOp, ops.DropIndexOp)
_CREATES = (ops.CreateIndexOp, ops.CreateCheckConstraintOp)


@dataclass(frozen=True, slots=True)
class _Object:
    """An index or a CHECK that the revision drops, creates, or both."""

    name: str
    changes: tuple[Change, ...]
    new: IndexOn | CheckOn | None
    """As the revision creates it; None: it only goes."""
    reads: frozenset[Key]
    """What the changes read, so that the stages of the table's other columns come first."""


def with_new_types(changes: Sequence[Change], facts: Facts) -> Facts:
    """Return the facts with the changes of type, and the columns that go.

    Args:
        changes: the changes in autogenerate's order.
        facts: the facts of the run.
    """
    retyped = [change.up for change in changes if isinstance(change.up, ops.AlterColumnOp)]
    dropped = [change.up for change in changes if isinstance(change.up, ops.DropColumnOp)]
    return replace(
        facts,
        retyped=tuple(op for op in retyped if op.modify_type is not None),
        dropped_columns=frozenset((facts.key_of(op), str(op.column_name)) for op in dropped),
    )


def with_objects_in_stages(
    changes: Sequence[Change], facts: Facts, alone: Collection[Place] = ()
) -> tuple[list[Change], Facts]:
    """Return the changes without those of objects that a change of type in stages makes, and the facts about these.

    Args:
        changes: the changes in autogenerate's order.
        facts: the facts of the run.
        alone: columns whose objects are left alone.
    """
    redefined: dict[Place, Redefined] = {}
    result = list(changes)
    for swap in changes:
        op = swap.up
        if not isinstance(op, ops.AlterColumnOp) or op.modify_type is None or facts.is_new(op.schema, op.table_name):
            continue
        objects = list(_objects(swap, result, facts))
        if not objects:
            continue
        place = _place(op, facts)
        if place in alone:
            continue
        reads = frozenset().union(*(item.reads for item in objects))
        new = Redefined(type_text(op.modify_type), {item.name: item.new for item in objects}, reads)
        with_new = replace(facts, redefined={**redefined, place: new})
        # A way back in one statement, as from varchar(9) to text, has no stages that could make the objects of before.
        if swaps(op, with_new) and swaps(op.reverse(), with_new):
            redefined[place] = new
            taken = {id(change) for item in objects for change in item.changes}
            comments = [comment for item in objects for change in item.changes for comment in change.comments]
            joined = replace(swap, comments=(*swap.comments, *comments))
            result = [joined if change is swap else change for change in result if id(change) not in taken]
    return result, replace(facts, redefined=redefined)


def not_in_stages(changes: Sequence[Change], facts: Facts) -> frozenset[Place]:
    """Return the columns whose objects stages were to make, and whose type does not change in stages.

    Args:
        changes: the changes in the order in which they are made.
        facts: the facts about this order.
    """
    retyped = [change.up for change in changes if isinstance(change.up, ops.AlterColumnOp)]
    staged = {_place(op, facts) for op in retyped if swaps(op, facts)}
    return frozenset(place for place in facts.redefined if place not in staged)


def _objects(swap: Change, changes: Sequence[Change], facts: Facts) -> Iterator[_Object]:
    """The objects on the column that the stages can make.

    One on several columns that get another type is made with the last of them. Foreign keys would decide the order of
    the columns: an object on such a column is left out.
    """
    op = swap.up
    assert isinstance(op, ops.AlterColumnOp)
    table, writes = facts.key_of(op), touches(op, facts).writes
    if facts.is_partitioned(op.schema, op.table_name):
        return
    position = changes.index(swap)
    retyped = [(i, other.up) for i, other in enumerate(changes) if other is not swap and _retypes(other.up)]
    later = [other for i, other in retyped if i > position or facts.dependents(*_place(other, facts)).foreign_keys]
    named: dict[str, list[Change]] = {}
    for change in changes:
        if facts.key_of(change.up) == table and (name := _name(change.up)) is not None:
            named.setdefault(name, []).append(change)
    dependents = facts.dependents(*_place(op, facts))
    existing = {*(item.name for item in dependents.indexes), *(item.name for item in dependents.checks)}
    keys = {item.name for item in dependents.indexes if item.key}
    for name, about in named.items():
        touched = [touches(change.up, facts) for change in about]
        on_column = any(writes & (touch.reads | touch.writes) for touch in touched)
        on_later = any(
            touch.everything or touches(other, facts).writes & (touch.reads | touch.writes)
            for touch in touched
            for other in later
        )
        if not on_column or on_later or name in keys:
            continue
        created = [change.up for change in about if isinstance(change.up, _CREATES)]
        dropped = [change.up for change in about if _drops(change.up)]
        # To any other name of a constraint Alembic applies the models' naming convention when it runs the op.
        final = all(isinstance(change.up, _INDEXES) or isinstance(_given_name(change.up), conv) for change in about)
        whole = final and len(created) + len(dropped) == len(about) and len(created) <= 1 and len(dropped) <= 1
        new = _definition(created[0], name, dependents.indexes) if created else None
        if whole and (new is not None or not created) and (name in existing) == bool(dropped):
            yield _Object(name, tuple(about), new, frozenset().union(*(touch.reads for touch in touched)))


def _place(op: Any, facts: Facts) -> Place:
    return (facts.key(op.schema, op.table_name), str(op.column_name))


def _retypes(op: ops.MigrateOperation) -> bool:
    return isinstance(op, ops.AlterColumnOp) and op.modify_type is not None


def _drops(op: ops.MigrateOperation) -> bool:
    return isinstance(op, ops.DropIndexOp) or (isinstance(op, ops.DropConstraintOp) and op.constraint_type == "check")


def _given_name(op: ops.MigrateOperation) -> object:
    return getattr(op, "constraint_name", None)


def _name(op: ops.MigrateOperation) -> str | None:
    """The name of the index or constraint that an op is about, as PostgreSQL stores it."""
    name = op.object_name if isinstance(op, AlterTableOp) else name_of(op)
    return None if name is None else stored(name)


def _definition(op: ops.MigrateOperation, name: str, indexes: Sequence[IndexOn]) -> IndexOn | CheckOn | None:
    """What the op creates; None if it has options that a definition does not show."""
    before = next((item for item in indexes if item.name == name), None)
    if isinstance(op, ops.CreateIndexOp):
        options: Mapping[str, object] = op.kw
        if op.if_not_exists or options.get("postgresql_tablespace") is not None:
            return None
        index = op.to_index()
        assert index.table is not None
        index.dialect_options["postgresql"]["concurrently"] = False
        # As Alembic's create_index() does: the table of an op has no other columns than those of the key.
        for column in index.dialect_options["postgresql"]["include"] or ():
            if column not in index.table.c:
                index.table.append_column(Column(column, NullType()))
        statement = str(CreateIndex(index).compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))
        # What belongs to the name, and not to what is indexed, stays: nothing of it is in the models.
        comment, space = (before.comment, before.tablespace) if before is not None else (None, None)
        return IndexOn(name, statement, comment=comment, tablespace=space)
    if isinstance(op, ops.CreateCheckConstraintOp) and not op.kw:
        return CheckOn(name, f"CHECK ({expression_text(op.to_constraint().sqltext)})")
    return None
