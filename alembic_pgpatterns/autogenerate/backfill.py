"""Filling a column of an existing table in batches that commit, as one statement for an autocommit block."""

from __future__ import annotations

from string import Template

from alembic_pgpatterns.autogenerate.road_indexes import qualified
from alembic_pgpatterns.schema.names import quote

BATCH_PAGES = 1000
"""Pages of 8 kB that one UPDATE covers: some ten thousand rows, and as long are they locked."""

# Ranges of ctid need no index (PostgreSQL 14: TID Range Scan). The last UPDATE is for rows that moved meanwhile.
_BLOCK = Template("""DO $$$$
DECLARE
  page bigint := 0;
  pages bigint := pg_relation_size($regclass) / current_setting('block_size')::bigint;
BEGIN
  WHILE page <= pages LOOP
    UPDATE $table SET $column = $value
    WHERE ctid >= format('(%s,0)', page)::tid AND ctid < format('(%s,0)', page + $batch)::tid
      AND $column IS NULL;
    COMMIT;
    page := page + $batch;
  END LOOP;
  UPDATE $table SET $column = $value WHERE $column IS NULL;
END $$$$""")


def backfill(schema: str | None, table: str, column: str, value: str) -> str:
    """A DO block that sets a column where it is NULL.

    Args:
        schema: of the table, or None.
        table: its name.
        column: the column's name.
        value: SQL of the value; ``DEFAULT`` for the column's own.
    """
    name = qualified(schema, table)
    literal = "'" + name.replace("'", "''") + "'::regclass"
    return _BLOCK.substitute(regclass=literal, table=name, column=quote(column), value=value, batch=BATCH_PAGES)
