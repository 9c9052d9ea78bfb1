"""The steps that make a change safe, and their order.

A step's level says where it runs. Even levels run in the revision's transaction, odd levels in an autocommit block,
which commits everything before it. In a file an odd level may come before an even one, never after: the file could
not run again if the odd part fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alembic.operations import ops
from sqlalchemy import ForeignKeyConstraint

from alembic_pgpatterns.autogenerate.rewrite.changes import Change, table_of
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts, TableKey
from alembic_pgpatterns.autogenerate.rewrite.enum_ops import NewEnumOp
from alembic_pgpatterns.autogenerate.rewrite.inner_types import named_types_of
from alembic_pgpatterns.autogenerate.rewrite.new_names import RenameOp
from alembic_pgpatterns.autogenerate.rewrite.relation_names import has_index, names_of_table
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp, CommentOp, InlineReferenceOp, Note, sql_text
from alembic_pgpatterns.autogenerate.rewrite.view_sql import Column
from alembic_pgpatterns.operations.directive import Directive


@dataclass(frozen=True, slots=True)
class Phase:
    """Ops that run together, in the transaction or in an autocommit block."""

    operations: tuple[ops.MigrateOperation, ...]
    autocommit: bool = False
    idempotent: tuple[ops.MigrateOperation, ...] | None = None
    """The same ops in a form that can run twice; None: `operations` can."""
    strong: bool = False
    """Takes a lock on an existing table that blocks its readers or writers."""
    notes: tuple[Note, ...] = ()
    comments: tuple[CommentOp, ...] = ()
    locks: tuple[str, ...] = ()
    """Quoted names of tables that it locks more than one of, or for more than one statement: all are locked first."""
    under_views: tuple[Column, ...] = ()
    """Columns whose views are locked before the tables."""
    long: bool = False
    """Reads, builds or rewrites a whole table under a strong lock, and there is no way without that lock."""
    first: tuple[ops.MigrateOperation, ...] = ()
    """What refuses to begin, and changes and locks nothing: it stands at the start of the function."""
    directive: bool = False
    """Consists of this package's directives: they can run twice, and with ``autocommit`` leave the transaction."""


@dataclass(frozen=True, slots=True)
class Step:
    """A phase of the upgrade at its level, and what undoes it."""

    level: int
    up: Phase
    down: tuple[Step, ...] = ()
    undo_when_split: tuple[Step, ...] = ()
    """Extra downgrade steps, needed only if this change is split over several files."""
    owns_downgrade: bool = False
    """Whether the change's own downgrade belongs to this step."""
    contract: bool = False
    """Old code cannot live with it: with the setting ``phases`` it waits in a revision of its own."""
    apart: bool = False
    """Works long under its lock and cannot run twice: it has a file of its own, so that it holds no other lock."""


Key = tuple[str, ...]
# Words and not the parse tree: these texts are statements, conditions and bits of expressions. A word too many only
# keeps two ops in their order.
_NAME = re.compile(r'"((?:[^"]|"")+)"|\w+')


@dataclass(frozen=True, slots=True)
class Touch:
    """What an op reads, and what it changes."""

    reads: frozenset[Key] = frozenset()
    writes: frozenset[Key] = frozenset()
    everything: bool = False

    def follows(self, other: Touch) -> bool:
        """Whether this must stay after the other."""
        if self.everything or other.everything:
            return True
        return bool(other.writes & (self.reads | self.writes) or other.reads & self.writes)


@dataclass(frozen=True, slots=True)
class Planned:
    """A change with its steps, at levels that respect what they follow."""

    change: Change
    steps: tuple[Step, ...]
    position: int = 0
    """Its place in autogenerate's order."""


def levelled(plans: Sequence[Planned], facts: Facts) -> list[Planned]:
    """Raise every change to the level of the changes that it depends on."""
    placed: list[tuple[Touch, int]] = []
    required: dict[Key, int] = {}
    result = []
    for plan in plans:
        op = plan.change.up
        touch = touches(op, facts)
        least = max((level for other, level in placed if touch.follows(other)), default=0)
        lifted = _lifted(plan, least)
        if isinstance(op, ops.CreatePrimaryKeyOp):
            # It sets NOT NULL where that is missing, and reads all rows for it under its lock.
            last = max((required.get(key, 0) for key in _key_columns(op, op.columns, facts)), default=0)
            lifted = _lifted(lifted, lifted.steps[0].level + last - lifted.steps[-1].level)
        # A new column exists after the first step, whatever follows.
        first = isinstance(op, ops.AddColumnOp)
        level = lifted.steps[0 if first else -1].level if lifted.steps else least
        placed.append((touch, level))
        required.update((key, lifted.steps[-1].level) for key in _made_required(op, facts) if lifted.steps)
        result.append(lifted)
    return result


def _key_columns(op: ops.MigrateOperation, names: Iterable[object], facts: Facts) -> list[Key]:
    return [("column", *facts.key_of(op), str(name)) for name in names]


