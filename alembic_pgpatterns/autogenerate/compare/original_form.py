"""The SQL that makes PostgreSQL print exactly what it prints of an existing CHECK.

``varchar IN ('a', 'b')`` is printed as ``= ANY ((ARRAY[...])::text[])``, and that text, read again, is printed in yet
another way. A downgrade that executes the printed text would restore an equal CHECK that looks different.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from alembic_pgpatterns.autogenerate.compare.forms import ConstraintForm, Forms
from alembic_pgpatterns.autogenerate.compare.scratch import print_texts
from alembic_pgpatterns.operations.support.template import Name
from alembic_pgpatterns.schema.sql.parser import postgast


def with_in_lists(expression: str) -> str | None:
    """An expression with ``IN`` instead of ``= ANY (ARRAY[...])``; None if it has none, or cannot be parsed."""
    try:
        tree = postgast.parse(f"SELECT {expression}")
    except postgast.PgQueryError:
        return None
    pb = postgast.pg_query_pb2
    changed = False
    for node in postgast.find_nodes(tree, pb.A_Expr):
        elements = _elements(node) if node.kind in (pb.AEXPR_OP_ANY, pb.AEXPR_OP_ALL) else None
        if elements is None:
            continue
        # PostgreSQL makes = ANY of IN, and <> ALL of NOT IN.
        operator = "=" if node.kind == pb.AEXPR_OP_ANY else "<>"
        if node.name[-1].string.sval != operator:
            continue
        items = [_bare(item) for item in elements]
        left = _bare(node.lexpr)
        node.kind = pb.AEXPR_IN
        node.lexpr.CopyFrom(left)
        node.rexpr.Clear()
        node.rexpr.list.items.extend(items)
        changed = True
    if not changed:
        return None
    return str(postgast.deparse(tree)).removeprefix("SELECT ")


def _elements(node: Any) -> list[Any] | None:
    right = node.rexpr
    while right.WhichOneof("node") == "type_cast":
        right = right.type_cast.arg
    return list(right.a_array_expr.elements) if right.WhichOneof("node") == "a_array_expr" else None


def _bare(node: Any) -> Any:
    """A node without casts, which PostgreSQL adds again."""
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    copy = type(node)()
    copy.CopyFrom(node)
    return copy


def with_sources(connection: Connection, table: Name, forms: Forms) -> Forms:
    """The forms of a table, with the SQL that restores each CHECK exactly."""
    constraints = {
        name: _with_source(connection, table, form) if form.kind == "c" else form
        for name, form in forms.constraints.items()
    }
    return replace(forms, constraints=constraints)


def _with_source(connection: Connection, table: Name, form: ConstraintForm) -> ConstraintForm:
    if "ANY (" not in form.definition and "ALL (" not in form.definition:
        return form
    expression = with_in_lists(form.definition.removeprefix("CHECK (").removesuffix(")"))
    if expression is None:
        return form
    source, probe = f"CHECK ({expression})", "pgpatterns_compared"
    printed = print_texts(connection, table, [f"ALTER TABLE {{table}} ADD CONSTRAINT {probe} {source}"])[0]
    is_equal = printed is not None and printed.constraints[probe].definition == form.definition
    return replace(form, source=source) if is_equal else form
