"""One spelling for what PostgreSQL prints in several ways.

``c IN ('a', 'b')`` on a varchar is printed as ``= ANY ((ARRAY['a'::character varying, …])::text[])``. Read again, the
cast of an array moves to each element (PostgreSQL's parse_expr.c, transformTypeCast); and after the column has become a
text, each element is ``('a'::character varying)::text``, where a new constraint has ``'a'::text``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from alembic_pgpatterns.schema.sql.parser import Node, children, postgast

_BEGINNINGS = ("SELECT ", "", "ALTER TABLE t ADD ", "CREATE INDEX ON t USING ")


@lru_cache(maxsize=4096)
def one_spelling(text: str) -> str:
    """The text in one spelling: equal for texts that differ in such casts only. Unchanged if it is no SQL.

    Args:
        text: an expression, a query, the definition of a constraint, or what follows USING in that of an index.
    """
    for beginning in _BEGINNINGS:
        try:
            tree = postgast.parse(beginning + text)
        except postgast.PgQueryError:
            continue
        for node in _casts(tree):
            _cast_elements(node)
        for node in _casts(tree):
            _without_varchar(node)
        return str(postgast.deparse(tree))
    return text


def _casts(tree: Any) -> list[Any]:
    """The nodes that are casts, inner ones first."""
    return [item for item in _messages(tree) if item.DESCRIPTOR.name == "Node" and item.HasField("type_cast")]


def _messages(message: Any) -> Iterator[Any]:
    for child in children(message):
        yield from _messages(child)
    yield message


def _cast_elements(node: Any) -> None:
    """Cast each element of ``ARRAY[…]`` instead of the array."""
    type_name, array = node.type_cast.type_name, node.type_cast.arg
    if not (type_name.array_bounds and array.HasField("a_array_expr")):
        return
    made, element_type = _copy(array), _copy(type_name)
    element_type.ClearField("array_bounds")
    for element in made.a_array_expr.elements:
        _cast(element, element_type)
    node.CopyFrom(made)


def _cast(element: Any, type_name: Any) -> None:
    if element.HasField("type_cast") and _same_type(element.type_cast.type_name, type_name):
        return
    if element.HasField("a_array_expr"):
        for inner in element.a_array_expr.elements:
            _cast(inner, type_name)
        return
    made = Node()
    made.type_cast.arg.CopyFrom(element)
    made.type_cast.type_name.CopyFrom(type_name)
    element.CopyFrom(made)


def _without_varchar(node: Any) -> None:
    """A string without limit is the same as varchar and as text."""
    inner = node.type_cast.arg
    if not (inner.HasField("type_cast") and inner.type_cast.arg.HasField("a_const")):
        return
    if _is(node.type_cast.type_name, "text") and _is(inner.type_cast.type_name, "varchar"):
        node.type_cast.arg.CopyFrom(_copy(inner.type_cast.arg))


def _is(type_name: Any, name: str) -> bool:
    return _name(type_name)[-1:] == [name] and not type_name.typmods and not type_name.array_bounds


def _same_type(first: Any, second: Any) -> bool:
    return (_name(first), list(first.typmods), len(first.array_bounds)) == (
        _name(second),
        list(second.typmods),
        len(second.array_bounds),
    )


def _name(type_name: Any) -> list[str]:
    return [part.string.sval for part in type_name.names]


def _copy(message: Any) -> Any:
    made = type(message)()
    made.CopyFrom(message)
    return made
