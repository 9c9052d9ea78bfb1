"""Fill a column of an existing table in batches that commit: one statement for an autocommit block."""

from __future__ import annotations

from string import Template

from alembic_pgpatterns.autogenerate.rewrite.table_names import qualified
from alembic_pgpatterns.schema.names import do_block, quote

WINDOW = 100
"""Pages of 8 kB that are looked at together, over all partitions."""
MOST_ROWS = 10_000
"""Most rows per UPDATE."""

# Whoever writes a row of a batch waits until the batch commits. How long a row takes depends on its indexes, triggers
# and the machine, so each batch has as many rows as take 10 to 20 ms here, measured without the commit: on a slow disk
# smaller batches would only mean more commits. It counts rows and not pages: after pages of dead rows, which are done
# at once, a batch of pages would be too large for those that follow, and for each partition once more.
# Ranges of ctid need no index (PostgreSQL 14: TID Range Scan; 13 reads the whole table for each, so there a batch is a
# window). A partitioned table has no pages: its largest partition counts.
# The first statement locks no row: an UPDATE with a LIMIT in it would keep its first row locked while it reads on.
# The loop after that finds rows that have moved since. It reads the table first and then updates by ctid, for the same
# reason. The last UPDATE is for what more than 100 rounds leave; that includes rows for which the value is NULL, so the
# loop has an end.
# A forced policy hides rows from the table's owner. They would keep NULL and lose their values in the swap, so with
# row_security = off PostgreSQL refuses the UPDATE (docs, "Row Security Policies"). It is set for the session, since the
# block commits.
# The variables have a prefix: PL/pgSQL refuses a name that is also a column's as ambiguous.
_BODY = Template("""
DECLARE
  pgpatterns_page bigint := 0;
  pgpatterns_window bigint := greatest($window / greatest((
    SELECT count(*) FROM pg_partition_tree($regclass) WHERE isleaf), 1), 1);
  pgpatterns_end bigint := greatest(pg_relation_size($regclass), (
    SELECT max(pg_relation_size(relid)) FROM pg_partition_tree($regclass))) / current_setting('block_size')::bigint;
  pgpatterns_done tid := '(0,0)';
  pgpatterns_last tid;
  pgpatterns_found bigint;
  pgpatterns_rows bigint := CASE WHEN current_setting('server_version_num')::int < 140000 THEN $most ELSE 100 END;
  pgpatterns_begun timestamptz;
  pgpatterns_security text := current_setting('row_security');
BEGIN
  -- Fails where a policy would hide rows from the role that runs this: it needs BYPASSRLS then.
  PERFORM set_config('row_security', 'off', false);
  WHILE pgpatterns_page <= pgpatterns_end LOOP
    SELECT max(batch.ctid), count(*) INTO pgpatterns_last, pgpatterns_found FROM (
      SELECT ctid FROM $table
      WHERE ctid > pgpatterns_done AND ctid < format('(%s,0)', pgpatterns_page + pgpatterns_window)::tid
        AND $where
      ORDER BY ctid LIMIT pgpatterns_rows) batch;
    pgpatterns_begun := clock_timestamp();
    UPDATE $table SET $column = $value
    WHERE ctid > pgpatterns_done AND ctid <= pgpatterns_last
      AND $where;
    IF pgpatterns_found < pgpatterns_rows THEN
      pgpatterns_page := pgpatterns_page + pgpatterns_window;
      pgpatterns_done := format('(%s,0)', pgpatterns_page)::tid;
    ELSE
      pgpatterns_done := pgpatterns_last;
    END IF;
    IF clock_timestamp() - pgpatterns_begun > interval '20 ms' THEN
      pgpatterns_rows := greatest(pgpatterns_rows / 2, 10);
    ELSIF clock_timestamp() - pgpatterns_begun < interval '10 ms' AND pgpatterns_found = pgpatterns_rows THEN
      pgpatterns_rows := least(pgpatterns_rows * 2, $most);
    END IF;
    COMMIT;
  END LOOP;
  FOR pgpatterns_round IN 1..100 LOOP
    UPDATE $table SET $column = $value
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM $table WHERE $where LIMIT 1000)) AND $where;
    EXIT WHEN NOT FOUND;
    COMMIT;
  END LOOP;
  UPDATE $table SET $column = $value WHERE $where;
  PERFORM set_config('row_security', pgpatterns_security, false);
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
    values = {"table": name, "column": quote(column), "value": value, "where": empty}
    return do_block(_BODY.substitute(values, window=WINDOW, most=MOST_ROWS, regclass=literal))


# Short, since a person reads it and writes the value. So the batches do not measure themselves, and a policy that hides
# rows shows only when the CHECK is validated, which reads all rows whatever policies say. Nothing is lost by then.
_TO_COMPLETE = Template("""
BEGIN
  FOR batch IN 0..greatest(pg_relation_size($regclass), (
    SELECT max(pg_relation_size(relid)) FROM pg_partition_tree($regclass))) / 81920 LOOP
    UPDATE $table SET $column = ...
    WHERE $column IS NULL
      AND ctid >= format('(%s,0)', batch * 10)::tid AND ctid < format('(%s,0)', batch * 10 + 10)::tid;
    COMMIT;
  END LOOP;
  UPDATE $table SET $column = ... WHERE $column IS NULL;
END """)


def to_complete(schema: str | None, table: str, column: str) -> str:
    """Return a DO block in which a person writes the value of a column in place of ``...``."""
    name = qualified(schema, table)
    literal = "'" + name.replace("'", "''") + "'"
    return do_block(_TO_COMPLETE.substitute(table=name, column=quote(column), regclass=literal))
