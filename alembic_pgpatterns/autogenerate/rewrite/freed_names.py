"""Names that one index or constraint of a revision gives up and another one takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.changes import Change
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts

_Key = tuple[str, ...]


def with_names_freed_first(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Drop an index or a constraint before another one takes its name.

    Alembic goes from table to table. In its order the second object fails, or ``IF NOT EXISTS`` passes it over.
    """
    drops: dict[_Key, list[int]] = {}
    for place, change in enumerate(changes):
        for key in _freed(change.up, facts):
            drops.setdefault(key, []).append(place)
    order: dict[int, None] = {}
    for place, change in enumerate(changes):
        if place not in order:
            first = {other for key in _taken(change.up, facts) for other in drops.get(key, ())}
            order.update(dict.fromkeys((*sorted(first - order.keys()), place)))
    return [changes[place] for place in order]


def _taken(op: ops.MigrateOperation, facts: Facts) -> Iterator[_Key]:
    if isinstance(op, ops.CreateIndexOp):
        yield from _of_index(op, facts)
    elif isinstance(op, ops.AddConstraintOp):
        yield from _of_constraint(op, facts)


def _freed(op: ops.MigrateOperation, facts: Facts) -> Iterator[_Key]:
    if isinstance(op, ops.DropIndexOp):
        yield from _of_index(op, facts)
    elif isinstance(op, ops.DropConstraintOp):
        yield from _of_constraint(op, facts)


def _of_index(op: ops.CreateIndexOp | ops.DropIndexOp, facts: Facts) -> Iterator[_Key]:
    if op.index_name is not None:
        yield ("relation", *facts.key(op.schema, str(op.index_name)))


def _of_constraint(op: ops.MigrateOperation, facts: Facts) -> Iterator[_Key]:
    """A name of the table, and one of the schema: a key or an EXCLUDE has an index of the same name."""
    name = getattr(op, "constraint_name", None)
    if name is None:
        return
    schema, table = facts.key_of(op)
    yield ("constraint", schema, table, str(name))
    yield ("relation", schema, str(name))
