"""``alembic pgcheck`` as a user runs it: the stock program, in a subprocess, on projects on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alembic_pgpatterns.patterns import Needs, registry
from tests.projects import BOOKS_AND_AUTHORS, Project, make

BOOKS = """
CREATE TABLE author (id bigint PRIMARY KEY);
CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint REFERENCES author, title varchar(255));
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make(tmp_path)


@pytest.fixture
def books(project: Project) -> Project:
    project.write("shop_models.py", BOOKS_AND_AUTHORS)
    models = "import sys; sys.path.insert(0, '.')\nfrom shop_models import Base\ntarget_metadata = Base.metadata"
    project.env(models=models)
    project.sql("a1", BOOKS)
    project.sql("b2", "CREATE TABLE note (line text)", down="a1")
    return project


def findings(project: Project, *arguments: str) -> dict[str, dict]:
    run = project.alembic("pgcheck", "--format", "json", "--exit-zero", *arguments)
    assert run.returncode == 0, run.stderr
    return {finding["fingerprint"]: finding for finding in json.loads(run.stdout)["findings"]}


def test_finds_places_and_dates(books: Project) -> None:
    found = findings(books)
    key = found["unindexed-foreign-key public.book(author_id)"]
    assert key["object"] == "public.book(author_id)"
    assert key["severity"] == "warning"
    assert key["revision"] == "a1"
    assert key["location"] == {"path": "shop_models.py", "line": 18}
    assert key["remedy"]["model"] == ['Index("ix_book_author_id", "author_id")']
    assert found["missing-primary-key public.note"]["revision"] == "b2"
    assert found["varchar-length public.book.title"]["location"]["line"] == 19


def test_exit_codes(books: Project) -> None:
    assert books.alembic("pgcheck").returncode == 1
    assert books.alembic("pgcheck", "--exit-zero").returncode == 0
    assert books.alembic("pgcheck", "--select", "fixed-char").returncode == 0
    assert books.alembic("pgcheck", "--ignore", "missing-primary-key", "--fail-on", "error").returncode == 0
    assert books.alembic("pgcheck", "--fail-on", "catastrophe").returncode == 2
    assert books.alembic("pgcheck", "--select", "unindexed-foreign-keys").returncode == 2


@pytest.mark.long
def test_text_report_says_it_all(books: Project) -> None:
    run = books.alembic("pgcheck")
    assert "2 revisions, 3 tables on PostgreSQL 18" in run.stdout
    assert "shop_models.py:18, revision a1" in run.stdout
    assert run.stdout.rstrip().splitlines()[-1].startswith(f"{len(findings(books))} findings (1 error, ")
    assert "\x1b[" not in run.stdout
    assert run.stderr == ""


def test_baseline_accepts_and_names_what_is_gone(books: Project) -> None:
    written = books.alembic("pgcheck", "--write-baseline")
    assert written.returncode == 0
    path = books.folder / "pgpatterns-baseline.txt"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert lines == sorted(lines)
    assert "unindexed-foreign-key public.book(author_id)" in lines
    assert books.alembic("pgcheck").returncode == 0
    path.write_text(path.read_text() + "unindexed-foreign-key public.gone(x)\n")
    run = books.alembic("pgcheck")
    assert "unindexed-foreign-key public.gone(x)" in run.stdout
    assert f"{len(lines)} accepted by the baseline" in run.stdout
    books.sql("c3", "CREATE TABLE later (line text)", down="b2")
    assert set(findings(books)) == {"missing-primary-key public.later", "irreversible-revision c3"}


@pytest.mark.long
def test_a_look_at_some_patterns_leaves_the_others_entries_alone(books: Project) -> None:
    books.alembic("pgcheck", "--write-baseline")
    path = books.folder / "pgpatterns-baseline.txt"
    before = path.read_text()
    assert "no longer there" not in books.alembic("pgcheck", "--select", "varchar-length").stdout
    path.write_text(before + "varchar-length public.gone.x\nno-such-pattern public.y\n")
    run = books.alembic("pgcheck", "--select", "varchar-length", "--write-baseline")
    assert "2 that no longer match removed" in run.stdout
    assert path.read_text() == before


