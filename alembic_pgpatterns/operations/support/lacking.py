"""What models declare of their tables and a database does not have: the comparators, asked outside of autogenerate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from alembic_pgpatterns.operations.directive import Directive
from alembic_pgpatterns.operations.support.comparing import all_operations

_OF_TABLES = ("row_security", "policies", "grants", "storage")


def lacking(connection: Connection, metadatas: Sequence[MetaData]) -> Iterator[tuple[str | None, str, str]]:
    """Schema, table, and the operation that would bring the table to what is declared, as source.

    Args:
        connection: to the database. Policies are compared by making them on a temporary table in a savepoint that is
            rolled back, since only PostgreSQL can tell whether two expressions are the same.
        metadatas: of the models.

    Raises:
        SQLAlchemyError: a declaration names what the database does not know.
    """
    prefixes = {"alembic_module_prefix": "op.", "sqlalchemy_module_prefix": "sa.", "user_module_prefix": None}
    context = AutogenContext(MigrationContext.configure(connection, opts=prefixes), metadata=list(metadatas))
    found = ops.UpgradeOps([])
    for kind in _OF_TABLES:
        getattr(import_module(f"alembic_pgpatterns.operations.{kind}"), f"compare_{kind}")(context, found)
    for operation in all_operations(found):
        of_table = getattr(operation, "kind", "table") == "table"
        table = getattr(operation, "table", getattr(operation, "on", None)) if of_table else None
        if isinstance(operation, Directive) and isinstance(table, str):
            source = operation.render(context)
            text = source if isinstance(source, str) else "; ".join(source)
            yield getattr(operation, "schema", None), table, " ".join(text.split())
