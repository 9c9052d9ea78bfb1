from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import apart
from alembic_pgpatterns.remedies.model import ValidateConstraint
from alembic_pgpatterns.schema.model import Check, ForeignKey, Schema


class UnvalidatedConstraint(SchemaPattern):
    """A constraint that was added NOT VALID and never validated, so existing rows may break it.

    PostgreSQL checks it for new rows only. The planner cannot use it, an old row that breaks it fails at its next
    UPDATE, and a restored dump contains the bad rows. Autogenerate does not see the difference.

    CHECK constraints, foreign keys and, from PostgreSQL 18 on, NOT NULL constraints are checked. VALIDATE CONSTRAINT
    reads the table and lets reads and writes continue.

    Not reported: constraints that are NOT ENFORCED (PostgreSQL 18), which are never validated, and the copies that
    partitions have from their parent.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    needs = Needs.DATABASE
    not_when = "Leave it if old rows are known to break the rule and must stay."
    references = (
        "https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-VALIDATE-CONSTRAINT",
    )
    bad = """
        CREATE TABLE item (id bigint PRIMARY KEY, quantity integer);
        ALTER TABLE item ADD CONSTRAINT item_quantity_check CHECK (quantity > 0) NOT VALID;
    """
    good = """
        CREATE TABLE item (id bigint PRIMARY KEY, quantity integer);
        ALTER TABLE item ADD CONSTRAINT item_quantity_check CHECK (quantity > 0) NOT VALID;
        ALTER TABLE item VALIDATE CONSTRAINT item_quantity_check;
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Enforced CHECK, NOT NULL and foreign key constraints that are not validated."""
        for table in schema.checked_tables():
            constraints: tuple[Check | ForeignKey, ...] = (*table.checks, *table.foreign_keys)
            for constraint in constraints:
                if constraint.enforced and not constraint.validated and not constraint.inherited and constraint.name:
                    yield self.finding(
                        at=constraint,
                        message=f"{constraint.name} on {table.name} was added NOT VALID and never validated: "
                        f"existing rows may break it",
                        remedy=ValidateConstraint(table.name, constraint.name),
                        detail=apart(table, constraint) if isinstance(constraint, ForeignKey) else "",
                    )
