"""Rows whose value has no form in the new type are named before anything is changed.

From its first step on a change in stages refuses such values, and the fill would fail at the first row that has one:
with the new column and its trigger in place. So the revision looks for them first. Each value is assigned as the
trigger does it; an explicit cast would cut a text that is too long.
"""

from __future__ import annotations

from string import Template

from alembic.operations import ops
from sqlalchemy import ARRAY, Enum, Numeric, String
from sqlalchemy.dialects.postgresql import NamedType
from sqlalchemy.types import TypeEngine

from alembic_pgpatterns.autogenerate.rewrite.renamed_column import expression_with
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import rewrites, type_text, widens
from alembic_pgpatterns.autogenerate.rewrite.view_sql import literal
from alembic_pgpatterns.remedies.type_operations import in_utc
from alembic_pgpatterns.schema.names import do_block, quote

# A syntax_error is what types of extensions raise: hstore, ltree.
# The places are looked up by text: rows of several partitions have the same ctid.
_BODY = Template("""
DECLARE
  pgpatterns_row record;
  pgpatterns_value $type;
  pgpatterns_count bigint := 0;
  pgpatterns_places text[];
  pgpatterns_key text := (
    SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
    AND a.attnum = ANY (i.indkey) WHERE i.indrelid = $regclass AND i.indisprimary);
BEGIN
  FOR pgpatterns_row IN SELECT tableoid::text || ctid::text AS place, $column FROM $table LOOP
    BEGIN
      pgpatterns_value := $value;
    EXCEPTION WHEN data_exception OR syntax_error THEN
      pgpatterns_count := pgpatterns_count + 1;
      IF pgpatterns_count <= 5 THEN
        pgpatterns_places := pgpatterns_places || pgpatterns_row.place;
      END IF;
    END;
  END LOOP;
  IF pgpatterns_count > 0 THEN
    EXECUTE format('SELECT string_agg(concat_ws(%L, %s), %L) FROM %s WHERE tableoid::text || ctid::text = ANY ($$1)',
                   ', ', coalesce(pgpatterns_key, 'ctid'), '; ', $regclass)
      INTO pgpatterns_key USING pgpatterns_places;
    RAISE EXCEPTION 'pgpatterns: % rows of % have no value of the type % in %, such as %', pgpatterns_count, $regclass,
      $type_name, $column_name, pgpatterns_key USING ERRCODE = 'data_exception',
      HINT = 'This revision has changed nothing yet. Change or delete these rows, or keep the type.';
  END IF;
END """)


def refuse_misfits(
    op: ops.AlterColumnOp, using: str | None, table: str, pattern: str
) -> tuple[ops.MigrateOperation, ...]:
    """Return the ops that fail if a row's value does not fit, and name up to five such rows by their key.

    They read the whole table, and lock nobody out. No ops where every value fits, and none for an enum or a
    domain: the same revision may create it, and it is not there yet when the rows are looked at.

    Args:
        op: the change of type.
        using: SQL of the new value; None for the old one.
        table: its quoted name.
        pattern: the name of the one that asks for stages.
    """
    column, old, new = str(op.column_name), op.existing_type, op.modify_type
    assert old is not None and new is not None
    if using == in_utc(column) or _may_be_made_here(new) or _holds_all(new):
        return ()
    if using is None and (widens(old, new) or not rewrites(old, new)):
        return ()
    names = {"column": quote(column), "column_name": literal(column), "type_name": literal(type_text(new))}
    value = expression_with(using or quote(column), column, "pgpatterns_row", column)
    values = {"table": table, "regclass": f"{literal(table)}::regclass", "type": type_text(new), "value": value}
    note = Note(pattern, f"{op.table_name}.{column}", _NAMED_FIRST, aside=True)
    return (CommentOp(note.comment()), SqlOp(do_block(_BODY.substitute(values, **names))))


_NAMED_FIRST = "rows whose value does not fit the new type are named before anything is changed"


def _may_be_made_here(new: TypeEngine[object]) -> bool:
    """Whether the same revision may create a type: an enum, a domain, an array of one."""
    return isinstance(new.item_type if isinstance(new, ARRAY) else new, (Enum, NamedType))


def _holds_all(new: TypeEngine[object]) -> bool:
    """Whether a type holds every value that is cast to it."""
    if isinstance(new, String):
        return new.length is None
    return isinstance(new, Numeric) and new.asdecimal and new.precision is None
