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
from alembic_pgpatterns.autogenerate.rewrite.dependents import CheckOn, Dependents, IndexOn, Redefined
from alembic_pgpatterns.autogenerate.rewrite.renamed_column import (
    NotRenamedError,
    Renamed,
    constraint_statement,
    index_statement,
)
from alembic_pgpatterns.autogenerate.rewrite.rendering import DIALECT, AlterTableOp, expression_text
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import type_text
from alembic_pgpatterns.schema.names import stored

Place = tuple[TableKey, str]
_INDEXES = (ops.CreateIndexOp, ops.DropIndexOp)
_CREATES = (ops.CreateIndexOp, ops.CreateCheckConstraintOp)


@dataclass(frozen=True, slots=True)
class _Object:
    """An index or a CHECK that the revision drops, creates, or both.

    It goes with the first column that had it, and the last one that has it makes it new. So nothing is ever made on
    columns of which some have the new type and some not, and the downgrade goes the same way back.
    """

    name: str
    changes: tuple[Change, ...]
    new: IndexOn | CheckOn | None
    """As the revision creates it; None: it only goes."""
    places: tuple[Place, ...]
    """The columns whose type changes and that have it before or after, in the order of their stages."""
    made: Place | None
    """The column whose stages make it; None: none does."""
    restored: Place | None
    """The column whose stages make it in the downgrade."""


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
    staged = {_place(change.up, facts): change for change in changes if _may_have_stages(change.up, facts)}
    objects = [item for item in _objects(staged, changes, facts) if not set(alone) & set(item.places)]
    failed: set[Place] | None = None
    redefined: dict[Place, Redefined] = {}
    while failed is None or failed:
        objects = [item for item in objects if not (failed or set()) & set(item.places)]
        redefined = _by_place(staged, objects)
        with_new = replace(facts, redefined=redefined)
        # A way back in one statement, as from varchar(9) to text, has no stages that could make the objects of before.
        failed = {place for place in redefined if not _both_ways(staged[place].up, with_new)}
    taken = {id(change) for item in objects for change in item.changes}
    joined = {id(change): _with_comments(change, place, objects) for place, change in staged.items()}
    result = [joined.get(id(change), change) for change in changes if id(change) not in taken]
    return result, replace(facts, redefined=redefined)


def _may_have_stages(op: ops.MigrateOperation, facts: Facts) -> bool:
    if not isinstance(op, ops.AlterColumnOp) or op.modify_type is None:
        return False
    return not facts.is_new(op.schema, op.table_name) and not facts.is_partitioned(op.schema, op.table_name)


def _both_ways(op: ops.MigrateOperation, facts: Facts) -> bool:
    assert isinstance(op, ops.AlterColumnOp)
    return swaps(op, facts) and swaps(op.reverse(), facts)


def _by_place(staged: Mapping[Place, Change], objects: Sequence[_Object]) -> dict[Place, Redefined]:
    """What the stages of each column find instead of what the catalog says."""
    result = {}
    for place, change in staged.items():
        here = [item for item in objects if place in item.places]
        assert isinstance(change.up, ops.AlterColumnOp)
        if here and change.up.modify_type is not None:
            before = {other for item in here for other in item.places[: item.places.index(place)]}
            result[place] = Redefined(
                type_text(change.up.modify_type),
                {item.name: item.new if item.made == place else None for item in here},
                frozenset(item.name for item in here if item.restored != place),
                frozenset(before),
            )
    return result


def _with_comments(change: Change, place: Place, objects: Sequence[_Object]) -> Change:
    about = [other for item in objects if place == item.places[-1] for other in item.changes]
    return replace(change, comments=(*change.comments, *(comment for other in about for comment in other.comments)))


def not_in_stages(changes: Sequence[Change], facts: Facts) -> frozenset[Place]:
    """Return the columns whose objects stages were to make, and whose type does not change in stages.

    Args:
        changes: the changes in the order in which they are made.
        facts: the facts about this order.
    """
    retyped = [change.up for change in changes if isinstance(change.up, ops.AlterColumnOp)]
    staged = [_place(op, facts) for op in retyped if swaps(op, facts)]
    out_of_order = {
        place
        for place, redefined in facts.redefined.items()
        if place in staged and not redefined.after <= set(staged[: staged.index(place)])
    }
    return frozenset(out_of_order | (set(facts.redefined) - set(staged)))


def _objects(staged: Mapping[Place, Change], changes: Sequence[Change], facts: Facts) -> Iterator[_Object]:
    """The objects on columns with a new type that the stages of these columns can make."""
    dependents = {place: facts.dependents(*place) for place in staged}
    for table in dict.fromkeys(table for table, _ in staged):
        columns = [place for place in staged if place[0] == table]
        named: dict[str, list[Change]] = {}
        for change in changes:
            if facts.key_of(change.up) == table and (name := _name(change.up)) is not None:
                named.setdefault(name, []).append(change)
        for name, about in named.items():
            had = [place for place in columns if name in _names(dependents[place])]
            keys = {item.name for place in columns for item in dependents[place].indexes if item.key}
            item = None if name in keys else _object(name, about, columns, had, dependents)
            # Foreign keys would decide the order of several columns.
            several = item is not None and len(item.places) > 1
            if item is not None and not (several and any(dependents[place].foreign_keys for place in item.places)):
                yield item


def _object(
    name: str,
    about: Sequence[Change],
    columns: Sequence[Place],
    had: Sequence[Place],
    dependents: Mapping[Place, Dependents],
) -> _Object | None:
    """What the changes do to an object; None if stages cannot do the same."""
    created = [change.up for change in about if isinstance(change.up, _CREATES)]
    dropped = [change.up for change in about if _drops(change.up)]
    # To any other name of a constraint Alembic applies the models' naming convention when it runs the op.
    final = all(isinstance(change.up, _INDEXES) or isinstance(_given_name(change.up), conv) for change in about)
    whole = final and len(created) + len(dropped) == len(about) and len(created) <= 1 and len(dropped) <= 1
    if not whole or bool(had) != bool(dropped):
        return None
    indexes = [item for place in had for item in dependents[place].indexes]
    new = _definition(created[0], name, indexes) if created else None
    has = [] if new is None else [place for place in columns if _is_on(new, place[1])]
    # What is made new must be on a column with stages, and what was there must be gone by then.
    if bool(has) != bool(created) or (had and has and columns.index(had[0]) > columns.index(has[-1])):
        return None
    places = tuple(place for place in columns if place in had or place in has)
    return _Object(name, tuple(about), new, places, has[-1] if has else None, had[0] if had else None)


def _names(dependents: Dependents) -> set[str]:
    return {item.name for item in dependents.indexes} | {item.name for item in dependents.checks}


def _is_on(item: IndexOn | CheckOn, column: str) -> bool:
    """Whether a definition has a column; also if it is not understood, so that nothing is made of it."""
    try:
        first, second = (_copy(item, Renamed(column, new)) for new in (column, f"{column}_new"))
    except NotRenamedError:
        return True
    return first != second


def _copy(item: IndexOn | CheckOn, column: Renamed) -> str:
    if isinstance(item, IndexOn):
        return index_statement(item.definition, None, item.name, column)
    return constraint_statement(item.definition, "t", item.name, column)


def _place(op: Any, facts: Facts) -> Place:
    return (facts.key(op.schema, op.table_name), str(op.column_name))


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
