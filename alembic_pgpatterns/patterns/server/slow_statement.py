from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from alembic_pgpatterns.patterns import Finding, ServerPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.live import LiveObject, LiveServer, StatementUsage
from alembic_pgpatterns.schema.model import Name, Schema

_SHOWN = 120
_KINDS = ("select_stmt", "insert_stmt", "update_stmt", "delete_stmt", "merge_stmt")


@dataclass(frozen=True, slots=True)
class Options:
    """Options of slow-statement."""

    mean: int = 100
    """Milliseconds that a statement may take on average."""
    calls: int = 10
    """Statements with fewer calls are not reported."""


class SlowStatement(ServerPattern):
    """A statement that takes long on average.

    Read from pg_stat_statements: reads and writes of this database with at least `calls` calls and a mean execution
    time above `mean` milliseconds. The finding is about the first table of the schema that the statement names, and so
    about its model. Numbers count since the last reset of the statistics.

    Not reported: statements that name no table of this schema (a backup, a read of the catalog), and utility
    statements. Without the rights of pg_monitor only your own role's statements can be seen; the report then says so.
    """

    severity = Severity.WARNING
    Options = Options
    needs = ("statements", "schema")
    not_when = "Accept reports and exports that may take their time: in the baseline, or with a higher `mean`."
    references = (
        "https://www.postgresql.org/docs/current/pgstatstatements.html",
        "https://www.postgresql.org/docs/current/using-explain.html",
    )

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """Statements by the time they took in all."""
        schema, options = server.schema, self.options
        for statement in server.statements or ():
            if schema is None or statement.calls < options.calls or statement.mean <= options.mean:
                continue
            table = first_table(statement.query, schema)
            if table is not None:
                text = " ".join(statement.query.split())
                yield self.finding(
                    at=LiveObject(f"statement {_digest(text)}", table),
                    message=f"{statement.mean:.0f} ms on average in {statement.calls} calls "
                    f"({_share(statement, server)} of all recorded time): {_cut(text)}",
                    remedy=Advice(
                        "Run EXPLAIN (ANALYZE, BUFFERS) with the values of a slow call: it shows where the time goes."
                    ),
                )


def first_table(query: str, schema: Schema) -> Name | None:
    """The first table of the schema that a read or write names; None where it is another kind of statement."""
    from alembic_pgpatterns.schema.sql.parser import postgast

    try:
        tree = postgast.parse(query)
    except postgast.PgQueryError:
        return None
    if not tree.stmts or tree.stmts[0].stmt.WhichOneof("node") not in _KINDS:
        return None
    # In the order of the tree: the first is what the statement is about, more often than not.
    names = (_name(node, schema) for node in postgast.find_nodes(tree, postgast.pg_query_pb2.RangeVar))
    return next((name for name in names if name is not None), None)


def _name(node: Any, schema: Schema) -> Name | None:
    if node.schemaname:
        name = Name(node.schemaname, node.relname)
        return name if schema.table(name) is not None else None
    if schema.table(Name(schema.default_schema, node.relname)) is not None:
        return Name(schema.default_schema, node.relname)
    same = [table.name for table in schema.tables if table.name.name == node.relname]
    return same[0] if len(same) == 1 else None


def _digest(text: str) -> str:
    """A digest of the text: pg_stat_statements' own number changes when tables are created again."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _share(statement: StatementUsage, server: LiveServer) -> str:
    total = sum(other.total for other in server.statements or ()) or 1.0
    return f"{statement.total / total:.0%}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
