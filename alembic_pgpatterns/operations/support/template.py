"""SQL statements built from parts, so that no name and no value is ever pasted into a string.

A template holds the fixed words. Everything else is a `Name` (quoted if needed), a `Value` (a literal), or `Sql` (an
expression that is SQL by nature: a policy's condition, a CHECK).
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import ExecutableDDLElement

from alembic_pgpatterns import errors

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import DDLCompiler

Scalar: TypeAlias = str | int | float | Decimal | bool | None


class Name:
    """An identifier, or a path of them (`Name("app", "orders")`). Parts that are None are left out."""

    __slots__ = ("path",)

    def __init__(self, *path: str | None) -> None:
        self.path = tuple(part for part in path if part is not None)


class Value:
    """A literal."""

    __slots__ = ("value",)

    def __init__(self, value: Scalar) -> None:
        self.value = value


class Sql:
    """Text that is SQL already: an expression that its author wrote, or a keyword from a fixed list."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


Part: TypeAlias = "Name | Value | Sql | Template | Sequence[Part]"


class Template(ExecutableDDLElement):
    """A template such as ``ALTER TABLE {table} ENABLE ROW LEVEL SECURITY``, and the parts that it names.

    A sequence of parts is joined with commas. The dialect quotes the names at compile time, so the same statement
    works with every driver and offline.
    """

    def __init__(self, template: str, **parts: Part) -> None:
        self.template = template
        self.parts = parts

    def pieces(self) -> Iterator[str | Part]:
        """The fixed words (str) and the parts between them, in order."""
        for words, field, _, _ in string.Formatter().parse(self.template):
            if words:
                yield words
            if field is not None:
                yield self.parts[field]


def literal(value: Scalar) -> str:
    """*value* as PostgreSQL reads it, with any value of ``standard_conforming_strings``.

    Raises:
        PgPatternsError: the value cannot be written as a literal here, or holds a NUL character.
    """
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int() | float() | Decimal():
            return str(value)
        case str() if "\0" in value:
            raise errors.PgPatternsError(f"PostgreSQL cannot store the NUL character in {value!r}")
        case str():
            quoted = "'" + value.replace("'", "''") + "'"
            return "E" + quoted.replace("\\", "\\\\") if "\\" in value else quoted
    raise errors.PgPatternsError(f"{value!r} is not a plain value: give a string, a number, True, False or None")


def always_quoted(*path: str | None) -> str:
    """An identifier path with every part in double quotes: for values that are cast to regclass and the like."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in path if part is not None)


def _render(part: str | Part, compiler: DDLCompiler, **kw: Any) -> str:
    escape: Callable[[str], str] = compiler.sql_compiler.post_process_text
    if isinstance(part, str):
        return escape(part)
    if isinstance(part, Name):
        return ".".join(compiler.preparer.quote(name) for name in part.path)
    if isinstance(part, Value):
        return escape(literal(part.value))
    if isinstance(part, Sql):
        return escape(part.text)
    if isinstance(part, Template):
        return "".join(_render(piece, compiler, **kw) for piece in part.pieces())
    return ", ".join(_render(item, compiler, **kw) for item in part)


def role_sql(roles: Sequence[str]) -> list[Part]:
    """The roles as SQL. PUBLIC is a keyword; PostgreSQL allows no role of that name."""
    return [Sql("PUBLIC") if role.lower() == "public" else Name(role) for role in roles]


def as_text(statement: Template) -> str:
    """The SQL text of *statement*, to use as a `Value` inside another one (the body of a DO block)."""
    return "".join(_plain(piece) for piece in statement.pieces())


def _plain(part: str | Part) -> str:
    # not compiled: compiling doubles percent signs for some drivers, and here that would happen twice
    if isinstance(part, str):
        return part
    if isinstance(part, Name):
        return ".".join(always_quoted(name) for name in part.path)
    if isinstance(part, Value):
        return literal(part.value)
    if isinstance(part, Sql):
        return part.text
    if isinstance(part, Template):
        return as_text(part)
    return ", ".join(_plain(item) for item in part)


@compiles(Template)
def _compile(statement: Template, compiler: DDLCompiler, **kw: Any) -> str:
    return _render(statement, compiler, **kw)
