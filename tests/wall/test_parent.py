"""What the command's own process must not do with a project: import its files, or hand it connections."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.processes.supervisor import ChildEnds, start
from conftest import Database
from tests import projects
from tests.tracing import inside
from tests.wall.production import Production, production

BOOK = 'op.create_table("book", sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("title", sa.String(255)))'
PATTERN = '''
{head}
from alembic_pgpatterns.patterns import Action, SchemaPattern


class ShortName(SchemaPattern):
    """A table whose name is too short."""

    action = Action.REPORT
    bad = "CREATE TABLE x (id bigint PRIMARY KEY)"
    good = "CREATE TABLE exercise (id bigint PRIMARY KEY)"

    def detect(self, schema):
        """Tables."""
        for table in schema.checked_tables():
            if len(table.name.name) < 9:
                yield self.finding(table, f"{{table.name}} is a short name")
'''
LIBRARIES = ("colorsys", "google", "platformdirs", "postgast", "psycopg", "rich")
"""What the command imports and Alembic does not. (What Alembic itself imports of a project cannot be helped.)"""


@pytest.fixture(scope="module")
def real() -> Iterator[Production]:
    with production() as server:
        yield server


def pgcheck(
    folder: Path, flags: tuple[str, ...] = ("--no-cache",), **environment: str
) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "PGPATTERNS_NO_CACHE"}
    variables = {**inherited, "CI": "", "VIRTUAL_ENV": "", **environment}
    program = [sys.executable, "-m", "alembic", "pgcheck", "--exit-zero", *flags]
    return subprocess.run(program, cwd=folder, env=variables, capture_output=True, text=True, timeout=300, check=False)


def test_files_named_as_libraries_are_left_alone(tmp_path: Path) -> None:
    """``python -m alembic`` puts the current folder first on sys.path, for the command as for env.py."""
    project = projects.make(tmp_path)
    for name in LIBRARIES:
        project.write(f"{name}.py", f"open('{name}.ran', 'w').close()\nraise ImportError('a file of the project')\n")
    project.write("beside.py", "open('beside.ran', 'w').close()\n")
    project.env(head="import beside")
    project.revision("a1", BOOK)
    run = pgcheck(tmp_path)
    assert run.returncode == 0, run.stderr
    assert "varchar-length" in run.stdout
    assert [path.name for path in tmp_path.glob("*.ran")] == ["beside.ran"]


@pytest.mark.long
def test_they_are_left_alone_where_changed_models_are_checked(tmp_path: Path) -> None:
    project = projects.make(tmp_path)
    for name in (*LIBRARIES, "logging", "dataclasses", "email"):
        project.write(f"{name}.py", f"open('{name}.ran', 'w').close()\nraise ImportError('a file of the project')\n")
    project.write("shop_models.py", projects.BOOKS_AND_AUTHORS)
    project.env(
        models="import sys; sys.path.append('.')\nfrom shop_models import Base\ntarget_metadata = Base.metadata"
    )
    project.sql(
        "a1",
        "CREATE TABLE author (id bigserial PRIMARY KEY); CREATE TABLE book (id bigserial PRIMARY KEY, author_id bigint "
        "CONSTRAINT book_author_id_fkey REFERENCES author, title varchar(255))",
    )
    run = project.alembic("pgfix", "--all", "--models")
    assert "Models and database agree" in run.stdout, run.stderr
    assert list(tmp_path.glob("*.ran")) == []


CONNECTS = "import socket\ntry:\n    socket.create_connection(('127.0.0.1', {port}), 3)\nexcept OSError:\n    pass\n"
DRIVER = "import psycopg\ntry:\n    psycopg.connect('host=127.0.0.1 port={port}')\nexcept psycopg.Error:\n    pass\n"
NOTES_PROCESS = "import os\nopen('pids', 'a').write(f'{os.getpid()}\\n')\n"
OURS = PATTERN.format(head=NOTES_PROCESS + "{head}")
IN_DETECT = OURS.replace("{head}", "").replace("        for table in", "{body}\n        for table in")
PLUGINS = {
    "by itself": {"ours.py": OURS.replace("{head}", "import json")},
    "a package": {
        "ours/__init__.py": "",
        "ours/helper.py": "SHORT = 9\n",
        "ours/names.py": OURS.replace("{head}", "from ours.helper import SHORT"),
    },
    "with the application": {
        "app/__init__.py": "",
        "app/db.py": CONNECTS + DRIVER,
        "ours.py": OURS.replace("{head}", "import app.db"),
    },
    "with a thread, and an end of its own": {
        "ours.py": OURS.replace(
            "{head}", "import atexit, threading, time\natexit.register(time.sleep, 99)\n"
            "threading.Thread(target=time.sleep, args=[99]).start()\nprint('not the report')\nos.chdir('/')"
        )
    },
    "with a program in the background": {
        "ours.py": OURS.replace(
            "{head}", "import subprocess\nsubprocess.Popen(['sleep', '98.7'], start_new_session=True)"
        )
    },
    "that connects while it looks": {
        "ours.py": IN_DETECT.replace("{body}", "        " + (CONNECTS + DRIVER).replace("\n", "\n        "))
    },
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("kind", PLUGINS)
@pytest.mark.sample(3)
def test_patterns_of_one_s_own_run_in_a_process_of_their_own(kind: str, real: Production, tmp_path: Path) -> None:
    """Whatever they bring with them, the command's process has nothing of it, and nothing is reached or left."""
    project = projects.make(tmp_path)
    project.revision("a1", BOOK)
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nplugins = ["ours"]\n')
    for name, text in PLUGINS[kind].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        project.write(name, text.replace("{port}", str(real.port)))
    before = real.by_way
    program = [sys.executable, "-m", "alembic", "pgcheck", "--exit-zero", "--no-cache", "--format", "json"]
    with subprocess.Popen(program, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    assert "short-name public.book" in {item["fingerprint"] for item in json.loads(out)["findings"]}
    assert real.by_way == before
    pids = (tmp_path / "pids").read_text().split()
    assert pids and str(run.pid) not in pids
    sleeping = subprocess.run(["pgrep", "-f", "sleep 98.7"], capture_output=True, text=True, check=False).stdout
    assert not sleeping


@pytest.mark.parametrize("command", ["pgcheck --live", pytest.param("pgrehearse --rows 20", marks=pytest.mark.long)])
def test_they_do_so_beside_a_database_in_use_and_in_a_rehearsal(
    command: str, real: Production, database: Database, tmp_path: Path
) -> None:
    project = projects.make(tmp_path)
    project.revision("a1", BOOK)
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nplugins = ["ours"]\n')
    project.write("ours.py", OURS.replace("{head}", CONNECTS + DRIVER).replace("{port}", str(real.port)))
    database.execute("CREATE TABLE book (id bigint PRIMARY KEY, title varchar(255))")
    arguments = command.split()
    if "--live" in arguments:
        arguments.append(database.url.render_as_string(hide_password=False))
    before = real.by_way
    program = [sys.executable, "-m", "alembic", *arguments, "--exit-zero", "--format", "json"]
    with subprocess.Popen(program, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    assert ("short-name public.book" in out) == ("--live" in arguments), "a rehearsal looks at its revisions alone"
    assert real.by_way == before
    pids = (tmp_path / "pids").read_text().split()
    assert pids and str(run.pid) not in pids


FAILS = {
    "ends at import": (OURS.replace("{head}", "os._exit(0)"), "", "plugins: ours: the code ended its process (exit c"),
    "ends later": (IN_DETECT.replace("{body}", "        os._exit(0)"), "", "short-name: the code ended its process"),
    "exits": (IN_DETECT.replace("{body}", "        raise SystemExit(0)"), "", "short-name failed: SystemExit: 0"),
    "fails": (IN_DETECT.replace("{body}", "        1 / 0"), "", "ZeroDivisionError: division by zero (" + "{folder}"),
    "never ends": (IN_DETECT.replace("{body}", "        while True: pass"), "3s", "longer than time_limit (3 s) at "),
    "never ends at import": (OURS.replace("{head}", "while True: pass"), "3s", "longer than time_limit (3 s) at "),
    "a text": (IN_DETECT.replace("{body}", "        yield 'text'"), "", "`detect` gave 'text' (str)"),
    "no severity": (OURS.replace("{head}", "").replace("action =", "severity = 9; action ="), "", "severity = 9"),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("kind", FAILS)
@pytest.mark.sample(3)
def test_patterns_of_one_s_own_that_fail_say_so(kind: str, tmp_path: Path) -> None:
    text, limit, message = FAILS[kind]
    project = projects.make(tmp_path)
    project.revision("a1", BOOK)
    setting = f'time_limit = "{limit}"\n' if limit else ""
    project.write("pyproject.toml", f'[tool.alembic_pgpatterns]\nplugins = ["ours"]\n{setting}')
    project.write("ours.py", text)
    run = pgcheck(tmp_path)
    assert run.returncode == 255, run.stdout + run.stderr
    assert "FAILED: " in run.stderr and "Traceback" not in run.stderr
    assert message.replace("{folder}", str(tmp_path / "ours.py")) in run.stderr
    assert "no findings" not in run.stdout


LISTS = """
import os, stat
from pathlib import Path

def is_socket(path):
    return os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode)

Path("sockets").write_text(str(len([path for path in Path("/dev/fd").iterdir() if is_socket(path)])))
"""


def test_sockets_of_the_command_are_not_inherited(tmp_path: Path) -> None:
    """With ``--live`` the command has a connection to production, and the project's process is a fork."""
    project = projects.make(tmp_path)
    project.env(head=LISTS)
    ours, theirs = socket.socketpair()
    with ours, theirs, inside(tmp_path), Project(Config("alembic.ini"), Settings(root=tmp_path)) as opened:
        opened.request("history", handlers={"create": lambda wish: wish, "owns": lambda parameters: False})
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"
    # Those to the parent: for requests, and for questions.
    assert int((tmp_path / "sockets").read_text()) <= 2


def test_ctrl_c_at_the_fork_is_for_the_command_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal sends it to the whole group, the fork included, which has the command's handlers and stack."""
    fork, this, mask = os.fork, os.getpid(), signal.pthread_sigmask(signal.SIG_BLOCK, [])

    def interrupted() -> int:
        child = fork()
        if not child:
            os.kill(os.getpid(), signal.SIGINT)
        return child

    def main(ends: ChildEnds) -> None:
        ends.requests.sendall(b"x")
        os._exit(0)

    monkeypatch.setattr(os, "fork", interrupted)
    try:
        ends = start(main)
    except KeyboardInterrupt:
        if os.getpid() != this:
            os._exit(1)
        raise
    assert ends.requests.recv(1) == b"x"
    ends.close()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask


@pytest.mark.long
def test_revisions_are_where_env_py_says(tmp_path: Path) -> None:
    """Prefect has a folder of revisions per database, and env.py picks one."""
    project = projects.make(tmp_path)
    folder = tmp_path / "migrations" / "versions" / "postgresql"
    project.env(head=f"context.script.version_locations = [{str(folder)!r}]")
    project.revision("a1", BOOK)
    folder.mkdir()
    (tmp_path / "migrations" / "versions" / "a1.py").rename(folder / "a1.py")
    run = pgcheck(tmp_path)
    assert run.returncode == 0, run.stderr
    assert "1 revision" in run.stdout and "varchar-length" in run.stdout


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_cache_folder_of_another_user_costs_time_and_nothing_else(tmp_path: Path) -> None:
    project = projects.make(tmp_path)
    project.revision("a1", BOOK)
    theirs = tmp_path / "cache"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 65534, 65534)
    program = [sys.executable, "-m", "alembic", "pgcheck", "--exit-zero"]
    environment = {name: value for name, value in os.environ.items() if name != "PGPATTERNS_NO_CACHE"}
    environment |= {"CI": "", "XDG_CACHE_HOME": str(theirs)}
    run = subprocess.run(
        program, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "varchar-length" in run.stdout
    assert list(theirs.iterdir()) == []
