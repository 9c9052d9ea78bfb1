"""A revision in several files: ids, names, branches, hooks, databases, and settings."""

from __future__ import annotations

import re
import site
import subprocess
import sys
from pathlib import Path

import pytest

from alembic_pgpatterns.autogenerate.rewrite.alembic_versions import HAS_INLINE_REFERENCES
from alembic_pgpatterns.autogenerate.rewrite.revision_chain import MAX_ID, next_id
from tests.autogenerate.conftest import REWRITER

ID = 'Column("id", BigInteger, primary_key=True)'
BASE = f'author = Table("author", metadata, {ID})\nbook = Table("book", metadata, {ID}, Column("title", Text))'
AFTER = f"""
author = Table("author", metadata, {ID})
book = Table("book", metadata, {ID}, Column("title", Text), Column("author_id", ForeignKey("author.id"), index=True))
"""
TWO_PARTS = 2


@pytest.fixture
def make_project(make_project):
    """Projects in which no pattern is enforced or suggested."""
    return lambda *given, **named: make_project(*given, **named).without_patterns()


@pytest.fixture
def project(make_project):
    return make_project()


def started(project):
    project.models(BASE)
    project.revise("start")
    project.alembic("upgrade", "head")
    project.models(AFTER)
    return project


def ids(files: list[str]) -> list[tuple[str, str]]:
    """Revision and down_revision of each file."""
    return [
        (re.search(r"^revision: str = '(.*)'", text, re.M)[1], re.search(r"^down_revision.* = (.*)$", text, re.M)[1])
        for text in files
    ]


def runs(project) -> None:
    """Up, down, up, and nothing left to do."""
    project.alembic("upgrade", "heads")
    assert project.clean()
    project.alembic("downgrade", "-2")
    project.alembic("upgrade", "heads")


SEQUENTIAL = """
def sequential(context, revision, directives):
    script = directives[0]
    head = context.script.get_current_head()
    script.rev_id = "{:04d}".format(int(head) + 1 if head else 1)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    "hook",
    [
        "sequential",
        "__import__('alembic_pgpatterns').rewriter.chain(sequential)",
        "lambda *a: (__import__('alembic_pgpatterns').rewriter(*a), sequential(*a))",
    ],
    ids=["before the rewriter", "chained to it", "after it"],
)
@pytest.mark.parametrize("plugin", [True, False], ids=["with the plugin", "without"])
@pytest.mark.sample(3)
def test_sequential_ids(make_project, hook: str, plugin: bool) -> None:
    """The cookbook's hook names the first file only; the others follow it, and the next run finds a number."""
    if not plugin and hook == "sequential":
        hook = "lambda *a: (sequential(*a), __import__('alembic_pgpatterns').rewriter(*a))"
    project = make_project(**({} if plugin else {"way": ""}))
    project.configure(f"process_revision_directives={hook}")
    project.env("def run_migrations_offline", SEQUENTIAL + "\n\ndef run_migrations_offline")
    started(project)
    assert ids(project.revise("later")) == [("0002", "'0001'"), ("0003", "'0002'")]
    runs(project)
    project.models(BASE)
    assert ids(project.revise("back"))[0] == ("0004", "'0003'")


def test_a_users_rewriter_sees_the_ops_and_its_edits_stay(make_project) -> None:
    project = make_project(way="")
    project.env(
        "def run_migrations_offline",
        "from alembic.autogenerate import rewriter\nfrom alembic.operations import ops\nmine = rewriter.Rewriter()\n"
        "@mine.rewrites(ops.AddColumnOp)\ndef commented(context, revision, op):\n"
        "    op.column.comment = 'mine'\n    return [ops.ExecuteSQLOp('SELECT 1'), op]\n\n\ndef run_migrations_offline",
    )
    project.configure("process_revision_directives=mine.chain(__import__('alembic_pgpatterns').rewriter)")
    files = started(project).revise("later")
    assert len(files) == TWO_PARTS
    assert files[0].index("op.execute('SELECT 1')") < files[0].index("add_column") and "comment='mine'" in files[0]
    project.alembic("upgrade", "head")
    project.alembic("downgrade", "base")


