"""``alembic pgrevision`` and the post-write hook, as a user runs them: in a subprocess, with no database at hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from alembic.config import CommandLine

from tests.projects import Project, make

MODELS = """
from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Integer, MetaData, String, Table

metadata = MetaData()
Table("author", metadata, Column("id", Integer, primary_key=True), Column("name", String(255)))
"""
BOOK = """
Table("book", metadata, Column("id", Integer, primary_key=True), Column("author_id", ForeignKey("author.id")))
"""
LOAD = "import sys; sys.path.insert(0, '.')\nfrom shop_models import metadata as target_metadata"
PLUGIN = 'autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"]'
HOOK = """
[post_write_hooks]
hooks = {hooks}
pgpatterns.type = pgpatterns
ruff.type = exec
ruff.executable = ruff
ruff.options = format REVISION_SCRIPT_FILENAME
"""
TOML_HOOK = """
[[tool.alembic.post_write_hooks]]
name = "try out"
type = "pgpatterns"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    project = make(tmp_path)
    project.write("shop_models.py", MODELS)
    project.env(models=LOAD, options=PLUGIN)
    return project


def files(project: Project) -> list[Path]:
    return sorted(project.versions.glob("*.py"), key=lambda path: path.stat().st_mtime_ns)


def with_hooks(project: Project, hooks: str) -> None:
    ini = project.folder / "alembic.ini"
    ini.write_text(ini.read_text() + HOOK.format(hooks=hooks))


def test_writes_and_tries_out(shop: Project) -> None:
    first = shop.alembic("pgrevision", "-m", "authors", "--rev-id", "a1")
    assert first.returncode == 0, first.stderr
    assert "a1_authors.py: up, down and up again on PostgreSQL 18." in first.stdout
    assert "  locks no table that existed before\n  keep running the old code: yes\n" in first.stdout
    assert "Text()" in files(shop)[0].read_text()
    assert (shop.folder / "pgpatterns-baseline.txt").exists()
    shop.write("shop_models.py", MODELS + BOOK)
    second = shop.alembic("pgrevision", "-m", "books", "--autogenerate")
    assert second.returncode == 0, second.stderr
    text = files(shop)[1].read_text()
    assert "down_revision = 'a1'" in text
    assert str(shop.folder) not in text, "nothing of this machine is committed"
    assert "create_table('book'" in text
    assert "ix_book_author_id" in text
    assert re.search(r"^  public\.author +SHARE ROW EXCLUSIVE +writes +- +\d+$", second.stdout, re.MULTILINE)
    assert "secret" not in first.stdout + first.stderr + second.stdout + second.stderr


@pytest.mark.long
def test_a_chain_is_tried_out_whole(shop: Project) -> None:
    shop.alembic("pgrevision", "-m", "authors")
    more = MODELS.replace("String(255))", 'String(255), nullable=False), Column("x", BigInteger, index=True)')
    shop.write("shop_models.py", more)
    run = shop.alembic("pgrevision", "-m", "more")
    assert run.returncode == 0, run.stderr
    assert len(files(shop)) > 2
    assert "part_2_of_more.py: up, down and up again" in run.stdout
    refused = "keep running the old code: no, it would fail (public.author.name: where it writes NULL, so wait until "
    assert " ".join(run.stdout.split()).count(refused) == len(files(shop)) - 1


