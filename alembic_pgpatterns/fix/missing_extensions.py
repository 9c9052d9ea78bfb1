"""Extensions that the indexes of a fix need and the database does not have: its revision creates them."""

from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.autogenerate.rewrite.extensions import extensions_of_index
from alembic_pgpatterns.remedies.model import CreateIndex, RebuildIndex, Remedy, ReplaceIndex, ReplaceUnique
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.names import quote


def missing_extensions(remedy: Remedy, schema: Schema) -> tuple[str, ...]:
    """The names of the extensions that a remedy needs and the database does not have.

    Args:
        remedy: any.
        schema: of the database.
    """
    index = _index_of(remedy)
    if index is None:
        return ()
    installed = {extension.name for extension in schema.extensions}
    classes = [key.opclass.rpartition(".")[2] for key in index.keys if key.opclass]
    needed = extensions_of_index(index.method, classes, _plain_types(index, schema))
    return tuple(sorted(set(needed) - installed))


def create_extension(name: str) -> tuple[str, str]:
    """The statements that create an extension and drop it."""
    return f"CREATE EXTENSION IF NOT EXISTS {quote(name)}", f"DROP EXTENSION IF EXISTS {quote(name)}"


def _index_of(remedy: Remedy) -> CreateIndex | None:
    if isinstance(remedy, ReplaceIndex | ReplaceUnique):
        return remedy.new
    if isinstance(remedy, RebuildIndex):
        return remedy.recreate
    return remedy if isinstance(remedy, CreateIndex) else None


def _plain_types(index: CreateIndex, schema: Schema) -> Iterator[str]:
    table = schema.table(index.table)
    for key in index.keys:
        column = table.column(key.column) if table is not None and key.column and not key.opclass else None
        if column is not None and not column.type.array:
            yield column.type.name
