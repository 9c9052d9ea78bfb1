"""Copy the application's MetaData so completely that ``create_all()`` of both gives the same.

``Table.to_metadata`` leaves out prefixes (UNLOGGED), events without ``propagate=True``, standalone sequences, and the
``info`` and events of the MetaData itself; other plugins declare objects there, and would drop
what they do not see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Constraint, Index, MetaData, Table
from sqlalchemy import Sequence as SqlSequence
from sqlalchemy.sql import quoted_name
from sqlalchemy.types import SchemaType

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.remedies.naming import fit


@dataclass(frozen=True, slots=True)
class Copy:
    """The copy, and the original of each of its objects by ``id``."""

    metadata: MetaData
    originals: dict[int, Any] = field(default_factory=dict)

    def original(self, item: Any) -> Any:
        """Return the application's own object, or the item itself if it is no copy."""
        return self.originals.get(id(item), item)


def copied(metadatas: Sequence[MetaData]) -> Copy:
    """Copy one or several MetaData into one.

    Several become one because foreign keys by Column object may cross them.

    Raises:
        PgPatternsError: two of them have a table of the same name.
    """
    copy = Copy(MetaData())
    for metadata in metadatas:
        _copy_tables(metadata, copy)
        _copy_sequences(metadata, copy.metadata)
        copy.metadata.info.update(metadata.info)
        _copy_events(metadata, copy.metadata)
    return copy


def _copy_tables(metadata: MetaData, copy: Copy) -> None:
    for table in metadata.tables.values():
        if table.key in copy.metadata.tables:
            raise PgPatternsError(f"Two of the target metadata hold a table {table.key!r}; autogenerate needs one.")
        new = table.to_metadata(copy.metadata)
        new._prefixes = table._prefixes
        _copy_events(table, new)
        copy.originals.update((id(one), other) for one, other in _pairs(table, new))
        _name_indexes(new)
        for column in table.columns:
            _keep_schema(column.type, new.c[column.key].type)


def _name_indexes(table: Table) -> None:
    """Name an index that has no name: ``index=True`` under a naming convention without "ix", which never converges."""
    for index in table.indexes:
        if index.name is None:
            columns = (getattr(key, "name", None) or "expr" for key in index.expressions)
            index.name = quoted_name(fit("_".join(("ix", table.name, *columns))), None)


def _keep_schema(old: Any, new: Any) -> None:
    """Undo that ``to_metadata`` moves an Enum without a schema into its table's: ``create_all()`` does not."""
    if isinstance(new, SchemaType) and hasattr(old, "schema"):
        new.schema = old.schema
    for inner in ("item_type", "impl"):
        if hasattr(old, inner) and hasattr(new, inner):
            _keep_schema(getattr(old, inner), getattr(new, inner))


def _copy_sequences(metadata: MetaData, target: MetaData) -> None:
    for sequence in metadata._sequences.values():
        if sequence.column is None and sequence._key not in target._sequences:
            _attach(sequence, target)


def _attach(sequence: SqlSequence, target: MetaData) -> None:
    new = sequence._copy()
    new.info = sequence.info
    new._set_metadata(target)


def _copy_events(source: Any, target: Any) -> None:
    target.dispatch._update(source.dispatch, only_propagate=False)


def _pairs(table: Table, new: Table) -> Iterator[tuple[Any, Any]]:
    """Yield each object of the copy with its original."""
    yield new, table
    yield from ((new.c[column.key], column) for column in table.columns if column.key in new.c)
    yield from _matched(new.constraints, table.constraints, _constraint_key)
    yield from _matched(new.indexes, table.indexes, _index_key)


def _matched(new: Iterable[Any], old: Iterable[Any], key: Any) -> Iterator[tuple[Any, Any]]:
    candidates_by_key: dict[Any, list[Any]] = {}
    for item in old:
        candidates_by_key.setdefault(key(item), []).append(item)
    for item in new:
        if candidates := candidates_by_key.get(key(item)):
            yield item, candidates.pop(0)


def _constraint_key(constraint: Constraint) -> tuple[str, str, str]:
    columns = ",".join(str(column.key) for column in getattr(constraint, "columns", ()))
    return type(constraint).__name__, str(constraint.name), columns


def _index_key(index: Index) -> tuple[str, str]:
    return str(index.name), ",".join(map(str, index.expressions))
