"""What a revision can see, and what can change it between two runs: each time it runs again, and sees the change.

One revision asks all questions and writes the answers down. A kind of change that alters an answer without a new run
would be a stale report.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.config import Config

from alembic_pgpatterns.config.reading import read_settings
from alembic_pgpatterns.controller.cache.contents import _surroundings
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.runner import dependencies
from alembic_pgpatterns.server.binaries import find_binaries
from tests import projects
from tests.controller.cache.test_history import add, checked, project, ran, told
from tests.tracing import inside

__all__ = ["project"]

Change = Callable[[Path], object]


def write(name: str, text: str = "other, and longer") -> Change:
    return lambda folder: (folder / name).write_text(text)


def variable(name: str, value: str = "other") -> Change:
    return lambda folder: os.environ.update({name: value})


def replaced_by_a_link(folder: Path) -> None:
    (folder / "plain.txt").unlink()
    (folder / "plain.txt").symlink_to("target.txt")


def pointed_elsewhere(name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to("other-target.txt")

    return change


def in_zip(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("other", "x")


def in_tar(folder: Path) -> None:
    with tarfile.open(folder / "a.tar", "w") as archive:
        archive.add(folder / "target.txt", "other")


def in_sqlite(name: str) -> Change:
    def change(folder: Path) -> None:
        with sqlite3.connect(folder / name) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kinds (kind)")
            connection.execute("INSERT INTO kinds VALUES (1)")
        connection.close()

    return change


def in_write_ahead_log(name: str) -> Change:
    def change(folder: Path) -> None:
        connection = sqlite3.connect(folder / name)
        connection.execute("INSERT INTO kinds VALUES (1)")
        connection.commit()
        OPEN.append(connection)  # when the last connection is closed, all goes into the main file

    return change


OPEN: list[sqlite3.Connection] = []


def at_another_time(name: str) -> Change:
    return lambda folder: os.utime(folder / name, (1, 1))


def in_zip_of_modules(text: str) -> Change:
    def change(folder: Path) -> None:
        with zipfile.ZipFile(folder / "modules.zip", "w") as archive:
            archive.writestr("module_in_zip.py", f"{text}\n")

    return change


def new_version(folder: Path) -> None:
    (folder / "site" / "thing-1.0.dist-info").rename(folder / "site" / "thing-2.0.dist-info")
    (folder / "site" / "thing-2.0.dist-info" / "METADATA").write_text("Name: thing\nVersion: 2.0\n")


def in_ini(section: str) -> Change:
    return lambda folder: (folder / "alembic.ini").write_text(
        (folder / "alembic.ini").read_text() + f"[{section}]\nkind = other\n"
    )


KINDS: dict[str, tuple[str, Change]] = {
    # Whether and what a file is.
    "exists": ("os.path.exists('flag-1')", write("flag-1")),
    "Path.exists": ("Path('flag-2').exists()", write("flag-2")),
    "lexists": ("os.path.lexists('flag-3')", lambda folder: (folder / "flag-3").symlink_to("nowhere")),
    "isfile": ("os.path.isfile('flag-4')", write("flag-4")),
    "isdir": ("os.path.isdir('flag-5')", lambda folder: (folder / "flag-5").mkdir()),
    "islink": ("os.path.islink('plain.txt')", replaced_by_a_link),
    "access": ("os.access('flag-6', os.R_OK)", write("flag-6")),
    "getsize": ("os.path.getsize('size.txt')", write("size.txt")),
    "getmtime": ("os.path.getmtime('time-1.txt')", lambda folder: os.utime(folder / "time-1.txt", (1, 1))),
    "stat of a time": ("os.stat('time-2.txt').st_mtime_ns", lambda folder: os.utime(folder / "time-2.txt", (1, 1))),
    "stat of a mode": ("os.stat('mode.txt').st_mode", lambda folder: (folder / "mode.txt").chmod(0o600)),
    "lstat": ("os.lstat('lstat.txt').st_size", write("lstat.txt")),
    "samefile": ("os.path.samefile('link-1', 'target.txt')", pointed_elsewhere("link-1")),
    "readlink": ("os.readlink('link-2')", pointed_elsewhere("link-2")),
    "realpath": ("os.path.realpath('link-3')", pointed_elsewhere("link-3")),
    "Path.resolve": ("str(Path('link-4').resolve())", pointed_elsewhere("link-4")),
    # What a folder holds.
    "listdir": ("sorted(os.listdir('folder-1'))", write("folder-1/new")),
    "scandir": ("sorted(entry.name for entry in os.scandir('folder-2'))", write("folder-2/new")),
    "iterdir": ("sorted(map(str, Path('folder-3').iterdir()))", write("folder-3/new")),
    "glob": ("sorted(glob.glob('folder-4/*'))", write("folder-4/new")),
    "rglob": ("sorted(map(str, Path('folder-5').rglob('*')))", write("folder-5/below/new")),
    "walk": ("sorted(map(str, os.walk('folder-6')))", write("folder-6/below/new")),
    # What a file says.
    "open": ("open('text-1.txt').read()", write("text-1.txt")),
    "open for bytes": ("open('text-2.txt', 'rb').read().decode()", write("text-2.txt")),
    "open for both": ("open('text-3.txt', 'r+').read()", write("text-3.txt")),
    "open for appending": ("(file := open('text-4.txt', 'a+')).seek(0), file.read()", write("text-4.txt")),
    "os.open": ("os.read(os.open('text-5.txt', os.O_RDONLY), 99).decode()", write("text-5.txt")),
    "read_text": ("Path('text-6.txt').read_text()", write("text-6.txt")),
    "mmap": ("mmapped('text-7.txt')", write("text-7.txt")),
    "linecache": ("linecache.getline('text-8.py', 1)", write("text-8.py", "x = 2\n")),
    "fileinput": ("list(fileinput.input('text-9.txt'))", write("text-9.txt")),
    "a file below a link": ("open('link-folder/new-text.txt').read()", write("folder-7/new-text.txt")),
    "json": ("json.load(open('a.json'))", write("a.json", '{"a": 2}')),
    "toml": ("tomllib.load(open('a.toml', 'rb'))", write("a.toml", "a = 2")),
    "configparser": ("read_ini('a.ini')", write("a.ini", "[a]\nb = 2\n")),
    "csv": ("list(csv.reader(open('a.csv')))", write("a.csv", "b,c\n")),
    "sqlite3": ("sqlite3.connect('a.db').execute('SELECT count(*) FROM kinds').fetchall()", in_sqlite("a.db")),
    "sqlite3 by a URI": (
        "sqlite3.connect('file:b.db?mode=ro', uri=True).execute('SELECT count(*) FROM kinds').fetchall()",
        in_sqlite("b.db"),
    ),
    "zip": ("zipfile.ZipFile('a.zip').namelist()", in_zip),
    "tar": ("tarfile.open('a.tar').getnames()", in_tar),
    "pkgutil": ("pkgutil.get_data('package', 'data.txt').decode()", write("package/data.txt")),
    "importlib.resources": (
        "importlib.resources.files('package').joinpath('more.txt').read_text()",
        write("package/more.txt"),
    ),
    "sqlite3, what is not in the main file yet": (
        "sqlite3.connect('e.db').execute('SELECT count(*) FROM kinds').fetchall()",
        in_write_ahead_log("e.db"),
    ),
    "a descriptor's facts": ("os.fstat(os.open('time-3.txt', 0)).st_mtime_ns", at_another_time("time-3.txt")),
    "the entries' sizes": ("[entry.stat().st_size for entry in os.scandir('folder-8')]", write("folder-8/old")),
    "the entries' times": (
        "[entry.stat().st_mtime for entry in os.scandir('folder-9')]",
        at_another_time("folder-9/old"),
    ),
    "a path relative to an open folder": (
        "os.read(os.open('old', os.O_RDONLY, dir_fd=os.open('folder-10', os.O_RDONLY)), 99).decode()",
        write("folder-10/old"),
    ),
    "facts relative to an open folder": (
        "os.stat('old', dir_fd=os.open('folder-11', os.O_RDONLY)).st_size",
        write("folder-11/old"),
    ),
    "an open folder": ("sorted(os.listdir(os.open('folder-12', os.O_RDONLY)))", write("folder-12/new")),
    "files that have become folders": (
        "[path.is_dir() for path in Path('folder-13').iterdir()]",
        lambda folder: ((folder / "folder-13/old").unlink(), (folder / "folder-13/old").mkdir()),
    ),
    "a folder that is searched for modules": ("sorted(glob.glob('site/*.flag'))", write("site/new.flag")),
    "the owner": ("Path('owned.txt').owner()", lambda folder: os.chown(folder / "owned.txt", 65534, -1)),
    "the number of names": (
        "os.stat('linked.txt').st_nlink",
        lambda folder: (folder / "second-name").hardlink_to(folder / "linked.txt"),
    ),
    "a file that is to be new": ("new_file('exclusive')", write("exclusive")),
    "an extended attribute": (
        "os.getxattr('attributes.txt', 'user.kind')",
        lambda folder: os.setxattr(folder / "attributes.txt", "user.kind", b"x"),
    ),
    "Python's code that is no module": ("open('script-3.py').read()", write("script-3.py", "VALUE = 'other'\n")),
    "a module in an archive": ("module_of_zip()", in_zip_of_modules("VALUE = 'other, and longer'")),
    # Code.
    "a module": ("__import__('module_1').VALUE", write("module_1.py", "VALUE = 'other, and longer'\n")),
    "a module of a package": (
        "__import__('package.inner').inner.VALUE",
        write("package/inner.py", "VALUE = 'other'\n"),
    ),
    "a module of a module": ("__import__('module_2').VALUE", write("module_3.py", "VALUE = 'other, and longer'\n")),
    "runpy": ("runpy.run_path('script-1.py')['VALUE']", write("script-1.py", "VALUE = 'other, and longer'\n")),
    "exec": ("ran_by_exec('script-2.py')", write("script-2.py", "VALUE = 'other, and longer'\n")),
    "a distribution's version": ("importlib.metadata.version('thing')", new_version),
    # The environment.
    "environ[]": ("os.environ['PGP_1']", variable("PGP_1")),
    "environ.get": ("os.environ.get('PGP_2')", variable("PGP_2")),
    "getenv": ("os.getenv('PGP_3')", variable("PGP_3")),
    "in environ": ("'PGP_NEW' in os.environ", variable("PGP_NEW")),
    "a variable with a computed name": ("os.environ.get('PGP_' + str(2 + 2))", variable("PGP_4")),
    "environ.items": ("sorted(item for item in os.environ.items() if 'PGP_5' in item[0])", variable("PGP_5")),
    "environb": ("os.environb.get(b'PGP_6', b'').decode()", variable("PGP_6")),
    "expandvars": ("os.path.expandvars('$PGP_7')", variable("PGP_7")),
    "expanduser": ("os.path.expanduser('~/x')", variable("HOME", "/nowhere")),
    "getuser": ("getpass.getuser()", variable("LOGNAME", "other")),
    "which": (
        "shutil.which('pgp-program')",
        lambda folder: variable("PATH", f"{folder}/bin:{os.environ['PATH']}")(folder),
    ),
    "the folder for temporary files": (
        "tempfile._candidate_tempdir_list()[0]",
        lambda folder: os.environ.update(TMPDIR=str(folder)),
    ),
    "the time zone": ("time.tzname[0]", lambda folder: (os.environ.update(TZ="Asia/Tokyo"), time.tzset())),
    "the zone, by another name with the same letters": (
        "time.localtime(1700000000).tm_hour",
        lambda folder: (os.environ.update(TZ="XXX-5"), time.tzset()),
    ),
    "the locale": ("locale.setlocale(locale.LC_ALL, '')", variable("LC_ALL", "C.UTF-8")),
    "a variable of the shell": ("os.environ.get('COLUMNS')", variable("COLUMNS", "77")),
    "the original arguments": ("sys.orig_argv[1:]", lambda folder: sys.orig_argv.append("more")),
    "the processors": ("os.cpu_count()", lambda folder: setattr(os, "cpu_count", lambda: 977)),
    "the arguments": ("sys.argv[1:]", lambda folder: sys.argv.append("more")),
    # Alembic's configuration.
    "another section of alembic.ini": ("config.file_config.sections()", in_ini("kinds")),
    "our section of alembic.ini": (
        "config.get_section('pgpatterns', {})",
        lambda folder: (folder / "alembic.ini").write_text(
            (folder / "alembic.ini").read_text() + "[pgpatterns]\nexclude_tables = other\n"
        ),
    ),
}
ASK = """
import configparser, csv, fileinput, getpass, glob, importlib.metadata, importlib.resources, json, linecache, locale
import mmap, os, pkgutil, runpy, shutil, sqlite3, sys, tarfile, tempfile, time, tomllib, zipfile
from pathlib import Path
from alembic import context
config = context.config
sys.path.insert(0, os.path.abspath("site"))

