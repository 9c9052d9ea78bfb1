"""Triggers of a table stay silent while the existing rows get the new column's values.

A trigger that notes who changed a row, or when, has nothing to note there. ``session_replication_role`` would silence
all triggers, but only a superuser may set it. So each of them gets a WHEN condition for the time of the backfill, which
is false only in the session that fills.
"""

from __future__ import annotations

from collections.abc import Iterable
from string import Template

from alembic_pgpatterns.autogenerate.rewrite.dependents import TriggerOn
from alembic_pgpatterns.autogenerate.rewrite.lock_block import attempts
from alembic_pgpatterns.autogenerate.rewrite.renamed_column import guarded_trigger
from alembic_pgpatterns.autogenerate.rewrite.view_sql import literal
from alembic_pgpatterns.schema.fill_triggers import FILLS
from alembic_pgpatterns.schema.names import do_block, quote

SETTING = "pgpatterns.backfill"
_GUARD = f"current_setting('{SETTING}', true) IS DISTINCT FROM 'on'"
_ENABLED = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
# A trigger that this file does not know would fire for every row, or change the old column after the new one was set.
_UNKNOWN = Template("""
DECLARE
  pgpatterns_trigger record;
BEGIN
  FOR pgpatterns_trigger IN
    SELECT t.tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE (t.tgrelid = $table::regclass OR t.tgparentid = 0
           AND t.tgrelid IN (SELECT relid FROM pg_partition_tree($table::regclass)))
      AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
      AND position($fills in p.prosrc) = 0
      AND (t.tgtype & 16 <> 0 AND t.tgattr::text = '' AND position($setting in pg_get_triggerdef(t.oid)) = 0
        OR t.tgtype & 3 = 3 AND t.tgtype & 20 <> 0 AND t.tgname > $name)
  LOOP
    RAISE EXCEPTION 'pgpatterns: trigger % was not there when this revision was written', pgpatterns_trigger.tgname
      USING HINT = 'Write the revision again, on a database that has it.';
  END LOOP;
END """)


def guard(table: str, triggers: Iterable[TriggerOn]) -> list[str]:
    """Return the statement that gives triggers the condition, in one transaction. It can run again.

    Locks: ACCESS EXCLUSIVE on the table, for a moment.

    Args:
        table: its quoted name.
        triggers: of the table.

    Raises:
        NotRenamedError: the parser does not know the definition of a trigger.
    """
    lines = []
    for trigger in triggers:
        where = f"tgrelid = {literal(table)}::regclass AND tgname = {literal(trigger.name)}"
        lines += [
            f"IF NOT EXISTS (SELECT FROM pg_trigger WHERE {where}",
            f"               AND position({literal(SETTING)} in pg_get_triggerdef(oid)) > 0) THEN",
            f"  IF NOT EXISTS (SELECT FROM pg_trigger WHERE {where}",
            f"                 AND pg_get_triggerdef(oid) = {literal(trigger.definition)}) THEN",
            f"    RAISE EXCEPTION {literal(_changed(trigger, table))};",
            "  END IF;",
            *(f"  {statement};" for statement in _again(table, trigger, guarded_trigger(trigger.definition, _GUARD))),
            "END IF;",
        ]
    return [_block(table, lines)] if lines else []


def unguard(table: str, triggers: Iterable[TriggerOn]) -> list[str]:
    """Return the statement that gives the triggers that have the condition their old form."""
    lines = []
    for trigger in triggers:
        where = f"tgrelid = {literal(table)}::regclass AND tgname = {literal(trigger.name)}"
        lines += [
            f"IF EXISTS (SELECT FROM pg_trigger WHERE {where}",
            f"           AND position({literal(SETTING)} in pg_get_triggerdef(oid)) > 0) THEN",
            *(f"  {statement};" for statement in _again(table, trigger, trigger.definition)),
            "END IF;",
        ]
    return [_block(table, lines)] if lines else []


def refuse_unknown(table: str, name: str) -> str:
    """Return the statement that fails if the table has a trigger that the backfill would fire.

    Args:
        table: its quoted name.
        name: of the trigger that sets the new column.
    """
    return do_block(
        _UNKNOWN.substitute(table=literal(table), name=literal(name), setting=literal(SETTING), fills=literal(FILLS))
    )


def _changed(trigger: TriggerOn, table: str) -> str:
    # RAISE reads a percent sign as the place of a value.
    text = f"pgpatterns: trigger {trigger.name} of {table} is not what it was when this revision was written"
    return text.replace("%", "%%")


def _again(table: str, trigger: TriggerOn, definition: str) -> list[str]:
    name = quote(trigger.name)
    statements = [f"DROP TRIGGER {name} ON {table}", definition]
    if trigger.enabled in _ENABLED:
        statements.append(f"ALTER TABLE {table} {_ENABLED[trigger.enabled]} TRIGGER {name}")
    if trigger.comment is not None:
        statements.append(f"COMMENT ON TRIGGER {name} ON {table} IS {literal(trigger.comment)}")
    return statements


def _block(table: str, lines: list[str]) -> str:
    body = "\n".join(f"  {line}" for line in lines)
    return do_block(f"\nBEGIN{attempts([table])}\n{body}\nEND ")
