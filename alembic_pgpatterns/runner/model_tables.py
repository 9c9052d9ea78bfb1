"""Which tables the models have before any revision runs: a revision may add others to the same MetaData."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


class ModelTables:
    """The tables of each MetaData when env.py had been run and the revision files were loaded.

    Alembic's autogenerate compares with that: it runs no revision. Some revisions call ``reflect()`` on the models' own
    MetaData, to drop or to copy old tables. These are no models, although the MetaData holds them from then on.
    """

    def __init__(self) -> None:
        """Nothing is noted yet."""
        self._before: dict[int, tuple[Any, dict[str, Any]]] = {}

    def note(self, metadatas: Iterable[Any]) -> None:
        """Note the tables of MetaData that were not noted before: later ones may have a revision's tables already."""
        for metadata in metadatas:
            if id(metadata) not in self._before:
                # The MetaData itself is kept too, so that no other object gets its id.
                self._before[id(metadata)] = (metadata, dict(metadata.tables))
                _reflect_beside(metadata)

    def are_missing(self, target: Any) -> bool:
        """Whether env.py names no models, or MetaData without any, as where its program would have imported them.

        Then what revisions have put there is taken out: models that are imported next may have tables of these names.

        Args:
            target: the argument ``target_metadata``.
        """
        metadatas = [item for item in (target if isinstance(target, list | tuple) else (target,)) if item is not None]
        if any(self._before.get(id(metadata), (metadata, metadata.tables))[1] for metadata in metadatas):
            return False
        for metadata in metadatas:
            _fill(metadata, {})
        return True

    def forget_empty(self, metadatas: Iterable[Any]) -> None:
        """Let `note` note MetaData again that had no tables then, because env.py does not load its models."""
        for metadata in metadatas:
            if id(metadata) in self._before and not self._before[id(metadata)][1]:
                del self._before[id(metadata)]

    def names(self) -> tuple[str, ...]:
        """The names of the noted tables, without their schemas, sorted."""
        return tuple(sorted({key.rpartition(".")[2] for _, tables in self._before.values() for key in tables}))

    @contextlib.contextmanager
    def alone(self, metadatas: Iterable[Any]) -> Iterator[None]:
        """Take the tables of revisions out of MetaData in here, and put them back afterwards."""
        states = [(metadata, dict(metadata.tables)) for metadata in metadatas if id(metadata) in self._before]
        for metadata, _ in states:
            _fill(metadata, self._before[id(metadata)][1])
        try:
            yield
        finally:
            for metadata, tables in states:
                _fill(metadata, tables)


def _fill(metadata: Any, tables: Mapping[str, Any]) -> None:
    """Let a MetaData hold these table objects and no others."""
    for key, table in list(metadata.tables.items()):
        if tables.get(key) is not table:
            metadata.remove(table)
    for key, table in tables.items():
        if key not in metadata.tables:
            # SQLAlchemy 1.4 to 2.1 have no public way to put a table back under its name.
            metadata._add_table(table.name, table.schema, table)


def _reflect_beside(metadata: Any) -> None:
    """From now on ``reflect(extend_existing=True)`` makes new tables, where it would change those of the models.

    What the database has then replaces the models' columns and keys, so the new tables are what the revision means.
    """
    stock = metadata.reflect

    def reflect(*arguments: Any, **options: Any) -> Any:
        if options.get("extend_existing"):
            _fill(metadata, {})
        return stock(*arguments, **options)

    metadata.reflect = reflect
