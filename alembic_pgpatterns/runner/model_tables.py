"""Which tables the models have before any revision runs: a revision may add others to the same MetaData."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any


class ModelTables:
    """The tables of each MetaData when env.py had been run and the revision files were loaded.

    Alembic's autogenerate compares with that: it runs no revision. Some revisions call ``reflect()`` on the models' own
    MetaData, to drop or to copy old tables. These are no models, although the MetaData holds them from then on.
    """

    def __init__(self) -> None:
        """Nothing is noted yet."""
        self._before: dict[int, tuple[Any, frozenset[str]]] = {}

    def note(self, metadatas: Iterable[Any]) -> None:
        """Note the tables of MetaData that were not noted before: later ones may have a revision's tables already."""
        for metadata in metadatas:
            # The MetaData itself is kept too, so that no other object gets its id.
            self._before.setdefault(id(metadata), (metadata, frozenset(metadata.tables)))

    def names(self) -> tuple[str, ...]:
        """The names of the noted tables, without their schemas, sorted."""
        return tuple(sorted({key.rpartition(".")[2] for _, keys in self._before.values() for key in keys}))

    @contextlib.contextmanager
    def alone(self, metadatas: Iterable[Any]) -> Iterator[None]:
        """Take the tables of revisions out of MetaData in here, and put them back afterwards."""
        others = [
            (metadata, table)
            for metadata in metadatas
            if id(metadata) in self._before
            for key, table in metadata.tables.items()
            if key not in self._before[id(metadata)][1]
        ]
        for metadata, table in others:
            metadata.remove(table)
        try:
            yield
        finally:
            for metadata, table in others:
                # SQLAlchemy 1.4 to 2.1 have no public way to put a table back under its name.
                metadata._add_table(table.name, table.schema, table)
