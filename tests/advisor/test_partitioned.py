"""Advice for partitioned tables: the index is one of the parent, the plans are those of its partitions."""

from __future__ import annotations

from typing import Any

from alembic_pgpatterns.advisor.facts import TableSize
from alembic_pgpatterns.advisor.partitions import with_partitions
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.names import Name
from tests.advised import advise, keys_of
from tests.recorded import recorded

EVENTS = """
CREATE TABLE tenants (id bigint PRIMARY KEY);
CREATE TABLE events (id bigint, tenant_id bigint NOT NULL REFERENCES tenants, kind text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (id, at, kind)) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (kind);
CREATE TABLE events_2026_a PARTITION OF events_2026 FOR VALUES IN ('a');
CREATE TABLE events_2026_other PARTITION OF events_2026 DEFAULT;
"""


def test_the_index_is_one_of_the_parent(server: Any) -> None:
    workload = recorded(
        "SELECT * FROM events e WHERE e.tenant_id = $1 ORDER BY e.at DESC LIMIT 20",
        "SELECT count(*) FROM events JOIN tenants t ON t.id = events.tenant_id WHERE events.kind = $1",
    )
    advice = advise(server, EVENTS, workload)
    assert "(tenant_id, at)" in keys_of(advice, "events")
    assert not [item for item in advice.indexes if item.index.table.name.startswith("events_")]
    first = next(item for item in advice.indexes if len(item.index.keys) == 2)
    assert first.benefits[0].factor > 100
    assert set(first.robust) == {"0.1", "1", "10"}
    assert not advice.unplanned


def test_rows_of_the_parent_are_those_of_its_partitions(server: Any) -> None:
    name = server.create_database("test_partition_sizes")
    with server.connect(name) as connection:
        connection.execute(EVENTS)
        schema = catalog.read(connection)
    server.drop_database(name)
    parent, leaves = (
        Name("public", "events"),
        [Name("public", f"events_{end}") for end in ("2025", "2026_a", "2026_other")],
    )
    of_parent = with_partitions({parent: TableSize(9e6)}, schema)
    assert [of_parent[leaf].rows for leaf in leaves] == [3e6] * 3
    of_leaves = with_partitions(dict.fromkeys(leaves, TableSize(5.0, source="export")), schema)
    assert of_leaves[parent].rows == 15.0
