"""What earlier runs left: it is used where nothing changed, never where anything did, and changes no report."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sqlite3
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.config import Config

from alembic_pgpatterns.checks.project import check
from alembic_pgpatterns.config.reading import read_settings
from alembic_pgpatterns.controller import head_schema as head
from alembic_pgpatterns.controller.cache import traces
from alembic_pgpatterns.controller.cache.history import OFF
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.report_model import Report
from tests import projects
from tests.tracing import Silent, inside

NOTE = 'open("ran.log", "a").write("{0} ")'
MODELS = """
import models
target_metadata = models.metadata
"""
BOOK = """
import sqlalchemy as sa

metadata = sa.MetaData()
sa.Table("book", metadata, sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("title", sa.Text))
"""
SCHEMA = ("missing-primary-key", "varchar-length", "unindexed-foreign-key")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> projects.Project:
    """Three revisions, each of which notes that it ran, with models in a module beside them."""
    monkeypatch.syspath_prepend(tmp_path)
    project = projects.make(tmp_path)
    project.write("models.py", BOOK)
    project.env(models=MODELS)
    add(project, "r0", 'op.execute("CREATE TABLE book (id bigint PRIMARY KEY, title varchar(255))")', None)
    add(project, "r1", 'op.add_column("book", sa.Column("isbn", sa.String(255)))', "r0")
    add(project, "r2", 'op.create_index("ix_book_title", "book", ["title"])', "r1", 'op.drop_index("ix_book_title")')
    return project


def add(project: projects.Project, name: str, body: str, down: str | None, back: str = "pass") -> None:
    project.revision(name, f"{NOTE.format(name)}\n{textwrap.dedent(body)}", down, back)


def checked(project: projects.Project, **settings: object) -> Report:
    with inside(project.folder):
        own = Project(Config("alembic.ini"))
        try:
            return check(own, read_settings(own.ini, own.pyproject, {"select": SCHEMA, **settings}), Silent())
        finally:
            for name in ("models", "helpers"):
                sys.modules.pop(name, None)


def ran(project: projects.Project) -> str:
    """Which revisions ran since the last question, in order."""
    log = project.folder / "ran.log"
    said = log.read_text().strip() if log.exists() else ""
    log.unlink(missing_ok=True)
    return said


def told(report: Report) -> list[str]:
    return [f"{f.severity} {f.fingerprint} {f.message} {f.location} {f.revision}" for f in report.findings]


def test_what_did_not_change_does_not_run_again(project) -> None:
    cold = checked(project)
    assert ran(project) == "r0 r1 r2"
    warm = checked(project)
    assert ran(project) == ""
    assert told(warm) == told(cold) == told(checked(project, cache=False))
    assert {finding.revision for finding in warm.findings} == {"r0", "r1"}
    assert warm.facts == cold.facts


@pytest.mark.long
def test_only_a_new_revision_runs(project) -> None:
    checked(project)
    ran(project)
    add(project, "r3", 'op.add_column("book", sa.Column("kind", sa.String(255)))', "r2")
    warm = checked(project)
    assert ran(project) == "r3"
    assert [f.revision for f in warm.findings if "kind" in f.fingerprint] == ["r3"]
    assert told(warm) == told(checked(project, cache=False))
    ran(project)
    checked(project)
    assert ran(project) == ""


@pytest.mark.long
def test_an_edited_revision_runs_again_and_soon_alone(project) -> None:
    checked(project)
    ran(project)
    for number, expected in enumerate(("r0 r1 r2", "r2", "r2")):
        path = project.versions / "r2.py"
        path.write_text(path.read_text() + f"# {number}\n")
        checked(project)
        assert ran(project) == expected


CONVENTION = "naming_convention={'ix': 'i_%(column_0_label)s'}"
CHANGES: dict[str, Callable[[projects.Project], object]] = {
    "an old revision": lambda p: (p.versions / "r0.py").write_text((p.versions / "r0.py").read_text() + "#\n"),
    "env.py": lambda p: p.write("migrations/env.py", (p.folder / "migrations/env.py").read_text() + "#\n"),
    "the configuration": lambda p: p.write("alembic.ini", (p.folder / "alembic.ini").read_text() + "[more]\na = 1\n"),
    "a module that a revision imports": lambda p: p.write("helpers.py", "WIDTH = 12\n"),
    "a file that a revision reads": lambda p: p.write("kinds.txt", "a\nb\n"),
    "a variable that a revision reads": lambda p: os.environ.update(PGP_TEST_KIND="other"),
    "what prepares the database": lambda p: p.write("prepare.sql", "CREATE SCHEMA more;"),
    "the search path that env.py sets": lambda p: p.write("search_path.txt", "public, pg_temp"),
    "the naming convention": lambda p: p.write("models.py", BOOK.replace("MetaData()", f"MetaData({CONVENTION})")),
}


@pytest.mark.long
def test_what_changed_runs_again(project, monkeypatch) -> None:
    monkeypatch.setenv("PGP_TEST_KIND", "one")
    project.write("helpers.py", "WIDTH = 9\n")
    project.write("kinds.txt", "a\n")
    project.write("prepare.sql", "CREATE SCHEMA other;")
    project.write("search_path.txt", "public")
    text = (project.folder / "migrations/env.py").read_text()
    setting = 'connection.exec_driver_sql("SET search_path TO " + open("search_path.txt").read()); connection.commit()'
    call = "        context.configure(connection"
    project.write("migrations/env.py", text.replace(call, f"        {setting}\n{call}"))
    body = """
        import os
        from pathlib import Path
        import helpers
        Path("kinds.txt").read_text(), helpers.WIDTH, os.environ["PGP_TEST_KIND"]
    """
    add(project, "r3", body, "r2")
    settings = {"prepare": project.folder / "prepare.sql"}
    checked(project, **settings)
    checked(project, **settings)
    assert ran(project) == "r0 r1 r2 r3"
    for what, change in CHANGES.items():
        change(project)
        checked(project, **settings)
        assert ran(project).endswith("r3"), what
    checked(project, **settings)
    assert ran(project) == ""


ASKED = """
import os, socket, sqlite3, sys
from pathlib import Path
os.path.exists("flag"), os.path.getsize("sized"), Path("link").readlink(), "PGP_TEST_IN" in os.environ
Path("kind").is_dir(), os.stat("touched").st_mtime, os.getenv("PGP_TEST_GETENV")
with open("updated", "r+") as file:
    file.read()
