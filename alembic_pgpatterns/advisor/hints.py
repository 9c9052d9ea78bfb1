"""What statements say of values: those that workers take from a queue are rare, and so is what is beyond a limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.sql.parser import pg, postgast
from alembic_pgpatterns.workload.model import Recorded, Workload

Waiting = frozenset[tuple[Name, str, str]]
"""Table, column and value of the rows that wait."""
Tails = Mapping[tuple[str, str], tuple[float, bool]]
"""By table's and column's name: a limit, and whether statements ask for what is above it."""


def waiting(workload: Workload, default_schema: str) -> Waiting:
    """The values that a ``SELECT … FOR UPDATE`` with a LIMIT looks for, the same in all calls."""
    return frozenset(item for statement in workload.statements for item in _waiting(statement, default_schema))


def _waiting(statement: Recorded, default_schema: str) -> Iterator[tuple[Name, str, str]]:
    if statement.kind != "select" or "FOR" not in statement.text.upper():  # parsing takes longer
        return
    select = postgast.parse(statement.text).stmts[0].stmt.select_stmt
    tables = list(postgast.find_nodes(select, pg.RangeVar))
    if not select.locking_clause or not select.HasField("limit_count") or len({item.relname for item in tables}) != 1:
        return
    name = Name(tables[0].schemaname or default_schema, tables[0].relname)
    for node in postgast.find_nodes(select.where_clause, pg.A_Expr):
        columns = list(postgast.find_nodes(node.lexpr, pg.ColumnRef))
        value = _value(node.rexpr, statement)
        if node.kind == pg.AEXPR_OP and node.name[-1].string.sval == "=" and len(columns) == 1 and value is not None:
            yield name, columns[0].fields[-1].string.sval, value


def _value(node: pg.Node, statement: Recorded) -> str | None:
    constants = [item.sval.sval for item in postgast.find_nodes(node, pg.A_Const) if item.HasField("sval")]
    numbers = [item.number for item in postgast.find_nodes(node, pg.ParamRef)]
    if len(numbers) == 1 and not constants:
        sent = {sample[numbers[0] - 1] for sample in statement.values if len(sample) >= numbers[0]}
        constants = [value for value in sent if isinstance(value, str)] if len(sent) == 1 else []
    return str(constants[0]) if len(constants) == 1 and not (numbers and len(numbers) > 1) else None


def tails(workload: Workload) -> Tails:
    """The limits of numbers in statements such as ``duration > 5000``: who writes one looks for few rows."""
    result: dict[tuple[str, str], tuple[float, bool]] = {}
    for statement in workload.statements:
        if statement.kind in ("select", "update", "delete") and _has_range(statement.text):
            result.update(_tails(statement))
    return result


def _has_range(text: str) -> bool:
    return "<" in text or ">" in text  # parsing takes longer


def _tails(statement: Recorded) -> Iterator[tuple[tuple[str, str], tuple[float, bool]]]:
    nodes = [
        node
        for node in postgast.find_nodes(postgast.parse(statement.text), pg.A_Expr)
        if node.kind == pg.AEXPR_OP and node.name[-1].string.sval in ("<", "<=", ">", ">=")
    ]
    columns = [list(postgast.find_nodes(node.lexpr, pg.ColumnRef)) for node in nodes]
    named = [references[0].fields for references in columns if len(references) == 1 and len(references[0].fields) > 1]
    for node, references in zip(nodes, columns, strict=True):
        limit = _number(node.rexpr, statement)
        fields = references[0].fields if len(references) == 1 else ()
        # Between two limits is a range of its own.
        if limit is not None and named.count(fields) == 1:
            table, column = (field.string.sval for field in fields[-2:])
            yield (table, column), (limit, node.name[-1].string.sval.startswith(">"))


def _number(node: pg.Node, statement: Recorded) -> float | None:
    numbers = [item.number for item in postgast.find_nodes(node, pg.ParamRef)]
    constants = [item for item in postgast.find_nodes(node, pg.A_Const) if item.HasField("ival")]
    if not numbers and len(constants) == 1:
        return float(constants[0].ival.ival)
    values = [sample[numbers[0] - 1] for sample in statement.values if len(numbers) == 1 and len(sample) >= numbers[0]]
    try:
        return float(str(values[0])) if values and not isinstance(values[0], bool) else None
    except ValueError:
        return None
