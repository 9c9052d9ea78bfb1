"""Expand and contract: what the code of the release before cannot live with waits in revisions of its own.

Revisions run while the old code still runs. Columns, tables and indexes that are added do not disturb it (expand). What
it still uses must not go, and what it does not write must not be demanded, until its last process has ended (contract).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.changes import name_of, table_of
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts, TableKey
from alembic_pgpatterns.autogenerate.rewrite.enum_ops import EnumLabelOp, NewEnumOp
from alembic_pgpatterns.autogenerate.rewrite.new_code import PHASE
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, DropTypeOp, Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Planned, Step, Touch, columns_of, source_of, touches
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import assignable, narrows, type_text, work_together
from alembic_pgpatterns.autogenerate.rewrite.view_blocks import RetypeUnderViewsOp
from alembic_pgpatterns.operations.directive import Directive
from alembic_pgpatterns.patterns.revisions.breaks_old_code import BreaksOldCode
from alembic_pgpatterns.revisions.contract import MARK

LINES = (MARK, "# Run this when no process runs the code of the release before: it would fail from here on.")


def mark() -> CommentOp:
    """The comment at the beginning of a contract revision."""
    return CommentOp(LINES)


def in_phases(planned: Sequence[Planned], facts: Facts) -> list[Planned]:
    """Put the steps that old code cannot live with behind all others.

    Args:
        planned: the changes, at their levels.
        facts: the facts of the run.

    Returns:
        The same changes; the steps of the second phase have ``contract`` set, and higher levels.
    """
    waiting = _waiting(planned, facts)
    planned = [_with_gap(item) if position in waiting else item for position, item in enumerate(planned)]
    split = [_split(item, position in waiting, facts) for position, item in enumerate(planned)]
    first = max((step.level for item in split for step in item.steps if not step.contract), default=0)
    # By an even number: a step stays inside or outside of a transaction.
    above = first + 2 - first % 2
    return losing_last([_lifted(item, above) for item in split], facts)


def _with_gap(item: Planned) -> Planned:
    """Say it if the new code needs the type that has to wait for the old code's end."""
    op = item.change.up
    alters = [op] if isinstance(op, ops.AlterColumnOp) else [*getattr(op, "alters", ())]
    notes = tuple(_gap(each) for each in alters if isinstance(each, ops.AlterColumnOp) and _has_gap(each))
    if not notes:
        return item
    first = item.steps[0]
    return replace(item, steps=(replace(first, up=replace(first.up, notes=(*notes, *first.up.notes))), *item.steps[1:]))


def _has_gap(op: ops.AlterColumnOp) -> bool:
    if op.existing_type is None or op.modify_type is None:
        return False
    return not work_together(op.existing_type, op.modify_type)


def _gap(op: ops.AlterColumnOp) -> Note:
    assert op.existing_type is not None and op.modify_type is not None
    old, new, column = type_text(op.existing_type), type_text(op.modify_type), str(op.column_name)
    reason = (
        f"old and new code cannot run at the same time. PostgreSQL does not compare {old} with {new}, and drivers that "
        "send values with their type (psycopg 3, asyncpg) fail, the new code before this and the old code after it. "
        "Stop the application for this, or write it as two columns"
    )
    lines = (
        f"1. in the models: {column} as it was, and a second column of the new type under another name; code that",
        "   writes both and reads the old one. A release with that, and the old rows filled",
        f"2. a release that reads the second one and no longer knows {column}; its contract drops {column}",
    )
    return Note(BreaksOldCode.name, f"{op.table_name}.{column}", reason, more=lines, warns=True)


def _lifted(item: Planned, above: int) -> Planned:
    return replace(item, steps=tuple(replace(s, level=s.level + above) if s.contract else s for s in item.steps))


def losing_last(planned: Sequence[Planned], facts: Facts) -> list[Planned]:
    """Drop columns and tables behind what may fail on rows, or is filled from them.

    Nothing is lost until then: old code can run on, and a person can still write the values of a new column from an old
    one.
    """
    touched = [touches(item.change.up, facts) for item in planned]
    movable: set[int] = set()
    for number in reversed(range(len(planned))):
        followers = (n for n in range(number + 1, len(planned)) if touched[n].follows(touched[number]))
        # What stays behind a drop, such as a new column of the same name, keeps the drop where it is. Grants and the
        # like, of which nobody knows what they read, go with it: no row makes them fail.
        op = planned[number].change.up
        moves = isinstance(op, _LOSES) or (isinstance(op, Directive) and touched[number].everything)
        if moves and movable.issuperset(followers):
            movable.add(number)
    others = [
        step.level
        for number, item in enumerate(planned)
        for step in item.steps
        if number not in movable and (step.contract or not facts.settings.phases)
    ]
    last = max(others, default=0)
    return [_raised(item, last + last % 2) if number in movable else item for number, item in enumerate(planned)]


def _raised(item: Planned, above: int) -> Planned:
    return replace(item, steps=tuple(replace(step, level=step.level + above) for step in item.steps))


def asks(planned: Sequence[Planned]) -> bool:
    """Whether a person has to write the values of a column."""
    operations = (op for item in planned for step in item.steps for op in (*step.up.comments, *step.up.operations))
    return any(isinstance(op, CommentOp) and op.todo for op in operations)


