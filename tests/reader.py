"""The reader of models with PostgreSQL's parser at hand, for tests."""

from __future__ import annotations

from typing import Any

from alembic_pgpatterns.schema.metadata import reader
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql import sqltext


def read(metadata: Any, **options: Any) -> Schema:
    return reader.read(metadata, sqltext, **options)
