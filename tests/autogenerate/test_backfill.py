"""The batches of a backfill, seen by what each of its transactions has written."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.autogenerate.rewrite.backfill import MOST_ROWS, backfill
from conftest import Database

PARTITIONS = 12
LARGEST = "SELECT max(n), sum(n) FROM (SELECT count(*) AS n FROM t WHERE filled = id GROUP BY xmin) b"


@pytest.mark.parametrize("partitioned", [False, True])
def test_after_pages_of_dead_rows_a_batch_is_no_larger(any_database: Database, partitioned: bool) -> None:
    """Pages without a row are done at once, and say nothing of those that follow; each partition has its own."""
    with any_database.connect() as connection:
        connection.execute(f"CREATE TABLE t (id int, filled int) {'PARTITION BY HASH (id)' if partitioned else ''}")
        for number in range(PARTITIONS if partitioned else 0):
            part = f"WITH (MODULUS {PARTITIONS}, REMAINDER {number})"
            connection.execute(f"CREATE TABLE t{number} PARTITION OF t FOR VALUES {part}")
        connection.execute("INSERT INTO t SELECT generate_series(1, 80000); DELETE FROM t WHERE id <= 50000")
        connection.commit()
        connection.autocommit = True
        connection.execute(backfill(None, "t", "filled", "id"))
        largest, rows = connection.execute(LARGEST).fetchone() or (0, 0)
    # Rows of several partitions have the same ctid, and the last one of a batch is all of these.
    assert (rows, largest < MOST_ROWS + PARTITIONS) == (30000, True)


def test_rows_whose_value_is_null_do_not_keep_it_busy(any_database: Database) -> None:
    with any_database.connect() as connection:
        connection.autocommit = True
        connection.execute("CREATE TABLE t (id int, filled int); INSERT INTO t SELECT generate_series(1, 300)")
        connection.execute(backfill(None, "t", "filled", "nullif(id, 7)"))
        row = connection.execute("SELECT count(*) FILTER (WHERE filled IS NULL), count(*) FROM t").fetchone()
    assert row == (1, 300)
