from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import apart
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import UNKNOWN, ForeignKey, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.values import null_tested, required


class HalfNullForeignKey(SchemaPattern):
    """A foreign key over several columns that PostgreSQL does not check when one of them is null.

    That is the default (MATCH SIMPLE): as soon as one column is null, the others are not checked. The row (7, null) is
    accepted even if no 7 exists, and stays when the parent is deleted.

    Instead: make every column NOT NULL; or use MATCH FULL, where all columns are null or none is; or write a CHECK that
    says which combinations are allowed, such as `num_nulls(a, b) IN (0, 2)`.

    Where just one of the columns is nullable, its null usually means "no parent": that is a guess.

    Not reported: MATCH FULL, keys whose nullable columns are all tested for null by a CHECK, columns of a domain that
    is NOT NULL, NOT ENFORCED keys.
    """

    severity = Severity.INFO
    action = Action.REPORT
    not_when = "Leave it if the rows with a null are meant to have no parent, whatever the other columns say."
    references = ("https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-PARMS-REFERENCES",)
    bad = """
        CREATE TABLE room (building bigint, number integer, PRIMARY KEY (building, number));
        CREATE TABLE booking (
            id bigint PRIMARY KEY, building bigint, number integer, FOREIGN KEY (building, number) REFERENCES room
        );
        CREATE INDEX ON booking (building, number);
    """
    good = """
        CREATE TABLE room (building bigint, number integer, PRIMARY KEY (building, number));
        CREATE TABLE booking (
            id bigint PRIMARY KEY, building bigint, number integer,
            FOREIGN KEY (building, number) REFERENCES room MATCH FULL
        );
        CREATE INDEX ON booking (building, number);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Composite MATCH SIMPLE keys with a nullable column."""
        for table in schema.checked_tables():
            for key in table.foreign_keys:
                if len(key.columns) > 1 and not key.match_full and key.enforced and not key.inherited:
                    nullable = _nullable(table, key)
                    if nullable and not _tested(table, nullable):
                        finding = self.finding(
                            at=key,
                            message=f"the foreign key {key.identifier} is not checked in rows whose "
                            f"{' or '.join(nullable)} is null",
                            remedy=_advice(key, nullable),
                            detail=apart(table, key),
                        )
                        # One null means "no parent", as in (tenant_id, parent_id), in nearly every schema.
                        yield finding.but(guess=len(nullable) == 1)


def _nullable(table: Table, key: ForeignKey) -> list[str]:
    required_by_check: set[str] = set()
    for check in table.checks:
        if isinstance(check.expression, str) and check.validated and check.enforced:
            required_by_check |= required(check.expression)
    columns = (table.column(name) for name in key.columns)
    return [
        quote(column.name)
        for column in columns
        if column is not None
        and column.nullable
        and not column.type.domain_not_null
        and column.name not in required_by_check
    ]


def _tested(table: Table, nullable: list[str]) -> bool:
    """Whether one CHECK has a say on all of them; one that cannot be read may."""
    return any(
        check.expression is UNKNOWN or {*nullable} <= {quote(name) for name in null_tested(check.expression)}
        for check in table.checks
        if check.enforced and check.not_null_column is None
    )


def _advice(key: ForeignKey, nullable: list[str]) -> Advice:
    if len(nullable) == len(key.columns):
        return Advice("Declare the key MATCH FULL, where all columns are null or none; or make the columns NOT NULL.")
    return Advice(f"Make {', '.join(nullable)} NOT NULL, or say in a CHECK which combinations with null are allowed.")