def test_a_hook_that_makes_several_revisions_of_it(project) -> None:
    """Alembic's own recipe for several scripts: each stays one file, and the one behind it keeps its parent."""
    project.env(
        "def run_migrations_offline",
        "from alembic.operations import ops\n"
        "def two(context, revision, directives):\n"
        "    first = directives[0]\n"
        "    if not first.upgrade_ops.is_empty():\n"
        "        directives.append(ops.MigrationScript('second', ops.UpgradeOps([ops.ExecuteSQLOp('SELECT 1')]),\n"
        "            ops.DowngradeOps([]), message='second', head=first.rev_id))\n\n\ndef run_migrations_offline",
    )
    project.models(BASE)
    project.revise("start")
    project.alembic("upgrade", "head")
    project.models(AFTER)
    project.configure("process_revision_directives=two")
    files = ids(project.revise("later"))
    assert len(files) == TWO_PARTS and files[1] == ("second", f"'{files[0][0]}'")
    assert "several revisions" in project.output
    runs(project)


def test_the_plugin_and_the_rewriter_together_act_once(make_project) -> None:
    project = make_project()
    project.configure(REWRITER)
    files = started(project).revise("later")
    assert len(files) == TWO_PARTS and "".join(files).count("op.create_index(") == 1
    runs(project)


def test_flags_of_revision(make_project) -> None:
    project = started(make_project())
    first, second = ids(project.revise("named", "--rev-id", "mine", "--branch-label", "side"))
    assert (first[0], second) == ("mine", ("mine_2", "'mine'"))
    runs(project)

    other = started(make_project())
    start = other.alembic("heads").split()[0]
    spliced = ids(other.revise("spliced", "--head", start, "--splice"))
    assert [parent for _, parent in spliced] == [f"'{start}'", f"'{spliced[0][0]}'"]
    runs(other)


def test_a_second_base_in_another_version_path(make_project) -> None:
    project = make_project()
    folders = [project.root / "migrations" / "versions", project.root / "migrations" / "more"]
    ini = project.ini.read_text()
    found = re.search(r"^#? ?version_locations = .*$", ini, re.M)[0]
    project.ini.write_text(
        ini.replace(found, "version_locations = " + " ".join(map(str, folders))).replace(
            "path_separator = os", "path_separator = space"
        )
    )
    project.models(BASE)
    project.revise("start", "--version-path", str(folders[0]))
    project.alembic("upgrade", "heads")
    project.models(AFTER)
    project.alembic(
        "revision", "--autogenerate", "-m", "apart", "--head", "base", "--version-path", str(folders[1]),
        "--branch-label", "apart", "--depends-on", project.alembic("heads").split()[0],
    )  # fmt: skip
    assert len(list(folders[1].glob("*.py"))) == TWO_PARTS
    project.alembic("upgrade", "heads")
    assert project.clean()


@pytest.mark.long
@pytest.mark.parametrize(
    ("template", "count"),
    [("%%(year)d_%%(slug)s", 2), ("%%(rev)s", 2), ("%%(epoch)s_%%(minute)d", 1)],
)
def test_file_names_never_meet(project, template: str, count: int) -> None:
    text = project.ini.read_text()
    project.ini.write_text(
        re.sub(r"^# *file_template = .*$", f"file_template = {template}", text, count=1, flags=re.M)
        if template != "%%(rev)s"
        else text.replace("# file_template =", f"file_template = {template}\n# file_template =", 1)
    )
    started(project)
    for path in project.versions():
        # The next run's template may name the same file again, which is Alembic's own trap.
        path.rename(path.with_name(f"first_{path.name}"))
    message = "a message that is much longer than the forty characters of a slug that Alembic keeps of it"
    files = project.revise(message)
    assert len(files) == count
    if count == 1:
        assert "file_template" in project.output
    project.alembic("upgrade", "head")
    assert project.clean()
    project.alembic("downgrade", "base")


def test_no_message(project) -> None:
    started(project)
    project.alembic("revision", "--autogenerate")
    assert len(project.versions()) == 1 + TWO_PARTS
    runs(project)


@pytest.mark.long
@pytest.mark.parametrize(("split", "count"), [("auto", 2), ("never", 1), ("always", 4 if HAS_INLINE_REFERENCES else 5)])
def test_split(project, split: str, count: int) -> None:
    project.ini.write_text(project.ini.read_text().replace("[pgpatterns]", f"[pgpatterns]\nsplit = {split}"))
    started(project)
    project.models(AFTER + 'Index("ix_title", book.c.title)\nbook.append_constraint(UniqueConstraint("title"))')
    start = project.alembic("heads").split()[0]
    before = project.snapshot()
    files = project.revise("later")
    assert len(files) == count
    project.alembic("upgrade", "head")
    assert project.clean()
    project.alembic("downgrade", start)
    assert project.snapshot() == before
    project.alembic("upgrade", "head")


