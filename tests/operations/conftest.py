"""Migrations as Alembic runs them, without files: a function that gets ``op``, on any driver, or offline."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.operations import MigrateOperation, Operations, ops
from alembic.runtime.migration import MigrationContext
from alembic.runtime.plugins import Plugin
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import create_async_engine

from alembic_pgpatterns.operations import setup

Migration = Callable[[Operations], Any]

ALONE = Plugin("pgpatterns_operations_alone")
"""The comparators of the directives without the patterns, which have tests of their own."""
setup(ALONE)
PLUGINS = ["alembic.autogenerate.*", ALONE.name]


@dataclass(frozen=True)
class Lab:
    """A database, and what one does with migrations in it."""

    database: Any

    def upgrade(self, migration: Migration, driver: str = "psycopg", **opts: Any) -> Any:
        """Run it in one transaction, as ``alembic upgrade`` does; returns what it returns."""
        return self.connected(lambda connection: run(connection, migration, opts), driver)

    def connected(self, function: Callable[[sa.Connection], Any], driver: str) -> Any:
        """Call it with a connection of that driver."""
        url = self.database.url.set(drivername=f"postgresql+{driver.removesuffix('_async')}")
        if driver in ("asyncpg", "psycopg_async"):
            return asyncio.run(self._connected_async(url, function))
        with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
            return function(connection)

    async def _connected_async(self, url: sa.URL, function: Callable[[sa.Connection], Any]) -> Any:
        async with create_async_engine(url, poolclass=sa.NullPool).connect() as connection:
            return await connection.run_sync(function)

    def sql(self, migration: Migration, driver: str = "psycopg") -> str:
        """What ``--sql`` writes."""
        buffer = io.StringIO()
        url = self.database.url.set(drivername=f"postgresql+{driver}")
        context = MigrationContext.configure(
            url=url,
            dialect_opts={"paramstyle": "named"},
            opts={"as_sql": True, "output_buffer": buffer, "literal_binds": True},
        )
        with Operations.context(context) as op, context.begin_transaction():
            migration(op)
        return buffer.getvalue()

    def psql(self, script: str) -> None:
        self._program("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", script=script)

    def dump(self) -> str:
        """Everything pg_dump knows of the database, settings and privileges included."""
        text = self._program("pg_dump", "--create")
        lines = re.sub(r"^(\\(un)?restrict|--).*\n", "", text, flags=re.M).splitlines()
        # in the order of the access list, which is that of the grants
        grants = sorted(line for line in lines if line.startswith("GRANT "))
        text = "\n".join([line for line in lines if line and line not in grants] + grants)
        roles = "SELECT setdatabase > 0, setrole::regrole, setconfig FROM pg_db_role_setting ORDER BY 1, 2"
        hidden = "SELECT indexrelid::regclass, indisvalid FROM pg_index WHERE NOT indisvalid ORDER BY 1"
        with self.database.connect() as connection:
            return text + str([connection.execute(query).fetchall() for query in (roles, hidden)])

    def _program(self, name: str, *arguments: str, script: str = "") -> str:
        facts = self.database.server.parameters(self.database.name)
        done = subprocess.run(
            [
                str(Path(self.database.server.binaries.postgres).parent / name),
                *("-h", facts["host"], "-p", facts["port"], "-U", facts["user"], "-d", self.database.name),
                *arguments,
            ],
            input=script,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return connection.execute(sql, parameters or None).fetchall()

    def autogenerate(self, metadata: sa.MetaData, **opts: Any) -> ops.MigrationScript:
        """What ``alembic revision --autogenerate`` would write."""
        with self.database.engine().connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"autogenerate_plugins": PLUGINS, "target_metadata": metadata, **opts}
            )
            return produce_migrations(context, metadata)

    def converge(self, metadata: sa.MetaData, **opts: Any) -> str:
        """Autogenerate, run its code: nothing may be left, and down must restore; then up again. Returns the code."""
        script = self.autogenerate(metadata, **opts)
        code = render_python_code(script.upgrade_ops)
        down = render_python_code(script.downgrade_ops)
        before = self.dump()
        self.upgrade(from_source(code))
        left = self.autogenerate(metadata, **opts).upgrade_ops
        assert left.is_empty(), render_python_code(left)
        self.upgrade(from_source(down))
        assert self.dump() == before
        self.upgrade(from_source(code))
        return code


def run(connection: sa.Connection, migration: Migration, opts: dict[str, Any]) -> Any:
    context = MigrationContext.configure(connection, opts=opts)
    with Operations.context(context) as op, context.begin_transaction():
        return migration(op)


def from_source(code: str) -> Migration:
    """The body of an ``upgrade()`` as a function."""

    def migration(op: Operations) -> None:
        lines = "\n".join("    " + line for line in code.splitlines())
        scope: dict[str, Any] = {"op": op, "sa": sa, "postgresql": postgresql, "Text": sa.Text}
        exec(f"import datetime, decimal, uuid\ndef upgrade():\n{lines}\n", scope)
        scope["upgrade"]()

    return migration


def source(*operations: MigrateOperation) -> str:
    """The code that an autogenerated revision has for them."""
    return render_python_code(ops.UpgradeOps(list(operations)))


@pytest.fixture
def lab(database: Any) -> Lab:
    """On PostgreSQL 18."""
    return Lab(database)


@pytest.fixture
def old_lab(old_database: Any) -> Lab:
    return Lab(old_database)


@pytest.fixture
def any_lab(any_database: Any) -> Lab:
    """On PostgreSQL 18 and on an older one."""
    return Lab(any_database)


@pytest.fixture
def rendered() -> Callable[..., str]:
    return source


@pytest.fixture
def as_migration() -> Callable[[str], Migration]:
    return from_source


MAKE_ROLE = """DO $$ BEGIN CREATE ROLE "Reader"; EXCEPTION WHEN duplicate_object THEN NULL; END $$"""


@pytest.fixture
def role(database: Any) -> str:
    """A role with a name that wants quoting; roles are the server's, so it may be there already, and stays."""
    database.execute(MAKE_ROLE)
    return "Reader"
