"""The names that an op takes and gives up: relations and types share them per schema, constraints per table.

Tables, indexes, sequences and views have one list of names in a schema (pg_class), types another (pg_type). A table has
a type of its own name, and a key or an EXCLUDE an index of its own name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from alembic.operations import ops
from sqlalchemy import Constraint, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from alembic_pgpatterns.autogenerate.rewrite.changes import table_of
from alembic_pgpatterns.autogenerate.rewrite.inner_types import named_types_of
from alembic_pgpatterns.autogenerate.rewrite.new_names import RenameOp
from alembic_pgpatterns.autogenerate.rewrite.rendering import SqlOp
from alembic_pgpatterns.schema.names import object_name, stored
from alembic_pgpatterns.schema.sql.parser import pg, postgast

Key = tuple[str, ...]
"""``("name", schema, relation)``, ``("name", schema, table, constraint)`` or ``("type", schema, type)``."""
Place = Callable[[str | None, str], tuple[str, str]]
"""`Facts.key`: schema and name, with the default schema if there is none."""


def names_taken(op: ops.MigrateOperation, place: Place) -> frozenset[Key]:
    """Return the names that an op gives to something."""
    if isinstance(op, RenameOp):
        return frozenset(_of_renamed(op, str(op.object_name), place))
    if isinstance(op, ops.CreateIndexOp) and op.index_name is not None:
        return frozenset((relation(op.schema, stored(op.index_name), place),))
    if isinstance(op, ops.AddConstraintOp):
        return frozenset(_of_constraint(op, not isinstance(op, _WITHOUT_INDEX), place))
    if isinstance(op, ops.CreateTableOp):
        return frozenset((*names_of_table(op, place), *_types_created(op, place)))
    return _of_statement(op, place)[0]


def names_freed(op: ops.MigrateOperation, place: Place) -> frozenset[Key]:
    """Return the names that nothing has any more after an op."""
    if isinstance(op, RenameOp):
        return frozenset(_of_renamed(op, op.old_name, place))
    if isinstance(op, ops.DropIndexOp) and op.index_name is not None:
        return frozenset((relation(op.schema, stored(op.index_name), place),))
    if isinstance(op, ops.DropConstraintOp):
        return frozenset(_of_constraint(op, op.constraint_type not in ("check", "foreignkey"), place))
    if isinstance(op, ops.DropTableOp):
        return names_of_table(op, place)
    return _of_statement(op, place)[1]


def relation(schema: str | None, name: str, place: Place) -> Key:
    """Return the key of a table, an index, a sequence or a view."""
    return ("name", *place(schema, name))


def names_of_table(op: ops.CreateTableOp | ops.DropTableOp, place: Place) -> frozenset[Key]:
    """Return the names of a created or dropped table, of its keys and of the sequences that it owns."""
    table = op.to_table()
    names = [stored(op.table_name), *_sequences(table)]
    types = {("type", *place(op.schema, name)) for name in names}
    return frozenset({relation(op.schema, name, place) for name in (*names, *_keys(table))} | types)


def has_index(op: ops.MigrateOperation) -> bool:
    """Whether an op adds or drops a constraint that has an index of its name."""
    if isinstance(op, ops.DropConstraintOp):
        return op.constraint_type not in ("check", "foreignkey")
    return isinstance(op, ops.AddConstraintOp) and not isinstance(op, _WITHOUT_INDEX)


def in_two_steps(op: RenameOp, passing: str) -> tuple[RenameOp, RenameOp]:
    """Return a rename in two steps with a temporary name between them, so that two objects can exchange their names."""
    table, new = (op.schema, op.table_name), str(op.object_name)
    return _rename(op, table, op.old_name, passing), _rename(op, table, passing, new)


def _rename(like: RenameOp, table: tuple[str | None, str], old: str, new: str) -> RenameOp:
    if like.of_index:
        return RenameOp.index(table, old, new, like.columns)
    return RenameOp.constraint(table, old, new, like.columns, like.has_index)


_WITHOUT_INDEX = (ops.CreateCheckConstraintOp, ops.CreateForeignKeyOp)


def _of_renamed(op: RenameOp, name: str, place: Place) -> Iterator[Key]:
    if op.of_index or op.has_index:
        yield relation(op.schema, name, place)
    if not op.of_index:
        yield ("name", *place(*_table(op)), name)


def _table(op: ops.MigrateOperation) -> tuple[str | None, str]:
    schema, name = table_of(op)
    return schema, str(name)


def _of_constraint(op: ops.MigrateOperation, indexed: bool, place: Place) -> Iterator[Key]:
    name = getattr(op, "constraint_name", None)
    if name is not None:
        yield ("name", *place(*_table(op)), stored(name))
        if indexed:
            yield relation(table_of(op)[0], stored(name), place)


def _keys(table: Table) -> Iterator[str]:
    for item in table.constraints:
        if isinstance(item, PrimaryKeyConstraint | UniqueConstraint | ExcludeConstraint):
            name = item.name if isinstance(item.name, str) else _default_key_name(item, str(table.name))
            if name is not None and (list(item.columns) or isinstance(item.name, str)):
                yield stored(name)


def _default_key_name(item: Constraint, table: str) -> str | None:
    if isinstance(item, PrimaryKeyConstraint):
        return object_name(table, "", "pkey")
    if isinstance(item, UniqueConstraint):
        return object_name(table, "_".join(str(column.name) for column in item.columns), "key")
    return None


def _sequences(table: Table) -> Iterator[str]:
    """The sequences of ``serial`` and identity columns, if they have PostgreSQL's own names."""
    for column in table.columns:
        if column.identity is not None or column is table.autoincrement_column:
            yield object_name(str(table.name), str(column.name), "seq")


