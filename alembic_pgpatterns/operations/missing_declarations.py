"""What the models declare for their tables (policies, grants, ...) and the database lacks.

Outside of autogenerate: the directives' comparators are called directly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from alembic_pgpatterns.operations.directive import Directive
from alembic_pgpatterns.operations.support.comparing import all_operations

_KINDS_FOR_TABLES = ("row_security", "policies", "grants", "storage")


def missing_declarations(
    connection: Connection, metadatas: Sequence[MetaData]
) -> Iterator[tuple[str | None, str, str]]:
    """Yield schema, table, and the source of the operation that would give the table what is declared.

    Args:
        connection: to the database. Policies are compared by creating them on a temporary table in a savepoint that is
            rolled back: only PostgreSQL can say whether two expressions are the same.
        metadatas: the models' MetaData.

    Raises:
        SQLAlchemyError: a declaration names something that does not exist in the database.
    """
    prefixes = {"alembic_module_prefix": "op.", "sqlalchemy_module_prefix": "sa.", "user_module_prefix": None}
    context = AutogenContext(MigrationContext.configure(connection, opts=prefixes), metadata=list(metadatas))
    missing = ops.UpgradeOps([])
    for kind in _KINDS_FOR_TABLES:
        getattr(import_module(f"alembic_pgpatterns.operations.{kind}"), f"compare_{kind}")(context, missing)
    for operation in all_operations(missing):
        of_table = getattr(operation, "kind", "table") == "table"
        table = getattr(operation, "table", getattr(operation, "on", None)) if of_table else None
        if isinstance(operation, Directive) and isinstance(table, str):
            source = operation.render(context)
            text = source if isinstance(source, str) else "; ".join(source)
            yield getattr(operation, "schema", None), table, " ".join(text.split())
