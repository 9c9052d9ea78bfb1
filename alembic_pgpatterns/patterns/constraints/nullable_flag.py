from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Fold, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import checked_columns
from alembic_pgpatterns.remedies.model import SetNotNull
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Schema, Table
from alembic_pgpatterns.schema.sql.values import null_tested, required


class NullableFlag(SchemaPattern):
    """A boolean column that allows null.

    It then has three values instead of two: `WHERE active` and `WHERE NOT active` both leave out the rows with null,
    and so does `active <> true`. A row that is inserted without a value for the column is in neither group.

    Not reported: columns of which the model says `nullable=True` and that have no default, where null is meant to say
    "not known"; arrays of booleans, generated columns, domains that are NOT NULL, columns that a CHECK tests for null
    (it forbids null, or says which rows have it), columns inherited from a parent.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    fold = Fold.TABLE
    not_when = "Leave it if null has a meaning of its own, such as 'not asked yet'."
    references = (
        "https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-NOT-NULL",
        "https://www.postgresql.org/docs/current/datatype-boolean.html",
    )
    bad = """
        CREATE TABLE account (id bigint PRIMARY KEY, active boolean DEFAULT true);
    """
    good = """
        CREATE TABLE account (id bigint PRIMARY KEY, active boolean NOT NULL DEFAULT true);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Booleans without NOT NULL."""
        for table, column in checked_columns(schema):
            if _may_be_null(column) and not _decided_by_check(table, column.name):
                yield self.finding(
                    at=column,
                    message=f"{column.identifier} is a boolean that allows null",
                    remedy=SetNotNull(table.name, column.name),
                )


def _may_be_null(column: Column) -> bool:
    kind = column.type
    flag = kind.name == "bool" and kind.schema == "pg_catalog" and not kind.array and not kind.domain_not_null
    meant = column.null_stated and column.default is None and column.python_default in (None, UNKNOWN)
    return flag and column.nullable and column.generated is None and not meant


def _decided_by_check(table: Table, name: str) -> bool:
    """Whether a CHECK forbids null, or says when the column is null, as single-table inheritance does."""
    return any(
        name in required(check.expression) or name in null_tested(check.expression)
        for check in table.checks
        if isinstance(check.expression, str) and check.enforced
    )
