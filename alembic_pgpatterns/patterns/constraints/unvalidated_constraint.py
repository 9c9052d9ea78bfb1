from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import apart
from alembic_pgpatterns.remedies.model import ValidateConstraint
from alembic_pgpatterns.schema.model import Check, ForeignKey, Schema


class UnvalidatedConstraint(SchemaPattern):
    """A constraint that was added NOT VALID and never validated.

    It holds for new rows; the old ones were never looked at, and may break it. The planner does not
    rely on it, a partition cannot be attached by it, an old row that breaks it fails at its next UPDATE, and a dump
    loaded with it carries the bad rows along. Autogenerate does not see the difference.

    CHECK constraints, foreign keys and, from PostgreSQL 18 on, NOT NULL constraints count. VALIDATE CONSTRAINT reads
    the table under a lock that lets reads and writes pass.

    What does not count: constraints that are NOT ENFORCED (PostgreSQL 18), which are never validated, and the
    copies on partitions of what their parent declares.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    needs = Needs.DATABASE
    not_when = "Leave it where old rows are known to break the rule and are to stay."
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
        for table in schema.judged_tables():
            constraints: tuple[Check | ForeignKey, ...] = (*table.checks, *table.foreign_keys)
            for constraint in constraints:
                if constraint.enforced and not constraint.validated and not constraint.inherited and constraint.name:
                    yield self.finding(
                        at=constraint,
                        message=f"rows older than {constraint.name} on {table.name} were never held against it",
                        remedy=ValidateConstraint(table.name, constraint.name),
                        detail=apart(table, constraint) if isinstance(constraint, ForeignKey) else "",
                    )
