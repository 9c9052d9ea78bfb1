"""A fix in its plain form, for a database that nobody uses: to see whether PostgreSQL takes it, and what it gives."""

from __future__ import annotations

from alembic_pgpatterns.autogenerate.rewrite.kept_objects import around_objects
from alembic_pgpatterns.autogenerate.rewrite.view_blocks import around
from alembic_pgpatterns.fix.missing_extensions import create_extension
from alembic_pgpatterns.fix.plan import Fix
from alembic_pgpatterns.remedies.model import Advice, ChangeType
from alembic_pgpatterns.remedies.sql import sql


def plain_sql(fix: Fix) -> tuple[str, ...]:
    """The statements of a fix, in order, in one transaction.

    What makes PostgreSQL refuse a new type is dropped before and created again after it, as the revision does.
    """
    statements = (*(create_extension(name)[0] for name in fix.extensions), *sql(fix.remedy))
    if not isinstance(fix.remedy, ChangeType) or not any(isinstance(item.remedy, Advice) for item in fix.findings):
        return statements
    columns = [(change.table.schema, change.table.name, change.column) for change in fix.remedy.changes]
    # The views come first: one may read a generated column.
    views, objects = around(columns), around_objects(columns)
    return (views[0], objects[0], *statements, objects[1], views[1])
