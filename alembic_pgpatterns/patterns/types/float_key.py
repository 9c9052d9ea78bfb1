from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import checked_columns
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Column, Schema, Table

FLOATS = {"float4": "real", "float8": "double precision"}


class FloatKey(SchemaPattern):
    """A primary key, unique rule or foreign key with a column of `real` or `double precision`.

    Such values are rounded: 0.1 + 0.2 is not 0.3. A row that was just written is not found again by the number that the
    application has, two numbers that look equal are both "unique", and a reference fails to match.

    Not reported: a column that is a part of a unique index with a predicate or an expression; exclusion constraints.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    not_when = "Keep it if the values come from one source, are never computed with, and always sent in binary form."
    references = (
        "https://www.postgresql.org/docs/current/datatype-numeric.html#DATATYPE-FLOAT",
        "https://github.com/yugabyte/yugabyte-db/issues/18461",
    )
    bad = "CREATE TABLE reading (at double precision PRIMARY KEY, value double precision);"
    good = "CREATE TABLE reading (at timestamptz PRIMARY KEY, value double precision);"

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Floating point columns in keys."""
        for table, column in checked_columns(schema):
            floats = column.type.schema == "pg_catalog" and column.type.name in FLOATS and not column.type.array
            rule = _rule(table, column) if floats else None
            if rule is not None:
                yield self.finding(
                    at=column,
                    message=f"{column.identifier} is {FLOATS[column.type.name]}, which is rounded, and in {rule}",
                    remedy=Advice("Use numeric, a whole number of a smaller unit, or timestamptz for a moment."),
                )


def _rule(table: Table, column: Column) -> str | None:
    if table.primary_key is not None and column.name in table.primary_key.columns:
        return "the primary key"
    if any(column.name in key.columns for key in table.foreign_keys):
        return "a foreign key"
    rules = [key.columns for key in table.unique_constraints]
    # In an expression it may be rounded: round(x) is a rule that holds.
    plain = [index for index in table.indexes if index.unique and index.predicate is None and None not in index.columns]
    return "a unique rule" if any(column.name in names for names in (*rules, *(i.columns for i in plain))) else None