sqlite3.connect("file.db").execute("SELECT 1")
len(sys.argv)
"""


def _other_kind(folder: Path) -> None:
    (folder / "kind").rmdir()
    (folder / "kind").touch()


def _other_link(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("touched")


ASKS: dict[str, Callable[[Path], object]] = {
    "whether a file exists": lambda folder: (folder / "flag").touch(),
    "how large a file is": lambda folder: (folder / "sized").write_text("larger"),
    "where a link leads": _other_link,
    "what kind of file it is": _other_kind,
    "when a file was modified": lambda folder: os.utime(folder / "touched", (1, 1)),
    "a file opened for reading and writing": lambda folder: (folder / "updated").write_text("other"),
    "a database of SQLite": lambda folder: (folder / "file.db").write_bytes(b""),
    "whether a variable is set": lambda folder: os.environ.update(PGP_TEST_IN="1"),
    "a variable that env.py's module reads": lambda folder: os.environ.update(PGP_TEST_MODULE="1"),
    "a variable by getenv": lambda folder: os.environ.update(PGP_TEST_GETENV="1"),
    "the program's arguments": lambda folder: sys.argv.append("more"),
}


@pytest.mark.long
def test_what_is_asked_in_other_ways_counts_too(project, monkeypatch) -> None:
    for name in ("PGP_TEST_IN", "PGP_TEST_GETENV", "PGP_TEST_MODULE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "argv", ["pytest"])
    folder = project.folder
    for name in ("sized", "touched", "updated", "target"):
        project.write(name, "x")
    (folder / "kind").mkdir()
    (folder / "link").symlink_to("target")
    sqlite3.connect(folder / "file.db").execute("CREATE TABLE t (a)").connection.close()
    project.write("deep.py", "import os\nos.environ.get('PGP_TEST_' + 'MODULE')\n")
    text = (folder / "migrations/env.py").read_text()
    project.write("migrations/env.py", f"import deep\n{text}")
    add(project, "r3", ASKED, "r2")
    checked(project)
    checked(project)
    assert ran(project) == "r0 r1 r2 r3"
    for what, change in ASKS.items():
        change(folder)
        checked(project)
        assert ran(project).endswith("r3"), what
    checked(project)
    assert ran(project) == ""


def test_a_program_that_env_py_runs_is_told(project) -> None:
    text = (project.folder / "migrations/env.py").read_text()
    project.write("migrations/env.py", f"import subprocess\nsubprocess.run(['true'], check=True)\n{text}")
    (hint,) = [hint for hint in checked(project).hints if "cached" in hint]
    assert "runs a program" in hint


@pytest.mark.long
def test_models_may_change(project) -> None:
    checked(project)
    ran(project)
    project.write("models.py", BOOK.replace("sa.Text", "sa.String(50)"))
    warm = checked(project)
    assert ran(project) == ""
    assert told(warm) == told(checked(project, cache=False))


@pytest.mark.long
def test_a_revision_that_imports_the_models_depends_on_them(project) -> None:
    add(project, "r3", "import models\nmodels.metadata", "r2")
    checked(project)
    ran(project)
    project.write("models.py", BOOK + "#\n")
    checked(project)
    assert ran(project) == "r0 r1 r2 r3"


@pytest.mark.long
def test_what_an_old_revision_needed_is_not_forgotten(project) -> None:
    project.write("helpers.py", "WIDTH = 9\n")
    add(project, "r3", "import helpers", "r2")
    checked(project)
    add(project, "r4", "pass", "r3")
    checked(project)
    assert ran(project) == "r0 r1 r2 r3 r4"
    project.write("helpers.py", "WIDTH = 10\n")
    checked(project)
    assert ran(project) == "r0 r1 r2 r3 r4"


@pytest.mark.long
def test_a_failure_is_told_as_without_a_cache(project) -> None:
    checked(project)
    add(project, "r3", 'op.execute("CREATE TABLE book (id int)")', "r2")
    said = []
    for kept in (True, False):
        with pytest.raises(PgPatternsError) as caught:
            checked(project, cache=kept)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "r3.py:" in said[0] and "already exists" in said[0]


@pytest.mark.long
def test_branches_go_on_from_what_they_share(project) -> None:
    checked(project)
    for name in ("left", "right"):
        ran(project)
        path = project.versions / f"{name}.py"
        add(project, name, f'op.add_column("book", sa.Column("{name}", sa.Text))', "r2")
        checked(project)
        assert ran(project) == name
        path.rename(project.folder / path.name)
    (project.folder / "left.py").rename(project.versions / "left.py")
    checked(project)
    assert ran(project) == ""


@pytest.mark.long
@pytest.mark.parametrize(
    "damage",
    [
        lambda state: (state / "data/global/pg_control").unlink(),
        lambda state: (state / "data/global/pg_control").write_bytes(b"\0" * 8192),
        lambda state: (state / "history.json").write_text("{"),
        lambda state: (state / "history.json").write_text("[]"),
        lambda state: shutil.rmtree(state / "data"),
    ],
    ids=["a file is gone", "a file is spoilt", "the notes are cut", "the notes are others", "nothing is there"],
)
def test_a_damaged_state_costs_time_and_nothing_else(project, cache: Path, damage) -> None:
    cold = checked(project)
    ran(project)
    (state,) = cache.glob("history-*/states/*")
    damage(state)
    assert told(checked(project)) == told(cold)
    assert ran(project) == "r0 r1 r2"
    checked(project)
    assert ran(project) == ""


@pytest.mark.long
def test_several_databases_and_variables(project, monkeypatch) -> None:
    monkeypatch.setenv("PGP_TEST_URL", "postgresql://nobody@nowhere.invalid/other")
    engine = 'create_engine(os.environ["PGP_TEST_URL"].replace("postgresql:", "postgresql+psycopg:"))'
    project.env(models=MODELS, head="import os\nfrom sqlalchemy import create_engine", engine=engine)
    settings = {"env": {"PGP_TEST_URL": "{url}"}}
    cold = checked(project, **settings)
    assert ran(project) == "r0 r1 r2"
    add(project, "r3", 'op.add_column("book", sa.Column("kind", sa.String(255)))', "r2")
    warm = checked(project, **settings)
    assert ran(project) == "r3"
    assert set(told(cold)) < set(told(warm)) == set(told(checked(project, cache=False, **settings)))


@pytest.mark.long
def test_traces_are_kept(project) -> None:
    settings = {"select": ("revisions",)}
    cold = checked(project, **settings)
    ran(project)
    warm = checked(project, **settings)
    assert ran(project) == ""
    assert told(warm) == told(cold)
    assert "blocking-index-build" in {finding.pattern for finding in warm.findings}
    assert [run.statements for run in warm.runs] == [run.statements for run in cold.runs]
    assert [run.downgrade for run in warm.runs] == [run.downgrade for run in cold.runs]
    assert any(run.downgrade is not None and run.downgrade.differences for run in warm.runs)
    add(project, "r3", 'op.create_index("ix_book_isbn", "book", ["isbn"])', "r2", 'op.drop_index("ix_book_isbn")')
    more = checked(project, **settings)
    # At head; then traced, up, and up again after its downgrade.
    assert ran(project) == "r3 r3 r3"
    assert told(more) == told(checked(project, cache=False, **settings))
    ran(project)
    assert checked(project, downgrade=False, **settings).runs[-1].downgrade is None
    assert "r0" in ran(project)


@pytest.mark.long
def test_what_traced_revisions_read_counts_where_no_state_is_kept(project, monkeypatch) -> None:
    monkeypatch.setattr(head, "WORTH_CACHING", 1e9)
    settings = {"select": ("revisions",), "downgrade": False}
    project.write("kinds.sql", "CREATE INDEX one ON book (isbn)")
    add(project, "r3", 'op.execute(open("kinds.sql").read())', "r2")
    checked(project, **settings)
    project.write("kinds.sql", "CREATE INDEX two ON book (isbn)")
    warm = checked(project, **settings)
    assert [statement.sql for statement in warm.runs[-1].statements] == ["CREATE INDEX two ON book (isbn)"]


@pytest.mark.long
def test_traces_are_of_sessions_like_this_one(project, monkeypatch) -> None:
    text = (project.folder / "migrations/env.py").read_text()
    call = "        context.configure(connection"
    setting = 'connection.exec_driver_sql("SET search_path TO " + os.environ["PGP_TEST_PATH"]); connection.commit()'
    text = f"import os\n{text}".replace(call, f"        {setting}\n{call}")
    text = text.replace("connection=connection,", 'connection=connection, version_table_schema="public",')
    project.write("migrations/env.py", text)
    project.write("prepare.sql", "CREATE SCHEMA one; CREATE SCHEMA two;")
    settings = {"prepare": project.folder / "prepare.sql", "select": ("revisions",), "downgrade": False}
    for schema in ("one", "two"):
        monkeypatch.setenv("PGP_TEST_PATH", schema)
        report = checked(project, **settings)
        assert {table.name.schema for run in report.runs for table in run.after.tables} == {schema}
        assert ran(project).startswith("r0 r1 r2")


LEFT = {
    "a search path": "SET search_path TO other, public",
    "a setting of the database": "ALTER DATABASE shop SET search_path TO other, public",
    "a temporary table": "CREATE TEMPORARY TABLE made (id int)",
    "a check that is due": "ALTER TABLE book ADD UNIQUE (title) DEFERRABLE INITIALLY DEFERRED; "
    "INSERT INTO book VALUES (1, 'a'), (2, 'a')",
}


@pytest.mark.sample(4)
@pytest.mark.parametrize("what", LEFT)
def test_what_a_revision_leaves_in_its_session_is_there_for_the_next(project, what: str) -> None:
    again = "DELETE FROM book; ALTER TABLE book ADD UNIQUE (id)" if "due" in what else "CREATE TABLE made (id int)"
    add(project, "r3", f'op.execute("CREATE SCHEMA other; {LEFT[what]}")', "r2")
    add(project, "r4", f'op.execute("{again}")', "r3")
    (project.versions / "r4.py").rename(project.folder / "r4.txt")
    outcomes = []
    if "due" not in what:  # else it does not even end here
        checked(project)
    (project.folder / "r4.txt").rename(project.versions / "r4.py")
    for kept in (True, False):
        try:
            outcomes.append(told(checked(project, cache=kept)))
        except PgPatternsError as error:
            outcomes.append([str(error)])
    assert outcomes[0] == outcomes[1]


@pytest.mark.long
def test_tenants_of_one_database_are_each_of_them_remembered(project, monkeypatch) -> None:
    text = (project.folder / "migrations/env.py").read_text()
    loop = """
