"""The row that made a statement fail, where PostgreSQL does not name it ("contains null values")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from psycopg import sql

from alembic_pgpatterns.controller.process import ProjectFailed
from alembic_pgpatterns.schema.model import Name, Schema

LONGEST = 300
"""How many characters of a row are shown."""


def culprit(connection: Any, failure: ProjectFailed, after: Schema) -> str | None:
    """A row that makes the statement fail, in PostgreSQL's form; None if the message names it, or if there is none.

    Args:
        connection: to the database in which the revision failed and was rolled back.
        failure: of the run.
        after: the schema after the revision, which may have the constraint.
    """
    facts = failure.failure.diagnostics
    table = Name(facts.get("schema_name", ""), facts.get("table_name", ""))
    if not table.name or facts.get("message_detail"):
        return None
    for condition in _conditions(facts, table, after):
        query = sql.SQL("SELECT t::text FROM {} AS t WHERE {} LIMIT 1").format(
            sql.Identifier(table.schema, table.name), condition
        )
        try:
            row = connection.execute(query).fetchone()
        except psycopg.Error:
            continue
        if row is not None:
            return str(row[0]) if len(row[0]) <= LONGEST else f"{row[0][:LONGEST]}…"
    return None


def _conditions(facts: Mapping[str, str], table: Name, after: Schema) -> Iterator[sql.Composable]:
    if "column_name" in facts:
        yield sql.SQL("{} IS NULL").format(sql.Identifier(facts["column_name"]))
    # From the run on empty tables: here the constraint was rolled back together with its statement.
    changed = after.table(table)
    for check in changed.checks if changed is not None else ():
        if check.name == facts.get("constraint_name") and isinstance(check.expression, str):
            yield sql.SQL("NOT ({})").format(sql.SQL(check.expression))
