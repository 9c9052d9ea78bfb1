from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import apart, checked_keys
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import ForeignKey, Schema, Table
from alembic_pgpatterns.schema.names import quote


class ImpossibleSetNull(SchemaPattern):
    """A foreign key with ON DELETE SET NULL on a column that is NOT NULL.

    Each DELETE of a parent that has children fails: "null value in column … violates not-null constraint". The same
    holds for ON UPDATE SET NULL, and for SET DEFAULT where the column has no default.

    Not reported: keys of which SET NULL names only columns that may be null (PostgreSQL 15) cannot be told from others
    and count as if it named all of them, if one of them may be null. Generated columns.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    references = (
        "https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-FK",
        "https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-PARMS-REFERENCES",
        "https://github.com/nullptrlabs/pgmodeler/issues/2045",
    )
    bad = """
        CREATE TABLE author (id bigint PRIMARY KEY);
        CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES author ON DELETE SET NULL);
        CREATE INDEX ON book (author_id);
    """
    good = """
        CREATE TABLE author (id bigint PRIMARY KEY);
        CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint REFERENCES author ON DELETE SET NULL);
        CREATE INDEX ON book (author_id);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Foreign keys whose action can only fail."""
        for table, key in checked_keys(schema):
            for event, action in (("DELETE", key.on_delete), ("UPDATE", key.on_update)):
                if key.enforced and _fails(table, key, action):
                    names = ", ".join(map(quote, key.columns))
                    yield self.finding(
                        at=key,
                        message=f"ON {event} {action} of {key.identifier} fails, since {names} is NOT NULL",
                        remedy=Advice(
                            f"Choose ON {event} CASCADE or RESTRICT, as the rows are meant, or let {names} be null."
                        ),
                        detail=" ".join(part for part in (event.lower(), apart(table, key)) if part),
                    )


def _fails(table: Table, key: ForeignKey, action: str) -> bool:
    columns = [table.column(name) for name in key.columns]
    required = all(column is not None and not column.nullable and column.generated is None for column in columns)
    if action == "SET NULL":
        return required
    # SET DEFAULT without a default sets NULL.
    bare = all(column is not None and column.default is None and column.identity is None for column in columns)
    return action == "SET DEFAULT" and required and bare
