"""The parts of a swap that a partitioned table needs: indexes and keys on each partition, names that do not recurse.

PostgreSQL builds no index of a partitioned table CONCURRENTLY, and no key of it from a finished index (docs, ALTER
TABLE, ``USING INDEX``). So each partition gets its index for the new column before the swap, by itself. The swap makes
the parent's ``ON ONLY``, which reads no row, and attaches those of the partitions. Partitions are read from the catalog
when the revision runs: a production database has others than the one for which the revision was written.
"""

from __future__ import annotations

from collections.abc import Iterable
from string import Template
from typing import TYPE_CHECKING

from alembic.autogenerate.render import renderers

from alembic_pgpatterns.autogenerate.rewrite.dependents import ForeignKeyOn, IndexOn
from alembic_pgpatterns.autogenerate.rewrite.renamed_column import Renamed, index_around_name
from alembic_pgpatterns.autogenerate.rewrite.rendering import SqlOp, prefix, sql_literal
from alembic_pgpatterns.autogenerate.rewrite.view_sql import literal
from alembic_pgpatterns.schema.names import do_block

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

# The new index of a partition has the number of the old one in its name: names of partitions' indexes may be cut.
# An INVALID index is what a failed build has left.
_BUILDS = Template("""
SELECT statement FROM (
  SELECT i.indexrelid, 'pgpatterns_' || i.indexrelid || '_new' AS name, i.indrelid::regclass AS relation,
         n.nspname AS schema, x.indisvalid AS valid
  FROM pg_partition_tree($index::regclass) t JOIN pg_index i ON i.indexrelid = t.relid
  JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_class o ON o.relname = 'pgpatterns_' || i.indexrelid || '_new' AND o.relnamespace = c.relnamespace
  LEFT JOIN pg_index x ON x.indexrelid = o.oid
  WHERE t.isleaf AND c.relkind = 'r') leaf
CROSS JOIN LATERAL (VALUES
  (1, CASE WHEN NOT valid THEN format('DROP INDEX CONCURRENTLY %I.%I', schema, name) END),
  (2, CASE WHEN valid IS NOT TRUE THEN $before || format('%I ON %s', name, relation) || $after END)
) AS step (number, statement) WHERE statement IS NOT NULL ORDER BY indexrelid, number
""")
_SAVED = Template("""
BEGIN
  CREATE TEMP TABLE pgpatterns_indexes ON COMMIT DROP AS
  SELECT i.indexrelid AS relid, t.parentrelid::oid, t.level, t.isleaf, i.indrelid::regclass AS relation,
         n.nspname AS schema, c.relname AS name, pg_get_indexdef(t.relid) AS definition,
         pg_get_constraintdef(k.oid) AS key_definition,
         CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END || ' USING INDEX '
         || quote_ident('pgpatterns_' || i.indexrelid || '_new')
         || CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
         || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END AS key_of_index
  FROM (VALUES $indexes) AS parent (oid) CROSS JOIN pg_partition_tree(parent.oid) t
  JOIN pg_index i ON i.indexrelid = t.relid JOIN pg_class c ON c.oid = t.relid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_constraint k ON k.conindid = t.relid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u');
END """)
# A partition that came after the builds gets its index here: it is new, so it is small.
_RESTORED = """
DECLARE
  pgpatterns_index record;
  pgpatterns_built boolean;
BEGIN
  FOR pgpatterns_index IN SELECT * FROM pgpatterns_indexes ORDER BY level, relid LOOP
    SELECT pgpatterns_index.isleaf AND coalesce(bool_or(i.indisvalid), false) INTO pgpatterns_built FROM pg_index i
    WHERE i.indexrelid = to_regclass(format('%I.%I', pgpatterns_index.schema,
                                            'pgpatterns_' || pgpatterns_index.relid || '_new'));
    IF pgpatterns_index.key_definition IS NULL AND pgpatterns_built THEN
      EXECUTE format('ALTER INDEX %I.%I RENAME TO %I', pgpatterns_index.schema,
                     'pgpatterns_' || pgpatterns_index.relid || '_new', pgpatterns_index.name);
    ELSIF pgpatterns_index.key_definition IS NULL THEN
      EXECUTE pgpatterns_index.definition;
    ELSE
      EXECUTE format('ALTER TABLE %s %s ADD CONSTRAINT %I %s',
                     CASE WHEN pgpatterns_index.isleaf THEN '' ELSE 'ONLY' END, pgpatterns_index.relation,
                     pgpatterns_index.name,
                     CASE WHEN pgpatterns_built THEN pgpatterns_index.key_of_index
                          ELSE pgpatterns_index.key_definition END);
    END IF;
  END LOOP;
  FOR pgpatterns_index IN
    SELECT p.schema AS parent_schema, p.name AS parent, i.schema, i.name
    FROM pgpatterns_indexes i JOIN pgpatterns_indexes p ON p.relid = i.parentrelid ORDER BY i.level DESC, i.relid
  LOOP
    EXECUTE format('ALTER INDEX %I.%I ATTACH PARTITION %I.%I', pgpatterns_index.parent_schema, pgpatterns_index.parent,
                   pgpatterns_index.schema, pgpatterns_index.name);
  END LOOP;
  DROP TABLE pgpatterns_indexes;
END """
_RENAMED = Template("""
DECLARE
  pgpatterns_relation regclass;
BEGIN
  FOR pgpatterns_relation IN
    SELECT conrelid FROM pg_constraint WHERE contype = 'f' AND conparentid <> 0 AND conname = $old
    AND conrelid IN (SELECT relid FROM pg_partition_tree($table::regclass))
  LOOP
    EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', pgpatterns_relation, $old, $new);
  END LOOP;
END """)
# CREATE TABLE ... (LIKE parent) copies the new column and not the trigger. A table that is made so, filled and attached
# after the fill has rows without the new value, and these would lose their values in the swap.
_REMEMBERED = Template("""
BEGIN
  EXECUTE format('COMMENT ON FUNCTION %s IS %L', $call::regprocedure, (
    SELECT 'fills the partitions ' || string_agg(relid::oid::text, ' ' ORDER BY relid::oid)
    FROM pg_partition_tree($table::regclass) WHERE isleaf));
END """)
_LATE = Template("""
DECLARE
  pgpatterns_partition regclass;
  pgpatterns_empty boolean;
BEGIN
  FOR pgpatterns_partition IN
    SELECT relid FROM pg_partition_tree($table::regclass) WHERE isleaf AND NOT coalesce(relid::oid::text = ANY (
      string_to_array(obj_description(to_regprocedure($call), 'pg_proc'), ' ')), false)
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE $filled IS NULL AND $source IS NOT NULL)', pgpatterns_partition)
      INTO pgpatterns_empty;
    IF pgpatterns_empty THEN
      RAISE EXCEPTION 'pgpatterns: partition % came after the rows were filled: its rows would lose their values',
        pgpatterns_partition USING HINT = 'Run this again: it fills the rows of that partition too.';
    END IF;
  END LOOP;
END """)


