"""The application's models as a schema; a check goes on without them, and says so."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.report_model import Skipped
from alembic_pgpatterns.schema.metadata import reader as metadata
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql import sqltext

if TYPE_CHECKING:
    from sqlalchemy import MetaData
    from sqlalchemy.engine import Dialect


@dataclass(frozen=True)
class Models:
    """What could be read of the models, and what not."""

    schema: Schema | None
    skipped: tuple[Skipped, ...] = ()


def read_models(
    metadatas: Sequence[MetaData], default_schema: str, settings: Settings, dialect: Dialect | None = None
) -> Models:
    """The models' schema; None, with the reason, where there is none or it cannot be read.

    Args:
        metadatas: what env.py gives as ``target_metadata``.
        default_schema: of tables without a schema.
        settings: the project's.
        dialect: the application's, where it is known; a few types are other ones with another driver.
    """
    if not metadatas:
        return Models(None, (Skipped("models", "env.py names no target_metadata", expected=True),))
    try:
        schema = metadata.read(
            metadatas,
            sqltext,
            default_schema=default_schema,
            target_version=settings.target_version,
            registries=load_registries(settings),
            dialect=dialect,
        )
    except PgPatternsError:
        raise
    except Exception as error:
        return Models(None, (Skipped("models", f"they cannot be read: {type(error).__name__}: {error}"),))
    return Models(schema)


def load_registries(settings: Settings) -> list[Any]:
    """The mapper registries that the settings name as ``package.module:Base``.

    Raises:
        PgPatternsError: one does not import, or is none.
    """
    return [_registry(name) for name in settings.registries]


def _registry(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute or "Base")
    except (ImportError, AttributeError, ValueError) as error:
        raise PgPatternsError(f"registries: {name!r} does not import: {error}") from error
    registry = getattr(found, "registry", found)
    if not hasattr(registry, "mappers"):
        raise PgPatternsError(f"registries: {name!r} is no declarative base or registry of SQLAlchemy.")
    return registry
