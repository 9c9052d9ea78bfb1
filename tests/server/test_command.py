"""The project's own upgrade command."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.server.command import run_command
from alembic_pgpatterns.server.throwaway import throwaway_server


def script(folder: Path, text: str) -> str:
    (folder / "it is.py").write_text(textwrap.dedent(text))
    return f"{sys.executable} 'it is.py'"


def test_gets_the_mapped_variables_and_reaches_the_database(database: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("PGSERVICE", "production")
    monkeypatch.setenv("OTHER", "stays")
    command = script(
        tmp_path,
        """
        import os, psycopg, sqlalchemy
        engine = sqlalchemy.create_engine(os.environ["ALCHEMY"])
        with engine.begin() as c:
            c.exec_driver_sql("CREATE TABLE by_alchemy (i int)")
        with psycopg.connect(os.environ["URL"]) as c:
            c.execute("CREATE TABLE by_url (i int)")
        with psycopg.connect() as c:
            c.execute("CREATE TABLE by_environment (i int)")
        print(os.environ["OTHER"], os.environ["BRACES"])
        """,
    )
    env = {
        "ALCHEMY": "postgresql+psycopg2://{user}@/{database}?host={host}&port={port}",
        "URL": "{url}",
        "BRACES": "{{x}}",
    }
    lines: list[str] = []
    run_command(command, server=database.server, database=database.name, env=env, cwd=tmp_path, echo=lines.append)
    assert lines == ["stays {x}"]
    with database.connect() as connection:
        made = connection.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'by\\_%'").fetchone()
    assert made == (3,)


def test_failure_shows_the_end_of_the_output(database: Any, tmp_path: Path) -> None:
    command = script(tmp_path, "for i in range(1000): print('line', i)\nraise SystemExit(3)")
    with pytest.raises(PgPatternsError, match="exit code 3") as caught:
        run_command(command, server=database.server, database=database.name, env={}, cwd=tmp_path)
    assert "line 999" in str(caught.value) and "line 1\n" not in str(caught.value)
    with pytest.raises(PgPatternsError, match="exit code 127"):
        run_command("no-such-program", server=database.server, database=database.name, env={}, cwd=tmp_path)
    with pytest.raises(PgPatternsError, match="could not be started"):
        run_command("true", server=database.server, database=database.name, env={}, cwd=tmp_path / "nowhere")
    with pytest.raises(PgPatternsError, match=r"unknown {Url}\. Known are .*{url}"):
        run_command("true", server=database.server, database=database.name, env={"A": "{Url}"}, cwd=tmp_path)


def test_a_command_that_takes_too_long(database: Any, tmp_path: Path) -> None:
    command = script(tmp_path, "import time\nprint('begun', flush=True)\ntime.sleep(600)")
    with pytest.raises(PgPatternsError, match=r"longer than time_limit \(0\.5 s\)") as caught:
        run_command(command, server=database.server, database=database.name, env={}, cwd=tmp_path, seconds=0.5)
    assert 'time_limit = "30m"' in str(caught.value)


def test_tcp_with_a_password_that_is_never_shown(tmp_path: Path) -> None:
    with throwaway_server(listen=True) as server:
        name = server.create_database("über dir")
        command = script(
            tmp_path,
            """
            import os, psycopg
            with psycopg.connect(os.environ["U"]) as c:
                print(c.info.host, c.info.dbname, os.environ["U"], os.environ["PASS"])
            raise SystemExit(1)
            """,
        )
        lines: list[str] = []
        env = {"U": "{url}", "PASS": "{password}"}
        with pytest.raises(PgPatternsError) as caught:
            run_command(command, server=server, database=name, env=env, cwd=tmp_path, echo=lines.append)
        assert server.password
        assert lines[0].startswith("127.0.0.1 über dir") and lines[0].endswith("***")
        assert server.password not in lines[0] + str(caught.value)
        wrong = server.url(name).set(password="wrong")
        with pytest.raises(Exception, match="password authentication failed"):
            import sqlalchemy

            sqlalchemy.create_engine(wrong).connect()


def test_an_interrupt_ends_the_whole_process_group(database: Any, tmp_path: Path) -> None:
    command = script(
        tmp_path,
        """
        import os, subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(child.pid, flush=True)
        child.wait()
        """,
    )
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's is ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            run_command(command, server=database.server, database=database.name, env={}, cwd=tmp_path, echo=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 20
    while (status := Path(f"/proc/{pids[0]}/status")).exists() and time.monotonic() < deadline:
        if "State:\tZ" in status.read_text():
            break
        time.sleep(0.05)
    else:
        assert not status.exists()
