"""What statements say of values: those that workers take from a queue are rare, and so is what is beyond a limit.

And of columns: one that is joined with a key of another table has that table's values, declared or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from alembic_pgpatterns.schema.model import Schema, Table
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.sql.parser import pg, postgast
from alembic_pgpatterns.workload.model import Recorded, Workload

Waiting = frozenset[tuple[Name, str, str]]
"""Table, column and value of the rows that wait."""
Tails = Mapping[tuple[str, str], tuple[float, bool]]
"""By table's and column's name: a limit, and whether statements ask for what is above it."""

Parents = Mapping[tuple[Name, str], Name]
"""By table and column: the table whose key statements join the column with."""


def parents(workload: Workload, schema: Schema) -> Parents:
    """The tables that columns refer to by what the statements join."""
    result: dict[tuple[Name, str], Name] = {}
    for statement in workload.statements:
        if statement.text.count(".") > 1 and "=" in statement.text:  # parsing takes longer
            result.update(_parents(statement.text, schema))
    return result


def _parents(text: str, schema: Schema) -> Iterator[tuple[tuple[Name, str], Name]]:
    tree = postgast.parse(text)
    tables = {
        item.alias.aliasname or item.relname: schema.table(Name(item.schemaname or schema.default_schema, item.relname))
        for item in postgast.find_nodes(tree, pg.RangeVar)
    }
    for node in postgast.find_nodes(tree, pg.A_Expr):
        sides = [[field.string.sval for field in side.column_ref.fields] for side in (node.lexpr, node.rexpr)]
        if node.kind != pg.AEXPR_OP or node.name[-1].string.sval != "=" or not all(len(side) > 1 for side in sides):
            continue
        (left, left_column), (right, right_column) = ((tables.get(side[-2]), side[-1]) for side in sides)
        if left is not None and right is not None and left.name != right.name:
            yield from _parent(left, left_column, right, right_column)
            yield from _parent(right, right_column, left, left_column)


def _parent(table: Table, column: str, other: Table, key: str) -> Iterator[tuple[tuple[Name, str], Name]]:
    if is_key(other, key) and not is_key(table, column):
        yield (table.name, column), other.name


def is_key(table: Table, column: str) -> bool:
    """Whether no two rows have the same value of this column."""
    keys = [key for key in (table.primary_key, *table.unique_constraints) if key is not None]
    indexes = (index for index in table.indexes if index.unique and index.predicate is None)
    return any(key.columns == (column,) for key in keys) or any(index.columns == (column,) for index in indexes)


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
