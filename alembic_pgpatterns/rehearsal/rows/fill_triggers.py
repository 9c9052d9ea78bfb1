"""Triggers that run also while tables are filled without triggers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import sql

from alembic_pgpatterns.schema.fill_triggers import FILLS

_TRIGGERS = """
SELECT n.nspname, c.relname, t.tgname FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND t.tgenabled = 'O' AND pg_catalog.strpos(p.prosrc, %s) > 0
"""


@contextmanager
def filling_new_columns(connection: Any) -> Iterator[None]:
    """Let the triggers of changes of type fire in any session, so that rows have in both columns the same value.

    Rows made without them would be rows that cannot be: the next revision of the chain puts the new column in the
    place of the old one.

    Args:
        connection: psycopg's, of a role that owns the tables. Locks: SHARE ROW EXCLUSIVE on tables with such a trigger.
    """
    triggers = connection.execute(_TRIGGERS, (FILLS,)).fetchall()
    _alter(connection, triggers, sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}"))
    # Not after an error: the connection may be gone, and nobody uses the database then.
    yield
    _alter(connection, triggers, sql.SQL("ALTER TABLE {} ENABLE TRIGGER {}"))


def _alter(connection: Any, triggers: list[tuple[str, str, str]], statement: sql.SQL) -> None:
    for schema, table, trigger in triggers:
        connection.execute(statement.format(sql.Identifier(schema, table), sql.Identifier(trigger)))
