"""Statements that would turn off the server's log, from which a check reads what a revision does, keep it on."""

from __future__ import annotations

from typing import Any

from alembic_pgpatterns.revisions.serverlog import SETTINGS
from alembic_pgpatterns.schema.sql.parser import pg, postgast


def with_log(sql: str) -> str:
    """The statement to run instead: the same one, but what it sets for the log is what the check has set.

    Args:
        sql: one or more statements. Those in bodies of functions stay as they are: a function's text is only text.
    """
    if not any(name in sql.lower() for name in SETTINGS):
        return sql
    try:
        tree = postgast.parse(sql)
    except postgast.PgQueryError:
        return sql
    # Not any() of both: each has to change what it finds.
    changed = [_in_statements(tree), _in_calls(tree)]
    return str(postgast.deparse(tree)) if any(changed) else sql


def _in_statements(tree: Any) -> bool:
    """SET, also as a clause of CREATE FUNCTION, ALTER ROLE, ALTER DATABASE and ALTER SYSTEM."""
    changed = False
    for node in list(postgast.find_nodes(tree, pg.VariableSetStmt)):
        value = SETTINGS.get(node.name.lower())
        if value is not None and node.args:
            del node.args[1:]
            node.args[0].a_const.sval.sval = value
            changed = True
    return changed


def _in_calls(tree: Any) -> bool:
    """``SELECT set_config('log_statement', 'none', false)``."""
    changed = False
    for call in list(postgast.find_nodes(tree, pg.FuncCall)):
        if call.funcname[-1].string.sval != "set_config" or len(call.args) < 2:
            continue
        value = SETTINGS.get(call.args[0].a_const.sval.sval.lower())
        if value is not None:
            call.args[1].a_const.sval.sval = value
            changed = True
    return changed
