"""Which statements of a revision's plain SQL wait for strong locks on tables, from PostgreSQL's own parser."""

from __future__ import annotations

from typing import Any

from alembic.operations import ops
from sqlalchemy import text

from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.rendering import expression_text
from alembic_pgpatterns.schema.sql.parser import pg, postgast

# Statements that need SHARE or more on tables (PostgreSQL docs, "Explicit Locking" and the page of each command).
_POLICIES = frozenset({"alter_policy_stmt", "create_policy_stmt"})
_ON_ONE = _POLICIES | {
    "alter_object_schema_stmt",
    "alter_table_stmt",
    "cluster_stmt",
    "create_trig_stmt",
    "index_stmt",
    "refresh_mat_view_stmt",
    "rename_stmt",
    "rule_stmt",
}
_ON_MANY = frozenset({"lock_stmt", "truncate_stmt"})
_STRONG_DROPS = frozenset(
    {
        pg.OBJECT_INDEX,
        pg.OBJECT_MATVIEW,
        pg.OBJECT_POLICY,
        pg.OBJECT_RULE,
        pg.OBJECT_TABLE,
        pg.OBJECT_TRIGGER,
        pg.OBJECT_VIEW,
    }
)


def waits_for_a_strong_lock(op: ops.ExecuteSQLOp, facts: Facts) -> bool:
    """Whether a statement of the op needs a lock of SHARE or more on a table that existed before the revision.

    False for SQL that PostgreSQL's parser refuses, such as a template with parameters.
    """
    written = text(op.sqltext) if isinstance(op.sqltext, str) else op.sqltext
    try:
        tree = postgast.parse(expression_text(written))
    except postgast.PgQueryError:
        return False
    return any(_is_strong(item.stmt, facts) for item in tree.stmts)


def _is_strong(node: Any, facts: Facts) -> bool:
    kind = node.WhichOneof("node")
    statement = getattr(node, kind)
    if getattr(statement, "concurrent", False):
        return False
    if kind == "drop_stmt":
        return statement.remove_type in _STRONG_DROPS
    if kind in _ON_MANY:
        return True
    if kind not in _ON_ONE:
        return False
    if kind == "alter_table_stmt" and all(
        # SHARE UPDATE EXCLUSIVE, which blocks neither reads nor writes.
        item.alter_table_cmd.subtype == pg.AT_ValidateConstraint
        for item in statement.cmds
    ):
        return False
    # ALTER TYPE … RENAME is a rename_stmt too, without a table.
    table = statement.table if kind in _POLICIES else statement.relation
    return bool(table.relname) and not facts.is_new(table.schemaname or None, table.relname)


_KEYS = frozenset({pg.CONSTR_EXCLUSION, pg.CONSTR_UNIQUE, pg.CONSTR_PRIMARY})
_CHECKED = frozenset({pg.CONSTR_CHECK, pg.CONSTR_FOREIGN})
# They rewrite the table, or copy it.
_COPIES = frozenset({pg.AT_SetLogged, pg.AT_SetUnLogged, pg.AT_SetTableSpace, pg.AT_SetAccessMethod})


def again_or_none(statement: str) -> str | None:
    """Return an ALTER TABLE that works on a whole table under ACCESS EXCLUSIVE, in a form that can run twice.

    None for any other statement, and for SQL that PostgreSQL's parser refuses.
    """
    try:
        tree = postgast.parse(statement)
    except postgast.PgQueryError:
        return None
    if len(tree.stmts) != 1 or tree.stmts[0].stmt.WhichOneof("node") != "alter_table_stmt":
        return None
    (first, *others) = (item.alter_table_cmd for item in tree.stmts[0].stmt.alter_table_stmt.cmds)
    if others:
        return None
    if first.subtype in _COPIES:
        return statement
    if first.subtype != pg.AT_AddConstraint:
        return None
    # The field of the parse tree is called "def", which is no name in Python.
    constraint = getattr(first, "def").constraint
    builds = constraint.contype in _KEYS and not constraint.indexname
    if not (builds or (constraint.contype in _CHECKED and not constraint.skip_validation)) or not constraint.conname:
        return None
    # One statement: what is dropped first is what an earlier run of the file has added.
    commands = tree.stmts[0].stmt.alter_table_stmt.cmds
    commands.add().CopyFrom(commands[0])
    drop = commands[0].alter_table_cmd
    drop.subtype, drop.name, drop.missing_ok = pg.AT_DropConstraint, constraint.conname, True
    drop.ClearField("def")
    return str(postgast.deparse(tree))
