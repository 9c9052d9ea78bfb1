"""The parts of an ALTER TABLE, from PostgreSQL's parser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alembic_pgpatterns.schema.sql.parser import pg, postgast


@dataclass(frozen=True, slots=True)
class RelationName:
    """A name as written."""

    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class AlterAction:
    """One part of an ALTER TABLE.

    ``kind``: "add column", "drop column", "set not null", "alter type", "add constraint", "validate", "drop
    constraint", "set storage" and so on. ``name``: of the column or constraint. ``constraint``: the kind of a
    constraint that is added. ``required``: a new column is NOT NULL, and nothing fills it.
    """

    kind: str
    name: str = ""
    type: str = ""
    constraint: str = ""
    columns: tuple[str, ...] = ()
    referenced: RelationName | None = None
    validated: bool = True
    index: str = ""
    expression: str = ""
    required: bool = False
    default: str = ""
    generated: str = ""
    checks: tuple[str, ...] = ()
    on_delete: str = ""
    using: str = ""
    concurrently: bool = False


def relation_name(node: Any) -> RelationName:
    """A RangeVar of the parse tree."""
    return RelationName(node.schemaname, node.relname)


_ACTION_KINDS = {
    pg.AT_AddColumn: "add column",
    pg.AT_DropColumn: "drop column",
    pg.AT_SetNotNull: "set not null",
    pg.AT_AlterColumnType: "alter type",
    pg.AT_AddConstraint: "add constraint",
    pg.AT_AddIndexConstraint: "add constraint",
    pg.AT_ValidateConstraint: "validate",
    pg.AT_DropConstraint: "drop constraint",
    pg.AT_SetLogged: "set logged",
    pg.AT_SetUnLogged: "set unlogged",
    pg.AT_SetTableSpace: "set tablespace",
    pg.AT_SetAccessMethod: "set access method",
    pg.AT_SetExpression: "set expression",
    pg.AT_AttachPartition: "attach",
    pg.AT_DetachPartition: "detach",
    pg.AT_AddIdentity: "add identity",
}
_CONSTRAINTS = {
    pg.CONSTR_CHECK: "check",
    pg.CONSTR_FOREIGN: "foreign key",
    pg.CONSTR_UNIQUE: "unique",
    pg.CONSTR_PRIMARY: "primary key",
    pg.CONSTR_EXCLUSION: "exclusion",
    pg.CONSTR_NOTNULL: "not null",
}
_ON_DELETE = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT", "r": "RESTRICT"}


def alter_action(node: Any) -> AlterAction:
    """One AlterTableCmd of the parse tree."""
    kind = _ACTION_KINDS.get(node.subtype, "")
    definition = getattr(node, "def")
    if kind == "add column":
        return _add_column(definition.column_def)
    if kind == "add constraint" and definition.HasField("constraint"):
        return _add_constraint(definition.constraint)
    if kind == "alter type":
        column = definition.column_def
        using = expression_text(column.raw_default) if column.HasField("raw_default") else ""
        return AlterAction(kind, node.name, type=_type(column.type_name), using=using)
    if kind in ("attach", "detach"):
        command = definition.partition_cmd
        return AlterAction(
            kind, command.name.relname, referenced=relation_name(command.name), concurrently=command.concurrent
        )
    return AlterAction(kind, node.name)


_SERIALS = frozenset({"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"})
"""Not types: the parser leaves these names as they are, and CREATE TABLE makes integers of them."""


def _add_column(column: Any) -> AlterAction:
    parts = {constraint.constraint.contype: constraint.constraint for constraint in column.constraints}
    foreign = parts.get(pg.CONSTR_FOREIGN)
    generated = _generated(parts)
    default = parts.get(pg.CONSTR_DEFAULT)
    type_name = _type(column.type_name)
    serial = column.type_name.names[-1].string.sval in _SERIALS
    fills = default is not None or bool(generated) or serial
    return AlterAction(
        "add column",
        column.colname,
        type=type_name,
        referenced=relation_name(foreign.pktable) if foreign is not None else None,
        required=(pg.CONSTR_NOTNULL in parts or pg.CONSTR_PRIMARY in parts) and not fills,
        default=expression_text(default.raw_expr) if default is not None else "",
        generated="serial" if serial else generated,
        checks=tuple(expression_text(item.raw_expr) for kind, item in parts.items() if kind == pg.CONSTR_CHECK),
        constraint="unique" if pg.CONSTR_UNIQUE in parts else "",
    )


def _generated(parts: dict[int, Any]) -> str:
    if pg.CONSTR_IDENTITY in parts:
        return "identity"
    expression = parts.get(pg.CONSTR_GENERATED)
    if expression is None:
        return ""
    # Virtual columns are new in PostgreSQL 18, and so is this field of the tree.
    return "virtual" if getattr(expression, "generated_kind", "s") == "v" else "stored"


def _add_constraint(node: Any) -> AlterAction:
    kind = _CONSTRAINTS.get(node.contype, "")
    keys = node.fk_attrs if kind == "foreign key" else node.keys
    return AlterAction(
        "add constraint",
        node.conname,
        constraint=kind,
        columns=tuple(key.string.sval for key in keys),
        referenced=relation_name(node.pktable) if kind == "foreign key" else None,
        validated=not node.skip_validation,
        index=node.indexname,
        expression=expression_text(node.raw_expr) if kind == "check" else "",
        on_delete=_ON_DELETE.get(node.fk_del_action, ""),
    )


def _type(node: Any) -> str:
    tree = pg.ParseResult()
    statement = tree.stmts.add().stmt.select_stmt
    cast = statement.target_list.add().res_target.val.type_cast
    cast.type_name.CopyFrom(node)
    cast.arg.a_const.isnull = True
    statement.limit_option = pg.LIMIT_OPTION_DEFAULT
    statement.op = pg.SETOP_NONE
    return str(postgast.deparse(tree)).removeprefix("SELECT NULL::").removeprefix("pg_catalog.")


def expression_text(node: Any) -> str:
    """An expression of the parse tree as SQL."""
    tree = pg.ParseResult()
    statement = tree.stmts.add().stmt.select_stmt
    statement.target_list.add().res_target.val.CopyFrom(node)
    statement.limit_option = pg.LIMIT_OPTION_DEFAULT
    statement.op = pg.SETOP_NONE
    return str(postgast.deparse(tree)).removeprefix("SELECT ")
