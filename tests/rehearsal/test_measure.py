"""What is measured begins with tables in memory."""

from __future__ import annotations

from alembic_pgpatterns.rehearsal.measure import read_through
from alembic_pgpatterns.schema.catalog import reader as catalog
from conftest import Database

TABLES = """
CREATE TABLE counted (id bigint PRIMARY KEY, note text);
INSERT INTO counted SELECT n, repeat('x', 100) FROM generate_series(1, 5000) AS n;
CREATE TABLE parent (id bigint, at date) PARTITION BY RANGE (at);
CREATE TABLE child PARTITION OF parent FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE other (id bigint);
"""
READ = """
SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relkind = 'r' AND pg_catalog.pg_stat_get_numscans(c.oid) > 0
    AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""


def test_tables_are_read_whole_and_others_not(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(TABLES)
        tables = [table for table in catalog.read(connection).tables if table.name.name != "other"]
        connection.execute("SELECT pg_stat_force_next_flush()")
        connection.execute("SELECT pg_stat_reset()")
        read_through(connection, tables)
        connection.execute("SELECT pg_stat_force_next_flush()")
        assert [name for (name,) in connection.execute(READ).fetchall()] == ["child", "counted"]
