"""The role that statements are planned with where tables have row-level security.

A superuser is above all policies, and a table's owner above those that are not forced (docs, "Row Security Policies").
The application's role is not: each of its statements also compares the tenant's column. Without these conditions in the
plans an index would be advised that the policy makes useless.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from alembic_pgpatterns.advisor.planner import CannotPlan, Planner
from alembic_pgpatterns.errors import first_line
from alembic_pgpatterns.schema.model import Schema, Table
from alembic_pgpatterns.schema.sql.parser import pg, postgast
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.throwaway import ThrowawayServer

_VALUES = ("1", "00000000-0000-0000-0000-000000000001", "2026-01-01", "pgpatterns")
"""What a policy's setting may be: a number, true or JSON; a uuid; a date; a text. One of them the policy takes."""
_ATTEMPTS = 12
_NOT_PLANNED = "row-level security is not in the plans"


def protected_tables(schema: Schema) -> list[Table]:
    """Tables whose policies change the statements of an application."""
    return [table for table in schema.tables if table.row_security is True and table.policies]


@dataclass
class ApplicationRole:
    """A role that is subject to policies, on the throw-away server.

    ``name``: None where there is nothing to be subject to, or where it could not be made; ``notes`` says why.
    """

    name: str | None = None
    notes: list[str] = field(default_factory=list)
    _tables: Sequence[Table] = ()

    def enter(self, connection: psycopg.Connection[Any]) -> None:
        """Grant it what is in a database, and give the settings that policies read a value for this session."""
        if self.name is None:
            return
        _grant(connection, self.name)
        try:
            for table in self._tables:
                _settle(Planner(connection, self.name), table)
        except CannotPlan as error:
            self.notes.append(f"{_NOT_PLANNED}: {first_line(error)}")
            self.name = None


@contextmanager
def application_role(server: Server, schema: Schema, purpose: str) -> Iterator[ApplicationRole]:
    """A context with a role of its own, if tables of the schema have policies. It is dropped at the end.

    Args:
        server: only on one that we started a role is made.
        schema: with the policies.
        purpose: for its name. Databases in which it is used must be dropped before the context ends.

    Raises:
        psycopg.Error: the server refuses.
    """
    tables = protected_tables(schema)
    if not tables:
        yield ApplicationRole()
    elif not isinstance(server, ThrowawayServer):
        yield ApplicationRole(notes=[f"{_NOT_PLANNED}: that needs a role, and none is made on a server that you name"])
    else:
        name = f"pgpatterns_{purpose}"
        server.create_roles([name])
        try:
            with server.connect() as connection:
                for member in _members(tables, connection):
                    command = sql.SQL("GRANT {} TO {}").format(sql.Identifier(member), sql.Identifier(name))
                    connection.execute(command)
            yield ApplicationRole(name, [], tables)
        finally:
            with server.connect() as connection:
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@contextmanager
def copy_of(server: Server, database: str, purpose: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a copy of a database, to which nobody may be connected. The copy is dropped at the end."""
    name = server.create_database(f"{database}_{purpose}", template=database)
    try:
        with server.connect(name) as connection:
            yield connection
    finally:
        server.drop_database(name)


def _members(tables: Sequence[Table], connection: psycopg.Connection[Any]) -> list[str]:
    """The role that most policies are for, if any names one. Policies for all roles need none.

    A policy that is always true is for those who see everything, not for the application's users.
    """
    policies = [policy for table in tables for policy in table.policies if policy.using not in (None, "true")]
    counts = Counter(role for policy in policies for role in policy.roles)
    present = {row[0] for row in connection.execute("SELECT rolname FROM pg_catalog.pg_roles WHERE NOT rolsuper")}
    return [role for role, _ in counts.most_common() if role in present][:1]


def _grant(connection: psycopg.Connection[Any], role: str) -> None:
    rows = connection.execute(
        "SELECT nspname FROM pg_catalog.pg_namespace "
        "WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
    ).fetchall()
    schemas = sql.SQL(", ").join(sql.Identifier(row[0]) for row in rows)
    for words in (
        "USAGE ON SCHEMA",
        "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA",
        "EXECUTE ON ALL ROUTINES IN SCHEMA",
    ):
        command = sql.SQL("GRANT {} {} TO {}").format(sql.SQL(words), schemas, sql.Identifier(role))
        connection.execute(command)


def _settle(planner: Planner, table: Table) -> None:
    """Find values of the settings of a table's policies with which its statements can be planned.

    The planner computes ``current_setting('app.tenant')::uuid`` to estimate the rows, and fails as the statement would.

    Raises:
        CannotPlan: no value fits.
    """
    connection = planner.connection
    statement = sql.SQL("SELECT 1 FROM {}").format(sql.Identifier(table.name.schema, table.name.name))
    text = statement.as_string(connection)
    settings = sorted(_settings(table))
    tried = 0
    _set(connection, settings, _VALUES[0])
    for attempt in range(_ATTEMPTS):
        try:
            planner.plan(text, ())
        except CannotPlan as error:
            missing = _missing(error)
            if missing is not None and missing not in settings:
                settings.append(missing)  # of a function that the policy calls
            else:
                tried += 1
            if tried == len(_VALUES) or attempt == _ATTEMPTS - 1:
                raise
            _set(connection, settings, _VALUES[tried])
        else:
            return


def _set(connection: psycopg.Connection[Any], settings: Sequence[str], value: str) -> None:
    for name in settings:
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))


def _settings(table: Table) -> Iterator[str]:
    """The names in ``current_setting('…')`` of a table's policies."""
    for policy in table.policies:
        for text in filter(None, (policy.using, policy.check)):
            tree = postgast.parse(f"SELECT {text}")
            for call in postgast.find_nodes(tree, pg.FuncCall):
                if call.funcname[-1].string.sval == "current_setting":
                    constants = postgast.find_nodes(call.args[0], pg.A_Const)
                    yield from (constant.sval.sval for constant in constants)


def _missing(error: CannotPlan) -> str | None:
    """The setting that the server does not know, from its message (``lc_messages`` is C on our server)."""
    _, words, rest = str(error).partition('unrecognized configuration parameter "')
    return rest.partition('"')[0] if words else None
