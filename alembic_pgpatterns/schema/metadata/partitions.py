"""``postgresql_partition_by`` of a model's table."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Table as ModelTable

from alembic_pgpatterns.schema.model import Table
from alembic_pgpatterns.schema.parsed import SqlParser


def partitioning(table: Table, model: ModelTable, parser: SqlParser) -> Table:
    """The table as a partitioned one, if the model says so."""
    clause = model.dialect_options["postgresql"]["partition_by"]
    if not clause:
        return table
    strategy, keys = parser.parse_partition(str(clause)) or (None, ())
    return replace(table, kind="partitioned", partition_strategy=strategy, partition_keys=keys)
