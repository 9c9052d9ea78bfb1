from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import sent, shown, usages
from alembic_pgpatterns.patterns.statements._trees import compared, outer, parameter, relations, tree
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.model import Recorded, Workload

INSTEAD = (
    "from sqlalchemy.dialects.postgresql import insert: insert(Model).values(...)"
    ".on_conflict_do_update(index_elements=[key], set_={...}).returning(Model), with a unique constraint on the key."
)


class SelectThenInsert(StatementPattern):
    """A row is looked for, and inserted if it is not there: two requests at once both insert it.

    Two requests that do so at once both find nothing and both insert: one fails with a duplicate key, or the row is
    there twice. One INSERT ... ON CONFLICT is safe, and one round trip instead of two.

    It counts where a function sends a query that finds no row and then inserts into the same table in the same
    transaction.
    """

    references = ("https://www.postgresql.org/docs/current/sql-insert.html#SQL-ON-CONFLICT",)
    bad = """
        def run(session):
            author = session.scalar(select(Author).where(Author.name == "new"))
            if author is None:
                session.add(Author(name="new"))
                session.flush()
    """
    good = """
        def run(session):
            from sqlalchemy.dialects.postgresql import insert

            session.execute(insert(Author).values(name="new").on_conflict_do_nothing(index_elements=[Author.name]))
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """INSERTs after a query of the same table that found nothing."""
        for statement, usage in usages(workload):
            # With ON CONFLICT two at a time do no harm.
            if statement.kind != "insert" or tree(statement.text).insert_stmt.HasField("on_conflict_clause"):
                continue
            before = [item for key in usage.after if (item := workload.statement(key)) is not None]
            queries = [query for query in before if set(statement.tables) & _tables(query) and _by_key(query)]
            if queries:
                message = f"{statement.tables[0]} is searched and then inserted into: {shown(queries[0])}"
                yield sent(self, statement, usage, message, INSTEAD)


def _tables(query: Recorded) -> set[str]:
    items = relations(tree(query.text)).values()
    return {f"{item.schemaname}.{item.relname}" if item.schemaname else item.relname for item in items}


def _by_key(query: Recorded) -> bool:
    """Whether it asks for one row: equalities and nothing else."""
    pairs = list(compared(query))
    select = outer(query)
    plain = select is not None and not select.sort_clause and len(relations(select)) == 1
    return plain and bool(pairs) and all(operator == "=" and parameter(right) for _, operator, right in pairs)
