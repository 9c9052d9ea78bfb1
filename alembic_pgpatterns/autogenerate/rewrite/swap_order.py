"""Where changes of type made with a second column stand among the other changes of a revision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.changes import Change, name_of
from alembic_pgpatterns.autogenerate.rewrite.column_swap import swaps
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts, TableKey
from alembic_pgpatterns.autogenerate.rewrite.new_names import RenameOp
from alembic_pgpatterns.autogenerate.rewrite.relation_names import names_freed, names_taken
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp, CommentOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Touch, touches
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import widens

Place = tuple[TableKey, str]
_DROPS = (ops.DropIndexOp, ops.DropConstraintOp, ops.DropTableOp, ops.DropColumnOp)


def with_swaps_placed(changes: Sequence[Change], facts: Facts) -> tuple[list[Change], Facts]:
    """Return the changes with swaps before what needs the new column, and the facts about what comes before a swap.

    A foreign key or an index that the same revision creates would hold the old column if it came first. Among
    themselves, columns that reference come before those that they reference if the type gets wider: then no key is
    ever wider than the column that has to hold it.

    Args:
        changes: the changes in autogenerate's order.
        facts: the facts of the run.
    """
    ordered = _referencing_first(_early(_renames_last(changes, facts), facts), facts)
    return ordered, _with_earlier(ordered, facts)


def _place(op: ops.AlterColumnOp, facts: Facts) -> Place:
    return (facts.key(op.schema, op.table_name), str(op.column_name))


def _swaps(change: Change, facts: Facts) -> bool:
    return isinstance(change.up, ops.AlterColumnOp) and swaps(change.up, facts)


def _renames_last(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Return the changes with the new names of constraints behind all others.

    What the others drop, replace or make again has the name that was read from the database, in every file of the
    revision and in its downgrade. Only a rename that frees a name for another change stays where it is.

    Args:
        changes: the changes in autogenerate's order.
        facts: the facts of the run.
    """
    last: list[Change] = []
    for change in changes:
        if isinstance(change.up, RenameOp) and not _frees_a_name(change.up, changes, facts):
            last += [change, *(other for other in changes if _is_about(other.up, change.up, facts))]
    moved = {id(change) for change in last}
    return [*(change for change in changes if id(change) not in moved), *last]


def _frees_a_name(rename: RenameOp, changes: Sequence[Change], facts: Facts) -> bool:
    """Whether another change creates an object with the old name, and none has dropped the constraint before."""
    freed = names_freed(rename, facts.key)
    others = [change.up for change in changes if change.up is not rename]
    # Also what restores the constraint as SQL.
    same = [op for op in others if facts.key_of(op) == facts.key_of(rename) and name_of(op) == rename.old_name]
    taken = bool(same) or any(freed & names_taken(op, facts.key) for op in others)
    dropped = (op for op in others if isinstance(op, _DROPS) and freed & names_freed(op, facts.key))
    return taken and not any(dropped)


def _is_about(op: ops.MigrateOperation, rename: RenameOp, facts: Facts) -> bool:
    """Whether an op, such as a comment, is about the constraint under its new name."""
    if not isinstance(op, AlterTableOp) or op is rename:
        return False
    return op.object_name == rename.object_name and facts.key_of(op) == facts.key_of(rename)


