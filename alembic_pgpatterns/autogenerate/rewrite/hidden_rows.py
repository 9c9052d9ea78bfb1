"""Row security that hides rows from the table's owner: a revision that fills such a table needs BYPASSRLS.

A backfill sees only the rows that policies show to its role. With ``row_security = off`` PostgreSQL refuses it
(docs, "Row Security Policies"), but by then the files before it are committed. So the first file asks first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import Template

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts, TableKey
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Step
from alembic_pgpatterns.autogenerate.rewrite.table_names import qualified
from alembic_pgpatterns.autogenerate.rewrite.view_sql import literal
from alembic_pgpatterns.patterns.revisions.unbatched_data_change import UnbatchedDataChange
from alembic_pgpatterns.schema.names import do_block

# row_security_active() knows about superusers, BYPASSRLS and owners (docs, "System Catalog Information Functions").
_REFUSE = Template("""
DECLARE
  pgpatterns_table regclass;
BEGIN
  FOREACH pgpatterns_table IN ARRAY ARRAY[$tables]::regclass[] LOOP
    IF row_security_active(pgpatterns_table::oid) THEN
      RAISE EXCEPTION 'pgpatterns: row security hides rows of % from the role %, so not all of them can be filled',
        pgpatterns_table, current_user
        USING ERRCODE = 'insufficient_privilege', HINT = $hint;
    END IF;
  END LOOP;
END """)
_HINT = (
    "Nothing is changed yet. Let a superuser run ALTER ROLE ... BYPASSRLS, or run the migration as a role that has it."
)


def refuse_hidden_rows(steps: Iterable[Step], facts: Facts, quiet: bool = False) -> tuple[ops.MigrateOperation, ...]:
    """Return the ops that fail if row security hides rows, from the role that runs them, of a table that is filled.

    They change nothing and lock nothing. No ops if no such table has FORCE ROW LEVEL SECURITY: only the owner can
    change a table, and policies that are not forced hide nothing from it.

    Args:
        steps: of all files of the revision, up or down.
        facts: the facts of the run.
        quiet: whether the console says nothing, because it has said so for the upgrade.
    """
    names = [qualified(*key) for key in _filled(steps, facts) if key in facts.forced_row_security]
    if not names:
        return ()
    reason = (
        f"FORCE ROW LEVEL SECURITY hides rows of {', '.join(names)} from the owner too, and these files fill existing "
        "rows: run them as a role with BYPASSRLS, or as a superuser. For any other role the first statement fails, "
        "and nothing is changed"
    )
    note = Note(UnbatchedDataChange.name, names[0], reason, warns=True, aside=quiet)
    block = do_block(_REFUSE.substitute(tables=", ".join(map(literal, names)), hint=literal(_HINT)))
    return (CommentOp.of(note), SqlOp(block))


def _filled(steps: Iterable[Step], facts: Facts) -> Sequence[TableKey]:
    operations = [op for step in steps for op in step.up.operations]
    filled = [_table(op) for op in operations]
    return list(dict.fromkeys(facts.key(schema, table) for schema, table in filter(None, filled)))


def _table(op: ops.MigrateOperation) -> tuple[str | None, str] | None:
    # What a person writes in place of a comment hides no rows either.
    if isinstance(op, SqlOp | CommentOp):
        return op.fills
    # The directive's module is loaded only where it is used.
    if type(op).__name__ == "BackfillOp":
        return (op.schema, op.table_name)  # type: ignore[attr-defined]
    return None
