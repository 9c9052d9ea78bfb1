"""A statement's kind and its objects, by PostgreSQL's own parser (libpg_query).

Only what no lock, log line or catalog says: that an index is built concurrently, which part of an ALTER TABLE asks for
what. Names are as written: the schema is empty where none was given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from alembic_pgpatterns.schema.sql.parser import pg, postgast


@dataclass(frozen=True, slots=True)
class Relation:
    """A name as written."""

    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class Change:
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
    referenced: Relation | None = None
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


@dataclass(frozen=True, slots=True)
class Command:
    """One statement.

    ``kind``: "create index", "drop index", "alter table", "rename table", "update" and so on, "" for what does not
    matter here. ``relations``: what it names; for an index that is created, its table; for an INSERT the table,
    and those of its FROM. ``where``: of an UPDATE or
    DELETE, ``everywhere`` where that asks for nulls at most; ``assigned``: column and expression, none where another
    table takes part.
    """

    kind: str
    text: str
    relations: tuple[Relation, ...] = ()
    name: str = ""
    new_name: str = ""
    concurrently: bool = False
    if_not_exists: bool = False
    unique: bool = False
    changes: tuple[Change, ...] = ()
    everywhere: bool = False
    where: str = ""
    assigned: tuple[tuple[str, str], ...] = ()
    options: frozenset[str] = field(default_factory=frozenset)

    @property
    def verb(self) -> str:
        """Its first word, as in the tag of an event."""
        return self.text.split(None, 1)[0].upper() if self.text.split() else ""


def parse(text: str) -> tuple[Command, ...]:
    """The statements of a text; none where PostgreSQL's parser refuses it."""
    try:
        tree = postgast.parse(text)
    except postgast.PgQueryError:
        return ()
    raw = text.encode()
    return tuple(_command(item.stmt, _slice(raw, item)) for item in tree.stmts)


def _slice(raw: bytes, item: Any) -> str:
    end = item.stmt_location + item.stmt_len if item.stmt_len else len(raw)
    return raw[item.stmt_location : end].decode("utf-8", "replace").strip()


def _command(node: Any, text: str) -> Command:
    name = node.WhichOneof("node")
    read = _READERS.get(name)
    if read is None:
        return Command(_OTHERS.get(name, ""), text)
    return read(getattr(node, name), text)


_OTHERS = {"do_stmt": "do", "select_stmt": "select", "transaction_stmt": "transaction"}


def _relation(node: Any) -> Relation:
    return Relation(node.schemaname, node.relname)


def _create_index(node: Any, text: str) -> Command:
    return Command(
        "create index",
        text,
        (_relation(node.relation),),
        name=node.idxname,
        concurrently=node.concurrent,
        if_not_exists=node.if_not_exists,
        unique=node.unique,
        options=frozenset() if node.relation.inh else frozenset({"only"}),
    )


_DROPPED = {
    pg.OBJECT_INDEX: "drop index",
    pg.OBJECT_TABLE: "drop table",
    pg.OBJECT_VIEW: "drop view",
    pg.OBJECT_MATVIEW: "drop materialized view",
}


def _drop(node: Any, text: str) -> Command:
    kind = _DROPPED.get(node.remove_type, "drop")
    names = tuple(_listed(item.list.items) for item in node.objects) if kind != "drop" else ()
    return Command(kind, text, names, concurrently=node.concurrent)


def _listed(items: Any) -> Relation:
    parts = [item.string.sval for item in items]
    return Relation(parts[-2] if len(parts) > 1 else "", parts[-1])


_RENAMED = {
    pg.OBJECT_TABLE: "rename table",
    pg.OBJECT_COLUMN: "rename column",
    pg.OBJECT_VIEW: "rename view",
    pg.OBJECT_MATVIEW: "rename materialized view",
}


def _rename(node: Any, text: str) -> Command:
    kind = _RENAMED.get(node.rename_type, "rename")
    if kind == "rename column" and node.relation_type not in _RENAMED:
        kind = "rename"
    return Command(kind, text, (_relation(node.relation),), name=node.subname, new_name=node.newname)


