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


# What PostgreSQL prints of the condition. A trigger is made again from what the catalog has in that moment: its own
# condition reads otherwise once a column has another type.
_PRINTED = f"(current_setting('{SETTING}'::text, true) IS DISTINCT FROM 'on'::text)"
_GUARDED = f"""
    CASE WHEN pgpatterns_when
      THEN overlay(pgpatterns_text PLACING {literal(f" WHEN ({_GUARD} AND ")}
                   FROM position(' WHEN (' in pgpatterns_text) FOR 7)
      ELSE overlay(pgpatterns_text PLACING {literal(f" WHEN ({_GUARD})")}
                   FROM position(' EXECUTE FUNCTION ' in pgpatterns_text) FOR 0) END"""
_LOUD = f"""
    replace(replace(pgpatterns_text, {literal(f" WHEN ({_PRINTED})")}, ''), {literal(f"{_PRINTED} AND ")}, '')"""


def guard(table: str, triggers: Iterable[TriggerOn]) -> list[str]:
    """Return the statement that gives triggers the condition, in one transaction. It can run again.

    Locks: ACCESS EXCLUSIVE on the table, for a moment.

    Args:
        table: its quoted name.
        triggers: of the table.
    """
    return _made_again(table, triggers, "=", _GUARDED)


def unguard(table: str, triggers: Iterable[TriggerOn]) -> list[str]:
    """Return the statement that gives the triggers that have the condition their old form."""
    return _made_again(table, triggers, "<>", _LOUD)


def refuse_unknown(table: str, name: str) -> str:
    """Return the statement that fails if the table has a trigger that the backfill would fire.

    Args:
        table: its quoted name.
        name: of the trigger that sets the new column.
    """
    return do_block(
        _UNKNOWN.substitute(table=literal(table), name=literal(name), setting=literal(SETTING), fills=literal(FILLS))
    )


def _made_again(table: str, triggers: Iterable[TriggerOn], compared: str, new: str) -> list[str]:
    """Create triggers again, if the place of the condition in their definition compares so with 0."""
    lines = []
    for trigger in triggers:
        lines += [
            "SELECT pg_get_triggerdef(oid), tgqual IS NOT NULL INTO pgpatterns_text, pgpatterns_when FROM pg_trigger",
            f"WHERE tgrelid = {literal(table)}::regclass AND tgname = {literal(trigger.name)};",
            f"IF position({literal(SETTING)} in pgpatterns_text) {compared} 0 THEN",
            *(f"  {statement};" for statement in _again(table, trigger, new)),
            "END IF;",
        ]
    return [_block(table, lines)] if lines else []


def _again(table: str, trigger: TriggerOn, definition: str) -> list[str]:
    name = quote(trigger.name)
    statements = [f"DROP TRIGGER {name} ON {table}", f"EXECUTE{definition}"]
    if trigger.enabled in _ENABLED:
        statements.append(f"ALTER TABLE {table} {_ENABLED[trigger.enabled]} TRIGGER {name}")
    if trigger.comment is not None:
        statements.append(f"COMMENT ON TRIGGER {name} ON {table} IS {literal(trigger.comment)}")
    return statements


def _block(table: str, lines: list[str]) -> str:
    body = "\n".join(f"  {line}" for line in lines)
    declared = "\nDECLARE\n  pgpatterns_text text;\n  pgpatterns_when boolean;"
    return do_block(f"{declared}\nBEGIN{attempts([table])}\n{body}\nEND ")
