"""Qualified names, and their spelling as PostgreSQL and people read them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import conv

MAX_IDENTIFIER_BYTES = 63
"""What PostgreSQL keeps of an identifier (NAMEDATALEN - 1; docs, "Identifiers and Key Words")."""

# The paramstyle of psycopg would double percent signs.
_preparer = postgresql.dialect(paramstyle="named").identifier_preparer  # type: ignore[no-untyped-call]


def quote(identifier: str) -> str:
    """The identifier as SQL text, in quotes where PostgreSQL needs them.

    Folding is left to the reader of the name: ``Order`` becomes ``"Order"``, ``book`` stays ``book``.
    """
    # SQLAlchemy's quoted_name equals the plain str and may say otherwise: only plain ones share an answer.
    return _quoted(identifier) if type(identifier) is str else str(_preparer.quote(identifier))


@lru_cache(maxsize=65536)
def _quoted(identifier: str) -> str:
    return str(_preparer.quote(identifier))


def stored(name: object) -> str:
    """A constraint's or index's name as SQLAlchemy's DDL spells it, which shortens those that a convention made."""
    if isinstance(name, conv):
        return str(_preparer.truncate_and_render_constraint_name(name, _alembic_quote=False))
    return str(name)


def truncate(identifier: str) -> str:
    """The identifier as PostgreSQL stores it: at most 63 bytes, cut at a whole character."""
    return identifier.encode()[:MAX_IDENTIFIER_BYTES].decode(errors="ignore")


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A schema-qualified name of a table, index, sequence, type, function or view."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{quote(self.schema)}.{quote(self.name)}"

    def display(self, default_schema: str = "public") -> str:
        """The name for people: without the schema where that is the default one."""
        return quote(self.name) if self.schema == default_schema else str(self)