@pytest.mark.long
def test_the_part_that_old_code_does_not_survive_is_named(shop: Project) -> None:
    """The first part adds the column; the next ones make it necessary for code that does not know it.

    A change of type beside it brings a trigger, which fills nothing else.
    """
    models = MODELS.replace("Integer,", "Integer, Numeric,", 1)
    models = models.replace("String(255))", 'String(255)), Column("price", Numeric(10, 2))')
    shop.write("shop_models.py", models)
    shop.alembic("pgrevision", "-m", "authors")
    more = models.replace("Numeric(10, 2))", 'Numeric(14, 4)), Column("floor", BigInteger, nullable=False)')
    shop.write("shop_models.py", more)
    run = shop.alembic("pgrevision", "-m", "floor")
    assert run.returncode == 0, run.stderr
    assert any("CREATE TRIGGER" in path.read_text() for path in files(shop))
    assert "existing rows get no value in public.author.floor" in " ".join((run.stdout + run.stderr).split())
    first, *others = [line.strip() for line in run.stdout.splitlines() if "keep running the old code" in line]
    assert first == "keep running the old code: yes"
    assert set(others) == {
        "keep running the old code: no, it would fail (public.author.floor: its INSERTs lack it, so wait until only "
        "new code runs)"
    }
    warned = [path.name for path in files(shop) if "wait until only new" in " ".join(path.read_text().split())]
    assert len(warned) == 1 and "part_2" in warned[0]


@pytest.mark.long
def test_what_does_not_run_is_said_and_kept(shop: Project) -> None:
    bad = 'Table("bad", metadata, Column("x", String, server_default="1", index=True))\n'
    shop.write("shop_models.py", MODELS + bad)
    shop.env(models=LOAD, options=f"{PLUGIN}, render_item={BREAK}")
    run = shop.alembic("pgrevision", "-m", "bad")
    assert run.returncode == 255
    assert "FAILED: upgrade failed: migrations/versions/" in run.stderr
    assert "nowhere" in run.stderr
    assert "The file stays" in run.stderr
    assert "Traceback" not in run.stderr
    (path,) = files(shop)
    path.unlink()
    # The first revision failed, so the project is still a new one.
    shop.env(models=LOAD, options=PLUGIN)
    again = shop.alembic("pgrevision", "-m", "good")
    assert again.returncode == 0, again.stderr
    assert "sa.Text()" in files(shop)[0].read_text()


KINDS = 'Column("kind", Enum({}, name="kind"), nullable=False, server_default="a")'
GROWN = f"""
from sqlalchemy import CheckConstraint, Enum

Table("pen", metadata, Column("id", Integer, primary_key=True), {KINDS})
"""
CHANGED = """
Table("book", metadata, Column("id", Integer, primary_key=True),
    Column("author_id", ForeignKey("author.id"), index=True),
    Column("pen_id", ForeignKey("pen.id", ondelete="CASCADE")),
    Column("isbn", String(20), unique=True),
    Column("pages", Integer, CheckConstraint("pages > 0", name="has_pages"), nullable=False, server_default="1"))
"""


@pytest.mark.long
def test_a_project_made_by_it_alone_has_no_finding(shop: Project) -> None:
    """The rewriter's own revisions are not reported: no index, lock, rename or transaction of them."""
    shop.write("shop_models.py", MODELS + GROWN.replace("{}", '"a", "b"') + BOOK)
    assert shop.alembic("pgrevision", "-m", "first").returncode == 0
    shop.write("shop_models.py", MODELS + GROWN.replace("{}", '"a", "c", "b"') + CHANGED)
    run = shop.alembic("pgrevision", "-m", "second")
    assert run.returncode == 0, run.stderr
    assert len(files(shop)) > 2
    checked = shop.alembic("pgcheck")
    assert checked.returncode == 0, checked.stdout


BREAK = "lambda kind, item, context: 'sa.text(\"nowhere()\")' if kind == 'server_default' else False"


def test_a_broken_history_and_models_that_do_not_import(shop: Project) -> None:
    shop.sql("a1", "ALTER TABLE nowhere ADD COLUMN x int")
    run = shop.alembic("pgrevision", "-m", "x")
    assert run.returncode == 255
    assert "migrations/versions/a1.py:" in run.stderr
    shop.sql("a1", "SELECT 1")
    shop.write("shop_models.py", "import nowhere_at_all")
    run = shop.alembic("pgrevision", "-m", "x")
    assert run.returncode == 255
    assert "nowhere_at_all" in run.stderr
    assert "Traceback" not in run.stderr
    assert len(files(shop)) == 1


