from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import checked_columns
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Check, Column, Schema, Table
from alembic_pgpatterns.schema.sql.values import allowed, constant

COMPARED = frozenset({"text", "varchar", "bpchar", "int2", "int4", "int8"})
"""Types whose values are equal if they are written alike; 1.0 and 1 are not, nor are true and t."""


class DefaultBreaksCheck(SchemaPattern):
    """A column whose default is refused by a CHECK, or does not fit into its type.

    Each INSERT that leaves the column out fails. It happens when the list of allowed values changes and the default
    stays, when the two differ in upper and lower case, or when a default for `varchar(n)` is too long.

    Not reported: a CHECK that is more than a list of values, one that is NOT ENFORCED, defaults that are computed;
    other types than text and whole numbers.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    references = (
        "https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-CHECK-CONSTRAINTS",
        "https://www.postgresql.org/docs/current/ddl-default.html",
        "https://github.com/cockroachdb/cockroach/issues/12601",
    )
    bad = """
        CREATE TABLE job (id bigint PRIMARY KEY, status text DEFAULT 'PENDING' CHECK (status IN ('pending', 'done')));
    """
    good = """
        CREATE TABLE job (id bigint PRIMARY KEY, status text DEFAULT 'pending' CHECK (status IN ('pending', 'done')));
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Columns with a constant as default that a CHECK or the type refuses."""
        for table, column in checked_columns(schema):
            value = constant(column.default) if isinstance(column.default, str) else None
            reason = None if value is None or column.generated else _refused(table, column, value)
            if reason is not None:
                yield self.finding(
                    at=column,
                    message=f"the default of {column.identifier} is {column.default}, which {reason}",
                    remedy=Advice("Set a default that is allowed, or none."),
                )


def _refused(table: Table, column: Column, value: str) -> str | None:
    length = column.type.length
    # Blanks beyond the limit are cut off without an error (docs, "Character Types").
    if length is not None and not column.type.array and len(value.rstrip(" ")) > length:
        return f"is longer than {column.type.display}"
    # A type of the same name in another schema is another type.
    if column.type.schema != "pg_catalog" or column.type.name not in COMPARED:
        return None
    for check in table.checks:
        values = _values(check, column)
        if values is not None and value.rstrip(" ") not in {item.rstrip(" ") for item in values}:
            return f"the CHECK {check.name or 'on it'} refuses: it allows {', '.join(sorted(values))}"
    return None


def _values(check: Check, column: Column) -> frozenset[str] | None:
    if not check.enforced or not isinstance(check.expression, str):
        return None
    values = allowed(check.expression)
    return values[1] if values is not None and values[0] == column.name and not column.type.array else None
