"""Columns that keep their name but get a type that code written for the old type cannot use."""

from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.schema.model import Column
from alembic_pgpatterns.schema.types import DataType

_FAMILIES = (
    ("int2", "int4", "int8", "numeric", "float4", "float8"),
    ("text", "varchar", "bpchar", "citext", "name"),
    ("json", "jsonb"),
)
"""Types whose values code reads and writes in the same way. Timestamps with and without a zone are not comparable."""


def retyped(run: RevisionRun) -> Iterator[tuple[Column, Column]]:
    """Each such column before and after the revision, whether it was altered or dropped and added again."""
    for before in run.before.tables:
        after = run.after.table(before.name)
        for old in before.columns if after is not None and before.partition_of is None else ():
            new = after.column(old.name) if after is not None else None
            if new is not None and family(old.type) != family(new.type):
                yield old, new


def family(type: DataType) -> tuple[str, ...]:
    """A key that is equal for types which can replace each other; an "unknown" type equals only itself."""
    of_kind = next((names for names in _FAMILIES if type.name in names and type.kind == "base"), (type.name,))
    return (*of_kind, "array") if type.array else of_kind
