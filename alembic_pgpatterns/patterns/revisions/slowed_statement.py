from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, HistoryPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.model import History, Slowed, Spot
from alembic_pgpatterns.schema.model import Location


class SlowedStatement(HistoryPattern):
    """A statement of the application that reads a whole table once the revisions have run, and did not before.

    Dropping an index, changing a column's type or collation, or a new policy can take an index away from a statement.
    No test notices, because test tables are small.

    Each statement of the recorded workload (setting `workload`) is planned at the sizes of `stats` or of the models,
    before and after the revisions in scope. It is reported if its plan is at least twice as expensive and reads every
    row of a table that an index served before.
    """

    severity = Severity.ERROR
    of_scope = True
    references = ("https://www.postgresql.org/docs/current/using-explain.html",)
    bad = """
        def upgrade():
            op.drop_index("ix_orders_customer_id", "orders")
    """
    good = """
        def upgrade():
            op.create_index("ix_orders_customer_id_status", "orders", ["customer_id", "status"])
            op.drop_index("ix_orders_customer_id", "orders")
    """

    def detect(self, history: History) -> Iterator[Finding]:
        """The slowed statements, in the workload's order."""
        for item in history.slowed:
            tables = ", ".join(name.name for name in item.tables)
            by = item.revisions[0] if len(item.revisions) == 1 else f"{item.revisions[0]} to {item.revisions[-1]}"
            message = (
                f"after {by} every row of {tables} is read for {item.text} (cost {item.before:,.0f} before, "
                f"{item.after:,.0f} after)"
            )
            yield self.finding(_spot(item), message, Advice(_instead(item)), revision=item.revisions[-1])


def _spot(item: Slowed) -> Spot:
    return Spot(item.fingerprint, item.tables[0], item.location or Location("(recorded workload)", 1), 1)


def _instead(item: Slowed) -> str:
    return (
        "Keep an index that begins with the columns the statement compares; `alembic pgadvise --workload FILE` names "
        "it. Create the new index before the old one is dropped."
    )
