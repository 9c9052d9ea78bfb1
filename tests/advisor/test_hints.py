"""What statements say of values and columns, and what an export keeps without the values."""

from __future__ import annotations

from typing import Any

from alembic_pgpatterns.advisor.facts import ColumnFacts, Statistics, TableSize
from alembic_pgpatterns.advisor.synthesise import hints_of, period_of, synthesised
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.names import Name
from tests.recorded import recorded

TABLES = """
CREATE TABLE customers (id bigint PRIMARY KEY, region int);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint, region int, status text);
"""
ORDERS, CUSTOMERS = Name("public", "orders"), Name("public", "customers")
STATEMENTS = recorded(
    "SELECT o.id FROM customers AS c JOIN orders AS o ON o.customer_id = c.id AND o.region = c.region",
    "SELECT id FROM orders WHERE status = 'pending' ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED",
)


def _schema(database: Any) -> Schema:
    with database.connect() as connection:
        connection.execute(TABLES)
        return catalog.read(connection)


def test_a_column_joined_with_a_key_has_its_values(database: Any) -> None:
    """Declared as a foreign key or not; that customers and orders have regions in common says nothing of either."""
    schema = _schema(database)
    hints = hints_of(STATEMENTS, schema)
    assert hints.parents == {(ORDERS, "customer_id"): CUSTOMERS}
    sizes = {ORDERS: TableSize(10_000_000), CUSTOMERS: TableSize(1_000_000)}
    facts = synthesised(schema, Statistics(sizes), period_of(STATEMENTS), hints).columns
    assert facts[ORDERS, "customer_id"].n_distinct == -0.1


def test_the_rarest_share_of_an_export_is_that_of_what_waits(database: Any) -> None:
    """The export has the shares of a text column, and not the texts."""
    schema = _schema(database)
    exported = ColumnFacts(n_distinct=3.0, frequencies=(0.9, 0.098, 0.002))
    statistics = Statistics({}, {(ORDERS, "status"): exported, (ORDERS, "customer_id"): exported})
    facts = synthesised(schema, statistics, period_of(STATEMENTS), hints_of(STATEMENTS, schema)).columns
    assert (facts[ORDERS, "status"].values, facts[ORDERS, "status"].frequencies) == (("pending",), (0.002,))
    assert facts[ORDERS, "customer_id"] == exported
