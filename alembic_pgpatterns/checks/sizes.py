"""The rows of a schema's tables in production."""

from __future__ import annotations

from alembic_pgpatterns.advisor.statistics import statistics_of, with_rows, with_sizes
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.schema.model import Schema


def sized(schema: Schema, settings: Settings) -> Schema:
    """The schema with the rows of its tables in production, where they are declared or in the file of --stats.

    Raises:
        PgPatternsError: that file cannot be read.
    """
    statistics = statistics_of(settings.path(settings.stats) if settings.stats else None, schema)
    return with_rows(schema, with_sizes(statistics, schema).sizes)
