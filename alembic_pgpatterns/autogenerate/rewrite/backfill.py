"""Fill a column of an existing table in batches that commit: one statement for an autocommit block."""

from __future__ import annotations

from string import Template

from alembic_pgpatterns.autogenerate.rewrite.table_names import qualified
from alembic_pgpatterns.schema.names import do_block, quote

BATCH_PAGES = 100
"""Pages of 8 kB per UPDATE: it locks up to ten thousand rows for some tenths of a second."""

# Ranges of ctid need no index (PostgreSQL 14: TID Range Scan). The last UPDATE finds rows that have moved since.
# The variables have a prefix: PL/pgSQL refuses a name that is also a column's as ambiguous.
_BODY = Template("""
DECLARE
  pgpatterns_page bigint := 0;
  pgpatterns_end bigint := pg_relation_size($regclass) / current_setting('block_size')::bigint;
BEGIN
  WHILE pgpatterns_page <= pgpatterns_end LOOP
    UPDATE $table SET $column = $value
    WHERE ctid >= format('(%s,0)', pgpatterns_page)::tid
      AND ctid < format('(%s,0)', pgpatterns_page + $batch)::tid
      AND $where;
    COMMIT;
    pgpatterns_page := pgpatterns_page + $batch;
  END LOOP;
  UPDATE $table SET $column = $value WHERE $where;
END """)


def backfill(schema: str | None, table: str, column: str, value: str, where: str | None = None) -> str:
    """Return a DO block that sets a column where it is NULL.

    Args:
        schema: of the table, or None.
        table: its name.
        column: the column's name.
        value: SQL of the value; ``DEFAULT`` for the column's own.
        where: SQL of a further condition on the rows.
    """
    name = qualified(schema, table)
    literal = "'" + name.replace("'", "''") + "'::regclass"
    empty = f"{quote(column)} IS NULL" + (f" AND {where}" if where else "")
    values = {"table": name, "column": quote(column), "value": value, "where": empty, "batch": str(BATCH_PAGES)}
    return do_block(_BODY.substitute(values, regclass=literal))
