"""A statement's kind and its objects, from PostgreSQL's own parser (libpg_query).

Only facts that no lock, log line or catalog shows: that an index is built concurrently, or which part of an ALTER TABLE
does what. Names are as written: the schema is empty if the statement names none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from alembic_pgpatterns.revisions.alter_table import (
    AlterAction,
    RelationName,
    alter_action,
    expression_text,
    relation_name,
)
from alembic_pgpatterns.revisions.plpgsql import inner_statements
from alembic_pgpatterns.schema.sql.parser import pg, postgast


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One SET, RESET or set_config(). ``value`` None is the default; ``local`` ends with the transaction.

    An empty ``name`` means all settings.
    """

    name: str
    value: str | None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """One statement.

    ``kind``: "create index", "drop index", "alter table", "rename table", "update" and so on; "" for a statement that
    does not matter here. ``relations``: the names in it; for a new index its table; for an INSERT its table and those
    of its FROM. ``where``: the condition of an UPDATE or DELETE. ``everywhere``: there is no condition, or it only
    tests for nulls. ``assigned``: column and expression; empty if another table takes part, or if several
    columns are assigned at once. ``settings``: those that it
    sets for its session. ``options``: words of the statement; of a SELECT its ``TRANSACTION_LOCKS``.
    ``inner``: the statements in the body of a DO block.
    """

    kind: str
    text: str
    relations: tuple[RelationName, ...] = ()
    name: str = ""
    new_name: str = ""
    concurrently: bool = False
    if_not_exists: bool = False
    unique: bool = False
    actions: tuple[AlterAction, ...] = ()
    everywhere: bool = False
    where: str = ""
    assigned: tuple[tuple[str, str], ...] = ()
    options: frozenset[str] = field(default_factory=frozenset)
    settings: tuple[SettingChange, ...] = ()
    inner: tuple[Command, ...] = ()

    def all(self) -> Iterator[Command]:
        """This statement and all statements inside it."""
        yield self
        for command in self.inner:
            yield from command.all()

    @property
    def verb(self) -> str:
        """Its first word, as in an event's tag."""
        return self.text.split(None, 1)[0].upper() if self.text.split() else ""


def parse(text: str) -> tuple[Command, ...]:
    """The statements of a text; none if PostgreSQL's parser refuses it."""
    try:
        tree = postgast.parse(text)
    except postgast.PgQueryError:
        return ()
    # The parser's positions count bytes.
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


_OTHERS = {
    "alter_role_stmt": "alter role",
    "constraints_set_stmt": "set constraints",
    "copy_stmt": "copy",
    "create_function_stmt": "create function",
    "create_role_stmt": "create role",
    "drop_role_stmt": "drop role",
    "variable_show_stmt": "show",  # as SQLAlchemy sends for each autocommit block
}
TRANSACTION_LOCKS = frozenset(
    f"pg_{kind}advisory_xact_lock{shared}" for kind in ("", "try_") for shared in ("", "_shared")
)
"""Functions that take an advisory lock which ends with the transaction (PostgreSQL docs, "Advisory Lock Functions")."""

_TRANSACTION = {
    pg.TRANS_STMT_BEGIN: "begin",
    pg.TRANS_STMT_START: "begin",
    pg.TRANS_STMT_COMMIT: "commit",
    pg.TRANS_STMT_ROLLBACK: "rollback",
    pg.TRANS_STMT_SAVEPOINT: "savepoint",
    pg.TRANS_STMT_RELEASE: "release",
    pg.TRANS_STMT_ROLLBACK_TO: "rollback to",
    pg.TRANS_STMT_PREPARE: "prepare transaction",
}


def _transaction(node: Any, text: str) -> Command:
    options = frozenset({"chain"}) if node.chain else frozenset[str]()
    return Command(_TRANSACTION.get(node.kind, "transaction"), text, name=node.savepoint_name, options=options)