@pytest.mark.long
def test_branches_and_merges(shop: Project) -> None:
    assert shop.alembic("pgrevision", "-m", "a", "--rev-id", "a1").returncode == 0
    shop.revision("b2", "op.execute('CREATE TABLE b (x text)')", "a1", "op.execute('DROP TABLE b')")
    shop.env(models=LOAD, options=PLUGIN + ", include_name=lambda name, kind, parents: name != 'b'")
    shop.write("shop_models.py", MODELS + BOOK)
    run = shop.alembic("pgrevision", "-m", "c", "--rev-id", "c3", "--head", "a1", "--splice")
    assert run.returncode == 0, run.stderr
    assert "c3_c.py: up, down and up again" in run.stdout
    refused = shop.alembic("pgrevision", "-m", "d").stderr.lower()
    assert "the history has 2 heads" in refused
    with_hooks(shop, "pgpatterns")
    merged = shop.alembic("merge", "heads", "-m", "merge")
    assert merged.returncode == 0, merged.stderr
    assert "merge.py: up, down and up again" in merged.stdout


@pytest.mark.long
def test_hook(shop: Project) -> None:
    with_hooks(shop, "ruff, pgpatterns")
    run = shop.alembic("revision", "-m", "by hand", "--rev-id", "a1")
    assert run.returncode == 0, run.stderr
    assert "a1_by_hand.py: up, down and up again on PostgreSQL 18." in run.stdout
    assert "  locks no table that existed before\n" in run.stdout
    assert 'revision = "a1"' in files(shop)[0].read_text()
    again = shop.alembic("pgrevision", "-m", "authors")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("up, down and up again") == 1


@pytest.mark.long
def test_hook_that_fails(shop: Project) -> None:
    with_hooks(shop, "pgpatterns")
    mako = shop.folder / "migrations/script.py.mako"
    mako.write_text(mako.read_text().replace('${downgrades if downgrades else "pass"}', 'op.drop_table("never")'))
    run = shop.alembic("revision", "-m", "x", "--rev-id", "a1")
    assert run.returncode == 255
    assert "downgrade failed: migrations/versions/a1_x.py" in run.stdout + run.stderr
    assert 'table "never" does not exist' in run.stdout + run.stderr
    assert len(files(shop)) == 1


@pytest.mark.long
def test_hook_by_pyproject(shop: Project) -> None:
    shop.write("pyproject.toml", TOML_HOOK)
    run = shop.alembic("revision", "-m", "x")
    assert "up, down and up again" in run.stdout, run.stderr


@pytest.mark.long
def test_hook_judges(shop: Project) -> None:
    with_hooks(shop, "pgpatterns")
    mako = shop.folder / "migrations/script.py.mako"
    create = 'op.execute("CREATE TABLE t (x varchar(9))")'
    text = mako.read_text().replace('${upgrades if upgrades else "pass"}', create)
    mako.write_text(text.replace('${downgrades if downgrades else "pass"}', "pass"))
    run = shop.alembic("revision", "-m", "x")
    assert run.returncode == 255
    assert 'relation "t" already exists' in run.stdout + run.stderr
    mako.write_text(mako.read_text().replace("CREATE TABLE t", "CREATE TABLE IF NOT EXISTS t"))
    files(shop)[0].unlink()
    run = shop.alembic("revision", "-m", "x")
    assert run.returncode == 0
    assert "varchar-length" in run.stdout
    assert "the downgrade does not restore everything: table public.t is left behind" in run.stdout


