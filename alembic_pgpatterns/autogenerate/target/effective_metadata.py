"""``effective_metadata``: the metadata that autogenerate compares with, for an application's own use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, MetaData, event, inspect
from sqlalchemy.schema import CreateSchema

from alembic_pgpatterns.autogenerate.rewrite.extensions import create_for
from alembic_pgpatterns.autogenerate.rewrite.inner_types import named_types_of
from alembic_pgpatterns.autogenerate.target.adoption import accepted_by_files
from alembic_pgpatterns.autogenerate.target.metadata import build_target
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.config.sources import settings_of


def effective_metadata(metadata: MetaData | Sequence[MetaData], settings: Settings | None = None) -> MetaData:
    """The metadata with all enforced patterns applied, for ``create_all()`` in an application's tests.

    Args:
        metadata: the application's. It is not changed.
        settings: None for the settings in the files of the current folder.

    Raises:
        PgPatternsError: the settings or the baseline cannot be read, or enforced patterns contradict each other.
    """
    settings = settings or settings_of(None)
    effective = build_target(metadata, settings, accepted_by_files(settings)).metadata
    for index in (index for table in effective.tables.values() for index in table.indexes):
        # create_all() runs in a transaction, where CONCURRENTLY is refused.
        index.dialect_options["postgresql"]["concurrently"] = False
    # First of all, since types are created by the same event.
    event.listen(effective, "before_create", _create_enums_under_domains, insert=True)
    event.listen(effective, "before_create", _create_extensions, insert=True)
    event.listen(effective, "before_create", _create_schemas, insert=True)
    return effective


def _create_schemas(metadata: MetaData, connection: Connection, **_: object) -> None:
    """Create the schemas that tables, types and sequences are in, as a revision does."""
    types = (kind for table in metadata.tables.values() for c in table.c for kind in named_types_of(c.type))
    items: tuple[Any, ...] = (*metadata.tables.values(), *types, *metadata._sequences.values())
    needed = {item.schema for item in items if item.schema}
    for name in sorted(needed - set(inspect(connection).get_schema_names())) if needed else ():
        connection.execute(CreateSchema(name))


def _create_extensions(metadata: MetaData, connection: Connection, **_: object) -> None:
    """Create the extensions that types and indexes need, as a revision does."""
    for table in metadata.tables.values():
        create_for(connection, table)


def _create_enums_under_domains(metadata: MetaData, connection: Connection, **_: object) -> None:
    """Create the enums that domains are over, as a revision does. SQLAlchemy creates the domains alone."""
    columns = [column for table in metadata.tables.values() for column in table.columns]
    for kind in [kind for column in columns for kind in named_types_of(column.type)[:-1]]:
        if kind.create_type:
            kind.create(connection, checkfirst=True)