@pytest.mark.long
def test_reasons_survive_a_new_baseline(books: Project) -> None:
    path = books.write("pgpatterns-baseline.txt", "missing-primary-key public.note  # a log, see #12\n")
    books.alembic("pgcheck", "--write-baseline")
    assert "missing-primary-key public.note  # a log, see #12\n" in path.read_text()


@pytest.mark.long
def test_models_can_suppress(books: Project) -> None:
    text = (books.folder / "shop_models.py").read_text()
    suppressed = text.replace("String(255)", 'String(255), info={"pgpatterns": {"ignore": ["varchar-length"]}}')
    books.write("shop_models.py", suppressed)
    assert not [name for name in findings(books) if name.startswith("varchar-length")]


def test_no_configuration(tmp_path: Path) -> None:
    run = Project(tmp_path).alembic("pgcheck")
    assert run.returncode == 255
    assert "FAILED: " in run.stdout + run.stderr
    assert "alembic -c path/to/alembic.ini pgcheck" in run.stdout + run.stderr


def failure(project: Project, *arguments: str) -> str:
    run = project.alembic("pgcheck", *arguments)
    output = run.stdout + run.stderr
    assert run.returncode == 255, output
    assert "Traceback" not in output
    assert "secret" not in output
    return output


def test_revision_that_fails(project: Project) -> None:
    project.sql("a1", "CREATE TABLE t (id bigint PRIMARY KEY)")
    project.sql("b2", f"ALTER TABLE nowhere ADD COLUMN x int DEFAULT {' + '.join(['1'] * 500)}", down="a1")
    output = failure(project)
    assert "migrations/versions/b2.py:12" in output
    assert 'relation "nowhere" does not exist' in output
    assert "Statement: ALTER TABLE nowhere ADD COLUMN x int" in output and output.count("1 + ") < 150


def test_statements_that_are_nested_deeply(project: Project) -> None:
    """48 operators in a row have more levels than protobuf reads by default, and 200 more than Python follows."""
    column, texts = "ALTER TABLE t ADD c{0} text DEFAULT {1}, ADD CHECK (c{0} <> {1})", (50, 200)
    added = "; ".join(column.format(length, " || ".join(["'a'"] * length)) for length in texts)
    view = f"CREATE VIEW v AS SELECT {' + '.join(['id'] * 200)} AS n FROM t WHERE c50 <> {' || '.join(['c200'] * 60)}"
    block = f"DO $$ BEGIN PERFORM {' + '.join(['1'] * 200)}; UPDATE t SET c50 = {' || '.join(['c200'] * 60)}; END $$"
    project.sql("a1", f"CREATE TABLE t (id bigint PRIMARY KEY); {added}; {view}; {block}")
    run = project.alembic("pgcheck", "--exit-zero")
    assert run.returncode == 0 and "1 revision" in run.stdout, run.stdout + run.stderr


def test_revision_that_raises(project: Project) -> None:
    project.revision("a1", "raise RuntimeError('no such shop')")
    output = failure(project)
    assert "migrations/versions/a1.py:12: RuntimeError: no such shop" in output


def test_revision_with_a_syntax_error(project: Project) -> None:
    project.sql("a1", "SELECT 1").write_text("revision = 'a1'\ndef broken(:\n")
    assert "a1.py:2" in failure(project)


def test_missing_down_revision(project: Project) -> None:
    project.sql("b2", "SELECT 1", down="a1")
    output = failure(project)
    assert "a1" in output
    assert "b2.py:6" in output


def test_cycle(project: Project) -> None:
    project.sql("a1", "SELECT 1", down="b2")
    project.sql("b2", "SELECT 1", down="a1")
    assert "ycle" in failure(project)


def test_several_heads_all_run(project: Project) -> None:
    project.sql("a1", "CREATE TABLE a (x text)")
    project.sql("b2", "CREATE TABLE b (x text)", down="a1")
    project.sql("c3", "CREATE TABLE c (x text)", down="a1")
    tables = {name.split()[1] for name in findings(project, "--select", "missing-primary-key")}
    assert tables == {"public.a", "public.b", "public.c"}


