"""Advice for tables that a test writes by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alembic_pgpatterns.advisor.advise import Advisor
from alembic_pgpatterns.advisor.facts import Statistics, TableSize
from alembic_pgpatterns.advisor.model import Advice, Options
from alembic_pgpatterns.remedies.sql import create_index
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.workload.model import Workload

ROWS = 5_000_000


def advise(server: Any, tables: str, workload: Workload, rows: Mapping[str, int] | None = None) -> Advice:
    """The advice for tables that SQL creates. ``rows``: of tables that are not as large as the others."""
    name = server.create_database("test_advised")
    with server.connect(name) as connection:
        connection.execute(tables)
        schema = catalog.read(connection)
    sizes = {table.name: TableSize((rows or {}).get(table.name.name, ROWS)) for table in schema.tables}
    advice = Advisor(server, schema, Statistics(sizes)).advise(name, workload, Options())
    server.drop_database(name)
    return advice


def keys_of(advice: Advice, table: str) -> list[str]:
    """The advised indexes of a table, without INCLUDE: ``(a, b)``."""
    of_table = [item.index for item in advice.indexes if item.index.table == Name("public", table)]
    return sorted(create_index(replace(item, include=())).partition(f"public.{table} ")[2] for item in of_table)
