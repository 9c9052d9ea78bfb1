"""A change of type that would rewrite the table, made with a second column that replaces the first.

Begin: add the new column, and a trigger that fills it on every write. Fill: existing rows in batches, a validated CHECK
for NOT NULL, and everything that depends on the column once more for the new one, without blocking anybody. Swap: in
one short transaction the new column takes the old one's name, its indexes, keys, CHECKs, foreign keys and sequence.

The old column goes in the swap. To keep it for a later revision would need a second trigger, which fills it, and saves
nothing: a drop changes the catalog only, and the downgrade makes the column again in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from string import Template

from alembic.operations import ops
from sqlalchemy import Column
from sqlalchemy.schema import conv
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine

from alembic_pgpatterns.autogenerate.rewrite.backfill import backfill
from alembic_pgpatterns.autogenerate.rewrite.changes import altered
from alembic_pgpatterns.autogenerate.rewrite.database_facts import FOREIGN_KEYS_NOT_VALID_ON_PARTITIONED, Facts
from alembic_pgpatterns.autogenerate.rewrite.dependents import Dependents
from alembic_pgpatterns.autogenerate.rewrite.filling import FillOp
from alembic_pgpatterns.autogenerate.rewrite.kept_objects import around_objects
from alembic_pgpatterns.autogenerate.rewrite.lock_block import in_attempts, together
from alembic_pgpatterns.autogenerate.rewrite.renamed_column import expression_with, reads_only
from alembic_pgpatterns.autogenerate.rewrite.rendering import Note, SqlOp, expression_text
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, Step
from alembic_pgpatterns.autogenerate.rewrite.swap_fits import refuse_misfits
from alembic_pgpatterns.autogenerate.rewrite.swap_partitions import refuse_late, remembered
from alembic_pgpatterns.autogenerate.rewrite.swap_parts import Parts, beside, validate
from alembic_pgpatterns.autogenerate.rewrite.swap_triggers import SETTING, guard, refuse_unknown, unguard
from alembic_pgpatterns.autogenerate.rewrite.table_names import alter_table, qualified
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import (
    assignable,
    castable,
    comparable,
    keeps_indexes,
    rewrites,
    type_name,
    type_text,
)
from alembic_pgpatterns.autogenerate.rewrite.view_blocks import restored, saved
from alembic_pgpatterns.autogenerate.rewrite.view_copies import copied, taken, without_copies
from alembic_pgpatterns.patterns.revisions.rebuilt_dependents import RebuiltDependents
from alembic_pgpatterns.patterns.revisions.table_rewrite import TableRewrite
from alembic_pgpatterns.remedies.naming import fit
from alembic_pgpatterns.remedies.type_operations import in_utc, read_in_utc
from alembic_pgpatterns.schema.fill_triggers import FILLS
from alembic_pgpatterns.schema.names import do_block, quote

# $$$$ is how a Template writes $$.
_FUNCTION = Template("""CREATE OR REPLACE FUNCTION $function() RETURNS trigger LANGUAGE plpgsql AS $$$$
BEGIN
  -- $fills
  NEW.$new := $value;
  RETURN NEW;
END $$$$""")


def can_swap(op: ops.AlterColumnOp, facts: Facts) -> bool:
    """Whether another column can take this one's place, with the same values in any session."""
    only_type = op.modify_nullable is None and op.modify_comment is False
    return (
        facts.autocommit
        and only_type
        and op.modify_name is None
        and op.existing_nullable is not None
        and op.existing_type is not None
        and op.modify_type is not None
        and _casts(op)
        and not obstacles(op, facts)
    )


EVERY_ROW = "every row is rewritten while nobody can read or write"


def swaps(op: ops.AlterColumnOp, facts: Facts) -> bool:
    """Whether a new type is made with a second column, because one statement would keep a strong lock for long."""
    if op.modify_type is None or op.existing_type is None or facts.is_new(op.schema, op.table_name):
        return False
    return bool(under_the_lock(op, facts)) and can_swap(op, facts)


