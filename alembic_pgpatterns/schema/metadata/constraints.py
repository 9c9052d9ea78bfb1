"""Keys, foreign keys and checks from models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Several
from dataclasses import replace
from typing import Any

from sqlalchemy import CheckConstraint, Constraint, ForeignKeyConstraint, PrimaryKeyConstraint, Table, UniqueConstraint

from alembic_pgpatterns.schema.metadata.columns import Context
from alembic_pgpatterns.schema.metadata.ddl_condition import is_for_postgresql
from alembic_pgpatterns.schema.metadata.indexes import key_index_name
from alembic_pgpatterns.schema.metadata.names import final_name
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.origin import UNKNOWN, Unknown
from alembic_pgpatterns.schema.parts import Check, Column, ForeignKey, Key
from alembic_pgpatterns.schema.sql.opclasses import equality_families
from alembic_pgpatterns.schema.types import DataType

TypeOf = Callable[[Name, str], DataType | None]
"""Gives the type of a column of any table of the models."""


def _is_created(context: Context, constraint: Constraint) -> bool:
    """Whether create_all makes it on PostgreSQL: a native enum has no CHECK, and ``ddl_if`` may exclude it."""
    # Only for the CHECK of a type: AddConstraint(), which create_all uses for cycles, sets the attribute for good.
    rule = getattr(constraint, "_create_rule", None) if getattr(constraint, "_type_bound", False) else None
    try:
        if rule is not None and not rule(context.compiler):
            return False
    except Exception:
        return True  # as for ddl_if()
    return is_for_postgresql(constraint, context.compiler)


def read_key(context: Context, constraint: PrimaryKeyConstraint | UniqueConstraint, table: Name) -> Key | None:
    """A primary key or unique constraint; None for the empty primary key of a table without one."""
    columns = tuple(str(column.name) for column in constraint.columns)
    if not columns:
        return None
    options = constraint.dialect_options["postgresql"]
    primary = isinstance(constraint, PrimaryKeyConstraint)
    include = _option(options, "include") or ()
    deferred = _initially_deferred(constraint)
    return Key(
        table=table,
        name=final_name(constraint, context.dialect),
        columns=columns,
        primary=primary,
        index=key_index_name(context, constraint, table, columns, primary),
        nulls_not_distinct=bool(_option(options, "nulls_not_distinct")),
        deferrable=bool(constraint.deferrable) or deferred,
        initially_deferred=deferred,
        include=tuple(str(getattr(column, "name", column)) for column in include),
        comment=getattr(constraint, "comment", None),  # not in SQLAlchemy 1.4
        origin=context.origins.of_item(constraint, tuple(constraint.columns)),
    )


def merged_keys(keys: Several[Key]) -> tuple[Key, ...]:
    """The keys, without unique constraints that CREATE TABLE merges into an equal earlier one or the primary key.

    The first one with a name gives it to the key that stays (transformIndexConstraints, parser/parse_utilcmd.c).
    """
    result: list[Key] = []
    for key in keys:
        position = next((number for number, prior in enumerate(result) if _same(prior, key)), None)
        if position is None:
            result.append(key)
        elif result[position].name is None and key.name is not None:
            result[position] = replace(result[position], name=key.name, index=key.index)
    return tuple(result)


def _same(key: Key, other: Key) -> bool:
    return (key.columns, key.include, key.nulls_not_distinct, key.deferrable, key.initially_deferred) == (
        other.columns,
        other.include,
        other.nulls_not_distinct,
        other.deferrable,
        other.initially_deferred,
    )


def read_foreign_key(
    context: Context, constraint: ForeignKeyConstraint, table: Name, columns: Mapping[str, Column], type_of: TypeOf
) -> ForeignKey:
    """A foreign key. The metadata may lack the referenced table."""
    names = tuple(str(column.name) for column in constraint.columns)
    targets = [_target(context, constraint.parent, element) for element in constraint.elements]
    referred = tuple(column for _, column in targets)
    deferred = _initially_deferred(constraint)
    options = constraint.dialect_options["postgresql"]
    families = [
        _families(columns[name].type, type_of(targets[0][0], column))
        for name, column in zip(names, referred, strict=True)
    ]
    return ForeignKey(
        table=table,
        name=final_name(constraint, context.dialect),
        columns=names,
        referred_table=targets[0][0],
        referred_columns=referred,
        key_opfamilies=tuple(family for family in families if family is not None) if all(families) else UNKNOWN,
        validated=not _option(options, "not_valid"),
        deferrable=bool(constraint.deferrable) or deferred,
        initially_deferred=deferred,
        match_full=(constraint.match or "").upper() == "FULL",
        on_delete=_action(constraint.ondelete),
        on_update=_action(constraint.onupdate),
        comment=getattr(constraint, "comment", None),  # not in SQLAlchemy 1.4
        origin=context.origins.of_item(constraint, tuple(constraint.columns), *constraint.elements),
    )


def _families(type_: DataType, referred: DataType | None) -> frozenset[Name] | None:
    return equality_families(type_, referred) if referred is not None else None


def _target(context: Context, table: Any, element: Any) -> tuple[Name, str]:
    try:
        column = element.column
    except Exception:
        # Its table is not in this MetaData: only the text of the declaration is known.
        schema, name, column_name = element._column_tokens
        return context.name(schema or None, name), str(column_name or "")
    return context.table_name(column.table), str(column.name)


def _action(clause: str | None) -> str:
    """``SET NULL (a)`` is SET NULL."""
    text = " ".join((clause or "NO ACTION").upper().split("(")[0].split())
    return text or "NO ACTION"


def _initially_deferred(constraint: Constraint) -> bool:
    return (constraint.initially or "").upper() == "DEFERRED"


def _option(options: Any, name: str) -> Any:
    """The option's value, or None: some options are newer than SQLAlchemy 2.0."""
    return options.get(name)


def read_check(context: Context, constraint: CheckConstraint, table: Name, columns: Mapping[str, Column]) -> Check:
    """A CHECK, as SQL text that PostgreSQL has not normalised."""
    try:
        text: str | Unknown = context.compiler.sql_compiler.process(
            constraint.sqltext, include_table=False, literal_binds=True
        )
    except Exception:
        text = UNKNOWN
    references = context.sql.column_references(text) if text is not UNKNOWN else None
    ordered = (
        None if references is None else tuple(sorted(columns[name].name for name in references if name in columns))
    )
    return Check(
        table=table,
        name=final_name(constraint, context.dialect),
        expression=text,
        columns=ordered if ordered is not None else UNKNOWN,
        validated=not _option(constraint.dialect_options["postgresql"], "not_valid"),
        comment=getattr(constraint, "comment", None),  # not in SQLAlchemy 1.4
        origin=context.origins.of_item(constraint, tuple(constraint.columns)),
    )


def table_items(context: Context, table: Table) -> list[Constraint]:
    """The constraints that create_all makes, in the order of the source, so that two reads give the same result."""
    items = {*table.constraints, *(item for column in table.columns for item in column.constraints)}
    return sorted((item for item in items if _is_created(context, item)), key=lambda item: item._creation_order)