@pytest.mark.long
def test_pgcheck_shows_the_line_to_add(shop: Project) -> None:
    shop.sql("a1", "CREATE TABLE author (id bigint PRIMARY KEY, name text)")
    assert "autogenerate_plugins" not in shop.alembic("pgcheck").stdout
    shop.env(models=LOAD)
    run = shop.alembic("pgcheck")
    line = next(line.strip() for line in run.stdout.splitlines() if "autogenerate_plugins=[" in line)
    shop.env(models="from importlib.util import find_spec\n" + LOAD, options=line)
    assert "autogenerate_plugins" not in shop.alembic("pgcheck").stdout


DRIFT = MODELS + 'Table("note", metadata, Column("id", BigInteger, primary_key=True), Column("line", String(500)))\n'


@pytest.mark.long
def test_what_only_the_models_say_is_no_debt(shop: Project) -> None:
    """A column without a limit in the database, with one in the models: Alembic sees no difference."""
    shop.write("shop_models.py", DRIFT)
    shop.sql("a1", "CREATE TABLE author (id serial PRIMARY KEY, name varchar(255))")
    shop.sql("b2", "CREATE TABLE note (id bigint PRIMARY KEY, line varchar)", down="a1")
    assert shop.alembic("pgcheck", "--write-baseline").returncode == 0
    assert "varchar-length public.note.line\n" not in (shop.folder / "pgpatterns-baseline.txt").read_text()
    assert "no longer" not in shop.alembic("pgcheck").stdout
    run = shop.alembic("pgrevision", "-m", "nothing", "--rev-id", "c3")
    assert run.returncode == 0, run.stderr


def options(command: str) -> dict[str, tuple[Any, ...]]:
    parser = CommandLine().subparsers.choices[command]
    return {
        option: (action.dest, action.nargs, action.type, action.default, action.const, type(action).__name__)
        for action in parser._actions
        for option in action.option_strings
    }


def test_takes_all_flags_of_alembic_revision() -> None:
    ours, stock = options("pgrevision"), options("revision")
    assert {name: ours.get(name) for name in stock} == stock


def test_flags_arrive_in_the_file(shop: Project) -> None:
    shop.revision("a1")
    shop.revision("b1", down="a1")
    shop.write("other/keep.txt", "")
    ini = shop.folder / "alembic.ini"
    locations = "version_locations = %(here)s/migrations/versions:%(here)s/other\npath_separator = :\n"
    ini.write_text(ini.read_text() + locations)
    flags = ("--head", "base", "--splice", "--branch-label", "wing", "--version-path", "other", "--rev-id", "w1")
    run = shop.alembic("pgrevision", "-m", "wing", *flags, "--depends-on", "a1", "--depends-on", "b1")
    assert run.returncode == 0, run.stderr
    text = (shop.folder / "other/w1_wing.py").read_text()
    assert "branch_labels = ('wing',)" in text.replace("['wing']", "('wing',)")
    assert "depends_on = ('a1', 'b1')" in text.replace("['a1', 'b1']", "('a1', 'b1')")
    assert "down_revision = None" in text
    refused = shop.alembic("pgrevision", "-m", "sql", "--sql")
    assert refused.returncode == 255
    assert "--sql does not make sense" in refused.stderr


COOKBOOK = """
def without_empty(context, revision, directives):
    if config.cmd_opts.autogenerate:
        script = directives[0]
        if script.upgrade_ops.is_empty():
            directives[:] = []
"""


@pytest.mark.long
@pytest.mark.parametrize("hook", ["", "process_revision_directives=without_empty"])
@pytest.mark.sample(2)
def test_nothing_to_do(shop: Project, hook: str) -> None:
    shop.env(models=LOAD, head=COOKBOOK, options=f"{PLUGIN}, {hook}")
    shop.alembic("pgrevision", "-m", "authors")
    again = shop.alembic("pgrevision", "-m", "nothing")
    assert again.returncode == 0, again.stderr
    assert again.stdout == "Nothing to do: the models and the head agree.\n"
    assert len(files(shop)) == 1


