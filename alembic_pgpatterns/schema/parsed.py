"""The result of PostgreSQL's parser as plain data, and the interface of a parser.

The reader of models needs the parser but must not import it: it also runs in the project's process, where the parser
may not be installed. There it asks the parent process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TypeText:
    """A parsed type. ``names`` as written, except SQL's own names (``int`` is pg_catalog, int4)."""

    names: tuple[str, ...]
    modifiers: tuple[int, ...]
    array: bool
    collation: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyText:
    """A parsed index key. Collation and operator class are empty tuples if they are not named."""

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
    """Parses SQL; `schema.sql.sqltext` is one. Each method returns None for a text that is not SQL."""

    def parse_type(self, text: str) -> TypeText | None:
        """Parse the name of a type."""

    def parse_index(self, statement: str) -> IndexText | None:
        """Parse a CREATE INDEX."""

    def parse_exclusion(self, statement: str) -> IndexText | None:
        """Parse an ALTER TABLE that adds an EXCLUDE constraint."""

    def parse_partition(self, clause: str) -> tuple[str | None, tuple[str | None, ...]] | None:
        """Parse the text after PARTITION BY: the strategy, and one column per key (None for an expression)."""

    def column_references(self, expression: str) -> frozenset[str] | None:
        """The columns that an expression names."""

    def sequence_of(self, default: str) -> tuple[str, ...] | None:
        """The sequence (with its schema, if that is named) that gives a default its values."""
