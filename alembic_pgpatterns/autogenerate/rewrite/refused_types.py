"""A change of type that PostgreSQL refuses is refused by the revision's first file, before any stage of it begins.

What stands in the way is known when the revision is written, and a comment says what to do. Whoever runs the revision
all the same would find out in one of its later files: by then other changes have begun, and for a row filter every row
has been rewritten under the lock.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from string import Template

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.changes import Change
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.recast import REFUSED
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp, CommentOp, Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Step
from alembic_pgpatterns.autogenerate.rewrite.swap_recipes import recipes
from alembic_pgpatterns.autogenerate.rewrite.table_names import qualified
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import type_text
from alembic_pgpatterns.autogenerate.rewrite.type_users import USERS
from alembic_pgpatterns.autogenerate.rewrite.view_sql import literal, literal_line
from alembic_pgpatterns.operations.directive import Directive
from alembic_pgpatterns.patterns.revisions.rebuilt_dependents import RebuiltDependents
from alembic_pgpatterns.schema.names import do_block

_REFUSE = Template("""
DECLARE
  pgpatterns_users text;
BEGIN
  $users
  SELECT string_agg(DISTINCT k.label, '; ') INTO pgpatterns_users
  FROM named JOIN (VALUES $known) AS k (identity, label) USING (identity);
  IF pgpatterns_users IS NOT NULL THEN
    RAISE EXCEPTION 'pgpatterns: % cannot get the type % because of %', $subject, $type, pgpatterns_users
      USING ERRCODE = 'dependent_objects_still_exist', HINT = $hint;
  END IF;
END """)


def refuse_refused_types(
    files: Sequence[tuple[Sequence[Step], bool]], changes: Sequence[Change], facts: Facts
) -> list[tuple[ops.MigrateOperation, ...]]:
    """Return for each file the ops that fail while an object exists because of which PostgreSQL refuses a new type.

    They are in the first file, and for what waits until no old code runs in the first one of that. They change nothing
    and lock nothing, and do nothing once the objects are gone. What the revision itself may change or drop before is
    not among the objects.

    Args:
        files: the steps of each, and whether it waits until no old code runs.
        changes: what it does.
        facts: the facts of the run.
    """
    if any(_may_change_anything(change.up) for change in changes):
        return [() for _ in files]
    changed = {str(name) for change in changes for name in _names(change.up)}
    result: list[tuple[ops.MigrateOperation, ...]] = [() for _ in files]
    for contract in (False, True):
        numbers = [number for number, (_, waits) in enumerate(files) if waits is contract]
        steps = [step for number in numbers for step in files[number][0]]
        if numbers:
            result[numbers[0]] = tuple(_refusals(steps, changed, facts))
    return result


def _refusals(steps: Iterable[Step], changed: Collection[str], facts: Facts) -> Iterator[ops.MigrateOperation]:
    for op in (op for step in steps for op in step.up.operations):
        if not isinstance(op, ops.AlterColumnOp) or op.modify_type is None or facts.is_new(op.schema, op.table_name):
            continue
        identified = [(identity, user) for identity, user in _in_the_way(op, facts) if not _is_about(user, changed)]
        if identified:
            subject = f"{op.table_name}.{op.column_name}"
            reason = "what makes PostgreSQL refuse the new type is looked for before anything is changed"
            yield CommentOp(Note(RebuiltDependents.name, subject, reason, aside=True).comment())
            yield SqlOp(_refusing(op, subject, identified))


def _in_the_way(op: ops.AlterColumnOp, facts: Facts) -> Iterator[tuple[str, str]]:
    """The identity of each object that is in the way, and what a note says of it."""
    identities: Mapping[str, str] = {}
    for user in facts.users_in_the_way(op):
        identities = identities or facts.identities(facts.key(op.schema, op.table_name), str(op.column_name))
        label, comma, _ = user.partition(f", {REFUSED}")
        # What two columns' changes do to one object is not known when the first one begins.
        if label in identities and (comma or ", which" not in user):
            yield identities[label], user


def _refusing(op: ops.AlterColumnOp, subject: str, identified: Sequence[tuple[str, str]]) -> str:
    assert op.modify_type is not None
    table, column = literal(qualified(op.schema, op.table_name)), literal(str(op.column_name))
    users = [user for _, user in identified]
    hint = " ".join(("This revision has changed nothing yet.", *recipes(users)))
    return do_block(
        _REFUSE.substitute(
            users=USERS.substitute(table=table, column=column),
            known=", ".join(f"({literal_line(identity)}, {literal_line(user)})" for identity, user in identified),
            subject=literal(subject),
            type=literal(type_text(op.modify_type)),
            hint=literal_line(hint),
        )
    )


def _may_change_anything(op: ops.MigrateOperation) -> bool:
    """Whether an op may drop or change a policy, a view or a trigger: a directive, SQL of a hook, another package's."""
    foreign = not type(op).__module__.startswith(("alembic.", "alembic_pgpatterns."))
    return foreign or isinstance(op, Directive) or type(op) is ops.ExecuteSQLOp


def _names(op: ops.MigrateOperation) -> Iterator[object]:
    """The column, index or constraint that an op is about."""
    if isinstance(op, AlterTableOp):
        yield op.object_name
    if isinstance(op, ops.DropTableOp):
        yield op.table_name
    if isinstance(op, ops.DropColumnOp | ops.AddColumnOp):
        yield op.column_name if isinstance(op, ops.DropColumnOp) else op.column.name
    yield from filter(None, (getattr(op, "index_name", None), getattr(op, "constraint_name", None)))


def _is_about(user: str, names: Iterable[str]) -> bool:
    """Whether a note on an object names one that the revision changes itself, alone or with what it belongs to."""
    label = user.partition(f", {REFUSED}")[0]
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", label) for name in names)