_LOSES = (ops.DropColumnOp, ops.DropTableOp, DropTypeOp)


def _waiting(planned: Sequence[Planned], facts: Facts) -> set[int]:
    """The positions of the changes that wait as a whole: those that break old code, and what follows them."""
    changes = [item.change.up for item in planned]
    touched = [touches(op, facts) for op in changes]
    waiting = {position for position, op in enumerate(changes) if _breaks(op, facts)}
    dropped = {key for position in waiting for key in _dropped(changes[position], facts)}
    waiting |= {position for position, op in enumerate(changes) if _is_part_of(op, dropped, facts)}
    while more := {*_followers(planned, touched, waiting), *_making_way(planned, waiting)} - waiting:
        waiting |= more
    return waiting


def _followers(planned: Sequence[Planned], touched: Sequence[Touch], waiting: Set[int]) -> Iterator[int]:
    """The positions of what has to stay behind a change that waits."""
    # Nobody knows what a statement about a view reads. One that only makes way has no followers but the view's return.
    making_way = {position for position in _making_way(planned, waiting) if touched[position].everything}
    leading = waiting - making_way
    for position, touch in enumerate(touched):
        # A label that comes needs nothing of what goes, and new code may write it before.
        is_label = isinstance(planned[position].change.up, EnumLabelOp)
        if not is_label and any(touch.follows(touched[earlier]) for earlier in leading if earlier < position):
            yield position


def _making_way(planned: Sequence[Planned], waiting: Set[int]) -> Iterator[int]:
    """The positions of what goes and comes back when it is created after a change that waits.

    Such as an index on a column that gets another type: old code has it until then, and a unique one or a foreign key
    also refuses what would make its return fail.
    """
    for position, item in enumerate(planned):
        if any(later > position and _creates_again(planned[later].change.up, item.change.up) for later in waiting):
            yield position


def _creates_again(create: ops.MigrateOperation, drop: ops.MigrateOperation) -> bool:
    if isinstance(drop, SqlOp) and isinstance(create, SqlOp):
        return create.undo is not None and create.undo == drop.statement
    kinds = (ops.DropIndexOp, ops.DropConstraintOp), (ops.CreateIndexOp, ops.AddConstraintOp)
    if not isinstance(drop, kinds[0]) or not isinstance(create, kinds[1]):
        return False
    return table_of(drop) == table_of(create) and name_of(drop) == name_of(create)


def _breaks(op: ops.MigrateOperation, facts: Facts) -> bool:
    if getattr(op, PHASE, None) == "contract":
        return True
    if isinstance(op, ops.DropTableOp) or (isinstance(op, NewEnumOp) and op.removes):
        return True
    schema, name = table_of(op)
    if name is None or facts.is_new(schema, name):
        return False
    if isinstance(op, RetypeUnderViewsOp):
        return any(_breaks(alter, facts) for alter in op.alters)
    if isinstance(op, ops.AlterColumnOp):
        without_default = op.modify_server_default is None and op.existing_nullable is not True
        return op.modify_name is not None or op.modify_nullable is False or without_default or _narrows(op)
    return isinstance(op, ops.DropColumnOp)


def _narrows(op: ops.AlterColumnOp) -> bool:
    old, new = op.existing_type, op.modify_type
    if new is None:
        return False
    return old is None or not assignable(old, new) or narrows(old, new)


def _dropped(op: ops.MigrateOperation, facts: Facts) -> list[tuple[TableKey, str | None]]:
    """The table or column that a change drops; None for a table with all its columns."""
    if isinstance(op, ops.DropTableOp):
        return [(facts.key(op.schema, op.table_name), None)]
    if isinstance(op, ops.DropColumnOp):
        return [(facts.key(op.schema, op.table_name), str(op.column_name))]
    return []


def _is_part_of(op: ops.MigrateOperation, dropped: set[tuple[TableKey, str | None]], facts: Facts) -> bool:
    """Whether a change drops an index or a key of something that is dropped: old code still needs it.

    Such as for ON CONFLICT. What would refuse the rows of new code does not wait (`with_room_for_new_code`).
    """
    if not isinstance(op, ops.DropIndexOp | ops.DropConstraintOp):
        return False
    if getattr(op, PHASE, "contract") == "expand":
        return False
    schema, name = table_of(op)
    table = facts.key(schema, str(name))
    return (table, None) in dropped or any((table, column) in dropped for column in columns_of(source_of(op)))


def _split(item: Planned, waits: bool, facts: Facts) -> Planned:
    if waits:
        return replace(item, steps=tuple(replace(step, contract=True) for step in item.steps))
    first = next((number for number, step in enumerate(item.steps) if step.contract), len(item.steps))
    before, after = item.steps[:first], item.steps[first:]
    return replace(item, steps=(*before, *_with_late_rows(before, after)))


def _with_late_rows(before: Sequence[Step], after: Sequence[Step]) -> list[Step]:
    """The contract steps of a new NOT NULL column, which fill it again: old code has written rows in the meantime."""
    steps: list[Step] = []
    filling = [step for step in before if step.level % 2]
    for step in after:
        if filling and step.level % 2:
            steps += [replace(each, level=step.level, down=(), undo_when_split=(), contract=True) for each in filling]
            filling = []
        steps.append(replace(step, contract=True))
    return steps