class EachStatementOp(SqlOp):
    """Run each statement that a query returns. CREATE INDEX CONCURRENTLY works in no DO block."""


def build_on_partitions(index: IndexOn, quoted: str, column: Renamed) -> EachStatementOp:
    """Return the builds of one index's counterparts on all partitions, CONCURRENTLY. It can run again.

    Args:
        index: of the partitioned table.
        quoted: its name with the schema.
        column: the old and the new column.

    Raises:
        NotRenamedError: the parser does not know the definition.
    """
    before, after = index_around_name(index.definition, column, index.tablespace)
    return EachStatementOp(
        _BUILDS.substitute(index=literal(quoted), before=literal(before), after=literal(after)).strip()
    )


def saved_indexes(quoted: Iterable[str]) -> str:
    """Return the statement that keeps what the indexes of a partitioned table are called, before they go.

    Args:
        quoted: their names with the schema.
    """
    return do_block(_SAVED.substitute(indexes=", ".join(f"({literal(name)}::regclass)" for name in quoted)))


def restored_indexes() -> str:
    """Return the statement that makes them of the finished ones, when the new column has the old one's name."""
    return do_block(_RESTORED)


def renamed_on_partitions(key: ForeignKeyOn, table: str, name: str) -> str:
    """Return the statement that gives a foreign key its name on all partitions: RENAME CONSTRAINT does not recurse.

    Args:
        key: of a partitioned table.
        table: its quoted name.
        name: that the key has now.
    """
    return do_block(_RENAMED.substitute(old=literal(name), new=literal(key.name), table=literal(table)))


def remembered(table: str, function: str) -> str:
    """Return the statement that notes, as a comment of the function that fills new rows, which partitions there are.

    Args:
        table: quoted name of the partitioned table.
        function: quoted name of the trigger's function.
    """
    return do_block(_REMEMBERED.substitute(table=literal(table), call=literal(f"{function}()")))


def refuse_late(table: str, function: str, source: str, filled: str) -> str:
    """Return the statement that fails if a partition came after that, and has rows without the new value.

    Args:
        table: quoted name of the partitioned table.
        function: quoted name of the trigger's function.
        source: quoted name of the old column.
        filled: of the new one.
    """
    # Within a literal, and for format().
    inner = {
        name: text.replace("'", "''").replace("%", "%%") for name, text in (("source", source), ("filled", filled))
    }
    return do_block(_LATE.substitute(inner, table=literal(table), call=literal(f"{function}()")))


def _each_statement(context: AutogenContext, op: EachStatementOp) -> str:
    sa = context.opts["sqlalchemy_module_prefix"] or ""
    query = f"{prefix(context)}get_bind().scalars({sa}text({sql_literal(str(op.sqltext))}))"
    # In one line: Alembic's printer (Mako's PythonPrinter) keeps its own account of what a colon at an end indents.
    # In the statement a colon would begin a parameter.
    return f"for statement in {query}.all(): {prefix(context)}execute(statement.replace(':', '\\\\:'))"


renderers.dispatch_for(EachStatementOp, replace=True)(_each_statement)