def _set_schema(node: Any, text: str) -> Command:
    kind = "set schema" if node.object_type in (pg.OBJECT_TABLE, pg.OBJECT_VIEW, pg.OBJECT_MATVIEW) else ""
    return Command(kind, text, (_relation(node.relation),), new_name=node.newschema)


def _insert(node: Any, text: str) -> Command:
    return Command("insert", text, (_relation(node.relation), *_tables(node.select_stmt)))


def _tables(node: Any) -> list[Relation]:
    """The tables of a query's FROM, or of an item of it."""
    kind = node.WhichOneof("node")
    if kind == "select_stmt":
        return [name for item in node.select_stmt.from_clause for name in _tables(item)]
    if kind == "join_expr":
        return [*_tables(node.join_expr.larg), *_tables(node.join_expr.rarg)]
    if kind == "range_subselect":
        return _tables(node.range_subselect.subquery)
    return [_relation(node.range_var)] if kind == "range_var" else []


def _update(node: Any, text: str) -> Command:
    assigned = tuple((item.res_target.name, _text(item.res_target.val)) for item in node.target_list)
    alone = not node.from_clause and not any(item.res_target.indirection for item in node.target_list)
    return Command(
        "update",
        text,
        (_relation(node.relation),),
        everywhere=_everywhere(node),
        where=_where(node),
        assigned=assigned if alone else (),
    )


def _delete(node: Any, text: str) -> Command:
    return Command("delete", text, (_relation(node.relation),), everywhere=_everywhere(node), where=_where(node))


def _where(node: Any) -> str:
    return _text(node.where_clause) if node.HasField("where_clause") else ""


def _everywhere(node: Any) -> bool:
    """No WHERE, or one that only asks whether columns are null: as many rows as there may be."""
    if not node.HasField("where_clause"):
        return True
    return _only_null_tests(node.where_clause)


def _only_null_tests(node: Any) -> bool:
    kind = node.WhichOneof("node")
    if kind == "bool_expr":
        return all(_only_null_tests(argument) for argument in node.bool_expr.args)
    return bool(kind == "null_test")


def _truncate(node: Any, text: str) -> Command:
    return Command("truncate", text, tuple(_relation(item.range_var) for item in node.relations))


def _lock(node: Any, text: str) -> Command:
    return Command("lock", text, tuple(_relation(item.range_var) for item in node.relations), name=str(node.mode))


def _vacuum(node: Any, text: str) -> Command:
    options = frozenset(option.def_elem.defname for option in node.options)
    relations = tuple(_relation(item.vacuum_relation.relation) for item in node.rels)
    return Command("vacuum full" if "full" in options else "vacuum", text, relations, options=options)


def _cluster(node: Any, text: str) -> Command:
    return Command("cluster", text, (_relation(node.relation),))


def _reindex(node: Any, text: str) -> Command:
    concurrently = any(option.def_elem.defname == "concurrently" for option in node.params)
    kind = "reindex table" if node.kind == pg.REINDEX_OBJECT_TABLE else "reindex"
    return Command(kind, text, (_relation(node.relation),), concurrently=concurrently)


def _refresh(node: Any, text: str) -> Command:
    return Command("refresh", text, (_relation(node.relation),), concurrently=node.concurrent)


def _create_table(node: Any, text: str) -> Command:
    parents = tuple(_relation(item.range_var) for item in node.inh_relations)
    kind = "create partition" if node.HasField("partbound") else "create table"
    return Command(kind, text, parents, name=node.relation.relname)


def _set(node: Any, text: str) -> Command:
    return Command("set", text, name=node.name)


def _enum(node: Any, text: str) -> Command:
    value = "add enum value" if node.new_val and not node.old_val else "alter enum"
    return Command(value, text, name=node.new_val)


