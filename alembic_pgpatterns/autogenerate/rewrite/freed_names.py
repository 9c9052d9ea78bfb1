"""Names that one object of a revision gives up and another one takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.changes import Change
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.new_names import RenameOp
from alembic_pgpatterns.autogenerate.rewrite.relation_names import Key, in_two_steps, names_freed, names_taken
from alembic_pgpatterns.autogenerate.rewrite.rendering import DropTypeOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Touch, touches
from alembic_pgpatterns.remedies.naming import fit

_REMOVING = (
    *(ops.DropTableOp, ops.DropColumnOp, ops.AlterColumnOp, ops.DropConstraintOp, ops.DropIndexOp),
    DropTypeOp,
)


def with_names_freed_first(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Let what has a name go before something else takes the name: tables, indexes, keys, sequences, types, views.

    Alembic goes from table to table, and drops tables last. In its order the second object fails, or ``IF NOT EXISTS``
    passes it over. With a drop goes what it needs: a type goes after the columns that have it.
    """
    freeing = _freeing(changes, facts)
    order = list(changes)
    for taker in changes:
        for key in sorted(names_taken(taker.up, facts.key)):
            for drop in freeing.get(key, ()):
                order = _freed_first(order, drop, taker, facts)
    return order


def _freeing(changes: Sequence[Change], facts: Facts) -> dict[Key, list[Change]]:
    result: dict[Key, list[Change]] = {}
    for change in changes:
        for key in names_freed(change.up, facts.key):
            result.setdefault(key, []).append(change)
    for key, freeing in result.items():
        drops = [change for change in freeing if not isinstance(change.up, RenameOp)]
        # What is dropped and renamed comes back in between under its old name.
        result[key] = drops or freeing
    return result


def _freed_first(order: list[Change], drop: Change, taker: Change, facts: Facts) -> list[Change]:
    start, end = _place(order, taker), _place(order, drop)
    if start is None or end is None or end <= start:
        return order
    names = names_taken(taker.up, facts.key)
    moving = [drop]
    for other in reversed(order[start + 1 : end]):
        if any(_needs(item.up, other.up, names, facts) for item in moving):
            moving.insert(0, other)
    if not any(_needs(item.up, taker.up, names, facts) for item in moving):
        staying = [change for change in order[start : end + 1] if all(change is not item for item in moving)]
        return [*order[:start], *moving, *staying, *order[end + 1 :]]
    return _exchanged(order, drop, taker) if isinstance(taker.up, RenameOp) else order


def _place(order: Sequence[Change], change: Change) -> int | None:
    """The change's place; None for a rename that is written in two steps already."""
    return next((place for place, other in enumerate(order) if other is change), None)


def _exchanged(order: Sequence[Change], drop: Change, taker: Change) -> list[Change]:
    """Give what is renamed a passing name until the other object has given up the one that it gets."""
    assert isinstance(taker.up, RenameOp)
    first, second = in_two_steps(taker.up, fit(f"{taker.up.old_name}_old"))
    result: list[Change] = []
    for change in order:
        if change is taker:
            result.append(replace(taker, up=first, down=(first.reverse(),) if taker.down else ()))
        else:
            result.append(change)
        if change is drop:
            result.append(Change(second, (second.reverse(),) if taker.down else ()))
    return result


def _needs(later: ops.MigrateOperation, earlier: ops.MigrateOperation, names: frozenset[Key], facts: Facts) -> bool:
    """Whether an op can only come after another one. `names` are those for which it is to come first."""
    if isinstance(later, DropTypeOp) and isinstance(earlier, _REMOVING):
        return True
    if names_taken(later, facts.key) & names_freed(earlier, facts.key):
        return True
    after, before = _touch(later, facts), _touch(earlier, facts)
    if after.everything or before.everything:
        return True
    both = {key for key in after.writes & before.writes if key[0] not in ("name", "type", "dependent")}
    return bool((both | after.reads & before.writes | after.writes & before.reads) - names)


def _touch(op: ops.MigrateOperation, facts: Facts) -> Touch:
    touch = touches(op, facts)
    names = names_taken(op, facts.key) | names_freed(op, facts.key)
    # A statement about one type, sequence or view: nothing but its name matters to a drop.
    return Touch(writes=names) if touch.everything and names else touch
