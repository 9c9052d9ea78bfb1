"""Remedies as lines of the model."""

from __future__ import annotations

from dataclasses import dataclass
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
from alembic_pgpatterns.schema.sql.binds import escape_binds


def model_line(remedy: Remedy, call: str = "mapped_column") -> tuple[str, ...]:
    """Lines for the model's source that can be pasted, each with a comment that says where if it does not say it.

    Args:
        remedy: what is to be done.
        call: the function that declares columns in these models: ``mapped_column``, ``db.Column``, SQLModel's
            ``Field``.

    Returns:
        None if models cannot express it.
    """
    return _lines(remedy, Words(call))


@dataclass(frozen=True, slots=True)
class Words:
    """How the models write columns."""

    call: str

    @property
    def is_field(self) -> bool:
        """Whether it is SQLModel's function, which has arguments of its own."""
        return self.call.rpartition(".")[2] == "Field"

    def of(self, name: str) -> str:
        """A name of SQLAlchemy, taken from where the models take the function: ``db.Index`` beside ``db.Column``."""
        module = "" if self.is_field else self.call.rpartition(".")[0]
        return f"{module}.{name}" if module else name

    def typed(self, expression: str) -> str:
        """A column of a type."""
        keyword = "sa_type=" if self.is_field else ""
        return f"{self.call}({keyword}{self.of(expression)})"

    def with_default(self, expression: str) -> str:
        """A column with a default on the server."""
        value = f"{self.of('text')}({_sql(expression)})"
        if self.is_field:
            return f'{self.call}(sa_column_kwargs={{"server_default": {value}}})'
        return f"{self.call}(server_default={value})"


@singledispatch
def _lines(remedy: Remedy, words: Words) -> tuple[str, ...]:
    return ()


@_lines.register
def _(remedy: CreateIndex, words: Words) -> tuple[str, ...]:
    column = remedy.keys[0].column
    if words.is_field and column is not None and is_plain(remedy) and index_name(remedy) == default_name(remedy):
        return (f"{words.call}(index=True)  # {remedy.table.name}.{column}",)
    return (words.of(index_expression(remedy)),)


@_lines.register
def _(remedy: DropIndex, words: Words) -> tuple[str, ...]:
    # Which of the two ways the models write, the index itself does not say.
    short = f"  # or index=True of {remedy.recreate.keys[0].column}" if is_plain(remedy.recreate) else ""
    return (f"(remove) {words.of(index_expression(remedy.recreate))}{short}",)


@_lines.register
def _(remedy: ReplaceIndex, words: Words) -> tuple[str, ...]:
    return (f"{words.of(index_expression(remedy.new))}  # instead of {remedy.index.name}",)


@_lines.register
def _(remedy: ReplaceUnique, words: Words) -> tuple[str, ...]:
    old = remedy.constraint or f"the unique constraint on {', '.join(remedy.columns)}"
    return (f"{words.of(index_expression(remedy.new))}  # instead of {old}",)


@_lines.register
def _(remedy: ChangeType, words: Words) -> tuple[str, ...]:
    lines = [(change, type_expression(change.new)) for change in remedy.changes]
    if any(expression is None for _, expression in lines):
        return ()
    typed = (f"{words.typed(str(expression))}  # {_was(change)}" for change, expression in lines)
    checks = (words.of(check_expression(change)) for change in remedy.changes if change.check)
    return (*typed, *checks)


@_lines.register
def _(remedy: SetNotNull, words: Words) -> tuple[str, ...]:
    return (f"{words.call}(nullable=False)  # {remedy.table.name}.{remedy.column}",)


@_lines.register
def _(remedy: SetDefault, words: Words) -> tuple[str, ...]:
    dropped = ", instead of default=" if remedy.replaces_python_default else ""
    return (f"{words.with_default(remedy.new)}  # {remedy.table.name}.{remedy.column}{dropped}",)


@_lines.register
def _(remedy: Statements, words: Words) -> tuple[str, ...]:
    return (remedy.model,) if remedy.model else ()


def check_expression(change: TypeChange) -> str:
    """``CheckConstraint("char_length(sku) <= 64", name="ck_product_sku_length")``, for ``__table_args__``."""
    name = change.check_label or change.check_name
    named = f", name={repr_double(name)}" if name is not None else ""
    return f"CheckConstraint({_sql(str(change.check))}{named})"


def is_plain(index: CreateIndex) -> bool:
    """Whether ``index=True`` on its column makes the same index."""
    bare = CreateIndex(index.table, index.keys, name=index.name)
    return index == bare and len(index.keys) == 1 and index.keys[0].plain and index.keys[0].opclass is None


INDEX_TEMPLATE = "ix_%(column_0_label)s"
"""SQLAlchemy's own convention (docs, "Configuring Constraint Naming Conventions")."""


def default_name(index: CreateIndex, template: str | None = INDEX_TEMPLATE) -> str | None:
    """The name that SQLAlchemy gives to the index of ``index=True``; None if it cannot be told.

    Args:
        index: of one column.
        template: the models' convention for indexes.
    """
    schema, table, column = index.table.schema, index.table.name, index.keys[0].column
    label = f"{table}_{column}" if schema == "public" else f"{schema}_{table}_{column}"
    tokens = {"table_name": table, "column_0_name": column, "column_0_key": column, "column_0_label": label}
    several = {"column_0N_name": column, "column_0_N_name": column, "column_0N_label": label, "column_0_N_label": label}
    try:
        return template % {**tokens, **several} if template is not None else None
    except (KeyError, TypeError, ValueError):  # a token of the application's own
        return None


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
        arguments.append(f"postgresql_where=text({_sql(index.where)})")
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


def _sql(text: str) -> str:
    """SQL as a literal for ``text()``, which CheckConstraint calls too: there a colon begins a parameter."""
    return repr_double(escape_binds(text))


def _dict(items: dict[str, str]) -> str:
    return "{" + ", ".join(f"{repr_double(key)}: {repr_double(value)}" for key, value in items.items()) + "}"


def _key(key: IndexedKey) -> str:
    if key.plain:
        return repr_double(key.column or "")
    from alembic_pgpatterns.remedies.sql import key_sql

    return f"text({_sql(key_sql(key, with_opclass=key.column is None))})"


def _was(change: TypeChange) -> str:
    return f"{change.table.name}.{change.column}, was {change.old}"
