"""Passwords in statements, found by PostgreSQL's own parser, so that they are not kept with a trace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from alembic_pgpatterns.output.secrets import HIDDEN, without_passwords
from alembic_pgpatterns.revisions.commands import Command
from alembic_pgpatterns.revisions.model import RevisionRun, Statement
from alembic_pgpatterns.revisions.plpgsql import PLACEHOLDER, bodies, executed_constants
from alembic_pgpatterns.schema.sql.parser import pg, postgast

_WORD = "password"
_CONNINFO = re.compile(r"password\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))", re.IGNORECASE)
_SHORTEST = 4
"""Characters. A shorter one is hidden where it stands after its keyword; as a text it would be found everywhere."""


def without_passwords_of(run: RevisionRun) -> tuple[RevisionRun, frozenset[str]]:
    """The run without the passwords in its statements, and those passwords."""
    hidden: set[str] = set()
    statements = tuple(_hidden(statement, hidden) for statement in run.statements)
    return replace(run, statements=statements), frozenset(hidden)


def _hidden(statement: Statement, hidden: set[str]) -> Statement:
    if _WORD not in statement.sql.lower():
        return statement
    secrets = {text for text in passwords(statement.sql) if len(text) >= _SHORTEST} - {PLACEHOLDER}
    hidden |= secrets
    command = statement.command
    return replace(
        statement,
        sql=_without(statement.sql, secrets),
        command=_of_command(command, secrets) if command is not None else None,
    )


def _of_command(command: Command, secrets: set[str]) -> Command:
    inner = tuple(_of_command(item, secrets) for item in command.inner)
    assigned = tuple((column, _without(value, secrets)) for column, value in command.assigned)
    return replace(command, text=_without(command.text, secrets), inner=inner, assigned=assigned)


def _without(text: str, secrets: set[str]) -> str:
    text = without_passwords(text)
    # The longest first: another may be a part of it.
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def passwords(sql: str) -> Iterator[str]:
    """The passwords in one or more statements, in DO blocks, bodies of functions and texts for EXECUTE too."""
    try:
        tree = postgast.parse(sql)
    except postgast.PgQueryError:
        return
    for option in postgast.find_nodes(tree, pg.DefElem):
        if option.defname.lower().endswith(_WORD) and option.arg.WhichOneof("node") == "string":
            yield option.arg.string.sval
    for node_type in (pg.CreateSubscriptionStmt, pg.AlterSubscriptionStmt):
        for node in postgast.find_nodes(tree, node_type):
            yield from _of_conninfo(node.conninfo)
    for constant in postgast.find_nodes(tree, pg.A_Const):
        yield from _of_conninfo(constant.sval.sval)
    for item in tree.stmts:
        for body in bodies(item.stmt):
            yield from passwords(body)
        for constants in executed_constants(item.stmt):
            yield from _of_template(constants)


def _of_conninfo(text: str) -> Iterator[str]:
    for match in _CONNINFO.finditer(text):
        yield match[1] or match[2] or ""


def _of_template(constants: list[str]) -> Iterator[str]:
    """Of a text that is put together: what stands beside the part with the keyword may be the password."""
    if any(_WORD in text.lower() for text in constants):
        for text in constants:
            yield from passwords(text) if _WORD in text.lower() else [text]
