"""``effective_metadata``: the metadata that autogenerate compares with, for an application's own use."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import MetaData

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
    return build_target(metadata, settings, accepted_by_files(settings)).metadata
