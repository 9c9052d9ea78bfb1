"""The names that PostgreSQL gives to unnamed constraints (``makeObjectName`` in commands/indexcmds.c)."""

from __future__ import annotations

import re

from alembic.operations import ops
from sqlalchemy.schema import conv

from alembic_pgpatterns.autogenerate.rewrite.changes import table_of
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.schema.names import MAX_IDENTIFIER_BYTES

_WORD = re.compile(r"[^\W\d]\w*")


class Names:
    """Free names in a schema: neither in the database nor returned before."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._used: set[tuple[str, str]] = set()
        self._dropped: set[tuple[str, str]] = set()

    def drop(self, schema: str | None, table: str, name: str) -> None:
        """Free a name: an earlier op drops its constraint."""
        self._dropped.add((self._facts.key(schema, table)[0], name))

    def free(self, schema: str | None, table: str, columns: str, label: str) -> str:
        """Return the first free name of ``table_columns_label``, ``table_columns_label1``, …"""
        place = self._facts.key(schema, table)[0]
        for suffix in ("", *map(str, range(1, 1000))):
            name = object_name(table, columns, f"{label}{suffix}")
            exists = (place, name) not in self._dropped and self._facts.name_exists(place, name)
            if (place, name) not in self._used and not exists:
                self._used.add((place, name))
                return name
        raise AssertionError(f"a thousand constraints named like {table}_{columns}_{label}")


def object_name(table: str, columns: str, label: str) -> str:
    """Join three parts in at most 63 bytes. The longer of the first two is cut until they fit."""
    first, second = table.encode(), columns.encode()
    room = MAX_IDENTIFIER_BYTES - len(label.encode()) - (2 if second else 1)
    while len(first) + len(second) > room:
        if len(first) > len(second):
            first = first[:-1]
        else:
            second = second[:-1]
    cut = (part.decode(errors="ignore") for part in (first, second) if part)
    return "_".join((*cut, label))


def default_name(op: ops.AddConstraintOp, names: Names) -> conv | None:
    """Return the name PostgreSQL would give, or None for a kind that autogenerate does not write."""
    schema, table = table_of(op)
    if isinstance(op, ops.CreateForeignKeyOp):
        return conv(names.free(schema, str(table), "_".join(op.local_cols), "fkey"))
    if isinstance(op, ops.CreateUniqueConstraintOp):
        return conv(names.free(schema, str(table), "_".join(op.columns), "key"))
    if isinstance(op, ops.CreateCheckConstraintOp):
        words = set(_WORD.findall(str(op.condition)))
        column = str(getattr(op, "of_column", ""))
        return conv(names.free(schema, str(table), column if column in words else "", "check"))
    return None