def test_empty_history_checks_the_models(books: Project) -> None:
    for path in books.versions.glob("*.py"):
        path.unlink()
    found = findings(books)
    assert "unindexed-foreign-key public.book(author_id)" in found


MODELS_ONLY = [name for name, pattern in registry().items() if getattr(pattern, "needs", None) is Needs.MODELS]


@pytest.mark.long
@pytest.mark.parametrize("name", MODELS_ONLY)
@pytest.mark.sample(2)
def test_what_only_the_models_know_is_found(name: str, project: Project) -> None:
    """The example of the pattern's own page, before its first revision and after it."""
    source = registry()[name].bad_models
    project.write("shop_models.py", source)
    if "class Base" in source:
        project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nregistries = ["shop_models:Base"]\n')
    project.env(models="import sys; sys.path.insert(0, '.')\nfrom shop_models import metadata as target_metadata")
    before = findings(project, "--select", name)
    assert before
    assert project.alembic("pgrevision", "-m", "first").returncode == 0
    assert findings(project, "--select", name).keys() == before.keys()


def test_names_that_sqlalchemy_refuses_are_found(project: Project) -> None:
    """Such a table in the models, and in the database under the name as PostgreSQL has cut it."""
    table = "measurement_of_the_surface_water_at_the_northern_shore_in_the_summer_of_2026"
    project.write(
        "shop_models.py",
        f"""
from sqlalchemy import BigInteger, Column, MetaData, Table
metadata = MetaData()
Table("{table}", metadata, Column("id", BigInteger, primary_key=True), Column("{"ü" * 40}", BigInteger))
""",
    )
    project.env(models="import sys; sys.path.insert(0, '.')\nfrom shop_models import metadata as target_metadata")
    expected = {f"overlong-identifier public.{table}", f'overlong-identifier public.{table}."{"ü" * 40}"'}
    assert findings(project, "--select", "overlong-identifier").keys() == expected
    project.sql("a1", f'CREATE TABLE {table} (id bigint PRIMARY KEY, "{"ü" * 40}" bigint)')
    assert findings(project, "--select", "overlong-identifier").keys() == expected


def test_other_dialect(tmp_path: Path) -> None:
    project = make(tmp_path, url="sqlite:///shop.db")
    project.revision("a1", "op.execute('PRAGMA user_version = 1')")
    assert "PRAGMA" in failure(project), "it got PostgreSQL in place of the file"
    assert not (tmp_path / "shop.db").exists()


def test_models_that_do_not_import(project: Project) -> None:
    project.env(models="from nowhere_at_all import Base\ntarget_metadata = Base.metadata")
    project.sql("a1", BOOKS)
    run = project.alembic("pgcheck")
    assert run.returncode == 255
    assert "unindexed-foreign-key" in run.stdout
    assert "No module named 'nowhere_at_all'" in run.stdout
    assert "migrations/env.py:4" in run.stdout


def test_creator_is_redirected_or_refused(project: Project) -> None:
    project.env(
        head="import psycopg, sqlalchemy",
        engine="sqlalchemy.create_engine('postgresql+psycopg://',"
        " creator=lambda: psycopg.connect('host=db.example.invalid dbname=shop'))",
    )
    project.sql("a1", "CREATE TABLE a (x text)")
    assert set(findings(project)) >= {"missing-primary-key public.a"}


def test_env_that_never_runs_migrations(project: Project) -> None:
    project.write("migrations/env.py", "print('hello')\n")
    project.sql("a1", "SELECT 1")
    assert "context.configure()" in failure(project)


def test_stdout_carries_the_report_alone(project: Project) -> None:
    project.env(head="print('from env.py'); import os; os.write(1, b'raw')")
    project.revision("a1", "print('from a revision'); import sys; sys.__stdout__.write('original')")
    run = project.alembic("pgcheck", "--format", "json")
    assert json.loads(run.stdout)["version"] == 1


