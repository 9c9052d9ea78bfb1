"""Views, functions and triggers of alembic-utils, beside tables that the same revision changes.

alembic-utils creates each registered entity on the database, in a savepoint, to see it as PostgreSQL prints it. It
knows nothing of tables and columns that only the revision creates (its issues 41 and 79), and it writes its ops after
those for the tables, also where a table or column can only go after the view on it (its issue 89).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from alembic.operations import ops
from sqlalchemy import Column, Connection, MetaData, Table, inspect

from alembic_pgpatterns.autogenerate.compare.dropped import DropTableExactlyOp
from alembic_pgpatterns.autogenerate.compare.scratch import add_bare_columns, create_empty
from alembic_pgpatterns.schema.sql.parser import postgast

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

_PACKAGE = "alembic_utils"
_SIMULATE = "simulate_entity"
_ORIGINAL = "_pgpatterns_original"


def entities_see(context: AutogenContext) -> None:
    """Let alembic-utils, if it is in use, see the tables and columns of the models while it simulates its entities.

    Args:
        context: of the run, with the target metadata.
    """
    if context.connection is None or not isinstance(context.metadata, MetaData):
        return
    metadata = context.metadata
    _replace(lambda simulate: _on_target(simulate, metadata))


def entities_see_no_more() -> None:
    """Undo `entities_see`."""
    _replace(lambda simulate: simulate)


def _replace(wrapped: Callable[[Any], Any]) -> None:
    package = sys.modules.get(f"{_PACKAGE}.simulate")
    if package is None:
        return
    original = _original(getattr(package, _SIMULATE))
    new = wrapped(original)
    # Other modules of the package hold the function by its name, and it calls itself by it.
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{_PACKAGE}.") and _original(getattr(module, _SIMULATE, None)) is original:
            setattr(module, _SIMULATE, new)


def _original(simulate: Any) -> Any:
    return getattr(simulate, _ORIGINAL, simulate)


def _on_target(simulate: Callable[..., Any], metadata: MetaData) -> Callable[..., Any]:
    @contextmanager
    def simulated(session: Any, entity: Any, dependencies: Any = None) -> Iterator[Any]:
        savepoint = session.begin_nested()
        try:
            names = _names(_text(entity))
            mentioned = [table for table in metadata.tables.values() if str(table.name) in names]
            _create_missing(session.connection(), mentioned)
            with simulate(session, entity, dependencies) as result:
                yield result
        finally:
            savepoint.rollback()

    # Not `functools.wraps`, whose `__wrapped__` `contextmanager` sets too.
    setattr(simulated, _ORIGINAL, simulate)
    return simulated


def _text(entity: Any) -> str:
    return f"{entity.definition} {getattr(entity, 'on_entity', '')}"


def _create_missing(connection: Connection, tables: Sequence[Table]) -> None:
    """Create tables, and columns of existing ones, that the database does not have.

    Without foreign keys, for which the referenced tables would be locked, and without what rows could violate.
    """
    inspector = inspect(connection)
    for table in tables:
        if not inspector.has_table(table.name, schema=table.schema):
            create_empty(connection, table)
            continue
        existing = {column["name"] for column in inspector.get_columns(table.name, schema=table.schema)}
        columns = [Column(column.name, column.type) for column in table.columns if column.name not in existing]
        if columns:
            add_bare_columns(connection, table, columns)


def in_order(operations: Sequence[ops.MigrateOperation]) -> list[Any]:
    """The ops of an upgrade with those of alembic-utils where PostgreSQL accepts them.

    What goes, goes before its tables; what names a table that is new or changed, comes after that. A table or column
    that goes does so after the entities that are changed, since their old form may use it. A function, which a
    default may call, and an extension stay in front. A downgrade is the reverse of this.
    """
    entities = [op for op in operations if _is_entity_op(op)]
    if not entities:
        return list(operations)
    others = [op for op in operations if not _is_entity_op(op)]
    dropped = _users_first([op for op in entities if _is_entity_op(op, "DropOp")])
    _leave_to_entities(_leaves(others), {_name(op) for op in dropped})
    late: list[Any] = []
    if any(_is_entity_op(op, "ReplaceOp") for op in entities):
        late = [op for op in _leaves(others) if isinstance(op, ops.DropColumnOp | ops.DropTableOp)]
    first, after = _split([op for op in entities if op not in dropped], others)
    return [*dropped, *first, *_without(others, {id(op) for op in late}), *after, *late]


def _leave_to_entities(operations: Iterable[ops.MigrateOperation], names: set[str]) -> None:
    """Let a downgrade create a table without the triggers and policies that alembic-utils creates again."""
    for op in operations:
        if isinstance(op, DropTableExactlyOp):
            remaining = tuple(item for item in op.forms.attached if _created_name(item) not in names)
            op.forms = replace(op.forms, attached=remaining)


def _created_name(statement: str) -> str:
    """The name of the trigger or policy that a statement creates; empty for any other statement."""
    node = postgast.parse(statement).stmts[0].stmt
    return str(node.create_trig_stmt.trigname or node.create_policy_stmt.policy_name)


def _users_first(dropped: Sequence[Any]) -> list[Any]:
    """Dropped entities in an order that PostgreSQL accepts: a trigger before its function, a view before its views."""
    by_name = {_name(op): op for op in dropped}
    names = {name: _names(_text(op.target)) & by_name.keys() - {name} for name, op in by_name.items()}
    try:
        ordered = [by_name[name] for name in TopologicalSorter(names).static_order()][::-1]
    except CycleError:
        return list(dropped)
    # Overloaded functions have one name.
    return [*ordered, *(op for op in dropped if by_name[_name(op)] is not op)]


def _name(op: Any) -> str:
    return str(op.target.signature).partition("(")[0]


def _split(entities: Sequence[Any], others: Sequence[ops.MigrateOperation]) -> tuple[list[Any], list[Any]]:
    """Entities that name nothing of the revision's tables, and those that do, or name one of these."""
    names = {str(getattr(op, "table_name", "")) for op in _leaves(others)}
    first, after = [], []
    for op in entities:
        if _names(_text(op.target)) & names:
            after.append(op)
            names.add(_name(op))
        else:
            first.append(op)
    return first, after


def _names(text: str) -> set[str]:
    """All names in an SQL text, those in the bodies of functions too, and other words."""
    try:
        tokens = [text.encode()[token.start : token.end].decode() for token in postgast.scan(text).tokens]
    except postgast.PgQueryError:
        # Such as a body in another language.
        return set(text.split())
    bodies = [token.strip("$'") for token in tokens if token[:1] in "$'" and len(token) > 2]
    return {token.strip('"') for token in tokens}.union(*map(_names, bodies))


def _is_entity_op(op: ops.MigrateOperation, name: str | None = None) -> bool:
    kind = type(op)
    return kind.__module__.partition(".")[0] == _PACKAGE and name in (None, kind.__name__)


def _leaves(operations: Sequence[ops.MigrateOperation]) -> Iterator[ops.MigrateOperation]:
    for op in operations:
        if type(op) is ops.ModifyTableOps:
            yield from _leaves(op.ops)
        else:
            yield op


def _without(operations: Sequence[ops.MigrateOperation], ids: set[int]) -> Iterator[ops.MigrateOperation]:
    for op in operations:
        if type(op) is ops.ModifyTableOps:
            op.ops = list(_without(op.ops, ids))
        if id(op) not in ids and not (type(op) is ops.ModifyTableOps and not op.ops):
            yield op
