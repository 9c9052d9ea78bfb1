from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Advice, DropConstraint, Remedy
from alembic_pgpatterns.schema.model import Check, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.expressions import canonical


class DuplicateCheck(SchemaPattern):
    """Two CHECK constraints of one table that demand the same.

    Each INSERT and UPDATE evaluates both. Whoever changes the list of allowed values changes one of them, and inserts
    of the new value still fail. It happens when a migration adds a constraint under a new name, often one that
    autogenerate does not see.

    Not reported: constraints that a partition or child has from its parent, and NOT NULL.
    """

    severity = Severity.INFO
    action = Action.REPORT
    references = ("https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-CHECK-CONSTRAINTS",)
    bad = """
        CREATE TABLE item (id bigint PRIMARY KEY, price numeric CONSTRAINT a CHECK (price > 0));
        ALTER TABLE item ADD CONSTRAINT b CHECK (price > 0);
    """
    good = """
        CREATE TABLE item (id bigint PRIMARY KEY, price numeric CHECK (price > 0), CHECK (price < 1000));
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Constraints that repeat another one of the table."""
        for table in schema.checked_tables():
            for check_to_keep, *others in _alike(table):
                for check in others:
                    yield self.finding(
                        at=check,
                        message=f"the CHECK {_called(check)} of {table.name} repeats {_called(check_to_keep)}",
                        remedy=_remedy(table, check),
                    )


def _alike(table: Table) -> list[list[Check]]:
    """Groups of two and more; the one to keep, validated and first by name, comes first."""
    groups: dict[str, list[Check]] = defaultdict(list)
    for check in table.checks:
        # In PostgreSQL 18 NOT NULL is a constraint too, and repeats no CHECK.
        checkable = not check.inherited and check.not_null_column is None and check.enforced
        if checkable and isinstance(check.expression, str):
            groups[canonical(check.expression)].append(check)
    ranked = [sorted(group, key=lambda check: (not check.validated, check.name or "")) for group in groups.values()]
    return [group for group in ranked if len(group) > 1]


def _called(check: Check) -> str:
    return quote(check.name) if check.name else "without a name"


def _remedy(table: Table, check: Check) -> Remedy:
    if check.name is None:
        return Advice("Remove one of the two declarations.")
    after = ("" if check.validated else " NOT VALID") + (" NO INHERIT" if check.no_inherit else "")
    return DropConstraint(table.name, check.name, f"CHECK ({check.expression}){after}")