@pytest.mark.long
def test_missing_extension_and_role(project: Project) -> None:
    project.sql("a1", "CREATE EXTENSION postgis_raster_of_nobody")
    output = failure(project)
    assert "postgis_raster_of_nobody" in output
    assert "--server" in output
    project.sql("a1", "CREATE TABLE a (x text); GRANT SELECT ON a TO reporting_of_nobody")
    assert 'roles = ["reporting_of_nobody"]' in project.alembic("pgcheck", "--exit-zero").stdout, "found out"
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nroles = ["reporting_of_nobody"]\n')
    assert findings(project)


@pytest.mark.long
def test_hard_identifiers(project: Project) -> None:
    long = "t" + "é" * 31
    project.sql(
        "a1",
        f"""
        CREATE SCHEMA "Sales.2024";
        CREATE TABLE "Sales.2024"."or""der" ("Äuthor.id" text);
        CREATE TABLE "{long}" ("select" varchar(3));
        """,
    )
    found = findings(project)
    assert 'missing-primary-key "Sales.2024"."or""der"' in found
    assert f'varchar-length public."{long}"."select"' in found
    assert project.alembic("pgcheck", "--write-baseline").returncode == 0
    assert project.alembic("pgcheck").returncode == 0


def test_prepare_and_environment_variables(project: Project) -> None:
    project.write("before.sql", "CREATE TABLE early (x text)")
    project.write(
        "pyproject.toml",
        '[tool.alembic_pgpatterns]\nprepare = "before.sql"\nenv = { SHOP_URL = "{url}" }\n',
    )
    project.env(
        head="import os, sqlalchemy",
        engine="sqlalchemy.create_engine(os.environ['SHOP_URL'].replace('postgresql:', 'postgresql+psycopg:'))",
    )
    project.sql("a1", "ALTER TABLE early ADD COLUMN y text")
    assert "missing-primary-key public.early" in findings(project)


@pytest.mark.long
def test_upgrade_command(project: Project) -> None:
    project.env(head="import os, sqlalchemy", engine="sqlalchemy.create_engine(os.environ['SHOP_URL'])")
    project.sql("a1", "CREATE TABLE a (x text)")
    project.sql("a2", "ALTER TABLE a ADD y text", "a1")
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nenv = { SHOP_URL = "{url}" }\n')
    found = findings(project, "--upgrade-command", "python -m alembic upgrade head")
    assert "missing-primary-key public.a" in found
    assert any(name.startswith("irreversible-revision") for name in found), "the revisions are judged too"
    assert "exit 3" in failure(project, "--upgrade-command", "exit 3")


def test_tables_without_a_schema_are_those_of_the_search_path_of_env_py(project: Project) -> None:
    project.write("models.py", BOOKS_AND_AUTHORS.replace("title: Mapped[str | None]", "added: Mapped[str | None]"))
    project.env(models="from models import Base\ntarget_metadata = Base.metadata\n")
    env = project.folder / "migrations/env.py"
    begin = "        with context.begin_transaction():\n            context.run_migrations()\n"
    assert begin in env.read_text()
    # After context.configure(), in the transaction of the migrations: nothing says it to Alembic.
    after = begin.replace("():\n", "():\n            context.execute('SET LOCAL search_path TO acme')\n", 1)
    env.write_text(env.read_text().replace(begin, after))
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nschemas = ["acme"]\n')
    keys = "id bigserial PRIMARY KEY, author_id bigint REFERENCES author (id), title varchar(255)"
    project.sql("a1", f"CREATE TABLE author (id bigserial PRIMARY KEY); CREATE TABLE book ({keys})")
    found = findings(project)
    drifts = sorted(name.removeprefix("model-drift ") for name in found if name.startswith("model-drift"))
    assert drifts == ["acme.book.added", "acme.book.title"], "one column on either side, and no table"
    key = found["unindexed-foreign-key acme.book(author_id)"]
    assert key["location"]["path"] == "models.py", "the models' table is that of the database"


