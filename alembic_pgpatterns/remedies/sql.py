"""Remedies as SQL statements, in their plain form: for reports, and for trying a remedy on a scratch database.

The rewriter makes the statements safe for a database in use (``autogenerate.rewrite``).
"""

from __future__ import annotations

from functools import singledispatch

from alembic_pgpatterns.remedies.model import (
    Advice,
    ChangeType,
    CreateIndex,
    DropConstraint,
    DropIndex,
    IndexedKey,
    RebuildIndex,
    Remedy,
    ReplaceIndex,
    ReplaceUnique,
    SetDefault,
    SetNotNull,
    Statements,
    TypeChange,
    ValidateConstraint,
)
from alembic_pgpatterns.remedies.naming import index_name
from alembic_pgpatterns.schema.names import Name, quote


@singledispatch
def sql(remedy: Remedy) -> tuple[str, ...]:
    """The statements of a remedy, without semicolons; none for an Advice."""
    raise NotImplementedError(type(remedy).__name__)


@sql.register
def _(remedy: Advice) -> tuple[str, ...]:
    return ()


@sql.register
def _(remedy: CreateIndex) -> tuple[str, ...]:
    return (create_index(remedy),)


@sql.register
def _(remedy: DropIndex) -> tuple[str, ...]:
    return (f"DROP INDEX {remedy.index}",)


@sql.register
def _(remedy: RebuildIndex) -> tuple[str, ...]:
    return (f"DROP INDEX {remedy.index}", create_index(remedy.recreate))


@sql.register
def _(remedy: ReplaceIndex) -> tuple[str, ...]:
    return (create_index(remedy.new), f"DROP INDEX {remedy.index}")


@sql.register
def _(remedy: ReplaceUnique) -> tuple[str, ...]:
    if remedy.constraint is None:
        return (create_index(remedy.new),)
    return (create_index(remedy.new), f"{_alter(remedy.table)} DROP CONSTRAINT {quote(remedy.constraint)}")


@sql.register
def _(remedy: ChangeType) -> tuple[str, ...]:
    checks = tuple(_check(change) for change in remedy.changes if change.check)
    return tuple(_type(change) for change in remedy.changes) + sequences_sql(remedy) + checks


@sql.register
def _(remedy: SetNotNull) -> tuple[str, ...]:
    column = quote(remedy.column)
    required = f"{_alter(remedy.table)} ALTER COLUMN {column} SET NOT NULL"
    if remedy.fill is None:
        return (required,)
    return " ".join(
        ("UPDATE", str(remedy.table), "SET", column, "=", remedy.fill, "WHERE", column, "IS NULL")
    ), required


@sql.register
def _(remedy: SetDefault) -> tuple[str, ...]:
    return (f"{_alter(remedy.table)} ALTER COLUMN {quote(remedy.column)} SET DEFAULT {remedy.new}",)


@sql.register
def _(remedy: ValidateConstraint) -> tuple[str, ...]:
    return (f"{_alter(remedy.table)} VALIDATE CONSTRAINT {quote(remedy.constraint)}",)


@sql.register
def _(remedy: DropConstraint) -> tuple[str, ...]:
    return (f"{_alter(remedy.table)} DROP CONSTRAINT {quote(remedy.constraint)}",)


@sql.register
def _(remedy: Statements) -> tuple[str, ...]:
    return remedy.up


def sequences_sql(remedy: ChangeType) -> tuple[str, ...]:
    """ALTER SEQUENCE for the sequences that must get the new type of their columns."""
    fed = (change for change in remedy.changes if change.sequence)
    return tuple(f"ALTER SEQUENCE {change.sequence} AS {change.new}" for change in fed)


def create_index(index: CreateIndex) -> str:
    """CREATE INDEX of the definition."""
    parts = [
        f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {quote(index_name(index))} ON {index.table}",
        "" if index.method == "btree" else f"USING {quote(index.method)}",
        f"({', '.join(map(key_sql, index.keys))})",
        f"INCLUDE ({', '.join(map(quote, index.include))})" if index.include else "",
        "NULLS NOT DISTINCT" if index.nulls_not_distinct else "",
        f"WITH ({', '.join(f'{name} = {value}' for name, value in index.options)})" if index.options else "",
        f"WHERE {index.where}" if index.where else "",
    ]
    return " ".join(part for part in parts if part)


def key_sql(key: IndexedKey, with_opclass: bool = True) -> str:
    """One key of an index, as written in CREATE INDEX."""
    parts = [
        quote(key.column) if key.column is not None else f"({key.expression})",
        f"COLLATE {key.collation}" if key.collation else "",
        key.opclass or "" if with_opclass else "",
        "DESC" if key.descending else "",
        _nulls(key),
    ]
    return " ".join(part for part in parts if part)


def _nulls(key: IndexedKey) -> str:
    if key.nulls_first is None or key.nulls_first == key.descending:
        return ""
    return "NULLS FIRST" if key.nulls_first else "NULLS LAST"


def _alter(table: Name) -> str:
    return f"ALTER TABLE {table}"


def _type(change: TypeChange) -> str:
    using = f" USING {change.using}" if change.using else ""
    return f"{_alter(change.table)} ALTER COLUMN {quote(change.column)} TYPE {change.new}{using}"


def _check(change: TypeChange) -> str:
    name = quote(change.check_name or f"ck_{change.table.name}_{change.column}_length")
    return f"{_alter(change.table)} ADD CONSTRAINT {name} CHECK ({change.check})"