def _do(node: Any, text: str) -> Command:
    inner = tuple(command for statement in inner_statements(text) for command in parse(statement))
    return Command("do", text, settings=tuple(change for command in inner for change in command.settings), inner=inner)


def _select(node: Any, text: str) -> Command:
    calls = [item.res_target.val.func_call for item in node.target_list]
    settings = tuple(change for call in calls for change in _configured(call))
    names = {part.string.sval for call in calls for part in list(call.funcname)[-1:]}
    return Command("select", text, settings=settings, options=frozenset(names & TRANSACTION_LOCKS))


def _configured(call: Any) -> Iterator[SettingChange]:
    """The setting changed by ``set_config('name', 'value', is_local)``.

    None where one of them is computed, as where PL/pgSQL puts back what was set before: the last known value stands.
    """
    if [part.string.sval for part in call.funcname][-1:] != ["set_config"] or len(call.args) != 3:
        return
    if all(argument.WhichOneof("node") == "a_const" for argument in call.args):
        name, value, local = (argument.a_const for argument in call.args)
        yield SettingChange(name.sval.sval.lower(), value.sval.sval, local.boolval.boolval)


def _create_index(node: Any, text: str) -> Command:
    return Command(
        "create index",
        text,
        (relation_name(node.relation),),
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
    if node.remove_type == pg.OBJECT_TRIGGER:
        return _drop_trigger(node, text)
    kind = _DROPPED.get(node.remove_type, "drop")
    names = tuple(_listed(item.list.items) for item in node.objects) if kind != "drop" else ()
    return Command(kind, text, names, concurrently=node.concurrent)


def _drop_trigger(node: Any, text: str) -> Command:
    """The table's name comes first in the list, the trigger's is the last."""
    items = node.objects[0].list.items
    return Command("drop trigger", text, (_listed(items[:-1]),), name=items[-1].string.sval)


def _listed(items: Any) -> RelationName:
    parts = [item.string.sval for item in items]
    return RelationName(parts[-2] if len(parts) > 1 else "", parts[-1])


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
    return Command(kind, text, (relation_name(node.relation),), name=node.subname, new_name=node.newname)


def _set_schema(node: Any, text: str) -> Command:
    kind = "set schema" if node.object_type in (pg.OBJECT_TABLE, pg.OBJECT_VIEW, pg.OBJECT_MATVIEW) else ""
    return Command(kind, text, (relation_name(node.relation),), new_name=node.newschema)


def _insert(node: Any, text: str) -> Command:
    return Command("insert", text, (relation_name(node.relation), *_tables(node.select_stmt)))


def _tables(node: Any) -> list[RelationName]:
    """The tables of a query's FROM, or of one item of it."""
    kind = node.WhichOneof("node")
    if kind == "select_stmt":
        return [name for item in node.select_stmt.from_clause for name in _tables(item)]
    if kind == "join_expr":
        return [*_tables(node.join_expr.larg), *_tables(node.join_expr.rarg)]
    if kind == "range_subselect":
        return _tables(node.range_subselect.subquery)
    return [relation_name(node.range_var)] if kind == "range_var" else []


def _update(node: Any, text: str) -> Command:
    targets = [item.res_target for item in node.target_list]
    # Of ``SET (a, b) = (SELECT ...)`` no column has an expression of its own, and libpg_query cannot print its part.
    unclear = any(target.indirection or target.val.HasField("multi_assign_ref") for target in targets)
    alone = not node.from_clause and not unclear
    return Command(
        "update",
        text,
        (relation_name(node.relation),),
        everywhere=_everywhere(node),
        where=_where(node),
        assigned=tuple((target.name, expression_text(target.val)) for target in targets) if alone else (),
    )


def _delete(node: Any, text: str) -> Command:
    return Command("delete", text, (relation_name(node.relation),), everywhere=_everywhere(node), where=_where(node))


def _where(node: Any) -> str:
    return expression_text(node.where_clause) if node.HasField("where_clause") else ""


def _everywhere(node: Any) -> bool:
    """Whether there is no WHERE, or one that only tests for nulls: then it may be any number of rows."""
    if not node.HasField("where_clause"):
        return True
    return _only_null_tests(node.where_clause)


def _only_null_tests(node: Any) -> bool:
    kind = node.WhichOneof("node")
    if kind == "bool_expr":
        return all(_only_null_tests(argument) for argument in node.bool_expr.args)
    return bool(kind == "null_test")


def _truncate(node: Any, text: str) -> Command:
    return Command("truncate", text, tuple(relation_name(item.range_var) for item in node.relations))


def _lock(node: Any, text: str) -> Command:
    return Command("lock", text, tuple(relation_name(item.range_var) for item in node.relations), name=str(node.mode))


def _vacuum(node: Any, text: str) -> Command:
    options = frozenset(option.def_elem.defname for option in node.options)
    relations = tuple(relation_name(item.vacuum_relation.relation) for item in node.rels)
    return Command("vacuum full" if "full" in options else "vacuum", text, relations, options=options)


def _cluster(node: Any, text: str) -> Command:
    return Command("cluster", text, (relation_name(node.relation),))


def _reindex(node: Any, text: str) -> Command:
    concurrently = any(option.def_elem.defname == "concurrently" for option in node.params)
    kind = "reindex table" if node.kind == pg.REINDEX_OBJECT_TABLE else "reindex"
    return Command(kind, text, (relation_name(node.relation),), concurrently=concurrently)


def _refresh(node: Any, text: str) -> Command:
    return Command("refresh", text, (relation_name(node.relation),), concurrently=node.concurrent)


def _create_table(node: Any, text: str) -> Command:
    parents = tuple(relation_name(item.range_var) for item in node.inh_relations)
    kind = "create partition" if node.HasField("partbound") else "create table"
    return Command(kind, text, parents, name=node.relation.relname)


def _create_trigger(node: Any, text: str) -> Command:
    return Command("create trigger", text, (relation_name(node.relation),), name=node.trigname)


def _set(node: Any, text: str) -> Command:
    if node.kind == pg.VAR_SET_MULTI:
        return Command("set", text, name=node.name)
    value = _setting_value(node.args) if node.kind == pg.VAR_SET_VALUE else None
    return Command("set", text, name=node.name, settings=(SettingChange(node.name.lower(), value, node.is_local),))


def _setting_value(arguments: Any) -> str:
    """The value as text. A list is joined by commas, as PostgreSQL does it."""
    return ", ".join(_constant(argument.a_const) for argument in arguments)


def _constant(node: Any) -> str:
    kind = node.WhichOneof("val")
    if kind == "ival":
        return str(node.ival.ival)
    if kind == "fval":
        return str(node.fval.fval)
    return str(node.sval.sval)


def _discard(node: Any, text: str) -> Command:
    everything = node.target == pg.DISCARD_ALL
    return Command("discard", text, settings=(SettingChange("", None),) if everything else ())


def _enum(node: Any, text: str) -> Command:
    value = "add enum value" if node.new_val and not node.old_val else "alter enum"
    return Command(value, text, name=node.new_val)


def _alter_table(node: Any, text: str) -> Command:
    if node.objtype not in (pg.OBJECT_TABLE, pg.OBJECT_MATVIEW, pg.OBJECT_INDEX):
        return Command("alter", text)
    kind = "alter index" if node.objtype == pg.OBJECT_INDEX else "alter table"
    actions = tuple(alter_action(item.alter_table_cmd) for item in node.cmds)
    return Command(kind, text, (relation_name(node.relation),), actions=actions)


_READERS: dict[str, Callable[[Any, str], Command]] = {
    "index_stmt": _create_index,
    "transaction_stmt": _transaction,
    "do_stmt": _do,
    "select_stmt": _select,
    "discard_stmt": _discard,
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
    "create_trig_stmt": _create_trigger,
    "variable_set_stmt": _set,
    "alter_enum_stmt": _enum,
    "alter_table_stmt": _alter_table,
}