@pytest.mark.long
def test_models_beside_a_command_come_from_an_offline_run_with_a_mock_connection(project: Project) -> None:
    """OpenStack's env.py configures a dialect and no URL when it is offline: Alembic makes a MockConnection then."""
    project.write("models.py", BOOKS_AND_AUTHORS)
    project.write(
        "migrations/env.py",
        "import os, sqlalchemy\nfrom alembic import context\n"
        "if context.is_offline_mode():\n"
        "    context.configure(dialect_name='postgresql', as_sql=True)\n"
        "    with context.begin_transaction():\n        context.run_migrations()\n"
        "else:\n"
        "    with sqlalchemy.create_engine(os.environ['SHOP_URL']).connect() as connection:\n"
        "        context.configure(connection=connection)\n"
        "        with context.begin_transaction():\n            context.run_migrations()\n",
    )
    project.sql("a1", "CREATE TABLE author (id bigint PRIMARY KEY)")
    settings = 'env = { SHOP_URL = "{url}" }\nmodels = ["models:Base"]\n'
    project.write("pyproject.toml", f"[tool.alembic_pgpatterns]\n{settings}")
    found = findings(project, "--upgrade-command", "python -m alembic upgrade head")
    assert any(name.startswith("model-drift") for name in found), "the models are there"


def test_the_url_of_the_settings_can_be_set_as_an_option_and_read_by_asyncpg(project: Project) -> None:
    """set_main_option() reads a lone % as its own; asyncpg looks only at the host before the query."""
    project.env(
        head="""
import asyncio, os, asyncpg
config.set_main_option("sqlalchemy.url", os.environ["SHOP_URL"].replace("postgresql:", "postgresql+psycopg:"))

async def prepare():
    connection = await asyncpg.connect(os.environ["SHOP_URL"])
    await connection.execute("CREATE TABLE IF NOT EXISTS early (x int)")
    await connection.close()

asyncio.run(prepare())
""",
    )
    project.sql("a1", "ALTER TABLE early ADD COLUMN y text")
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nenv = { SHOP_URL = "{url}" }\n')
    assert "missing-primary-key public.early" in findings(project)


@pytest.mark.long
def test_a_history_that_only_the_upgrade_command_can_load(project: Project) -> None:
    project.env(head="import os, sqlalchemy", engine="sqlalchemy.create_engine(os.environ['SHOP_URL'])")
    path = project.sql("a1", "CREATE TABLE a (x text)")
    path.write_text(f"import only_there\n{path.read_text()}")
    project.write("lib/only_there.py", "")
    settings = 'env = { SHOP_URL = "{url}", PYTHONPATH = "lib" }'
    project.write("pyproject.toml", f"[tool.alembic_pgpatterns]\n{settings}\n")
    run = project.alembic(
        "pgcheck", "--format", "json", "--exit-zero", "--upgrade-command", "python -m alembic upgrade head"
    )
    report = json.loads(run.stdout)
    assert {finding["object"] for finding in report["findings"]} >= {"public.a"}
    assert "what revisions do" in {each["what"] for each in report["skipped"]}


def test_a_history_that_does_not_begin_with_an_empty_database(project: Project) -> None:
    project.env()
    project.sql("a1", "ALTER TABLE users ADD COLUMN state text")
    message = failure(project)
    assert "a1.py" in message and "No earlier revision created 'users'" in message and "`prepare`" in message
    project.sql("a1", "CREATE TABLE users (x text); ALTER TABLE users DROP COLUMN y")
    assert "No earlier revision" not in failure(project)


@pytest.mark.long
def test_json_and_text_at_once(books: Project) -> None:
    run = books.alembic("pgcheck", "--format", "json=out.json", "--format", "text")
    assert json.loads((books.folder / "out.json").read_text())["findings"]
    assert "pgcheck: 2 revisions" in run.stdout


def test_show_settings_hides_the_password(project: Project) -> None:
    run = project.alembic("pgcheck", "--show-settings", "--server", "postgresql://me:hunter2@db/x", "--fail-on", "info")
    assert "hunter2" not in run.stdout
    assert "fail_on = info  (command line)" in run.stdout
    assert "baseline = pgpatterns-baseline.txt  (default)" in run.stdout


def test_a_baseline_that_is_not_there(books: Project) -> None:
    run = books.alembic("pgcheck", "--baseline", "typo.txt")
    assert run.returncode == 2
    assert "typo.txt" in run.stderr
