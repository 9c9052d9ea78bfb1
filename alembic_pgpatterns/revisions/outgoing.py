"""Statements that make the server connect to another one, and what runs instead.

The server of a check connects to nothing. Subscriptions work nevertheless: they are created without connecting, so that
statements that depend on them run. If nothing stops the server from connecting (`fences`), other ways are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.revisions.plpgsql import bodies
from alembic_pgpatterns.schema.sql.parser import pg, postgast

_NOTHING = "DO 'BEGIN END'"
"""Replaces a statement that would only connect. Like that one it has no result."""

_CONNECTING_OPTIONS = ("connect", "slot_name", "create_slot", "enabled", "copy_data", "failover")
_FALSE = ("false", "off", "0", "none")


def without_connecting(sql: str, *, in_transaction: bool, fenced: bool) -> str:
    """The statement to run instead of ``sql``: the same one, unless the server would connect because of it.

    Args:
        sql: one or more statements.
        in_transaction: whether it runs inside a transaction block.
        fenced: whether the kernel stops the server from connecting.

    Raises:
        PgPatternsError: the statement must not run, because it connects and nothing would stop it; or PostgreSQL would
            refuse it inside a transaction.
    """
    try:
        tree = postgast.parse(sql)
    except postgast.PgQueryError:
        return sql
    if not fenced:
        _refuse_what_connects(tree)
    raw, texts, changed = sql.encode(), [], False
    for item in tree.stmts:
        replacement = _replacement(item.stmt, in_transaction)
        changed |= replacement is not None
        end = item.stmt_location + item.stmt_len if item.stmt_len else len(raw)
        texts.append(replacement or raw[item.stmt_location : end].decode("utf-8", "replace"))
    return "; ".join(texts) if changed else sql


def _replacement(statement: Any, in_transaction: bool) -> str | None:
    kind = statement.WhichOneof("node")
    change = _CHANGES.get(kind)
    return change(statement, getattr(statement, kind), in_transaction) if change is not None else None


def _create_subscription(statement: Any, node: Any, in_transaction: bool) -> str:
    """Create it without a slot: then it can also be dropped without connecting."""
    options = {option.def_elem.defname: _text(option.def_elem) for option in node.options}
    makes_slot = not {options.get("connect"), options.get("create_slot")} & set(_FALSE)
    if makes_slot and in_transaction:
        raise PgPatternsError(
            f"CREATE SUBSCRIPTION {node.subname} creates a replication slot, so it cannot run inside a transaction "
            "block. Run it in an autocommit block (with op.get_context().autocommit_block(): …), or write "
            "WITH (create_slot = false)."
        )
    unchanged = [option for option in node.options if option.def_elem.defname not in _CONNECTING_OPTIONS]
    return _with_options(statement, unchanged, {"connect": "false", "slot_name": "none", "enabled": "false"})


def _alter_subscription(statement: Any, node: Any, in_transaction: bool) -> str | None:
    if node.kind == pg.ALTER_SUBSCRIPTION_REFRESH or _enables(node):
        return _NOTHING
    publications = (
        pg.ALTER_SUBSCRIPTION_SET_PUBLICATION,
        pg.ALTER_SUBSCRIPTION_ADD_PUBLICATION,
        pg.ALTER_SUBSCRIPTION_DROP_PUBLICATION,
    )
    if node.kind in publications:
        unchanged = [option for option in node.options if option.def_elem.defname not in ("refresh", "copy_data")]
        return _with_options(statement, unchanged, {"refresh": "false"})
    return None


def _enables(node: Any) -> bool:
    enabled = (option.def_elem.arg.boolean.boolval for option in node.options)
    return node.kind == pg.ALTER_SUBSCRIPTION_ENABLED and any(enabled)


_CHANGES: dict[str, Callable[[Any, Any, bool], str | None]] = {
    "create_subscription_stmt": _create_subscription,
    "alter_subscription_stmt": _alter_subscription,
}


def _with_options(statement: Any, unchanged: list[Any], options: dict[str, str]) -> str:
    tree = pg.ParseResult()
    copy = tree.stmts.add().stmt
    copy.CopyFrom(statement)
    node = getattr(copy, copy.WhichOneof("node"))
    del node.options[:]
    for option in unchanged:
        node.options.add().CopyFrom(option)
    for name, value in options.items():
        element = node.options.add().def_elem
        element.defname, element.defaction = name, pg.DEFELEM_UNSPEC
        element.arg.string.sval = value
    return str(postgast.deparse(tree))


def _text(element: Any) -> str:
    """The value of an option in lower case; an option without a value is true."""
    kind = element.arg.WhichOneof("node") if element.HasField("arg") else None
    if kind == "string":
        return str(element.arg.string.sval).lower()
    if kind == "integer":
        return str(element.arg.integer.ival)
    if kind == "type_name":  # how the parser reads a word that is not a keyword: off
        return str(element.arg.type_name.names[-1].string.sval).lower()
    return str(element.arg.boolean.boolval).lower() if kind == "boolean" else "true"


_DBLINK = "dblink"


def _refuse_what_connects(tree: Any) -> None:
    for statement, is_inner in _all(tree):
        # Outside of bodies a subscription is created without connecting.
        reason = _connects(statement) or (_subscribes(statement) if is_inner else None)
        if reason is not None:
            raise PgPatternsError(
                f"{reason} was not run: it makes the server connect to another one, and this machine has no means to "
                "stop the check's server from doing that. Run the check on Linux 5.5 or later, or skip the statement "
                "if the setting env says that this is a check."
            )


def _all(tree: Any, is_inner: bool = False) -> Iterator[tuple[Any, bool]]:
    """The statements, and those inside DO blocks and the bodies of functions, each with whether it is one of these."""
    for item in tree.stmts:
        yield item.stmt, is_inner
        for text in bodies(item.stmt):
            try:
                yield from _all(postgast.parse(text), is_inner=True)
            except postgast.PgQueryError:
                continue


def _subscribes(statement: Any) -> str | None:
    kind = statement.WhichOneof("node")
    if kind == "create_subscription_stmt":
        elements = (option.def_elem for option in statement.create_subscription_stmt.options)
        options = {element.defname: _text(element) for element in elements}
        return None if options.get("connect") in _FALSE else "CREATE SUBSCRIPTION in a function"
    if kind == "alter_subscription_stmt":
        node = statement.alter_subscription_stmt
        connects = node.kind == pg.ALTER_SUBSCRIPTION_REFRESH or _enables(node)
        return "ALTER SUBSCRIPTION in a function" if connects else None
    return "DROP SUBSCRIPTION in a function" if kind == "drop_subscription_stmt" else None


def _connects(statement: Any) -> str | None:
    """The part of the statement that makes the server connect; None if there is none."""
    kind = statement.WhichOneof("node")
    if kind == "copy_stmt" and statement.copy_stmt.is_program:
        return "COPY … PROGRAM"
    if kind == "import_foreign_schema_stmt":
        return "IMPORT FOREIGN SCHEMA"
    if kind in ("create_foreign_server_stmt", "alter_foreign_server_stmt"):
        options = getattr(statement, kind).options
        # PGHOSTADDR in the server's environment has priority over everything except this option.
        if any(option.def_elem.defname == "hostaddr" for option in options):
            return "A foreign server with the option hostaddr"
    for call in postgast.find_nodes(statement, pg.FuncCall):
        name = call.funcname[-1].string.sval
        if name.startswith(_DBLINK):
            return f"The function {name}"
    return _gives_another_name(kind, getattr(statement, kind)) if kind in _NAMING else None


def _gives_another_name(kind: str, node: Any) -> str | None:
    """A statement by which one of dblink's functions can be called by a name that does not show it."""
    if kind == "rename_stmt" and node.rename_type not in _ROUTINES:
        return None
    if kind == "create_function_stmt" and not _is_in_c(node):
        return None
    if kind == "define_stmt" and node.kind not in _OVER_ROUTINES:
        return None
    names = (string.sval for string in postgast.find_nodes(node, pg.String))
    name = next((name for name in names if name.startswith(_DBLINK)), None)
    return f"Another name for the function {name}" if name is not None else None


def _is_in_c(node: Any) -> bool:
    options = (option.def_elem for option in node.options)
    return any(option.defname == "language" and option.arg.string.sval.lower() == "c" for option in options)


_NAMING = ("rename_stmt", "create_function_stmt", "define_stmt")
_ROUTINES = (pg.OBJECT_FUNCTION, pg.OBJECT_ROUTINE)
_OVER_ROUTINES = (pg.OBJECT_OPERATOR, pg.OBJECT_AGGREGATE)
