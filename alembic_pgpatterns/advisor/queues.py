"""Which rows workers take from a queue: few are left, since each soon gets another state."""

from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.sql.parser import pg, postgast
from alembic_pgpatterns.workload.model import Recorded, Workload

Waiting = frozenset[tuple[Name, str, str]]
"""Table, column and value of the rows that wait."""


def waiting(workload: Workload, default_schema: str) -> Waiting:
    """The values that a ``SELECT … FOR UPDATE`` with a LIMIT looks for, the same in all calls."""
    found = (item for statement in workload.statements for item in _waiting(statement, default_schema))
    return frozenset(found)


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