for tenant in os.environ["PGP_TEST_TENANTS"].split():
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {tenant}; SET search_path TO {tenant}")
        connection.commit()
        context.configure(connection=connection, version_table_schema=tenant)
        with context.begin_transaction():
            context.run_migrations()
"""
    before, _, _ = text.partition("\n\ndef run_offline")
    project.write("migrations/env.py", f"import os\n{before}\nengine = {projects.ENGINE}\n{loop}")
    for tenants in ("a b", "c b", "c b"):
        monkeypatch.setenv("PGP_TEST_TENANTS", tenants)
        assert told(checked(project)) == told(checked(project, cache=False))


@pytest.mark.long
def test_revisions_run_in_the_order_of_a_run_from_nothing(project) -> None:
    add(project, "z", 'op.execute("CREATE TABLE IF NOT EXISTS kind (of_z varchar(3))")', "r1")
    checked(project)
    add(project, "a", 'op.execute("CREATE TABLE IF NOT EXISTS kind (of_a varchar(3))")', "r1")
    add(project, "b", 'op.execute("CREATE TABLE IF NOT EXISTS other (of_b varchar(3))")', None)
    assert told(checked(project)) == told(checked(project, cache=False))


@pytest.mark.long
def test_what_is_written_meanwhile_is_not_taken_for_what_ran(project) -> None:
    project.write("kinds.txt", "a")
    add(project, "r3", 'open("kinds.txt").read()\nopen("kinds.txt", "w").write("b")', "r2")
    for _ in range(2):
        checked(project)
        assert ran(project) == "r0 r1 r2 r3"


@pytest.mark.long
def test_env_py_that_makes_what_models_declare_depends_on_them(project) -> None:
    text = (project.folder / "migrations/env.py").read_text()
    call = "        context.configure(connection"
    making = "target_metadata.create_all(connection); connection.commit()"
    project.write("models.py", BOOK.replace('"book"', '"shelf"'))
    project.write("migrations/env.py", text.replace(call, f"        {making}\n{call}"))
    checked(project)
    project.write("models.py", BOOK.replace('"book"', '"shelf"').replace("sa.Text", "sa.String(255)"))
    warm = checked(project)
    assert "varchar-length public.shelf.title" in {finding.fingerprint for finding in warm.findings}


def test_a_trace_that_is_not_ours_is_not_loaded(tmp_path) -> None:
    victim = tmp_path / "touched"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (os.mkdir, (str(victim),))

    path = tmp_path / "trace"
    for value in (Evil(), (Path("x"),)):
        path.write_bytes(zlib.compress(pickle.dumps((({}, {}, []), (), {}, {"a": value}))))
        assert traces.load(path) is None
    assert not victim.exists()
    path.write_bytes(b"no trace")
    assert traces.load(path) is None


@pytest.mark.long
def test_a_cache_that_cannot_be_written_is_none(project, cache: Path, monkeypatch) -> None:
    cache.parent.joinpath("file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent / "file"))
    for _ in range(2):
        checked(project)
        assert ran(project) == "r0 r1 r2"


@pytest.mark.long
def test_it_can_be_left_out(project, cache: Path) -> None:
    for arguments, variables in ((["--no-cache"], {}), ([], {OFF: "1"})):
        selected = ("--select", ",".join(SCHEMA), "--fail-on", "info")
        done = project.alembic("pgcheck", "--format", "json", *selected, *arguments, **variables)
        assert done.returncode == 1, done.stderr
        assert json.loads(done.stdout)["findings"]
    assert not list(cache.glob("history-*"))


@pytest.mark.long
def test_pgrevision_goes_on_from_it(project) -> None:
    first = project.alembic("pgrevision", "-m", "title", "--rev-id", "r3")
    assert first.returncode == 0, first.stdout + first.stderr
    assert (project.versions / "r3_title.py").exists()
    assert ran(project) == "r0 r1 r2"
