from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alembic_pgpatterns.patterns import Finding, Severity, StatementPattern
from alembic_pgpatterns.patterns.statements._places import sent, shown, usages
from alembic_pgpatterns.patterns.statements._trees import column_of, compared, table_of, unwrapped
from alembic_pgpatterns.remedies.model_line import repr_double
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql.binds import escape_binds
from alembic_pgpatterns.schema.sql.parser import pg, postgast
from alembic_pgpatterns.workload.model import Recorded, Workload


class FunctionOnColumn(StatementPattern):
    """A column that is compared only after a function, such as lower(), so that no index on it can be used.

    An index on the column does not serve lower(column) or date_trunc('day', column). An index on the expression does;
    for times a range on the plain column is better.

    What does not count: expressions that an index of the table holds. Without the schema that is not known, so the
    finding is for information only.
    """

    severity = Severity.INFO
    references = ("https://www.postgresql.org/docs/current/indexes-expressional.html",)
    bad = """
        def run(session):
            session.scalars(select(Author).where(func.lower(Author.name) == "smith")).all()
    """
    good = """
        def run(session):
            session.scalars(select(Author).where(Author.name == "smith")).all()
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Comparisons of a function of one column with a value."""
        for statement, usage in usages(workload):
            for left, operator, right in compared(statement):
                call = unwrapped(left)
                if (
                    call.WhichOneof("node") != "func_call"
                    or operator not in ("=", "<", ">", "<=", ">=")
                    or not _value(right)
                ):
                    continue
                columns = [column for item in call.func_call.args if (column := column_of(unwrapped(item))) is not None]
                name = call.func_call.funcname[-1].string.sval
                if len(columns) == 1 and not _is_indexed(statement, columns[0], name, schema):
                    named = columns[0][1]
                    call_text = str(postgast.deparse(_statement_of(call))).removeprefix("SELECT ")
                    message = f"{call_text} is compared, so no index on {named} can be used: {shown(statement)}"
                    yield sent(self, statement, usage, message, _instead(call.func_call, name, named, call_text))
                    break


def _value(node: pg.Node) -> bool:
    inner = unwrapped(node)
    plain = inner.WhichOneof("node") in ("param_ref", "a_const")
    return plain or (inner.WhichOneof("node") == "func_call" and all(map(_value, inner.func_call.args)))


def _is_indexed(statement: Recorded, column: tuple[str | None, str], name: str, schema: Schema | None) -> bool:
    table = table_of(statement, column[0], schema)
    keys = (key for index in (table.indexes if table is not None else ()) for key in index.keys)
    return any(
        key.expression and f"{name}(" in str(key.expression) and column[1] in str(key.expression) for key in keys
    )


def _statement_of(call: pg.Node) -> Any:
    """The call without the names of tables, as the only thing of a SELECT."""
    # Only a whole statement can be deparsed.
    statement = postgast.parse("SELECT 1")
    value = statement.stmts[0].stmt.select_stmt.target_list[0].res_target.val
    value.CopyFrom(call)
    for reference in postgast.find_nodes(value, pg.ColumnRef):
        del reference.fields[:-1]
    return statement


def _instead(call: pg.FuncCall, name: str, column: str, call_text: str) -> str:
    """A range where the function tells a stretch of time; else (a month of any year, lower) the expression's index."""
    first = unwrapped(call.args[0]) if call.args else None
    part = first.a_const.sval.sval if first is not None and first.WhichOneof("node") == "a_const" else ""
    if name in ("date", "date_trunc", "to_char") or (name in ("date_part", "extract") and part == "year"):
        return f"Compare the plain column with a range: {column} >= start, {column} < end."
    return f'Index the expression: Index("...", text({repr_double(escape_binds(call_text))})).'