def under_the_lock(op: ops.AlterColumnOp, facts: Facts) -> str:
    """Return what one statement does to all rows while nobody can read or write; empty if it reads only the catalog."""
    assert op.existing_type is not None and op.modify_type is not None
    if rewrites(op.existing_type, op.modify_type, facts.utc or read_in_utc(op)):
        return EVERY_ROW
    indexes = [name for name in rebuilt_objects(op, facts) if name.startswith("index ")]
    views = [view.description for view in facts.dependents_of(op).views if view.copied]
    work = [(indexes, "built again"), (views, "filled again")]
    parts = [f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} {verb}" for names, verb in work if names]
    return f"{' and '.join(parts)} while nobody can read or write" if parts else ""


def rebuilt_objects(op: ops.AlterColumnOp, facts: Facts) -> tuple[str, ...]:
    """Return the indexes that PostgreSQL builds again, and the CHECKs that it repeats, where no row is rewritten."""
    assert op.existing_type is not None and op.modify_type is not None
    rebuilt = facts.rebuilt_with_type(facts.key(op.schema, op.table_name), op.column_name)
    if keeps_indexes(op.existing_type, op.modify_type):
        return rebuilt
    indexes = (f"index {quote(index.name)}" for index in facts.dependents_of(op).indexes)
    return (*rebuilt, *(index for index in indexes if index not in rebuilt))


def _casts(op: ops.AlterColumnOp) -> bool:
    assert op.existing_type is not None and op.modify_type is not None
    using = op.kw.get("postgresql_using")
    if using is None:
        return assignable(op.existing_type, op.modify_type)
    # The trigger runs in the sessions of the application, whose TimeZone may be another one.
    if using == in_utc(str(op.column_name)):
        return True
    return castable(op.existing_type, op.modify_type) and reads_only(str(using), str(op.column_name))


def obstacles(op: ops.AlterColumnOp, facts: Facts) -> tuple[str, ...]:
    """Return the objects because of which no other column can take the place of the op's column."""
    parts = _parts(op, facts)
    dependents = parts.dependents
    existing = [*dependents.obstacles, *parts.not_renamed(), *_incomparable(op, dependents)]
    last = _trigger(op.table_name, str(op.column_name), dependents)[0]
    existing += [
        f"trigger {trigger.name}, which fires after the one that fills the new column"
        for trigger in dependents.triggers
        if trigger.before_row and trigger.name.encode() >= last.encode()
    ]
    if dependents.sequence is not None and op.modify_server_default is not False:
        existing.append(f"sequence {dependents.sequence.name}, of a column that gets another default")
    if parts.new in dependents.columns:
        existing.append(f"column {parts.new}, which has the name that the new column would get")
    existing += [
        f"foreign key {key.name} of the partitioned table {key.table}, which cannot be NOT VALID before PostgreSQL 18"
        for key in dependents.foreign_keys
        if key.on_partitioned and facts.version < FOREIGN_KEYS_NOT_VALID_ON_PARTITIONED
    ]
    taken = [name for schema, name in parts.names() if facts.name_exists(schema, name)]
    return (*existing, *(f"{name}, which has the name that a new object would get" for name in taken))


def reasons_against(op: ops.AlterColumnOp, facts: Facts) -> tuple[str, ...]:
    """Return all that keeps another column from taking the place of the op's column: objects, the cast, env.py."""
    reasons = list(obstacles(op, facts))
    if op.existing_type is not None and op.modify_type is not None and not _casts(op):
        old, new = type_text(op.existing_type), type_text(op.modify_type)
        reasons.append(f"the cast from {old} to {new}, which depends on the session")
    if not facts.autocommit:
        reasons.append("env.py, which opens a transaction of its own before context.configure()")
    return tuple(reasons)


def _incomparable(op: ops.AlterColumnOp, dependents: Dependents) -> list[str]:
    """Foreign keys whose columns PostgreSQL would not compare while only one side has the new type."""
    if op.existing_type is None or op.modify_type is None or comparable(op.existing_type, op.modify_type):
        return []
    return [f"foreign key {key.name} of {key.table}" for key in dependents.foreign_keys]


