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

from tests import projects
from tests.controller.cache.test_history import add, checked, project, ran, told

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
import configparser, csv, fileinput, getpass, glob, importlib.metadata, importlib.resources, json, linecache, mmap, os
import pkgutil, runpy, shutil, sqlite3, sys, tarfile, tempfile, time, tomllib, zipfile
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
    for name in ("HOME", "LOGNAME", "PATH", "TMPDIR", "TZ"):
        monkeypatch.setenv(name, os.environ.get(name, {"TZ": "UTC", "TMPDIR": "/tmp", "LOGNAME": "one"}.get(name, "")))
    for number in (*range(1, 8), "NEW"):
        monkeypatch.setenv(f"PGP_{number}", "")
        monkeypatch.delenv(f"PGP_{number}")
    os.environ["PGP_1"] = "one"
    yield
    monkeypatch.undo()
    time.tzset()


def lay_out(folder: Path) -> None:
    """The files that are asked about."""
    for number in range(1, 10):
        (folder / f"text-{number}.txt").write_text("text")
    for name in ("plain", "size", "time-1", "time-2", "mode", "lstat", "target", "other-target"):
        (folder / f"{name}.txt").write_text("text")
    for number in range(1, 8):
        (folder / f"folder-{number}" / "below").mkdir(parents=True)
    (folder / "folder-7" / "new-text.txt").write_text("text")
    (folder / "link-folder").symlink_to("folder-7")
    for number in range(1, 5):
        (folder / f"link-{number}").symlink_to("target.txt")
    for name, text in {"json": '{"a": 1}', "toml": "a = 1", "ini": "[a]\nb = 1\n", "csv": "a,b\n"}.items():
        (folder / f"a.{name}").write_text(text)
    for name in ("a.db", "b.db"):
        in_sqlite(name)(folder)
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("one", "x")
    with tarfile.open(folder / "a.tar", "w") as archive:
        archive.add(folder / "target.txt", "one")
    for name in ("package", "site/thing-1.0.dist-info", "bin"):
        (folder / name).mkdir(parents=True)
    for name in ("__init__.py", "data.txt", "more.txt"):
        (folder / "package" / name).write_text("# text\n")
    for name in ("package/inner.py", "module_1.py", "module_3.py", "script-1.py", "script-2.py", "text-8.py"):
        (folder / name).write_text("VALUE = 'one'\n")
    (folder / "module_2.py").write_text("from module_3 import VALUE\n")
    (folder / "site/thing-1.0.dist-info/METADATA").write_text("Name: thing\nVersion: 1.0\n")
    program = folder / "bin" / "pgp-program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)


def answers(folder: Path) -> dict[str, str]:
    result: dict[str, str] = json.loads((folder / "answers.json").read_text())
    return result


@pytest.mark.long
@pytest.mark.usefixtures("before")
def test_every_kind_of_change_is_seen(project: projects.Project) -> None:
    assert len(KINDS) >= 60
    folder = project.folder
    lay_out(folder)
    questions = {name: question for name, (question, _) in KINDS.items()}
    add(project, "r3", f"QUESTIONS = {questions!r}\n{ASK}", "r2")
    (folder / "migrations/env.py").write_text((folder / "migrations/env.py").read_text() + "\n")
    checked(project)
    warm = checked(project)
    if ran(project) != "r0 r1 r2 r3":
        raise AssertionError(f"it runs again although nothing changed: {warm.hints}")
    stale = []
    for name, (_, change) in KINDS.items():
        old = answers(folder)[name]
        change(folder)
        warm = checked(project)
        if not ran(project).endswith("r3"):
            stale.append(name)
            continue
        assert answers(folder)[name] != old, f"{name}: the change changes no answer: {old}"
    assert not stale
    cold = checked(project, cache=False)
    assert told(warm) == told(cold)
