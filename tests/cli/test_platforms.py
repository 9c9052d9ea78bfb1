"""Windows, as far as this machine can play it: without the modules and functions that Python has on Unix alone."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from alembic.config import Config

from alembic_pgpatterns.cli.register import COMMANDS
from alembic_pgpatterns.cli.stdout import standard_output

WINDOWS = """
import os
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "pwd", "grp", "resource", "termios", "_posixsubprocess"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

import subprocess, tempfile, platformdirs, psycopg, sqlalchemy, rich.console  # not their own variants for Windows
for name in ("fcntl", "pwd", "grp", "resource", "termios", "_posixsubprocess"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
import select, signal, socket
GONE = {
    os: "fork geteuid getegid getuid getgid uname setsid setpgid getpgid killpg mkfifo register_at_fork "
        "O_NOFOLLOW O_CLOEXEC O_DIRECTORY O_NONBLOCK WIFSIGNALED WTERMSIG posix_spawn posix_spawnp chown",
    signal: "SIGUSR1 SIGUSR2 SIGHUP SIGPIPE SIGCHLD SIGQUIT SIGALRM setitimer",
    socket: "AF_UNIX AF_NETLINK recv_fds send_fds",
    select: "poll epoll",
}
for module, names in GONE.items():
    for name in names.split():
        delattr(module, name)
sys.platform = "win32"
sys.argv = ["alembic", *sys.argv[1:]]
import runpy
"""
ENV = """
from alembic import context
from sqlalchemy import BigInteger, Column, ForeignKey, MetaData, String, Table, create_engine

metadata = MetaData()
Table("author", metadata, Column("id", BigInteger, primary_key=True), Column("name", String(80)))
Table("book", metadata, Column("id", BigInteger, primary_key=True), Column("a", ForeignKey("author.id")))
with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    plugins = ["alembic.autogenerate.*", "alembic_pgpatterns"]
    context.configure(connection=connection, target_metadata=metadata, autogenerate_plugins=plugins)
    with context.begin_transaction():
        context.run_migrations()
"""


def on_windows(program: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = f"runpy.run_module({program!r}, run_name='__main__')"
    command = [sys.executable, "-c", WINDOWS + code, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.long
@pytest.mark.parametrize("program", ["alembic", "alembic_pgpatterns"])
def test_a_check_says_in_one_line_what_it_needs(program: str, tmp_path: Path) -> None:
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n")
    run = on_windows(program, tmp_path, "pgcheck")
    assert (run.returncode, run.stdout) == (255, "")
    (line,) = run.stderr.splitlines()
    assert line.startswith("FAILED: ") and "no PostgreSQL on Windows" in line and "--server URL" in line


FIRST = """
from alembic import op
import sqlalchemy as sa

revision, down_revision = "a1", None


def upgrade():
    op.create_table("author", sa.Column("id", sa.BigInteger(), primary_key=True), sa.Column("name", sa.String(80)))
    key = sa.Column("id", sa.BigInteger(), primary_key=True)
    op.create_table("book", key, sa.Column("a", sa.BigInteger(), sa.ForeignKey("author.id")))
"""


def project_to_check(folder: Path, revision: str) -> None:
    (folder / "alembic.ini").write_text(
        "[alembic]\nscript_location = migrations\nsqlalchemy.url = postgresql+psycopg://nobody@db.example.invalid/app\n"
    )
    (folder / "migrations/versions").mkdir(parents=True)
    (folder / "migrations/env.py").write_text(ENV)
    (folder / "migrations/versions/a1.py").write_text(revision)
    # Every interpreter that is started here imports it first: the process of the project's code is on Windows, too.
    (folder / "site").mkdir()
    (folder / "site/sitecustomize.py").write_text(WINDOWS.partition("sys.argv =")[0])


def checked_on_windows(folder: Path, database: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    server = database.url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    command = [sys.executable, "-m", "alembic", "pgcheck", "--server", server, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(folder / "site")}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=environment)


@pytest.mark.long
def test_a_check_on_a_server_works(database: Any, tmp_path: Path) -> None:
    project_to_check(tmp_path, FIRST)
    run = checked_on_windows(tmp_path, database, "--all")
    assert run.returncode == 1, run.stderr
    assert "1 revision, 2 tables" in run.stdout and "unindexed-foreign-key" in run.stdout
    assert "NOT CHECKED" not in run.stdout and "os.py" not in run.stderr


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "code,says",
    [
        ("import faulthandler; faulthandler._sigsegv()", "ended its own process (signal 11)"),
        ("import time; time.sleep(60)", "migrations/versions/a1.py:9: the project's code ran for longer"),
        ("raise ValueError('no')", "ValueError: no"),
    ],
)
def test_what_the_project_does_there_is_said(code: str, says: str, database: Any, tmp_path: Path) -> None:
    project_to_check(tmp_path, FIRST.replace("def upgrade():\n", f"def upgrade():\n    {code}\n"))
    (tmp_path / "pyproject.toml").write_text('[tool.alembic_pgpatterns]\ntime_limit = "4s"\n')
    run = checked_on_windows(tmp_path, database)
    assert run.returncode == 255 and says in run.stderr, run.stderr


@pytest.mark.parametrize("module", COMMANDS)
def test_every_other_command_needs_a_fork(module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    name = module.__name__.rpartition(".")[2]
    if name == "pgcheck":
        return
    monkeypatch.delattr(os, "fork")
    with pytest.raises(SystemExit) as left:
        getattr(module, name)(Config())
    assert left.value.code == 255
    assert f" {name} works in a fork" in capsys.readouterr().err


def test_autogenerate_works(database: Any, tmp_path: Path) -> None:
    url = database.url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    (tmp_path / "alembic.ini").write_text(
        f"[alembic]\nscript_location = migrations\nsqlalchemy.url = {url.replace('%', '%%')}\n"
    )
    (tmp_path / "migrations/versions").mkdir(parents=True)
    (tmp_path / "migrations/env.py").write_text(ENV)
    template = Path(sys.modules["alembic"].__file__ or "").parent / "templates/generic/script.py.mako"
    (tmp_path / "migrations/script.py.mako").write_text(template.read_text())
    run = on_windows("alembic", tmp_path, "revision", "--autogenerate", "-m", "first")
    assert run.returncode == 0, run.stderr
    (path,) = (tmp_path / "migrations/versions").glob("*.py")
    text = path.read_text()
    assert "ix_book_a" in text and "ck_author_name_length" in text


def test_python_m_runs_the_commands(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "alembic_pgpatterns", "pgcheck", "--help"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stderr) == (0, "")
    assert "--write-baseline" in run.stdout


def test_a_terminal_without_our_characters() -> None:
    raw = io.BytesIO()
    with standard_output(io.TextIOWrapper(raw, encoding="ascii")) as stream:
        stream.write("a fix … of größe · 1\n")
    assert raw.getvalue() == rb"a fix ... of gr\xf6\xdfe * 1" + b"\n"