def _alter_table(node: Any, text: str) -> Command:
    if node.objtype not in (pg.OBJECT_TABLE, pg.OBJECT_MATVIEW, pg.OBJECT_INDEX):
        return Command("alter", text)
    kind = "alter index" if node.objtype == pg.OBJECT_INDEX else "alter table"
    changes = tuple(_change(item.alter_table_cmd) for item in node.cmds)
    return Command(kind, text, (_relation(node.relation),), changes=changes)


_READERS: dict[str, Callable[[Any, str], Command]] = {
    "index_stmt": _create_index,
    "drop_stmt": _drop,
    "rename_stmt": _rename,
    "alter_object_schema_stmt": _set_schema,
    "insert_stmt": _insert,
    "update_stmt": _update,
    "delete_stmt": _delete,
    "truncate_stmt": _truncate,
    "lock_stmt": _lock,
    "vacuum_stmt": _vacuum,
    "cluster_stmt": _cluster,
    "reindex_stmt": _reindex,
    "refresh_mat_view_stmt": _refresh,
    "create_stmt": _create_table,
    "variable_set_stmt": _set,
    "alter_enum_stmt": _enum,
    "alter_table_stmt": _alter_table,
}

_CHANGES = {
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
_ACTIONS = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT", "r": "RESTRICT"}


def _change(node: Any) -> Change:
    kind = _CHANGES.get(node.subtype, "")
    definition = getattr(node, "def")
    if kind == "add column":
        return _add_column(definition.column_def)
    if kind == "add constraint" and definition.HasField("constraint"):
        return _add_constraint(definition.constraint)
    if kind == "alter type":
        column = definition.column_def
        using = _text(column.raw_default) if column.HasField("raw_default") else ""
        return Change(kind, node.name, type=_type(column.type_name), using=using)
    if kind in ("attach", "detach"):
        command = definition.partition_cmd
        return Change(kind, command.name.relname, referenced=_relation(command.name), concurrently=command.concurrent)
    return Change(kind, node.name)


def _add_column(column: Any) -> Change:
    parts = {constraint.constraint.contype: constraint.constraint for constraint in column.constraints}
    foreign = parts.get(pg.CONSTR_FOREIGN)
    generated = _generated(parts)
    default = parts.get(pg.CONSTR_DEFAULT)
    type_name = _type(column.type_name)
    serial = "serial" in type_name
    fills = default is not None or bool(generated) or serial
    return Change(
        "add column",
        column.colname,
        type=type_name,
        referenced=_relation(foreign.pktable) if foreign is not None else None,
        required=(pg.CONSTR_NOTNULL in parts or pg.CONSTR_PRIMARY in parts) and not fills,
        default=_text(default.raw_expr) if default is not None else "",
        generated="serial" if serial else generated,
        checks=tuple(_text(found.raw_expr) for kind, found in parts.items() if kind == pg.CONSTR_CHECK),
        constraint="unique" if pg.CONSTR_UNIQUE in parts else "",
    )


def _generated(parts: dict[int, Any]) -> str:
    if pg.CONSTR_IDENTITY in parts:
        return "identity"
    found = parts.get(pg.CONSTR_GENERATED)
    if found is None:
        return ""
    return "virtual" if getattr(found, "generated_kind", "s") == "v" else "stored"


def _add_constraint(node: Any) -> Change:
    kind = _CONSTRAINTS.get(node.contype, "")
    keys = node.fk_attrs if kind == "foreign key" else node.keys
    return Change(
        "add constraint",
        node.conname,
        constraint=kind,
        columns=tuple(key.string.sval for key in keys),
        referenced=_relation(node.pktable) if kind == "foreign key" else None,
        validated=not node.skip_validation,
        index=node.indexname,
        expression=_text(node.raw_expr) if kind == "check" else "",
        on_delete=_ACTIONS.get(node.fk_del_action, ""),
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


def _text(node: Any) -> str:
    tree = pg.ParseResult()
    statement = tree.stmts.add().stmt.select_stmt
    statement.target_list.add().res_target.val.CopyFrom(node)
    statement.limit_option = pg.LIMIT_OPTION_DEFAULT
    statement.op = pg.SETOP_NONE
    return str(postgast.deparse(tree)).removeprefix("SELECT ")