ALWAYS = """
from alembic.operations import ops


def always(context, revision, directives):
    assert config.cmd_opts.cmd[0].__name__ == "revision"
    directives[0].upgrade_ops.ops.append(ops.ExecuteSQLOp("SELECT 'again'"))
"""


def test_the_next_autogenerate_is_tried(shop: Project) -> None:
    shop.env(models=LOAD, head=ALWAYS, options=f"{PLUGIN}, process_revision_directives=always")
    run = shop.alembic("pgrevision", "-m", "authors")
    assert run.returncode == 0, run.stderr
    assert "pgpatterns: warning: the next autogenerate is not empty" in run.stdout
    for level, code in (("error", 0), ("warning", 1), ("info", 1)):
        assert shop.alembic("pgrevision", "--fail-on", level).returncode == code, level
    assert """    op.execute("SELECT 'again'")\n""" in run.stdout
    assert "create_table" not in run.stdout
    assert len(files(shop)) == 4


@pytest.mark.long
def test_a_cure_is_not_taken_back_in_silence(shop: Project) -> None:
    shop.alembic("pgrevision", "-m", "authors")
    baseline = shop.folder / "pgpatterns-baseline.txt"
    baseline.write_text(baseline.read_text() + "varchar-length public.author.name\n")
    run = shop.alembic("pgrevision", "-m", "back")
    assert run.returncode == 0, run.stderr
    back = "# pgpatterns: warning: varchar-length: this takes back what the pattern asks for"
    assert any(back in path.read_text() for path in files(shop))
    line = 'since pgpatterns-baseline.txt has the line "varchar-length public.author.name"; remove the line to keep it'
    assert line in run.stdout
    assert run.stdout.endswith("\npgpatterns: 1 warning.\n")


@pytest.mark.long
def test_the_console_says_each_thing_once_and_what_is_left_for_a_person(shop: Project) -> None:
    assert shop.alembic("pgrevision", "-m", "authors").returncode == 0
    more = 'Column("code", String(12), nullable=False), Column("met_at", DateTime)'
    shop.write("shop_models.py", MODELS.replace('Column("name", String(255))', f'Column("name", String(255)), {more}'))
    run = shop.alembic("pgrevision", "-m", "more")
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert "pgpatterns: left for you: part 2: fill author.code" in lines
    left = "required-column-without-default: existing rows get no value in public.author.code"
    assert len([line for line in lines if left in line]) == 1
    assert len([line for line in lines if "public.author.met_at does not say" in line]) == 1
    assert len([line for line in lines if "public.author.code is limited" in line]) == 1
    own = [line for line in lines if line.startswith("pgpatterns: ")]
    assert len(own) == len(set(own))
    assert "next autogenerate is not empty" not in run.stdout


LOGGING = """
import logging, sys
logging.basicConfig(stream=sys.stderr, level=logging.INFO)
logging.getLogger("shop").info("the shop is open")
logging.getLogger("shop").warning("the shop is empty")
"""


@pytest.mark.long
def test_logs_come_on_request_and_after_a_failure(shop: Project) -> None:
    shop.env(models=LOAD, head=LOGGING, options=PLUGIN)
    quiet = shop.alembic("pgrevision", "-m", "authors", "--rev-id", "a1")
    assert quiet.returncode == 0, quiet.stderr
    assert "the shop is open" not in quiet.stderr and "INFO" not in quiet.stderr
    assert "the shop is empty" in quiet.stderr
    loud = shop.alembic("pgrevision", "-m", "nothing", "--verbose")
    assert "the shop is open" in loud.stderr and "INFO:alembic.runtime" in loud.stderr
    shop.revision("b2", "raise RuntimeError('no')", down="a1")
    failed = shop.alembic("pgrevision", "-m", "after")
    assert failed.returncode == 255
    before, _, message = failed.stderr.partition("FAILED: ")
    assert "the shop is open" in before and "RuntimeError" in message
