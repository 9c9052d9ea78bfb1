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
        if name in ("fcntl", "pwd", "grp", "resource", "termios"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

import subprocess, tempfile, platformdirs, psycopg, sqlalchemy  # their own Windows variants are not the question
for name in ("fcntl", "pwd", "grp", "resource", "termios"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
for name in ("fork", "geteuid", "getuid", "uname", "setsid", "killpg"):
    delattr(os, name)
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


@pytest.mark.parametrize("program", ["alembic", "alembic_pgpatterns"])
def test_a_command_says_in_one_line_what_is_missing(program: str, tmp_path: Path) -> None:
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n")
    run = on_windows(program, tmp_path, "pgcheck")
    assert (run.returncode, run.stdout) == (255, "")
    (line,) = run.stderr.splitlines()
    assert line.startswith("FAILED: ") and "Windows lacks" in line and "WSL" in line


@pytest.mark.parametrize("module", COMMANDS)
def test_every_command_does(module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.delattr(os, "fork")
    name = module.__name__.rpartition(".")[2]
    with pytest.raises(SystemExit) as left:
        getattr(module, name)(Config())
    assert left.value.code == 255
    assert f" {name} runs" in capsys.readouterr().err


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