def _made_required(op: ops.MigrateOperation, facts: Facts) -> list[Key]:
    """The column that is NOT NULL after an op."""
    if isinstance(op, ops.AddColumnOp) and not op.column.nullable:
        return _key_columns(op, [op.column.name], facts)
    if isinstance(op, ops.AlterColumnOp) and op.modify_nullable is False:
        return _key_columns(op, [op.column_name], facts)
    return []


def _lifted(plan: Planned, least: int) -> Planned:
    if not plan.steps:
        return plan
    missing = max(0, least - plan.steps[0].level)
    # By an even number: odd levels run outside of a transaction, even ones inside, and a step must stay on its side.
    shift = missing + missing % 2
    return replace(plan, steps=tuple(replace(step, level=step.level + shift) for step in plan.steps))


def touches(op: ops.MigrateOperation, facts: Facts) -> Touch:
    """Return what an op reads and changes."""
    if isinstance(op, CommentOp):
        return Touch()
    if isinstance(op, NewEnumOp):
        return _new_enum(op)
    if isinstance(op, Directive):
        return _directive(op, facts)
    schema, name = table_of(op)
    if name is None or (isinstance(op, ops.ExecuteSQLOp) and not isinstance(op, AlterTableOp)):
        return Touch(everything=True)
    table = facts.key(schema, name)
    reads: set[Key] = {("table", *table)}
    if isinstance(op, RenameOp):
        reads.update(("column", *table, column) for column in op.columns)
        return Touch(frozenset(reads), _new_name(op, table))
    if isinstance(op, AlterTableOp):
        if op.object_name is None:
            return Touch(frozenset(reads), frozenset(reads))
        reads.update(("column", *table, word) for word in _names(op.statement))
        unique = {("unique", *table)} if op.makes_unique else set()
        return Touch(
            frozenset(reads), frozenset({(kind, *table, op.object_name) for kind in ("column", "name")} | unique)
        )
    if isinstance(op, ops.CreateTableOp | ops.DropTableOp):
        kinds = (kind for column in op.to_table().columns for kind in _types(column.type, facts))
        return Touch(frozenset((*_references(op, facts), *kinds)), names_of_table(op, facts.key) | reads)
    if isinstance(op, ops.AddColumnOp | ops.DropColumnOp):
        column = op.column.name if isinstance(op, ops.AddColumnOp) else op.column_name
        added = op if isinstance(op, ops.AddColumnOp) else op._reverse
        if added is not None and added.column.computed is not None:
            reads.update(("column", *table, word) for word in _names(sql_text(added.column.computed.sqltext)))
        reads.update(_types(added.column.type, facts) if added is not None else ())
        if isinstance(op, InlineReferenceOp):
            referred = referenced_table(op.reference, facts)
            reads.update((("table", *referred), ("unique", *referred)))
        return Touch(frozenset(reads), frozenset({("column", *table, str(column))}))
    if isinstance(op, ops.AlterColumnOp):
        column_key = ("column", *table, str(op.column_name))
        for kind in (op.existing_type, op.modify_type):
            reads.update(_types(kind, facts) if kind is not None else ())
        if op.modify_type is None:
            return Touch(frozenset(reads | {column_key}))
        redefined = facts.redefined.get((table, str(op.column_name)))
        reads.update(("column", *place[0], place[1]) for place in (redefined.after if redefined is not None else ()))
        return Touch(frozenset(reads | {column_key}), _retyped(op, table, facts))
    alters = getattr(op, "alters", ())
    if alters:
        return _together(touches(alter, facts) for alter in alters)
    return _touches_object(op, table, reads, facts)


_OF_ONE_TABLE = frozenset(
    ("enable_row_security", "disable_row_security", "create_policy", "alter_policy", "drop_policy")
)


def _directive(op: Any, facts: Facts) -> Touch:
    """Row security and policies are about one table, if no expression asks another one."""
    forms = [form for form in (op, getattr(op, "_reverse", None)) if form is not None]
    texts = [str(getattr(form, part, None) or "") for form in forms for part in ("using", "with_check")]
    words = {word for text in texts for word in _names(text)}
    unknown = op.name == "drop_policy" and len(forms) == 1
    if op.name not in _OF_ONE_TABLE or unknown or "from" in map(str.lower, words):
        return Touch(everything=True)
    table = facts.key(op.schema, op.table)
    reads = {("table", *table), *(("column", *table, word) for word in words)}
    return Touch(frozenset(reads), frozenset({("policy", *table, str(getattr(op, "policy", "")))}))


def _new_name(op: RenameOp, table: TableKey) -> frozenset[Key]:
    names = (op.old_name, str(op.object_name))
    # An index has a name of its schema, a constraint one of its table.
    places = {("name", *(table[:1] if op.of_index else table), name) for name in names}
    places |= {("name", table[0], name) for name in names if op.has_index}
    return frozenset(places | {("dependent", *table, name) for name in names})