@pytest.mark.long
@pytest.mark.parametrize("own_transaction", [True, False], ids=["env.py as it is", "without its own transaction"])
def test_several_databases_stay_in_one_file(make_project, new_database, own_transaction: bool) -> None:
    """The template opens a transaction, in which no autocommit block works: nothing is built concurrently there."""
    project = make_project("multidb", way="")
    two = new_database()
    second = two.url.set(drivername="postgresql+psycopg").render_as_string(False).replace("%", "%%")
    project.replace(project.ini, "driver://user:pass@localhost/dbname2", second)
    project.env("target_metadata = {}", "import models\ntarget_metadata = models.both")
    project.env(
        "target_metadata=target_metadata.get(name),",
        "target_metadata=target_metadata.get(name), "
        'autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"],',
    )
    if not own_transaction:
        project.env('rec["transaction"] = conn.begin()\n', "pass\n")
        project.env('            rec["transaction"].commit()', "            pass")
        run, then = "            context.run_migrations(engine_name=name)\n\n", "        if USE_TWOPHASE"
        project.env(run + then, f"            with context.begin_transaction():\n    {run}{then}")
    both = "\nother = MetaData()\nTable('other', other, Column('id', BigInteger, primary_key=True){})\n"
    both += "both = {{'engine1': metadata, 'engine2': other}}"
    project.models(BASE + both.format(""))
    project.revise("start")
    project.alembic("upgrade", "head")
    project.models(AFTER + both.format(", Column('x', Integer, index=True)"))
    (text,) = project.revise("later")
    assert ("several databases" in project.output) is not own_transaction
    assert ("env.py opens its own transaction" in project.output) is own_transaction
    assert text.count("autocommit_block():") == (0 if own_transaction else 4)
    project.alembic("upgrade", "head")
    assert project.clean()
    project.alembic("downgrade", "base")


def test_check_reports_what_autogenerate_found(project, capsys) -> None:
    with pytest.raises(AssertionError, match="alembic check exited"):
        started(project).alembic("check")
    said = capsys.readouterr().err
    assert re.findall(r"\('(add_\w+|execute)'", said) == ["add_column", "add_index", "add_fk"]
    assert "pgpatterns" not in project.output


def test_batch_mode(project) -> None:
    project.configure("render_as_batch=True")
    files = started(project).revise("later")
    runs(project)
    project.models(AFTER + 'book.append_column(Column("more", Text))')
    assert "batch_op.add_column" in "".join(project.revise("more")) and "batch_op" not in files[1]
    project.alembic("upgrade", "head")
    project.alembic("downgrade", "base")


def test_ids_that_follow() -> None:
    assert next_id("0009", frozenset(), "random") == "0010"
    assert next_id("0009", frozenset({"0010"}), "random") == "0011"
    assert next_id("v1", frozenset(), "random") == "v2"
    assert next_id("initial", frozenset(), "random") == "initial_2"
    assert next_id("ae1027a6acf0", frozenset(), "random") == "random"
    assert next_id("x" * MAX_ID, frozenset(), "random") == "random"


NEEDED = ("alembic", "sqlalchemy", "mako", "markupsafe", "typing_extensions.py", "greenlet", "psycopg*")


@pytest.mark.long
def test_the_history_runs_without_the_package(project, tmp_path: Path) -> None:
    """In a Python that has Alembic and the driver, and neither this package nor its entry point."""
    started(project)
    project.revise("later")
    packages = tmp_path / "packages"
    packages.mkdir()
    for folder in map(Path, site.getsitepackages()):
        for found in (path for name in NEEDED for path in folder.glob(name)):
            (packages / found.name).symlink_to(found)
    start = "import sys; sys.path.insert(0, sys.argv.pop(1)); from alembic.config import main; main(sys.argv[1:])"

    def alone(*arguments: str) -> str:
        command = [sys.executable, "-S", "-c", start, str(packages), "-c", str(project.ini), *arguments]
        done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    for arguments in (["downgrade", "base"], ["upgrade", "head"], ["downgrade", "base"], ["upgrade", "head"]):
        alone(*arguments)
    assert project.clean()
    hidden = f"import sys; sys.path.insert(0, {str(packages)!r}); import alembic_pgpatterns"
    done = subprocess.run([sys.executable, "-S", "-c", hidden], capture_output=True, check=False, cwd=tmp_path)
    assert b"ModuleNotFoundError" in done.stderr