def _parts(op: ops.AlterColumnOp, facts: Facts) -> Parts:
    column = str(op.column_name)
    return Parts(op.schema, op.table_name, column, beside(column), facts.dependents_of(op), facts.default_schema)


def plan_swap(op: ops.AlterColumnOp, note: Note, facts: Facts) -> tuple[Step, ...]:
    """Return the steps of a change for which `can_swap` is true."""
    swap = _Swap(op, facts)
    locks, this_table = swap.parts.locked(), (qualified(op.schema, op.table_name),)
    described = "existing rows, in batches that commit" + (
        ", and what depends on the column" if swap.parts.names() else ""
    )
    filling = Note(TableRewrite.name, note.subject, described, aside=True)
    moment = Note(TableRewrite.name, note.subject, "the new column replaces the old one; no row is read", aside=True)
    begin = Phase(
        swap.begin(),
        strong=True,
        idempotent=swap.begin(idempotent=True),
        notes=(note,),
        locks=this_table,
        first=_refuse_misfits(op, this_table[0], facts),
    )
    # A level above the swap: a downgrade that stops between the files leaves both columns.
    renewed = Step(4, Phase(swap.begin(), strong=True, locks=this_table))
    views = (swap.place,) if swap.parts.dependents.views else ()
    swapped = Phase(swap.swapped(), strong=True, notes=(moment, *swap.recreated()), locks=locks, under_views=views)
    ended = Phase(swap.given_up(), strong=True, locks=locks)
    return (
        Step(0, begin, undo_when_split=(Step(0, ended),)),
        Step(1, Phase(swap.filled(), autocommit=True, notes=(filling,))),
        Step(2, swapped, undo_when_split=(renewed,), owns_downgrade=True),
    )


def _refuse_misfits(op: ops.AlterColumnOp, table: str, facts: Facts) -> tuple[ops.MigrateOperation, ...]:
    """Not for a type that the revision itself creates, or its extension: it is not there yet."""
    exists = op.modify_type is not None and facts.type_exists(type_name(op.modify_type))
    return refuse_misfits(op, op.kw.get("postgresql_using"), table, TableRewrite.name) if exists else ()


