"""SQL that SQLAlchemy would send, parsed by PostgreSQL's own parser (libpg_query).

So text(), custom types and compile extensions need no special treatment: the server's interpretation counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from alembic_pgpatterns.schema.parsed import IndexText, KeyText, TypeText
from alembic_pgpatterns.schema.sql.parser import pg, postgast


@lru_cache(maxsize=4096)
def parse_type(text: str) -> TypeText | None:
    """The type; None if it is not an SQL type."""
    try:
        tree = postgast.parse(f"SELECT NULL::{text}")
    except postgast.PgQueryError:
        return None
    node = tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val
    collation: tuple[str, ...] = ()
    if node.WhichOneof("node") == "collate_clause":
        collation = _strings(node.collate_clause.collname)
        node = node.collate_clause.arg
    if node.WhichOneof("node") != "type_cast":
        return None
    type_name = node.type_cast.type_name
    return TypeText(_strings(type_name.names), _modifiers(type_name.typmods), bool(type_name.array_bounds), collation)


@lru_cache(maxsize=16384)
def parse_index(statement: str) -> IndexText | None:
    """A CREATE INDEX statement; None if PostgreSQL could not parse it."""
    try:
        index = postgast.parse(statement).stmts[0].stmt.index_stmt
    except postgast.PgQueryError:
        return None
    return IndexText(
        index.access_method or "btree",
        tuple(_key(node.index_elem) for node in index.index_params),
        tuple(node.index_elem.name for node in index.index_including_params),
        _deparsed(index.where_clause) if index.HasField("where_clause") else None,
    )


@lru_cache(maxsize=1024)
def parse_exclusion(statement: str) -> IndexText | None:
    """``ALTER TABLE … ADD CONSTRAINT … EXCLUDE …``; None if PostgreSQL could not parse it."""
    try:
        command = postgast.parse(statement).stmts[0].stmt.alter_table_stmt.cmds[0].alter_table_cmd
    except postgast.PgQueryError:
        return None
    exclusion = getattr(command, "def").constraint
    return IndexText(
        exclusion.access_method or "gist",
        tuple(_key(node.list.items[0].index_elem) for node in exclusion.exclusions),
        tuple(node.string.sval for node in exclusion.including),
        _deparsed(exclusion.where_clause) if exclusion.HasField("where_clause") else None,
    )


def is_statement(statement: str) -> bool:
    """Whether a text is one statement that PostgreSQL can parse."""
    try:
        return len(postgast.parse(statement).stmts) == 1
    except postgast.PgQueryError:
        return False


def is_whole_default(statement: str) -> bool:
    """Whether CREATE TABLE reads all that follows DEFAULT, the last word on its only column, as the expression.

    A COLLATE at its end would be the column's.
    """
    try:
        column = postgast.parse(statement).stmts[0].stmt.create_stmt.table_elts[0].column_def
    except (postgast.PgQueryError, IndexError):
        return False
    return len(column.constraints) == 1 and not column.HasField("coll_clause")


def parse_constraint(definition: str) -> Any | None:
    """The parse tree of a table's constraint, as pg_get_constraintdef() writes it; None if it does not parse."""
    try:
        command = postgast.parse(f"ALTER TABLE t ADD {definition}").stmts[0].stmt.alter_table_stmt.cmds[0]
    except postgast.PgQueryError:
        return None
    return getattr(command.alter_table_cmd, "def").constraint


@lru_cache(maxsize=4096)
def column_references(expression: str) -> frozenset[str] | None:
    """The last part of each column reference; None if the expression does not parse."""
    try:
        tree = postgast.parse(f"SELECT {expression}")
    except postgast.PgQueryError:
        return None
    references = postgast.find_nodes(tree, pg.ColumnRef)
    return frozenset(name for reference in references for name in _strings(reference.fields)[-1:])


@lru_cache(maxsize=4096)
def sequence_of(default: str) -> tuple[str, ...] | None:
    """The parts of the sequence's name if the expression is ``nextval('…')``, else None."""
    try:
        node = postgast.parse(f"SELECT {default}").stmts[0].stmt.select_stmt.target_list[0].res_target.val
    except (postgast.PgQueryError, IndexError):
        return None
    if node.WhichOneof("node") != "func_call" or _strings(node.func_call.funcname)[-1] != "nextval":
        return None
    argument = node.func_call.args[0]
    while argument.WhichOneof("node") == "type_cast":
        argument = argument.type_cast.arg
    return _identifiers(argument.a_const.sval.sval)


def _identifiers(name: str) -> tuple[str, ...] | None:
    """The parts of a name such as ``s."Q"``, in lower case unless quoted, as PostgreSQL does it."""
    try:
        tree = postgast.parse(f"SELECT {name}")
    except postgast.PgQueryError:
        return None
    return _strings(tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val.column_ref.fields)


def _key(element: Any) -> KeyText:
    descending = element.ordering == pg.SORTBY_DESC
    first = element.nulls_ordering == pg.SORTBY_NULLS_FIRST
    explicit = element.nulls_ordering in (pg.SORTBY_NULLS_FIRST, pg.SORTBY_NULLS_LAST)
    column, collation, expression = element.name or None, _strings(element.collation), element.expr
    while column is None and expression.WhichOneof("node") == "collate_clause":
        # PostgreSQL removes the COLLATE too, and then may find a plain column (ComputeIndexAttrs).
        collation = collation or _strings(expression.collate_clause.collname)
        expression = expression.collate_clause.arg
    if column is None and expression.WhichOneof("node") == "column_ref":
        column = _strings(expression.column_ref.fields)[-1]
    return KeyText(
        column=column,
        expression=None if column is not None else _deparsed(expression),
        collation=collation,
        opclass=_strings(element.opclass),
        descending=descending,
        nulls_first=first if explicit else descending,
    )


def _strings(nodes: Iterable[Any]) -> tuple[str, ...]:
    return tuple(node.string.sval for node in nodes if node.WhichOneof("node") == "string")


def _modifiers(nodes: Iterable[Any]) -> tuple[int, ...]:
    constants = [node.a_const for node in nodes if node.WhichOneof("node") == "a_const"]
    return tuple(constant.ival.ival for constant in constants if constant.WhichOneof("val") == "ival")


def _deparsed(expression: Any) -> str:
    # Only a whole statement can be deparsed: the expression takes the place of a constant.
    tree = postgast.parse("SELECT 1")
    tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val.CopyFrom(expression)
    return str(postgast.deparse(tree)).removeprefix("SELECT ")


_STRATEGIES = {
    pg.PARTITION_STRATEGY_LIST: "list",
    pg.PARTITION_STRATEGY_RANGE: "range",
    pg.PARTITION_STRATEGY_HASH: "hash",
}


def parse_partition(clause: str) -> tuple[str | None, tuple[str | None, ...]] | None:
    """(strategy, key columns) from the text after PARTITION BY; None for a key that is an expression."""
    try:
        tree = postgast.parse(f"CREATE TABLE t () PARTITION BY {clause}")
    except postgast.PgQueryError:
        return None
    partition = tree.stmts[0].stmt.create_stmt.partspec
    return _STRATEGIES.get(partition.strategy), tuple(
        node.partition_elem.name or None for node in partition.part_params
    )