def mmapped(name):
    with open(name, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content[:].decode()

def read_ini(name):
    parser = configparser.ConfigParser()
    parser.read(name)
    return dict(parser["a"])

def ran_by_exec(name):
    values = {}
    exec(compile(open(name).read(), name, "exec"), values)
    return values["VALUE"]

def new_file(name):
    with open(name, "x"):
        os.unlink(name)

def module_of_zip():
    sys.path.insert(0, "modules.zip")
    return __import__("module_in_zip").VALUE

answers = {}
for name, question in QUESTIONS.items():
    try:
        answers[name] = repr(eval(question))
    except Exception as error:
        answers[name] = type(error).__name__
with open("answers.json", "w") as file:
    json.dump(answers, file)
"""


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything of this process that a change touches comes back afterwards."""
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.setattr(sys, "orig_argv", ["pytest"])
    monkeypatch.setattr(os, "cpu_count", os.cpu_count)
    usual = {"TZ": "UTC", "TMPDIR": "/tmp", "LOGNAME": "one", "LC_ALL": "C", "COLUMNS": "80"}
    for name in ("HOME", "LOGNAME", "PATH", "TMPDIR", "TZ", "LC_ALL", "COLUMNS"):
        monkeypatch.setenv(name, os.environ.get(name, usual.get(name, "")))
    for number in (*range(1, 8), "NEW"):
        monkeypatch.setenv(f"PGP_{number}", "")
        monkeypatch.delenv(f"PGP_{number}")
    os.environ["PGP_1"] = "one"
    os.environ.update(LC_ALL="C", COLUMNS="80")
    yield
    monkeypatch.undo()
    time.tzset()
    while OPEN:
        OPEN.pop().close()


def lay_out(folder: Path) -> None:
    """The files that are asked about."""
    for number in range(1, 10):
        (folder / f"text-{number}.txt").write_text("text")
    for name in ("plain", "size", "time-1", "time-2", "time-3", "mode", "lstat", "target", "other-target"):
        (folder / f"{name}.txt").write_text("text")
    for name in ("owned", "linked", "attributes"):
        (folder / f"{name}.txt").write_text("text")
    for number in range(1, 8):
        (folder / f"folder-{number}" / "below").mkdir(parents=True)
    for number in range(8, 14):
        (folder / f"folder-{number}").mkdir()
        (folder / f"folder-{number}" / "old").write_text("text")
    in_zip_of_modules("VALUE = 'one'")(folder)
    (folder / "folder-7" / "new-text.txt").write_text("text")
    (folder / "link-folder").symlink_to("folder-7")
    for number in range(1, 5):
        (folder / f"link-{number}").symlink_to("target.txt")
    for name, text in {"json": '{"a": 1}', "toml": "a = 1", "ini": "[a]\nb = 1\n", "csv": "a,b\n"}.items():
        (folder / f"a.{name}").write_text(text)
    for name in ("a.db", "b.db", "e.db"):
        in_sqlite(name)(folder)
    with sqlite3.connect(folder / "e.db") as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    in_write_ahead_log("e.db")(folder)
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("one", "x")
    with tarfile.open(folder / "a.tar", "w") as archive:
        archive.add(folder / "target.txt", "one")
    for name in ("package", "site/thing-1.0.dist-info", "bin"):
        (folder / name).mkdir(parents=True)
    for name in ("__init__.py", "data.txt", "more.txt"):
        (folder / "package" / name).write_text("# text\n")
    for name in (
        "package/inner.py",
        "module_1.py",
        "module_3.py",
        "script-1.py",
        "script-2.py",
        "script-3.py",
        "text-8.py",
    ):
        (folder / name).write_text("VALUE = 'one'\n")
    (folder / "module_2.py").write_text("from module_3 import VALUE\n")
    (folder / "site/thing-1.0.dist-info/METADATA").write_text("Name: thing\nVersion: 1.0\n")
    program = folder / "bin" / "pgp-program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)


def answers(folder: Path) -> dict[str, str]:
    result: dict[str, str] = json.loads((folder / "answers.json").read_text())
    return result


def facts(project: projects.Project, cache: Path) -> dict[str, object]:
    """All that decides whether the newest snapshot is used, as it is now."""
    notes = max(cache.glob("history-*/states/*/history.json"), key=lambda path: path.stat().st_mtime)
    noted = json.loads(notes.read_text())
    with inside(project.folder):
        own = Project(Config("alembic.ini"))
        settings = read_settings(own.ini, own.pyproject, {})
        surroundings = list(_surroundings(own, settings, BINARIES))
        own.close()
        files = {path: dependencies.digest_or_none(path) for path in noted["files"]}
        variables = {name: dependencies.variable(name) for name in noted["variables"]}
        return {**files, **variables, "surroundings": surroundings}


BINARIES = find_binaries()


@pytest.mark.long
@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("place", ["a revision", "env.py"])
def test_every_kind_of_change_is_seen(project: projects.Project, place: str, cache: Path) -> None:
    assert len(KINDS) >= 80
    folder = project.folder
    lay_out(folder)
    ask = f"QUESTIONS = { ({name: question for name, (question, _) in KINDS.items()})!r}\n{ASK}"
    env_py = (folder / "migrations/env.py").read_text()
    project.write("migrations/env.py", f"{ask if place == 'env.py' else ''}\n{env_py}")
    add(project, "r3", ask if place == "a revision" else "pass", "r2")
    checked(project)
    assert ran(project).endswith("r3")
    warm = checked(project)
    assert ran(project) == "", f"it runs again although nothing changed: {warm.hints}"
    first, missed = answers(folder), []
    old = facts(project, cache)
    for name, (_, change) in KINDS.items():
        change(folder)
        new = facts(project, cache)
        if new == old:
            missed.append(name)
        old = new
    assert not missed
    warm = checked(project)
    assert ran(project).endswith("r3")
    assert not [name for name, answer in answers(folder).items() if answer == first[name]]
    assert told(warm) == told(checked(project, cache=False))


NEVER_CACHED = {
    "a fork": "os.wait() if os.fork() else os._exit(0)",
    "a process of multiprocessing": "process = multiprocessing.get_context('spawn').Process(target=print)\n"
    "process.start()\nprocess.join()",
    "a library in C": "ctypes.CDLL(None).getenv(b'HOME')",
    "a reader in C": "import dbm",
    "this process's own environment": "open('/proc/self/environ').read()",
    "a look-up of a name": "socket.gethostbyname('localhost')",
    "a database that is attached": "sqlite3.connect(':memory:').execute('ATTACH ? AS other', ('x.db',))",
}


@pytest.mark.parametrize("name", NEVER_CACHED)
@pytest.mark.sample(4)
def test_what_nobody_can_know_is_not_cached(project: projects.Project, name: str) -> None:
    add(project, "r3", f"import ctypes, multiprocessing, os, socket, sqlite3\n{NEVER_CACHED[name]}", "r2")
    for _ in range(2):
        (hint,) = [hint for hint in checked(project).hints if "cached" in hint]
        assert ran(project).endswith("r3"), hint
