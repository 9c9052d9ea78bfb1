"""What PostgreSQL's parser says of a piece of SQL, as plain data, and who can be asked for it.

The reader of models needs the parser, but must not import it: it also runs in the project's process, which may have no
parser. There, the parent of that process is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TypeText:
    """A parsed type: ``names`` as written but for SQL's own spellings (``int`` is pg_catalog, int4)."""

    names: tuple[str, ...]
    modifiers: tuple[int, ...]
    array: bool
    collation: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyText:
    """A parsed index key. Empty tuples where collation or operator class are not named."""

    column: str | None
    expression: str | None
    collation: tuple[str, ...]
    opclass: tuple[str, ...]
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class IndexText:
    """A parsed CREATE INDEX or EXCLUDE constraint."""

    method: str
    keys: tuple[KeyText, ...]
    include: tuple[str, ...]
    predicate: str | None


class SqlParser(Protocol):
    """Reads SQL; `schema.sql.sqltext` is one. None, from any of them: it is not SQL."""

    def parse_type(self, text: str) -> TypeText | None:
        """Read the name of a type."""

    def parse_index(self, statement: str) -> IndexText | None:
        """Read a CREATE INDEX."""

    def parse_exclusion(self, statement: str) -> IndexText | None:
        """Read an ALTER TABLE that adds an EXCLUDE constraint."""

    def parse_partition(self, clause: str) -> tuple[str | None, tuple[str | None, ...]] | None:
        """Read what follows PARTITION BY: the strategy, and a column per key, None for an expression."""

    def column_references(self, expression: str) -> frozenset[str] | None:
        """The columns that an expression names."""

    def sequence_of(self, default: str) -> tuple[str, ...] | None:
        """The sequence, with its schema if it is named, from which a default takes its values."""
