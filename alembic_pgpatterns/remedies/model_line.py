"""Remedies as lines of the model."""

from __future__ import annotations

from functools import singledispatch

from alembic_pgpatterns.remedies.model import (
    ChangeType,
    CreateIndex,
    DropIndex,
    IndexedKey,
    Remedy,
    ReplaceIndex,
    ReplaceUnique,
    SetDefault,
    SetNotNull,
    Statements,
    TypeChange,
)
from alembic_pgpatterns.remedies.naming import index_name
from alembic_pgpatterns.remedies.sqlalchemy_types import type_expression


@singledispatch
def model_line(remedy: Remedy) -> tuple[str, ...]:
    """Lines for the model's source, each with a comment that says where; none if models cannot express it."""
    return ()


@model_line.register
def _(remedy: CreateIndex) -> tuple[str, ...]:
    return (index_expression(remedy),)


@model_line.register
def _(remedy: DropIndex) -> tuple[str, ...]:
    return (f"(remove) {index_expression(remedy.recreate)}",)


@model_line.register
def _(remedy: ReplaceIndex) -> tuple[str, ...]:
    return (f"{index_expression(remedy.new)}  # instead of {remedy.index.name}",)


@model_line.register
def _(remedy: ReplaceUnique) -> tuple[str, ...]:
    old = remedy.constraint or f"the unique constraint on {', '.join(remedy.columns)}"
    return (f"{index_expression(remedy.new)}  # instead of {old}",)


@model_line.register
def _(remedy: ChangeType) -> tuple[str, ...]:
    lines = tuple(line for line in map(_type_line, remedy.changes) if line is not None)
    return lines if len(lines) == len(remedy.changes) else ()


@model_line.register
def _(remedy: SetNotNull) -> tuple[str, ...]:
    return (f"{remedy.column} = mapped_column(…, nullable=False)",)


@model_line.register
def _(remedy: SetDefault) -> tuple[str, ...]:
    dropped = "  # instead of default=" if remedy.replaces_python_default else ""
    return (f"{remedy.column} = mapped_column(…, server_default=text({remedy.new!r})){dropped}",)


@model_line.register
def _(remedy: Statements) -> tuple[str, ...]:
    return (remedy.model,) if remedy.model else ()


def index_expression(index: CreateIndex) -> str:
    """``Index("ix_book_author_id", "author_id")``, for ``__table_args__``."""
    arguments = [repr_double(index_name(index)), *map(_key, index.keys)]
    if index.unique:
        arguments.append("unique=True")
    if index.method != "btree":
        arguments.append(f"postgresql_using={repr_double(index.method)}")
    opclasses = {key.column: key.opclass for key in index.keys if key.opclass and key.column}
    if opclasses:
        arguments.append(f"postgresql_ops={_dict(opclasses)}")
    if index.include:
        arguments.append(f"postgresql_include=[{', '.join(map(repr_double, index.include))}]")
    if index.where:
        arguments.append(f"postgresql_where=text({repr_double(index.where)})")
    if index.nulls_not_distinct:
        arguments.append("postgresql_nulls_not_distinct=True")
    if index.options:
        arguments.append(f"postgresql_with={_dict(dict(index.options))}")
    return f"Index({', '.join(arguments)})"


def repr_double(text: str) -> str:
    """The text as a Python literal in double quotes, as formatters write it."""
    if '"' in text or "\\" in text or not text.isprintable():
        return repr(text)
    return f'"{text}"'


def _dict(items: dict[str, str]) -> str:
    return "{" + ", ".join(f"{repr_double(key)}: {repr_double(value)}" for key, value in items.items()) + "}"


def _key(key: IndexedKey) -> str:
    if key.plain:
        return repr_double(key.column or "")
    from alembic_pgpatterns.remedies.sql import key_sql

    return f"text({repr_double(key_sql(key, with_opclass=key.column is None))})"


def _type_line(change: TypeChange) -> str | None:
    expression = type_expression(change.new)
    return None if expression is None else f"{change.table.name}.{change.column}: {expression}  # was {change.old}"