def _early(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Put each swap before the first change that creates something on its column."""
    result: list[Change] = []
    for change in changes:
        position = len(result)
        if _swaps(change, facts):
            touch = touches(change.up, facts)
            creating = (i for i, other in enumerate(result) if _creates_on(other, touch, facts))
            position = next(creating, position)
        result.insert(position, change)
    return result


def _creates_on(other: Change, swap: Touch, facts: Facts) -> bool:
    """Whether a change creates something that reads what a swap makes again."""
    if isinstance(other.up, (*_DROPS, ops.AlterColumnOp, AlterTableOp, CommentOp, ops.ExecuteSQLOp)):
        return False
    touch = touches(other.up, facts)
    return not touch.everything and bool(swap.writes & touch.reads)


def _referencing_first(changes: list[Change], facts: Facts) -> list[Change]:
    """Put each swap behind those that have to come before it, together with what follows it."""
    swaps = [change for change in changes if _swaps(change, facts)]
    # A circle of foreign keys has no order: then any is as good, and so many moves are enough for all others.
    for _ in range(len(swaps) ** 2):
        pair = next(((b, a) for b, a in combinations(_in_order(swaps, changes), 2) if _before(a, b, facts)), None)
        if pair is None:
            break
        changes = _moved_behind(changes, *pair, facts)
    return changes


def _in_order(some: list[Change], changes: list[Change]) -> list[Change]:
    members = {id(change) for change in some}
    return [change for change in changes if id(change) in members]


def _moved_behind(changes: list[Change], moved: Change, other: Change, facts: Facts) -> list[Change]:
    """Move a change behind a later one, with the changes between them that have to stay after it."""
    positions = {id(change): i for i, change in enumerate(changes)}
    start, end = positions[id(moved)], positions[id(other)]
    group: list[Change] = [moved]
    rest: list[Change] = []
    for change in changes[start + 1 : end]:
        touch = touches(change.up, facts)
        follows = not _swaps(change, facts) and any(touch.follows(touches(member.up, facts)) for member in group)
        (group if follows else rest).append(change)
    return [*changes[:start], *rest, other, *group, *changes[end + 1 :]]


def _before(first: Change, second: Change, facts: Facts) -> bool:
    """Whether a swap has to come before another one because of a foreign key between their columns."""
    assert isinstance(first.up, ops.AlterColumnOp) and isinstance(second.up, ops.AlterColumnOp)
    assert first.up.existing_type is not None and first.up.modify_type is not None
    wider = widens(first.up.existing_type, first.up.modify_type)
    referencing, referenced = (first.up, second.up) if wider else (second.up, first.up)
    table, column = _place(referenced, facts)
    keys = facts.dependents_of(referencing).foreign_keys
    return any(key.referencing and (*table, column) in key.peers for key in keys)


def _with_earlier(changes: Sequence[Change], facts: Facts) -> Facts:
    """Return the facts with what the revision drops, creates or changes before each change of type."""
    dropped: dict[Place, frozenset[tuple[str, str, str]]] = {}
    held: dict[Place, tuple[str, ...]] = {}
    for i, change in enumerate(changes):
        if isinstance(change.up, ops.AlterColumnOp) and change.up.modify_type is not None:
            place, earlier = _place(change.up, facts), [other.up for other in changes[:i]]
            names = facts.dependents(*place).names(place[0])
            removed = frozenset(name for name in names if any(_drops(op, name, facts) for op in earlier))
            dropped[place] = removed
            held[place] = (
                *(reason for op in earlier if (reason := _holds(op, change.up, names - removed, facts)) is not None),
                # Without autocommit no type changes in stages, and env.py is the reason.
                *(_beside(change, changes, facts) if names and facts.autocommit else ()),
            )
    return replace(facts, dropped_before=dropped, held=held)


def _beside(swap: Change, changes: Sequence[Change], facts: Facts) -> Iterator[str]:
    """Return what else the revision does to the column or to what depends on it.

    Objects would be made once more for the new column while another change of the revision drops or makes them: no
    order of such changes, up and down and in several files, was safe for all of them.
    """
    writes = touches(swap.up, facts).writes
    for other in changes:
        op = other.up
        if other is swap or _swaps(other, facts) or isinstance(op, (AlterTableOp, CommentOp, ops.ExecuteSQLOp)):
            continue
        touch = touches(op, facts)
        if touch.everything or writes & (touch.reads | touch.writes):
            yield f"{name_of(op) or 'another change'}, which this revision changes too"


def _drops(op: ops.MigrateOperation, name: tuple[str, str, str], facts: Facts) -> bool:
    """Whether an op drops an index or a constraint, or its table."""
    if not isinstance(op, _DROPS) or facts.key_of(op) != name[:2]:
        return False
    return isinstance(op, ops.DropTableOp) or (not isinstance(op, ops.DropColumnOp) and name_of(op) == name[2])


def _holds(
    op: ops.MigrateOperation, swap: ops.AlterColumnOp, names: frozenset[tuple[str, str, str]], facts: Facts
) -> str | None:
    """Return what an earlier op does to the column so that the catalog does not say all, or None."""
    if isinstance(op, AlterTableOp):
        table = facts.key(op.schema, op.table_name)
        column = table == facts.key(swap.schema, swap.table_name) and op.object_name == swap.column_name
        name = op.old_name if isinstance(op, RenameOp) else op.object_name
        is_dependent = name is not None and (*table, name) in names
        return f"another change of {op.object_name} in this revision" if column or is_dependent else None
    if _creates_on(Change(op), touches(swap, facts), facts):
        return f"{name_of(op) or 'what'}, which this revision creates before"
    return None
