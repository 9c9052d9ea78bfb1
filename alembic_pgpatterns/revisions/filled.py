"""Which columns of new rows the triggers and functions of revisions may fill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from alembic_pgpatterns.revisions.model import Statement
from alembic_pgpatterns.revisions.plpgsql import columns_of_new, executed_constants, is_readable
from alembic_pgpatterns.schema.model import Name
from alembic_pgpatterns.schema.sql.parser import pg, postgast


def trigger_may_fill(statements: Iterable[Statement], table: Name, column: str) -> bool:
    """Whether a trigger may give a new row a value in a column.

    A new trigger of the table counts if its function may set the column, or is not among the statements. A function
    that no new trigger calls may be the new text of an older trigger's function, of whatever table.

    Args:
        statements: of the revisions from the first one on, in order.
        table: its name before the revisions.
        column: its name after them.
    """
    every = list(statements)
    if any(_is_hidden(statement) for statement in every):
        return True
    names = former_names(every, table, column)
    functions = [item for statement in every for item in _functions(statement)]
    written = {name for name, _ in functions}
    called = [(name, statement) for statement in every for name in _called(statement)]
    # Its table is not known if the text was not understood, and None if the revision created it.
    called_here = {name for name, statement in called if not statement.tables or table in statement.tables}
    relevant = called_here | (written - {name for name, _ in called})
    return not called_here <= written or any(
        name in relevant and (columns is None or bool(names & columns)) for name, columns in functions
    )


def former_names(statements: Iterable[Statement], table: Name, column: str) -> set[str]:
    """The name of a column and those that it had before renames, the statements in order."""
    names = {column}
    for statement in reversed(list(statements)):
        command = statement.command
        if command is not None and command.kind == "rename column" and table in statement.tables:
            names |= {command.name} if command.new_name in names else set()
    return names


def _is_hidden(statement: Statement) -> bool:
    """Whether it made a trigger or a function that its text does not show, as a DO block may."""
    made = any(tag in ("CREATE TRIGGER", "CREATE FUNCTION") for tag in statement.tags)
    return made and not any(_nodes(statement, kind) for kind in _VISIBLE)


# The functions of an extension fill a column only if a trigger calls them, and its statement is looked at itself.
_VISIBLE = ("create_trig_stmt", "create_function_stmt", "create_extension_stmt", "alter_extension_stmt")


def _called(statement: Statement) -> Iterator[str]:
    for node in _nodes(statement, "create_trig_stmt"):
        yield node.funcname[-1].string.sval


def _functions(statement: Statement) -> Iterator[tuple[str, frozenset[str] | None]]:
    """Each trigger function that a statement creates, with the columns that it may set; None: not known."""
    for function in _nodes(statement, "create_function_stmt"):
        # Only such a function sees the new row.
        if function.return_type.names and function.return_type.names[-1].string.sval == "trigger":
            yield function.funcname[-1].string.sval, columns_of_new(statement.sql)


def _nodes(statement: Statement, kind: str) -> list[Any]:
    # Most statements are something else: they are not parsed again.
    if not {"CREATE TRIGGER", "CREATE FUNCTION"} & set(statement.tags):
        return []
    try:
        tree = postgast.parse(statement.sql)
    except postgast.PgQueryError:
        return []
    return [getattr(item.stmt, kind) for item in tree.stmts if item.stmt.WhichOneof("node") == kind]


_HARMLESS = frozenset(("count", "current_setting", "format", "max", "min", "now", "random", "set_config"))
_CHANGES = (pg.InsertStmt, pg.UpdateStmt, pg.MergeStmt)


def calls_unknown(select: str) -> bool:
    """Whether a SELECT may change rows: by a function that is not PostgreSQL's own, or in its WITH."""
    try:
        tree = postgast.parse(select)
    except postgast.PgQueryError:
        return True
    if any(True for kind in _CHANGES for _ in postgast.find_nodes(tree, kind)):
        return True
    return any(
        not _is_builtin([part.string.sval for part in call.funcname]) for call in postgast.find_nodes(tree, pg.FuncCall)
    )


def _is_builtin(name: list[str]) -> bool:
    """Whether a name is that of a function of PostgreSQL, as position() and what is named pg_… are."""
    return name[:-1] == ["pg_catalog"] or name[-1].startswith("pg_") or name[-1] in _HARMLESS


def executes(block: str) -> bool:
    """Whether a DO block has an EXECUTE, whose text may be known only at run time, or is in another language."""
    try:
        statements = [item.stmt for item in postgast.parse(block).stmts]
    except postgast.PgQueryError:
        return True
    return any(not is_readable(item) or any(True for _ in executed_constants(item)) for item in statements)