def _new_enum(op: NewEnumOp) -> Touch:
    # With the type it makes again what uses it: CHECKs, indexes, foreign keys, whose ops name the columns.
    columns = {("column", *key) for key in op.place.columns}
    tables = {("table", *key[:2]) for key in op.place.columns}
    return Touch(frozenset(tables), frozenset(columns | {("type", *op.place.key)}))


def _types(kind: Any, facts: Facts) -> Iterable[Key]:
    return (("type", *facts.key(item.schema, str(item.name))) for item in named_types_of(kind))


def _together(items: Iterable[Touch]) -> Touch:
    touched = list(items)
    reads = (key for item in touched for key in item.reads)
    return Touch(frozenset(reads), frozenset(key for item in touched for key in item.writes))


def _retyped(op: ops.AlterColumnOp, table: TableKey, facts: Facts) -> frozenset[Key]:
    """A new type changes the column, and makes again what depends on it: indexes, keys, foreign keys."""
    dependents = facts.dependents(table, str(op.column_name)) if not facts.is_new(op.schema, op.table_name) else None
    keys: set[Key] = {("column", *table, str(op.column_name))}
    if dependents is not None:
        keys.update(("dependent", *name) for name in dependents.names(table))
        keys.update(("column", *peer) for key in dependents.foreign_keys for peer in key.peers)
        keys.update(("unique", *table) for index in dependents.indexes if index.key)
        # One copy of a view at a time.
        keys.update(("view", view.schema, view.name) for view in dependents.views if view.copied)
    return frozenset(keys)


def source_of(op: ops.MigrateOperation) -> Any:
    """Return the op that creates what an op drops; another op itself."""
    reverse = getattr(op, "_reverse", None)
    if reverse is None and isinstance(op, ops.DropConstraintOp) and type(op) is not ops.DropConstraintOp:
        # The comparators' own ops, which undo themselves with all options. Alembic's needs `_reverse` for that.
        reverse = op.reverse()
        reverse = reverse.ops[0] if isinstance(reverse, ops.ModifyTableOps) else reverse
    return reverse or op


def _touches_object(op: ops.MigrateOperation, table: TableKey, reads: set[Key], facts: Facts) -> Touch:
    """An index or a constraint reads its columns, writes its name, and may make columns unique."""
    source = source_of(op)
    writes: set[Key] = set()
    if isinstance(op, ops.CreateIndexOp | ops.DropIndexOp):
        writes.add(("name", table[0], str(op.index_name)))
        unique = bool(getattr(source, "unique", False))
    elif isinstance(op, ops.AddConstraintOp | ops.DropConstraintOp):
        writes.add(("name", *table, str(getattr(op, "constraint_name", None))))
        if has_index(op):
            writes.add(("name", table[0], str(getattr(op, "constraint_name", None))))
        makes_unique = isinstance(source, ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp)
        unique = makes_unique or getattr(op, "constraint_type", None) in ("unique", "primary")
    else:
        return Touch(frozenset(reads))
    if unique:
        writes.add(("unique", *table))
    reads.update(("column", *table, column) for column in columns_of(source))
    if isinstance(source, ops.CreateForeignKeyOp):
        referred = facts.key(source.kw.get("referent_schema"), source.referent_table)
        reads.update((("table", *referred), ("unique", *referred)))
        reads.update(("column", *referred, str(column)) for column in source.remote_cols)
    return Touch(frozenset(reads), frozenset(writes))


def columns_of(op: ops.MigrateOperation) -> Iterable[str]:
    """Yield the columns of an index or constraint: every word of its expressions, so maybe too many."""
    parts = [*(getattr(op, "local_cols", None) or getattr(op, "columns", None) or ()), getattr(op, "condition", "")]
    options = getattr(op, "kw", {})
    parts.extend((options.get("postgresql_where", ""), *(options.get("postgresql_include") or ())))
    texts = [str(getattr(part, "name", None) or sql_text(part)) for part in parts]
    return (word for text in texts for word in (text, *_names(text)))


def _names(text: str) -> Iterable[str]:
    """Yield every word of an SQL text, and what stands in double quotes as one."""
    for match in _NAME.finditer(text):
        yield match.group(1).replace('""', '"') if match.group(1) else match.group()


def _references(op: ops.CreateTableOp | ops.DropTableOp, facts: Facts) -> Iterable[Key]:
    for referred in referenced_tables(op, facts):
        yield ("unique", *referred)
        yield ("table", *referred)


def referenced_tables(op: ops.CreateTableOp | ops.DropTableOp, facts: Facts) -> list[TableKey]:
    """Return the other tables that the foreign keys of a created or dropped table reference."""
    table = op.to_table()
    this_table = facts.key(op.schema, op.table_name)
    result = []
    for key in table.foreign_key_constraints:
        if (referred := referenced_table(key, facts)) != this_table:
            result.append(referred)
    return result


def referenced_table(key: ForeignKeyConstraint, facts: Facts) -> TableKey:
    """Return the table that a foreign key references."""
    schema, _, name = key.elements[0].target_fullname.rpartition(".")[0].rpartition(".")
    return facts.key(schema or None, name)