def _types_created(op: ops.CreateTableOp, place: Place) -> Iterator[Key]:
    for item in op.to_table().columns:
        for kind in named_types_of(item.type):
            if getattr(kind, "create_type", True):
                yield ("type", *place(kind.schema, stored(kind.name)))


def _of_statement(op: ops.MigrateOperation, place: Place) -> tuple[frozenset[Key], frozenset[Key]]:
    """The names that a statement of its own takes, and those that it gives up."""
    if not isinstance(op, SqlOp):
        return frozenset(), frozenset()
    gives, loses = (
        frozenset((kind, *place(schema, name)) for kind, schema, name in names) for names in _read(op.statement)
    )
    return gives, loses


_Name = tuple[str, str | None, str]


@lru_cache(maxsize=1024)
def _read(statement: str) -> tuple[tuple[_Name, ...], tuple[_Name, ...]]:
    try:
        trees = [item.stmt for item in postgast.parse(statement).stmts]
    except postgast.PgQueryError:
        return (), ()
    taken = tuple(name for tree in trees for name in _created(tree))
    return taken, tuple(name for tree in trees for name in _dropped(tree))


def _created(tree: Any) -> Iterator[_Name]:
    kind = tree.WhichOneof("node")
    if kind == "create_enum_stmt":
        yield ("type", *_parts(tree.create_enum_stmt.type_name))
    elif kind == "create_domain_stmt":
        yield ("type", *_parts(tree.create_domain_stmt.domainname))
    elif kind == "composite_type_stmt":
        yield from _as_relation(tree.composite_type_stmt.typevar)
    elif kind == "create_seq_stmt":
        yield from _as_relation(tree.create_seq_stmt.sequence)
    elif kind == "view_stmt":
        yield from _as_relation(tree.view_stmt.view)
    elif kind == "create_table_as_stmt":
        yield from _as_relation(tree.create_table_as_stmt.into.rel)
    elif kind == "alter_table_stmt":
        yield from _constraints_added(tree.alter_table_stmt)


def _as_relation(place: Any) -> Iterator[_Name]:
    """A relation has a type of its name; a sequence has none, but cannot be created if there is one."""
    for kind in ("name", "type"):
        yield (kind, place.schemaname or None, place.relname)


def _constraints_added(statement: Any) -> Iterator[_Name]:
    indexed = (pg.ConstrType.CONSTR_EXCLUSION, pg.ConstrType.CONSTR_UNIQUE, pg.ConstrType.CONSTR_PRIMARY)
    for command in (item.alter_table_cmd for item in statement.cmds):
        constraint = getattr(command, "def").constraint
        if command.subtype == pg.AlterTableType.AT_AddConstraint and constraint.contype in indexed:
            yield ("name", statement.relation.schemaname or None, constraint.conname)


def _dropped(tree: Any) -> Iterator[_Name]:
    if tree.WhichOneof("node") != "drop_stmt":
        return
    types = (pg.ObjectType.OBJECT_TYPE, pg.ObjectType.OBJECT_DOMAIN)
    relations = (pg.ObjectType.OBJECT_SEQUENCE, pg.ObjectType.OBJECT_VIEW, pg.ObjectType.OBJECT_MATVIEW)
    for item in tree.drop_stmt.objects:
        if tree.drop_stmt.remove_type in types:
            yield ("type", *_parts(item.type_name.names))
        elif tree.drop_stmt.remove_type in relations:
            yield from ((kind, *_parts(item.list.items)) for kind in ("name", "type"))


def _parts(names: Any) -> tuple[str | None, str]:
    parts = [item.string.sval for item in names]
    return (parts[-2] if len(parts) > 1 else None, parts[-1])
