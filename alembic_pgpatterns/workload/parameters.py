"""Which column each parameter of a statement is compared with, or written to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from alembic_pgpatterns.schema.sql.parser import pg, postgast


@dataclass(frozen=True, slots=True)
class Use:
    """``table``: its name, empty if the statement does not say of which one the column is. ``array``: of values."""

    table: str
    column: str
    array: bool = False


@lru_cache(maxsize=4096)
def uses(text: str) -> dict[int, Use]:
    """The use of each parameter, by its number; those that stand elsewhere, as in LIMIT, are left out."""
    try:
        tree = postgast.parse(text)
    except postgast.PgQueryError:
        return {}
    return dict([*_compared(tree), *_inserted(tree), *_assigned(tree)])


def _compared(tree: Any) -> Iterator[tuple[int, Use]]:
    relations = postgast.find_nodes(tree, pg.RangeVar)
    names = {item.alias.aliasname or item.relname: item.relname for item in relations}
    for expression in postgast.find_nodes(tree, pg.A_Expr):
        sides = (_bare(expression.lexpr), _bare(expression.rexpr))
        for subject, other in (sides, sides[::-1]):
            if subject.WhichOneof("node") == "column_ref":
                *alias, column = [part.string.sval for part in subject.column_ref.fields]
                table = names.get(alias[-1], alias[-1]) if alias else ""
                use = Use(table, column, expression.kind in (pg.AEXPR_OP_ANY, pg.AEXPR_OP_ALL))
                yield from ((number, use) for number in _numbers(other))


def _inserted(tree: Any) -> Iterator[tuple[int, Use]]:
    for insert in postgast.find_nodes(tree, pg.InsertStmt):
        names = [item.res_target.name for item in insert.cols]
        for row in insert.select_stmt.select_stmt.values_lists:
            for name, value in zip(names, row.list.items, strict=False):
                yield from ((number, Use(insert.relation.relname, name)) for number in _numbers(_bare(value)))
        yield from _targets(insert.relation.relname, insert.on_conflict_clause.target_list)


def _assigned(tree: Any) -> Iterator[tuple[int, Use]]:
    for update in postgast.find_nodes(tree, pg.UpdateStmt):
        yield from _targets(update.relation.relname, update.target_list)


def _targets(table: str, targets: Iterable[Any]) -> Iterator[tuple[int, Use]]:
    for item in targets:
        target = item.res_target
        yield from ((number, Use(table, target.name)) for number in _numbers(_bare(target.val)))


def _bare(node: Any) -> Any:
    """The node without casts around it."""
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    return node


def _numbers(node: Any) -> Iterator[int]:
    if node.WhichOneof("node") == "param_ref":
        yield node.param_ref.number
    elif node.WhichOneof("node") == "list":
        for item in node.list.items:
            yield from _numbers(_bare(item))
