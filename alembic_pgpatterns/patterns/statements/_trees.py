"""Questions to a statement's parse tree."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from alembic_pgpatterns.schema.model import Column, Schema, Table
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.sql.parser import pg, postgast
from alembic_pgpatterns.workload.model import Recorded


@lru_cache(maxsize=4096)
def tree(text: str) -> Any:
    """The tree of one statement that was parsed before."""
    return postgast.parse(text).stmts[0].stmt


def all_of(node: Any, kind: Any) -> list[Any]:
    """All nodes of a kind."""
    return list(postgast.find_nodes(node, kind))


def has(node: Any, kind: Any) -> bool:
    """Whether there is a node of a kind."""
    return next(iter(postgast.find_nodes(node, kind)), None) is not None


def selects(statement: Recorded) -> list[Any]:
    """All SELECTs of a statement, the outermost first."""
    return all_of(tree(statement.text), pg.SelectStmt)


def outer(statement: Recorded) -> Any | None:
    """The SELECT that the statement is; None for another kind."""
    node = tree(statement.text)
    return node.select_stmt if node.WhichOneof("node") == "select_stmt" else None


def unwrapped(node: Any) -> Any:
    """Without casts."""
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    return node


def parameter(node: Any) -> int | None:
    """The number of ``$n``, through casts; None for anything else."""
    node = unwrapped(node)
    return int(node.param_ref.number) if node.WhichOneof("node") == "param_ref" else None


def values_of(statement: Recorded, number: int) -> list[object]:
    """The recorded values of ``$n``."""
    return [sample[number - 1] for sample in statement.values if len(sample) >= number]


def known_values(statement: Recorded, node: Any) -> list[object]:
    """The constant that a node is, or the recorded values of the parameter that it is."""
    node = unwrapped(node)
    if node.WhichOneof("node") == "a_const":
        constant = node.a_const
        kind = constant.WhichOneof("val")
        return [constant.sval.sval if kind == "sval" else constant.ival.ival if kind == "ival" else None]
    number = parameter(node)
    return values_of(statement, number) if number is not None else []


def column_of(node: Any) -> tuple[str | None, str] | None:
    """Alias and name of a column; the alias is None where it is not said."""
    if node.WhichOneof("node") != "column_ref":
        return None
    names = [part.string.sval for part in node.column_ref.fields if part.WhichOneof("node") == "string"]
    return (names[-2] if len(names) > 1 else None, names[-1]) if names else None


def compared(statement: Recorded) -> Iterator[tuple[Any, str, Any]]:
    """Left side, operator and right side of each comparison in WHERE and ON."""
    for expression in _filtering(tree(statement.text), False):
        if expression.HasField("lexpr") and expression.HasField("rexpr") and expression.name:
            yield expression.lexpr, expression.name[-1].string.sval, expression.rexpr


_FILTERS = frozenset({"where_clause", "quals"})
_NO_FILTERS = frozenset({"target_list", "having_clause", "group_clause", "sort_clause", "window_clause"})


def _filtering(message: Any, filters: bool) -> Iterator[Any]:
    """The comparisons within WHERE and ON; those of HAVING and of what is fetched are made of rows that were read."""
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        within = field.name in _FILTERS or (filters and field.name not in _NO_FILTERS)
        for part in value if field.is_repeated else (value,):
            if within and isinstance(part, pg.A_Expr):
                yield part
            yield from _filtering(part, within)


def relations(node: Any) -> dict[str, Any]:
    """The tables of a statement by their aliases."""
    return {item.alias.aliasname or item.relname: item for item in all_of(node, pg.RangeVar)}


def table_of(statement: Recorded, alias: str | None, schema: Schema | None) -> Table | None:
    """The table that an alias of the statement is, where the schema is known."""
    named = relations(tree(statement.text))
    relation = named.get(alias) if alias is not None else next(iter(named.values()), None) if len(named) == 1 else None
    if relation is None or schema is None:
        return None
    return schema.table(Name(relation.schemaname or schema.default_schema, relation.relname))


def model_column(statement: Recorded, column: tuple[str | None, str], schema: Schema | None) -> Column | None:
    """The column of the schema, where it is known."""
    table = table_of(statement, column[0], schema)
    return table.column(column[1]) if table is not None else None


def conditions(select: Any) -> list[Any]:
    """The parts of WHERE that AND joins, in their order."""
    waiting, parts = [select.where_clause] if select.HasField("where_clause") else [], []
    while waiting:
        node = waiting.pop(0)
        if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == pg.AND_EXPR:
            waiting[:0] = node.bool_expr.args
        else:
            parts.append(node)
    return parts


def locking(select: Any) -> Any | None:
    """FOR UPDATE and its kin."""
    clauses = [item.locking_clause for item in select.locking_clause]
    return clauses[0] if clauses else None
