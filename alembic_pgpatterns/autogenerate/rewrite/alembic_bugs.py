"""Correct mistakes of autogenerate in Alembic 1.20, before the changes are planned."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from alembic.operations import ops
from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, text

from alembic_pgpatterns.autogenerate.rewrite.changes import Change, altered, name_of, table_of
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts, TableKey
from alembic_pgpatterns.autogenerate.rewrite.default_names import Names, applies, default_name, names_of_new_table
from alembic_pgpatterns.autogenerate.rewrite.enum_plugin_ops import with_enum_ops_placed
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp, expression_text
from alembic_pgpatterns.autogenerate.rewrite.steps import referenced_table, referenced_tables
from alembic_pgpatterns.remedies.metadata_copy import parents_of
from alembic_pgpatterns.schema.sql.binds import escape_binds

CHECKS_COMPARED = "_pgpatterns_checks_compared"
"""The attribute that marks an add_column whose CHECKs are in ops of their own."""


def repaired(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Return the changes so that they run, leave nothing out, and can be undone."""
    result = list(changes)
    for repair in REPAIRS:
        result = repair(result, facts)
    return result


def with_column_checks(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Add CHECKs that are declared on a Column. Alembic renders only those of the Table."""
    result: list[Change] = []
    for change in changes:
        op = change.up
        if isinstance(op, ops.CreateTableOp):
            result.append(replace(change, up=_with_checks(op)))
        elif isinstance(op, ops.AddColumnOp) and not facts.is_new(op.schema, op.table_name):
            result.append(replace(change, up=altered(op, column=_plain_type(op.column))))
            # The plugin's comparator has added the CHECKs of the table's columns already.
            result.extend(() if getattr(op, CHECKS_COMPARED, False) else _checks_of(op))
        elif isinstance(op, ops.AlterColumnOp) and op.modify_type is not None:
            plain = {name: _unchecked(getattr(op, name)) for name in ("modify_type", "existing_type")}
            result.append(replace(change, up=altered(op, **plain), down=tuple(_plain_alter(d) for d in change.down)))
        else:
            result.append(change)
    return result


def _plain_alter(op: ops.MigrateOperation) -> ops.MigrateOperation:
    if not isinstance(op, ops.AlterColumnOp):
        return op
    return altered(op, modify_type=_unchecked(op.modify_type), existing_type=_unchecked(op.existing_type))


def _unchecked(kind: Any) -> Any:
    """A type without its CHECK, which op.alter_column would drop and create again."""
    if not getattr(kind, "create_constraint", False):
        return kind
    new = kind.copy()
    new.create_constraint = False
    return new


def _plain_type(column: Column[Any]) -> Column[Any]:
    """Return the column without its type's CHECK, which ADD COLUMN would verify under ACCESS EXCLUSIVE."""
    if not getattr(column.type, "create_constraint", False):
        return column
    new: Column[Any] = column._copy()
    new.type = _unchecked(column.type)
    return new


def _with_checks(op: ops.CreateTableOp) -> ops.CreateTableOp:
    columns = [item for item in op.columns if isinstance(item, Column)]
    result = [check for column in columns for check in _checks(column)]
    if not result:
        return op
    tables = [CheckConstraint(escape_binds(expression_text(check.sqltext)), name=check.name) for check in result]
    for number, check in enumerate(reversed(tables), 1):
        # PostgreSQL numbers the CHECKs of columns before those of the table.
        check._creation_order = -number
    return altered(op, columns=[*op.columns, *tables])


def _checks_of(op: ops.AddColumnOp) -> Iterator[Change]:
    for check in (*_checks(op.column), *_type_checks(op.column)):
        create = ops.CreateCheckConstraintOp(
            check.name if isinstance(check.name, str) else None,
            op.table_name,
            text(escape_binds(expression_text(check.sqltext))),
            schema=op.schema,
        )
        create.of_column = op.column.name  # type: ignore[attr-defined]
        # Dropping the column drops the CHECK.
        yield Change(create)


def _checks(column: Column[Any]) -> list[CheckConstraint]:
    checks = [c for c in column.constraints if isinstance(c, CheckConstraint) and not getattr(c, "_type_bound", False)]
    return sorted(checks, key=lambda check: check._creation_order)


def _type_checks(column: Column[Any]) -> list[CheckConstraint]:
    """Return the CHECK that a Boolean or a non-native Enum adds to its table."""
    if column.table is None or not getattr(column.type, "create_constraint", False):
        return []
    result = (
        c for c in column.table.constraints if isinstance(c, CheckConstraint) and getattr(c, "_type_bound", False)
    )
    return [c for c in result if column.name in c.columns and applies(c)]


def with_late_foreign_keys(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Move foreign keys after a CREATE TABLE that cannot contain them: ``use_alter``, or to a table created later.

    Alembic writes ``use_alter`` keys into create_table. SQLAlchemy leaves them out there, so they never exist.
    """
    pending = {facts.key(c.up.schema, c.up.table_name) for c in changes if isinstance(c.up, ops.CreateTableOp)}
    result: list[Change] = []
    late: list[Change] = []
    for change in changes:
        op = change.up
        if isinstance(op, ops.CreateTableOp):
            pending.discard(facts.key(op.schema, op.table_name))
            keys = [k for k in op.columns if isinstance(k, ForeignKeyConstraint) and _is_late(k, pending, facts)]
            result.append(replace(change, up=without(op, keys)) if keys else change)
            late.extend(_added(key) for key in keys)
        else:
            result.append(change)
    last = max((i for i, c in enumerate(result) if isinstance(c.up, ops.CreateTableOp)), default=-1)
    return [*result[: last + 1], *late, *result[last + 1 :]]


def _is_late(key: ForeignKeyConstraint, pending: set[TableKey], facts: Facts) -> bool:
    return key.use_alter or referenced_table(key, facts) in pending


def without(op: ops.CreateTableOp, keys: Sequence[ForeignKeyConstraint]) -> ops.CreateTableOp:
    """Return a create_table without some foreign keys."""
    return altered(op, columns=[item for item in op.columns if all(item is not key for key in keys)])


def _added(key: ForeignKeyConstraint) -> Change:
    create = ops.CreateForeignKeyOp.from_constraint(key)
    create.kw.pop("use_alter", None)
    schema = create.kw.get("source_schema")
    drop = ops.DropConstraintOp(create.constraint_name, create.source_table, "foreignkey", schema=schema)
    return Change(create, (drop,))


def with_ordered_drops(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Drop tables last, the referencing before the referenced and children before the tables that they inherit from.

    Alembic's order is that of a set.
    """
    dropped = {facts.key(c.up.schema, c.up.table_name): c for c in changes if isinstance(c.up, ops.DropTableOp)}
    if not dropped:
        return list(changes)
    groups: dict[TableKey, list[Change]] = {table: [] for table in dropped}
    result: list[Change] = []
    for change in changes:
        schema, name = table_of(change.up)
        groups.get(facts.key(schema, name), result).append(change) if name else result.append(change)
    for table in _drop_order(dropped, facts):
        first = _unlinked(table, dropped, groups, facts)
        result.extend((*first, *groups.pop(table)))
        del dropped[table]
    return sorted(result, key=lambda change: getattr(change.up, "after_drops", False))


def _drop_order(dropped: dict[TableKey, Change], facts: Facts) -> list[TableKey]:
    """Return referencing tables first. A cycle starts at its first table by name."""
    remaining = {table: set(_references(change.up, facts)) for table, change in sorted(dropped.items())}
    order: list[TableKey] = []
    while remaining:
        referenced = {other for others in remaining.values() for other in others}
        table = next((t for t in remaining if t not in referenced), next(iter(remaining)))
        order.append(table)
        del remaining[table]
    return order


def _references(op: ops.MigrateOperation, facts: Facts) -> list[TableKey]:
    """Return the tables that a dropped table references or inherits from: they go after it."""
    if not isinstance(op, ops.DropTableOp):
        return []
    parents = [facts.key(None, name) for name in parents_of(op.to_table())]
    return [*referenced_tables(op, facts), *parents]


def _unlinked(
    table: TableKey, dropped: dict[TableKey, Change], groups: dict[TableKey, list[Change]], facts: Facts
) -> list[Change]:
    """Drop the foreign keys that tables of a cycle, dropped later, still have to this one."""
    result: list[Change] = []
    for other in [t for t in dropped if t != table]:
        drop = dropped[other].up
        assert isinstance(drop, ops.DropTableOp)
        keys = [k for k in drop.to_table().foreign_key_constraints if k.name and referenced_table(k, facts) == table]
        if keys:
            result.extend(Change(ops.DropConstraintOp.from_constraint(k), (_added(k).up,)) for k in keys)
            groups[other] = [_recreated_without(change, keys) for change in groups[other]]
    return result


def _recreated_without(change: Change, keys: Sequence[ForeignKeyConstraint]) -> Change:
    names = {key.name for key in keys}

    def recreated(op: ops.MigrateOperation) -> ops.MigrateOperation:
        if not isinstance(op, ops.CreateTableOp):
            return op
        removed = [i for i in op.columns if isinstance(i, ForeignKeyConstraint) and i.name in names]
        return without(op, removed)

    return replace(change, down=tuple(recreated(op) for op in change.down))


def with_keys_after_uniques(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Create foreign keys after the constraints that make their target unique, and drop them before those are dropped.

    Alembic goes from table to table in the order of their names.
    """
    made = {facts.key_of(c.up) for c in changes if _makes_unique(c.up)}
    dropped = {facts.key_of(c.up) for c in changes if _drops_unique(c.up)}
    late = [c for c in changes if isinstance(c.up, ops.CreateForeignKeyOp) and _target_of(c.up, facts) in made]
    early = [c for c in changes if _drops_key(c.up) and _target_of(_first(c.up.reverse()), facts) in dropped]
    keys_late = {(facts.key_of(c.up), name_of(c.up)) for c in late}
    # A comment on such a key.
    late += [c for c in changes if isinstance(c.up, AlterTableOp) and (facts.key_of(c.up), name_of(c.up)) in keys_late]
    others: list[Change] = []
    for change in changes:
        if any(change is other for other in (*late, *early)):
            continue
        op = change.up
        keys = _keys_to(op, made, facts)
        others.append(replace(change, up=without(op, keys)) if isinstance(op, ops.CreateTableOp) and keys else change)
        late += [_added(key) for key in keys]
    return [*early, *others, *late]


def _makes_unique(op: ops.MigrateOperation) -> bool:
    unique_index = isinstance(op, ops.CreateIndexOp) and bool(op.unique)
    return (
        unique_index
        or (isinstance(op, AlterTableOp) and op.makes_unique)
        or isinstance(op, ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp)
    )


def _drops_unique(op: ops.MigrateOperation) -> bool:
    if isinstance(op, ops.DropIndexOp):
        return bool(op.kw.get("unique"))
    return isinstance(op, ops.DropConstraintOp) and op.constraint_type in ("unique", "primary")


def _drops_key(op: ops.MigrateOperation) -> bool:
    return isinstance(op, ops.DropConstraintOp) and op.constraint_type == "foreignkey"


def _first(op: ops.MigrateOperation) -> ops.MigrateOperation:
    """The op itself, or the first of several for one table."""
    return op.ops[0] if isinstance(op, ops.ModifyTableOps) else op


def _target_of(op: ops.MigrateOperation, facts: Facts) -> TableKey | None:
    if not isinstance(op, ops.CreateForeignKeyOp):
        return None
    return facts.key(op.kw.get("referent_schema"), op.referent_table)


def _keys_to(op: ops.MigrateOperation, tables: set[TableKey], facts: Facts) -> list[ForeignKeyConstraint]:
    """The foreign keys of a create_table whose target becomes unique only in this revision."""
    if not isinstance(op, ops.CreateTableOp):
        return []
    keys = (item for item in op.columns if isinstance(item, ForeignKeyConstraint))
    return [key for key in keys if referenced_table(key, facts) in tables]


def with_keys_dropped_first(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Drop the foreign keys of dropped tables, which go last, before the key or column that they reference."""
    dropped = {facts.key_of(c.up) for c in changes if isinstance(c.up, ops.DropTableOp)}
    uniques = {facts.key_of(c.up) for c in changes if _drops_unique(c.up)} - dropped
    columns = {(facts.key_of(c.up), c.up.column_name) for c in changes if isinstance(c.up, ops.DropColumnOp)}
    early: list[Change] = []
    result: list[Change] = []
    for change in changes:
        op = change.up
        held = op.to_table().foreign_key_constraints if isinstance(op, ops.DropTableOp) else ()
        keys = [
            key
            for key in held
            if key.name and (referenced_table(key, facts) in uniques or not columns.isdisjoint(_targets(key, facts)))
        ]
        early += [Change(ops.DropConstraintOp.from_constraint(key), (_added(key).up,)) for key in keys]
        result.append(_recreated_without(change, keys))
    return [*early, *result]


def _targets(key: ForeignKeyConstraint, facts: Facts) -> Iterator[tuple[TableKey, str]]:
    """The columns that a foreign key references."""
    return ((referenced_table(key, facts), each.target_fullname.rpartition(".")[2]) for each in key.elements)


def with_generated_dropped_first(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Drop generated columns before the columns that they are made of get another type. Alembic drops columns last."""
    result = list(changes)
    for table in {facts.key_of(c.up) for c in changes if _drops_generated(c.up)}:
        first = next((i for i, c in enumerate(result) if _retypes(c.up) and facts.key_of(c.up) == table), len(result))
        early = [c for c in result[first:] if facts.key_of(c.up) == table and _goes_first(c.up)]
        rest = [c for c in result[first:] if all(c is not other for other in early)]
        result = [*result[:first], *early, *rest]
    return result


def _drops_generated(op: ops.MigrateOperation) -> bool:
    return isinstance(op, ops.DropColumnOp) and op._reverse is not None and op._reverse.column.computed is not None


def _retypes(op: ops.MigrateOperation) -> bool:
    return isinstance(op, ops.AlterColumnOp) and op.modify_type is not None


def _goes_first(op: ops.MigrateOperation) -> bool:
    """A generated column that goes, and the indexes and constraints that may be on it."""
    return _drops_generated(op) or isinstance(op, ops.DropIndexOp | ops.DropConstraintOp)


def with_names(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Give unnamed constraints the names that PostgreSQL would give, so that a downgrade can drop them."""
    names = Names(facts)
    return [_named(change, names) for change in changes]


def _named(change: Change, names: Names) -> Change:
    op = change.up
    if isinstance(op, ops.CreateTableOp):
        return replace(change, up=_numbered(op, names))
    if isinstance(op, ops.DropConstraintOp) and op.constraint_name is not None:
        names.drop(op.schema, op.table_name, str(op.constraint_name))
    if not isinstance(op, ops.AddConstraintOp) or getattr(op, "constraint_name", None) is not None:
        return change
    name = default_name(op, names)
    if name is None:
        return change
    down = tuple(
        altered(d, constraint_name=name) if isinstance(d, ops.DropConstraintOp) and d.constraint_name is None else d
        for d in change.down
    )
    return replace(change, up=altered(op, constraint_name=name), down=down)


def _numbered(op: ops.CreateTableOp, names: Names) -> ops.CreateTableOp:
    numbered = names_of_new_table(op, names)
    if not numbered:
        return op
    columns: list[Any] = []
    for item in op.columns:
        # The constraint itself may belong to the application's models.
        columns.append(copy.copy(item) if id(item) in numbered else item)
        if id(item) in numbered:
            columns[-1].name = numbered[id(item)]
    return altered(op, columns=columns)


def without_autoincrement(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Remove ``autoincrement=`` from alter_column, which only MySQL has.

    Alembic 1.20 writes it for every key, and then warns of its own file in each run.
    """
    return [
        replace(change, up=_counted_nowhere(change.up), down=tuple(map(_counted_nowhere, change.down)))
        for change in changes
    ]


def _counted_nowhere(op: ops.MigrateOperation) -> ops.MigrateOperation:
    if not isinstance(op, ops.AlterColumnOp) or "autoincrement" not in op.kw:
        return op
    return altered(op, kw={name: value for name, value in op.kw.items() if name != "autoincrement"})


REPAIRS: tuple[Callable[[Sequence[Change], Facts], list[Change]], ...] = (
    with_column_checks,
    with_late_foreign_keys,
    with_ordered_drops,
    with_keys_after_uniques,
    with_keys_dropped_first,
    with_generated_dropped_first,
    with_enum_ops_placed,
    with_names,
    without_autoincrement,
)
