"""Qualified names, in the form that PostgreSQL and people use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import conv

MAX_IDENTIFIER_BYTES = 63
"""How many bytes PostgreSQL keeps of an identifier (NAMEDATALEN - 1; docs, "Identifiers and Key Words")."""

# psycopg's paramstyle would double percent signs.
_preparer = postgresql.dialect(paramstyle="named").identifier_preparer  # type: ignore[no-untyped-call]


def quote(identifier: str) -> str:
    """The identifier as SQL text, in quotes if PostgreSQL needs them.

    Case is kept: ``Order`` becomes ``"Order"``, ``book`` stays ``book``.
    """
    # SQLAlchemy's quoted_name is equal to the plain str but may demand quotes, so only plain ones are cached.
    return _quoted(identifier) if type(identifier) is str else str(_preparer.quote(identifier))


@lru_cache(maxsize=65536)
def _quoted(identifier: str) -> str:
    if not identifier:
        return '""'  # of which SQLAlchemy looks at the first character, up to 2.0.30 at least
    return str(_preparer.quote(identifier))


def stored(name: object) -> str:
    """A constraint's or index's name as SQLAlchemy's DDL writes it: names made by a convention may be shortened."""
    if isinstance(name, conv):
        return str(_preparer.truncate_and_render_constraint_name(name, _alembic_quote=False))
    return str(name)


def truncate(identifier: str) -> str:
    """The identifier as PostgreSQL stores it: at most 63 bytes, cut at a whole character."""
    return identifier.encode()[:MAX_IDENTIFIER_BYTES].decode(errors="ignore")


def object_name(table: str, columns: str, label: str) -> str:
    """A default name as PostgreSQL makes it (``makeObjectName`` in commands/indexcmds.c): at most 63 bytes.

    The longer of the first two parts is cut until all fit.
    """
    first, second = table.encode(), columns.encode()
    room = MAX_IDENTIFIER_BYTES - len(label.encode()) - (2 if second else 1)
    # In bytes, as PostgreSQL counts them; half a character at the end is left out below.
    while len(first) + len(second) > room:
        if len(first) > len(second):
            first = first[:-1]
        else:
            second = second[:-1]
    cut = (part.decode(errors="ignore") for part in (first, second) if part)
    return "_".join((*cut, label))


def do_block(body: str) -> str:
    """A DO statement, in dollar quotes that the body does not contain."""
    tags = ("$$", *(f"$block{number}$" for number in range(1, 1000)))
    tag = next(tag for tag in tags if tag not in body)
    return f"DO {tag}{body}{tag}"


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A schema-qualified name of a table, index, sequence, type, function or view."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{quote(self.schema)}.{quote(self.name)}"

    def display(self, default_schema: str = "public") -> str:
        """The name for messages: without the schema if that is the default one."""
        return quote(self.name) if self.schema == default_schema else str(self)