class _Swap:
    """The ops of each part for one column."""

    def __init__(self, op: ops.AlterColumnOp, facts: Facts) -> None:
        self.lock_timeout = "'" + (facts.settings.lock_timeout or "0").replace("'", "''") + "'"
        assert op.modify_type is not None
        self.op = op
        self.parts = _parts(op, facts)
        self.recast = facts.recast_of(op)
        self.schema, self.table, self.column = op.schema, op.table_name, str(op.column_name)
        self.kind: TypeEngine[object] = op.modify_type
        self.new = self.parts.new
        self.using = op.kw.get("postgresql_using") or quote(self.column)
        self.place = (self.schema, self.table, self.column)
        self.trigger, self.function = _trigger(self.table, self.column, self.parts.dependents)
        self.check = conv(fit(f"{self.table}_{self.column}_not_null_check"))
        self.required = op.existing_nullable is False

    def begin(self, idempotent: bool = False) -> tuple[ops.MigrateOperation, ...]:
        add = ops.AddColumnOp(self.table, Column(self.new, self.kind, nullable=True), schema=self.schema)
        value = expression_with(self.using, self.column, "new", self.column)
        function = _FUNCTION.substitute(fills=FILLS, function=self._function(), new=quote(self.new), value=value)
        # CREATE OR REPLACE TRIGGER is new in PostgreSQL 14.
        drop = f"DROP TRIGGER IF EXISTS {quote(self.trigger)} ON {self._table()}"
        create = (
            f"CREATE TRIGGER {quote(self.trigger)} BEFORE INSERT OR UPDATE ON {self._table()} "
            f"FOR EACH ROW EXECUTE FUNCTION {self._function()}()"
        )
        first = altered(add, if_not_exists=True) if idempotent else add
        return (first, SqlOp(function), *((SqlOp(drop),) if idempotent else ()), SqlOp(create))

    def filled(self) -> tuple[ops.MigrateOperation, ...]:
        parts = self.parts
        validated = (*([self.check] if self.required else ()), *parts.valid_checks())
        checks = [validate(self._table(), name) for name in validated]
        indexes = (*parts.build_indexes(), *_sql(parts.create_statistics()))
        keys = parts.add_foreign_keys()
        # Only writers wait for these.
        added = self._limited((in_attempts(keys, written=parts.locked()),) if keys else ())
        return (
            *self._fill(),
            *self._limited(self._checks()),
            *_sql(checks),
            *indexes,
            *added,
            *_sql(parts.validate_foreign_keys()),
            *self._copies(),
        )

    def _checks(self) -> tuple[ops.MigrateOperation, ...]:
        """Drop what an attempt before has left, and add the CHECKs that no row is read for yet."""
        parts, alter = self.parts, alter_table(self.schema, self.table)
        statements = [*parts.leftovers(), *parts.add_checks()]
        if self.required:
            drop = f"{alter} DROP CONSTRAINT IF EXISTS {quote(self.check)}"
            condition = f"CHECK ({quote(self.new)} IS NOT NULL) NOT VALID"
            statements = [drop, f"{alter} ADD CONSTRAINT {quote(self.check)} {condition}", *statements]
        return (in_attempts(statements, parts.altered()),) if statements else ()

    def _fill(self) -> tuple[ops.MigrateOperation, ...]:
        """Fill existing rows, while the triggers of the table do not fire for that."""
        empty = f"{quote(self.column)} IS NOT NULL"
        statement = backfill(self.schema, self.table, self.new, self.using, empty)
        fill = FillOp(statement, self.using, (self.schema, self.table))
        refuse = SqlOp(refuse_unknown(self._table(), self.trigger))
        memory = (SqlOp(remembered(self._table(), self._function())),) if self.parts.dependents.partitioned else ()
        triggers = [trigger for trigger in self.parts.dependents.triggers if trigger.fires]
        if not triggers:
            return (*memory, refuse, fill)
        before = self._limited(_sql(guard(self._table(), triggers)))
        after = self._limited(_sql(unguard(self._table(), triggers)))
        return (*memory, *before, refuse, SqlOp(f"SET {SETTING} = 'on'"), fill, SqlOp(f"RESET {SETTING}"), *after)

    def _copies(self) -> tuple[ops.MigrateOperation, ...]:
        if not any(view.copied for view in self.parts.dependents.views):
            return ()
        made, filled = copied(self.place, self.new, (self._table(),), self.recast)
        return (*self._limited((SqlOp(made),)), SqlOp(filled))

    def _limited(self, operations: tuple[ops.MigrateOperation, ...]) -> tuple[ops.MigrateOperation, ...]:
        """Limit the wait of statements that take a strong lock for a moment, in a block without timeouts."""
        if not operations:
            return ()
        return (SqlOp(f"SET lock_timeout = {self.lock_timeout}"), *operations, SqlOp("SET lock_timeout = 0"))

    def swapped(self) -> tuple[ops.MigrateOperation, ...]:
        """Drop the old column, rename the new one, then set NOT NULL, which PostgreSQL 18 names after the column."""
        column = ops.DropColumnOp(self.table, self.column, schema=self.schema)
        rename = altered(self._alter(self.new), modify_name=self.column)
        inherited = self._alter(self.column)
        if self.op.existing_comment is not None:
            inherited.modify_comment = self.op.existing_comment
        if self.required:
            inherited.modify_nullable = False
        finishing = (*self._default(), *((inherited,) if inherited.has_changes() else ()))
        check = (self._drop_check(if_exists=None),) if self.required else ()
        before = _sql(together([*self._late(), *self._unfilled(), *self.parts.release()]))
        after = _sql(together(self.parts.settle()))
        swap: tuple[ops.MigrateOperation, ...] = (*before, column, rename, *finishing, *check, *after)
        # The views come first: whoever reads one has its lock before that of the table.
        for saved_before, restored_after in self._around():
            swap = (SqlOp(saved_before), *swap, SqlOp(restored_after))
        return swap

    def _late(self) -> list[str]:
        """Refuse a partition that has come between, with rows that were not filled."""
        if not self.parts.dependents.partitioned:
            return []
        return [refuse_late(self._table(), self._function(), quote(self.column), quote(self.new))]

    def _around(self) -> Iterator[tuple[str, str]]:
        """The statements before and after the swap that drop and create what reads the column."""
        dependents = self.parts.dependents
        if dependents.objects:
            yield around_objects([self.place], recast=[self.recast])
        if dependents.views:
            yield do_block(saved([self.place], taken(), [self.recast])), do_block(restored())

    def recreated(self) -> tuple[Note, ...]:
        """A note on what reads the column."""
        dependents = self.parts.dependents
        names = [*(view.description for view in dependents.views), *dependents.objects]
        if not names:
            return ()
        reason = f"{', '.join(names)}: dropped before and created again after, all as in the database that runs this"
        copies = [view.description for view in dependents.views if view.copied]
        if copies:
            reason += f". Copies of {', '.join(copies)} are filled before, and take their places"
        reason += self.recast.words(self.column)
        return (Note(RebuiltDependents.name, f"{self.table}.{self.column}", reason, aside=True),)

    def _default(self) -> tuple[ops.MigrateOperation, ...]:
        """Set the new default, or the old column's. Alembic doubles percent signs of an expression: it becomes SQL."""
        if self.parts.dependents.sequence is not None:
            return ()
        unchanged = self.op.modify_server_default is False
        default = self.op.existing_server_default if unchanged else self.op.modify_server_default
        if default is None or default is False:
            return ()
        expression = getattr(default, "arg", default)
        if isinstance(expression, ClauseElement):
            alter = f"{alter_table(self.schema, self.table)} ALTER COLUMN {quote(self.column)}"
            return (SqlOp(f"{alter} SET DEFAULT {expression_text(expression)}"),)
        same = self._alter(self.column)
        same.modify_server_default = default
        return (same,)

    def _unfilled(self) -> list[str]:
        """Drop the trigger."""
        return [
            f"DROP TRIGGER IF EXISTS {quote(self.trigger)} ON {self._table()}",
            f"DROP FUNCTION IF EXISTS {self._function()}()",
        ]

    def given_up(self) -> tuple[ops.MigrateOperation, ...]:
        """Drop all that stands beside the old column, also after a failure half-way."""
        dependents = self.parts.dependents
        copies = any(view.copied for view in dependents.views)
        dropped = [without_copies((self.schema, self.table, self.new))] if copies else []
        fired = [trigger for trigger in dependents.triggers if trigger.fires]
        loud = unguard(self._table(), fired)
        # Foreign keys of other tables would hold the column.
        keys = self.parts.leftovers() if dependents.foreign_keys else []
        column = ops.DropColumnOp(self.table, self.new, schema=self.schema, if_exists=True)
        return (*_sql([*dropped, *loud, *keys, *self._unfilled()]), column)

    def _alter(self, column: str) -> ops.AlterColumnOp:
        return ops.AlterColumnOp(self.table, column, schema=self.schema, existing_type=self.kind)

    def _drop_check(self, if_exists: bool | None) -> ops.DropConstraintOp:
        return ops.DropConstraintOp(self.check, self.table, "check", schema=self.schema, if_exists=if_exists)

    def _table(self) -> str:
        return qualified(self.schema, self.table)

    def _function(self) -> str:
        return qualified(self.schema, self.function)


def _trigger(table: str, column: str, dependents: Dependents) -> tuple[str, str]:
    """Return the names of the trigger and its function.

    Triggers fire in the order of their names (docs, "Overview of Trigger Behavior"). The new column gets what the old
    one has after all others.
    """
    function = fit(f"{table}_{column}_new")
    later = any(trigger.before_row and trigger.name.encode() >= function.encode() for trigger in dependents.triggers)
    return (fit(f"~{function}") if later else function), function


def _sql(statements: list[str]) -> tuple[ops.MigrateOperation, ...]:
    return tuple(map(SqlOp, statements))
