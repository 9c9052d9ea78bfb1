"""Projects that need something nobody has configured: ``alembic pgcheck`` finds it out, and ``--init`` writes it."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from textwrap import indent

import pytest
from sqlalchemy import __version__ as sqlalchemy_version
from sqlalchemy import create_engine, exc

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.extension_names import missing_extension
from alembic_pgpatterns.controller.ways import meant_tables, of_old_revision, ways_of
from alembic_pgpatterns.runner.failures import failure_of
from alembic_pgpatterns.runner.messages import ConfiguredDatabase, EnvResult, Failure, Need
from tests.projects import BOOKS_AND_AUTHORS, ENGINE, Project, make

TABLE = "CREATE TABLE book (title varchar(255))"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make(tmp_path)
    project.sql("a1", TABLE)
    return project


def check(project: Project, *arguments: str, code: int = 0) -> dict:
    formats = ("--format", "json=report.json", "--format", "text")
    run = project.alembic("pgcheck", *formats, "--exit-zero", "--no-downgrade", *arguments)
    assert run.returncode == code, run.stderr
    report = json.loads((project.folder / "report.json").read_text()) | {"text": run.stdout, "stderr": run.stderr}
    assert "missing-primary-key public.book" in {finding["fingerprint"] for finding in report["findings"]}
    return report


def hints(report: dict) -> str:
    return " ".join(report["text"].split())


def ini(project: Project, text: str) -> None:
    project.write("alembic.ini", text)


def test_a_default_url_of_sqlite(project: Project) -> None:
    url = f"sqlite:///{project.folder}/shop.db"
    ini(project, f"[alembic]\nscript_location = %(here)s/migrations\nsqlalchemy.url = {url}\n")
    project.env(engine=ENGINE)
    report = check(project)
    assert "replace_sqlite = true" in hints(report) and ":///shop.db" in hints(report)
    assert str(project.folder) not in report["text"], "--init writes the reason into a file"
    assert not (project.folder / "shop.db").exists()


def test_a_default_url_of_sqlite_in_memory(project: Project) -> None:
    ini(project, "[alembic]\nscript_location = %(here)s/migrations\nsqlalchemy.url = sqlite://\n")
    project.env(head="import warnings\nwarnings.warn('of a library')", engine=ENGINE)
    report = check(project)
    assert "replace_sqlite = true" in hints(report)
    assert report["stderr"] == "", "Python's warnings are shown with -v, or after a failure"


OF_SQLITE = """
import asyncio
from sqlalchemy.ext.asyncio import create_async_engine

async def upgrade():
    async with create_async_engine(URL, connect_args={"check_same_thread": False}).connect() as connection:
        await connection.run_sync(run)
        await connection.commit()

def run(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()

asyncio.run(upgrade())
"""


@pytest.mark.long
@pytest.mark.parametrize("url", ["sqlite:///shop.db", "sqlite+aiosqlite:///shop.db"])
@pytest.mark.sample(1)
def test_a_default_url_of_sqlite_for_an_asynchronous_engine(project: Project, url: str) -> None:
    """SQLAlchemy refuses an engine whose driver is not asynchronous, before anything connects."""
    ini(project, "[alembic]\nscript_location = %(here)s/migrations\n")
    project.write("migrations/env.py", f"from alembic import context\nURL = {url!r}\n{OF_SQLITE}")
    report = check(project)
    assert "replace_sqlite = true" in hints(report) and ":///shop.db" in hints(report)


@pytest.mark.long
def test_a_sqlite_default_that_speaks_sqlite_and_a_variable_that_changes_it(project: Project) -> None:
    head = """
import os, sqlalchemy
from sqlalchemy import event
url = os.environ.get("SHOP_DATABASE_URL", "sqlite:///shop.db")
if url.startswith("sqlite"):
    @event.listens_for(sqlalchemy.Engine, "connect")
    def pragma(connection, record):
        connection.cursor().execute("PRAGMA foreign_keys = ON")
"""
    project.env(head=head, engine="sqlalchemy.create_engine(url)")
    assert "SHOP_DATABASE_URL" in hints(check(project))


TAKES = (
    "connection = context.config.attributes.get('connection')\nif connection is None:\n    raise RuntimeError('ours')\n"
)
RUNS = "context.configure(connection={})\nwith context.begin_transaction():\n    context.run_migrations()\n"


@pytest.mark.parametrize(
    "runs",
    [RUNS.format("connection"), f"with connection.connect() as inner:\n{indent(RUNS.format('inner'), '    ')}"],
)
@pytest.mark.sample(2)
def test_a_connection_in_the_attributes(project: Project, runs: str) -> None:
    """Some take an engine from there."""
    project.write("migrations/env.py", f"from alembic import context\n{TAKES}{runs}")
    report = check(project)
    assert 'attributes = ["connection"]' in hints(report)
    assert "missing-lock-timeout" not in {item["what"] for item in report["skipped"]}


@pytest.mark.long
@pytest.mark.parametrize(
    "asked",
    [
        "parts = context.config.attributes.get('connection', {})\nparts.get('host', 'localhost')",
        "parts = context.config.attributes.get('connection')\nif parts:\n    parts.get('host', 'localhost')",
        "parts = context.config.attributes.get('connection')\nif parts:\n    parts['host']",
    ],
)
@pytest.mark.sample(2)
def test_an_attribute_of_that_name_that_holds_something_else(project: Project, asked: str) -> None:
    """The schema, which nothing makes, is why the first run fails; what holds the attribute is not to be found out."""
    project.sql("a2", "CREATE TABLE shop.item (id bigint PRIMARY KEY)", down="a1")
    project.env(head=asked)
    assert 'schemas = ["shop"]' in (said := hints(check(project))) and "attributes" not in said


@pytest.mark.long
def test_no_url_at_all(project: Project) -> None:
    ini(project, "[alembic]\nscript_location = %(here)s/migrations\n")
    project.env(engine=ENGINE)
    assert "sqlalchemy.url" in hints(check(project))
    # Without one it looks elsewhere, and fails in its own way.
    project.env(head="import os\nif not context.config.get_main_option('sqlalchemy.url'):\n    os.path.split(None)")
    assert "sqlalchemy.url" in hints(check(project))


def test_a_url_that_only_a_variable_gives(project: Project) -> None:
    placeholder = "sqlalchemy.url = driver://user:pass@localhost/dbname"
    ini(project, f"[alembic]\nscript_location = %(here)s/migrations\n{placeholder}\n")
    project.env(head="import os, sqlalchemy", engine="sqlalchemy.create_engine(os.environ.get('SHOP_DATABASE_URL'))")
    report = check(project)
    assert "the project reads SHOP_DATABASE_URL" in hints(report) and "env = { SHOP_DATABASE_URL =" in hints(report)


def test_a_url_of_the_application_that_is_set_to_nothing(project: Project) -> None:
    """Alembic's parser refuses None, so that env.py does not come to its engine."""
    ini(project, "[alembic]\nscript_location = %(here)s/migrations\n")
    project.env(head="import os\nconfig.set_main_option('sqlalchemy.url', os.environ.get('SHOP_DATABASE_URL'))")
    report = check(project)
    assert "env = { SHOP_DATABASE_URL =" in (said := hints(report)) and "alembic_options" not in said


@pytest.mark.long
def test_a_schema_and_a_role_that_nothing_creates(project: Project) -> None:
    project.env(engine="sqlalchemy.create_engine(config.get_main_option('sqlalchemy.url'))", head="import sqlalchemy")
    text = (project.folder / "migrations/env.py").read_text()
    path = 'connection.exec_driver_sql("SET search_path TO shop"); connection.commit()'
    project.write(
        "migrations/env.py",
        text.replace("        context.configure(connection", f"        {path}\n        context.configure(connection"),
    )
    project.sql("b2", "GRANT SELECT ON book TO reporting", down="a1")
    run = project.alembic("pgcheck", "--exit-zero", "--no-downgrade")
    assert run.returncode == 0, run.stderr
    given = hints({"text": run.stdout})
    assert 'schemas = ["shop"]' in given and 'roles = ["reporting"]' in given


@pytest.mark.long
def test_sections_of_other_names(project: Project) -> None:
    both = "[{}]\nscript_location = %(here)s/migrations\nsqlalchemy.url = postgresql+psycopg://localhost/x\n"
    ini(project, both.format("state_db"))
    assert "[state_db]" in hints(check(project))
    ini(project, both.format("state_db") + both.format("log_db"))
    run = project.alembic("pgcheck")
    assert run.returncode == 255
    assert "alembic -n state_db pgcheck" in run.stderr and "log_db" in run.stderr


@pytest.mark.long
def test_no_ini_and_one_folder_with_migrations(project: Project) -> None:
    (project.folder / "alembic.ini").unlink()
    project.env(engine=ENGINE)
    assert 'script_location = "migrations"' in hints(check(project))


def test_several_histories_and_the_command_for_each(project: Project) -> None:
    (project.folder / "alembic.ini").unlink()
    for part in ("orders", "users"):
        project.write(f"{part}/migrations/env.py", "context.run_migrations()\n")
    project.write("orders/migrations/versions/a1_first.py", "")
    project.write("orders/alembic.ini", "[alembic]\nscript_location = %(here)s/migrations\n")
    text = refused(project, "pgcheck")
    assert "3 folders have migrations" in text
    assert "orders/migrations  (1 revision): alembic -c orders/alembic.ini pgcheck" in text
    assert "users/migrations  (0 revisions)\n" in text


@pytest.mark.long
def test_a_location_that_is_meant_from_another_folder(project: Project) -> None:
    ini(project, "")
    project.write("conf/alembic.ini", "[alembic]\nscript_location = migrations\n")
    project.env(engine=ENGINE)
    run = project.alembic("-c", "conf/alembic.ini", "pgcheck", "--format", "json", "--exit-zero", "--no-downgrade")
    assert run.returncode == 0, run.stderr


@pytest.mark.long
def test_init_writes_what_the_application_demands(project: Project) -> None:
    project.env(
        head="import os, sqlalchemy\nkey = os.environ['SHOP_KEY']",
        engine="sqlalchemy.create_engine(os.environ['SHOP_URL'].replace('postgresql:', 'postgresql+psycopg:'))",
    )
    project.write("pyproject.toml", '[project]\nname = "shop"\nversion = "1"\n')
    refused = project.alembic("pgcheck", "--no-downgrade")
    assert refused.returncode == 255 and "SHOP_KEY" in refused.stderr
    check(project, "--init")
    settings = tomllib.loads((project.folder / "pyproject.toml").read_text())["tool"]["alembic_pgpatterns"]
    assert settings["env"]["SHOP_URL"] == "{url}" and "SHOP_KEY" in settings["env"]
    check(project)


@pytest.mark.long
def test_init_takes_the_example_of_a_file_of_settings(project: Project) -> None:
    project.env(
        head="import os, pathlib, sqlalchemy\n"
        "text = pathlib.Path(os.environ.get('SHOP_CONFIG', '/etc/shop/shop.ini')).read_text()",
        engine="sqlalchemy.create_engine(text)",
    )
    project.write("examples/shop.ini.sample", "postgresql+psycopg://shop@db.example.invalid/shop")
    project.write("pyproject.toml", '[project]\nname = "shop"\nversion = "1"\n')
    refused = project.alembic("pgcheck", "--no-downgrade")
    assert refused.returncode == 255 and 'env = { SHOP_CONFIG = "examples/shop.ini.sample" }' in refused.stderr
    check(project, "--init")
    text = (project.folder / "pyproject.toml").read_text()
    assert tomllib.loads(text)["tool"]["alembic_pgpatterns"]["env"] == {"SHOP_CONFIG": "examples/shop.ini.sample"}
    assert "# the file that the application reads is not there, so SHOP_CONFIG names" in text


@pytest.mark.long
def test_init_replaces_the_placeholder_of_the_template(project: Project) -> None:
    ini(
        project,
        "[alembic]\nscript_location = %(here)s/migrations\nsqlalchemy.url = driver://user:pass@localhost/dbname\n",
    )
    project.env(engine=ENGINE)
    refused = project.alembic("pgcheck", "--no-downgrade")
    assert refused.returncode == 255
    assert "alembic_options" in refused.stderr and "--init" in refused.stderr
    check(project, "--init")
    assert "postgresql+" in (project.folder / "pyproject.toml").read_text()
    check(project)


@pytest.mark.long
@pytest.mark.parametrize("package", [True, False])
@pytest.mark.sample(2)
def test_models_that_env_py_does_not_name(project: Project, package: bool) -> None:
    """They are found and used at once; ``--init`` only writes them down. A package need not have an __init__.py."""
    ini(project, "[alembic]\nscript_location = %(here)s/shop/migrations\nprepend_sys_path = .\n")
    (project.folder / "shop").mkdir()
    (project.folder / "migrations").rename(project.folder / "shop/migrations")
    project.write("shop/core/tables.py", BOOKS_AND_AUTHORS)
    project.write("shop/core/queries.py", "from shop.core import tables\n")
    if package:
        project.write("shop/__init__.py", "")
        project.write("shop/core/__init__.py", "")
    report = check(project)
    assert all(item["what"] != "models" for item in report["skipped"])
    assert [item["value"] for item in report["found_out"] if item["setting"] == "models"] == [["shop.core.tables"]]
    assert "model-drift" in {finding["pattern"] for finding in report["findings"]}
    check(project, "--init")
    assert 'models = ["shop.core.tables"]' in (project.folder / "pyproject.toml").read_text()


def test_an_env_py_that_imports_a_base_alone(project: Project) -> None:
    """Its MetaData holds no table until the application imports the models."""
    ini(project, "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = .\n")
    project.env(models="from sqlalchemy import MetaData\ntarget_metadata = MetaData()\n", engine=ENGINE)
    project.write("tables.py", BOOKS_AND_AUTHORS)
    report = check(project)
    assert [item["value"] for item in report["found_out"] if item["setting"] == "models"] == [["tables"]]
    assert all(item["what"] != "models" for item in report["skipped"])


@pytest.mark.long
def test_a_revision_that_puts_tables_into_a_base_without_models(project: Project) -> None:
    """They are no models, although the MetaData that env.py names holds them from then on."""
    ini(project, "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = .\n")
    base = "from sqlalchemy.orm import DeclarativeBase\n\n\nclass Base(DeclarativeBase):\n    pass\n"
    project.write("base.py", base)
    declared = BOOKS_AND_AUTHORS.replace("class Base(DeclarativeBase):\n    pass\n", "").replace(
        "from sqlalchemy.orm import DeclarativeBase, ", "from base import Base\nfrom sqlalchemy.orm import "
    )
    project.write("tables.py", declared)
    project.env(models="from base import Base\ntarget_metadata = Base.metadata\n", engine=ENGINE)
    project.revision(
        "a2", "from base import Base\nsa.Table('book', Base.metadata, autoload_with=op.get_bind())", down="a1"
    )
    report = check(project)
    assert [item["value"] for item in report["found_out"] if item["setting"] == "models"] == [["tables"]]
    assert all(item["what"] != "models" for item in report["skipped"])


def test_an_application_that_reads_its_tables_when_it_is_imported(project: Project) -> None:
    head = f"""
        import sqlalchemy
        with {ENGINE}.connect() as first:
            first.execute(sqlalchemy.text("SELECT title FROM book"))
    """
    project.env(models=BOOKS_AND_AUTHORS + "\ntarget_metadata = Base.metadata\n", head=head)
    report = check(project)
    assert "it needs the tables that the revisions make" in hints(report)
    assert "model-drift" in {finding["pattern"] for finding in report["findings"]}


@pytest.mark.long
def test_models_that_cannot_be_used_are_named_with_the_reason(project: Project) -> None:
    ini(project, "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = .\n")
    project.write("tables.py", f"import no_such_library\n{BOOKS_AND_AUTHORS}")
    (reason,) = (item["reason"] for item in check(project)["skipped"] if item["what"] == "models")
    assert "env.py names no target_metadata; tables declare" in reason and "no_such_library" in reason


@pytest.mark.long
def test_models_of_another_database_are_not_used(project: Project) -> None:
    """A file declares one table of the same name, among others that this database does not have."""
    ini(project, "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = .\n")
    more = "".join(
        f"\n\nclass T{number}(Base):\n    __tablename__ = 't{number}'\n"
        "    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)\n"
        for number in range(3)
    )
    project.write("tables.py", BOOKS_AND_AUTHORS + more)
    report = check(project)
    (reason,) = (item["reason"] for item in report["skipped"] if item["what"] == "models")
    assert "not in the database" in reason and "models" not in {item["setting"] for item in report["found_out"]}
    assert "model-drift" not in {finding["pattern"] for finding in report["findings"]}


def test_models_are_used_where_env_py_fails(project: Project) -> None:
    ini(project, "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = .\n")
    project.env(head="raise RuntimeError('only from our own program')")
    project.write("tables.py", BOOKS_AND_AUTHORS)
    report = check(project, code=255)
    assert {"env.py"} == {item["what"] for item in report["skipped"] if "own program" in item["reason"]}
    assert "model-drift" in {finding["pattern"] for finding in report["findings"]}
    text = hints(report)
    assert text.index("NOT CHECKED: env.py: it failed") < text.index("missing-primary-key")
    assert text.index("found out, and given") < text.index("missing-primary-key")
    assert "␤" not in text


def test_models_without_a_table_are_an_error(project: Project) -> None:
    project.env(models="from sqlalchemy import MetaData\ntarget_metadata = MetaData()\n")
    run = project.alembic("pgcheck", "--exit-zero", "--no-downgrade")
    assert run.returncode == 255 and "holds no table" in run.stderr


@pytest.mark.long
def test_models_of_the_settings(project: Project) -> None:
    ini(project, "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = .\n")
    project.env(engine=ENGINE)
    project.write("shop_models.py", BOOKS_AND_AUTHORS)
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nmodels = ["shop_models:Base"]\n')
    report = check(project)
    assert any(finding["pattern"] == "model-drift" for finding in report["findings"])


GROWN = f"""
import sys; sys.path.insert(0, '.')
{BOOKS_AND_AUTHORS}
Base.metadata.tables["book"].append_constraint(sqlalchemy.Index("ix_book_title", "title"))
target_metadata = Base.metadata
"""


@pytest.mark.long
def test_a_history_that_starts_from_what_the_application_made(project: Project) -> None:
    """The tables are made by ``create_all()``, and each revision changes them: it is judged after its downgrade."""
    project.env(models=f"import sqlalchemy\n{GROWN}")
    project.revision("a0")
    column = 'op.add_column("book", sa.Column("title", sa.String(255)))'
    project.revision("a1", column, "a0", downgrade="pass")
    project.revision(
        "b2", 'op.create_index("ix_book_title", "book", ["title"])', "a1", 'op.drop_index("ix_book_title", "book")'
    )
    refused = project.alembic("pgcheck")
    assert refused.returncode == 255
    assert "create_all = true" in refused.stderr and "--init" in refused.stderr
    run = project.alembic("pgcheck", "--init", "--exit-zero", "--format", "text", "--format", "json=report.json")
    assert run.returncode == 0, run.stderr
    report = json.loads((project.folder / "report.json").read_text())
    built = {(finding["revision"], finding["pattern"]) for finding in report["findings"]}
    assert ("b2", "blocking-index-build") in built
    assert {"the history", "revision a1"} <= {item["what"] for item in report["skipped"]}
    assert "run alembic pgcheck --init" not in run.stdout, "it has just written them"
    assert "create_all = true" in (project.folder / "pyproject.toml").read_text()


@pytest.mark.long
def test_a_history_that_starts_elsewhere_with_an_env_py_that_imports_a_base_alone(project: Project) -> None:
    ini(project, "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = .\n")
    project.env(models="from sqlalchemy import MetaData\ntarget_metadata = MetaData()\n", engine=ENGINE)
    project.write("tables.py", BOOKS_AND_AUTHORS)
    index = (
        'op.create_index("ix_author_id", "author", ["id"])',
        'op.drop_index("ix_author_id", "author", if_exists=True)',
    )
    project.revision("a1", index[0], downgrade=index[1])
    run = project.alembic("pgcheck", "--init", "--exit-zero", "--format", "json")
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert {"create_all", "models"} <= {item["setting"] for item in report["found_out"]}
    assert report["summary"]["tables"] == 2
    assert ("a1", "blocking-index-build") in {(item["revision"], item["pattern"]) for item in report["findings"]}


@pytest.mark.parametrize(
    ("error", "pending", "is_way"),
    [
        (exc.ObjectNotExecutableError("SELECT 1"), 6, True),
        (exc.ObjectNotExecutableError("SELECT 1"), 5, False),
        (ValueError("of its own"), 6, False),
        (ValueError("of its own"), 31, True),
    ],
)
def test_a_revision_that_is_written_for_an_older_sqlalchemy(error: Exception, pending: int, is_way: bool) -> None:
    result = EnvResult(
        1, (ConfiguredDatabase("shop", "alembic_version", models=1),), failure=failure_of(error, "migrations")
    )
    assert [way.setting for way in of_old_revision(result, Settings(), pending)] == ["create_all"] * is_way


@pytest.mark.parametrize(
    ("sqlstate", "pending", "is_way"),
    [("42883", 2, True), ("42704", 2, True), ("42883", 1, False), ("42P07", 2, False)],
)
def test_a_revision_that_misses_what_something_else_makes(sqlstate: str, pending: int, is_way: bool) -> None:
    """A function that the application creates, say; of the newest revision, its own failure is the news."""
    failure = Failure("no such function", "programming", statement="SELECT shop_text(1)", sqlstate=sqlstate)
    result = EnvResult(1, (ConfiguredDatabase("shop", "alembic_version", models=1),), failure=failure)
    assert [way.setting for way in of_old_revision(result, Settings(), pending)] == ["create_all"] * is_way


@pytest.mark.parametrize(("holder", "outdated"), [(create_engine("sqlite://"), True), ("", False)])
def test_methods_that_sqlalchemy_no_longer_has(holder: object, outdated: bool) -> None:
    with pytest.raises(AttributeError) as caught:
        holder.execute  # type: ignore[attr-defined]  # noqa: B018
    assert failure_of(caught.value, "migrations").outdated == outdated


@pytest.mark.long
def test_a_history_that_ends_at_an_old_revision(project: Project) -> None:
    """New databases are made by ``create_all()``; the last revisions are judged after their downgrade."""
    project.write("pyproject.toml", "[tool.alembic_pgpatterns]\nhistory = 1\n")
    project.env(models=f"import sqlalchemy\n{GROWN}")
    project.sql("a1", "CREATE TABLE author (id bigint PRIMARY KEY)")
    index = ('op.create_index("ix_book_title", "book", ["title"])', 'op.drop_index("ix_book_title", "book")')
    project.revision("b2", "op.no_longer_there()", "a1", "pass")
    project.revision("c3", index[0], "b2", index[1])
    refused = project.alembic("pgcheck")
    assert refused.returncode == 255 and "no_longer_there" in refused.stderr
    assert "create_all = true" in refused.stderr and "--init" in refused.stderr
    run = project.alembic("pgcheck", "--init", "--exit-zero", "--format", "text", "--format", "json=report.json")
    assert run.returncode == 0, run.stderr
    findings = json.loads((project.folder / "report.json").read_text())["findings"]
    assert ("c3", "blocking-index-build") in {(item["revision"], item["pattern"]) for item in findings}
    (project.folder / "migrations/versions/c3.py").unlink()
    project.write("pyproject.toml", "")
    assert "create_all" not in project.alembic("pgcheck").stderr, "what a new revision does wrong is not gone round"


def test_a_typing_error_is_no_history_that_starts_elsewhere(project: Project) -> None:
    project.env(models=f"import sqlalchemy\n{GROWN}", head="import logging\nlogging.basicConfig(level=logging.INFO)")
    project.revision("a1", 'op.create_table("book", sa.Column("id", sa.Integer, primary_key=True))')
    project.revision("b2", 'op.execute("ALTER TABLE boook ADD COLUMN x int")', "a1")
    run = project.alembic("pgcheck")
    message = run.stderr
    assert run.returncode == 255
    assert "Did you mean book?" in message and "create_all" not in message
    assert "Running upgrade a1 -> b2" in message


@pytest.mark.parametrize(
    ("statement", "meant"),
    [
        ("ALTER TABLE parcel ADD COLUMN x int REFERENCES depot", {"parcel": "parcels"}),
        ("UPDATE public.parcel SET x = 1", {"parcel": "parcels"}),
        ("ALTER TABLE depot ADD COLUMN x int", {}),
        ("ALTER TABLE legacy ADD COLUMN x int", {}),
        ("not SQL at all", {}),
    ],
)
def test_the_table_that_was_meant(statement: str, meant: dict[str, str]) -> None:
    failure = Failure("", "programming", statement=statement, sqlstate="42P01")
    result = EnvResult(1, model_tables=("depot", "parcels"))
    assert meant_tables(result, failure) == meant
    assert meant_tables(result, replace(failure, sqlstate="42703")) == {}


def test_the_schemas_of_a_search_path_are_no_functions() -> None:
    failure = Failure("no schema", "programming", None, statement="CREATE TABLE book ()", sqlstate="3F000")
    needs = (
        Need("search_path", "SELECT set_config('search_path', current_setting('search_path') || ', shop', false)"),
    )
    ways = ways_of(EnvResult(0, needs=needs, failure=failure), Settings(), None, Path())  # type: ignore[arg-type]
    assert [way.value for way in ways if way.setting == "schemas"] == [("shop",)]


@pytest.mark.long
def test_revisions_that_cannot_be_taken_back(project: Project) -> None:
    project.env(models=f"import sqlalchemy\n{GROWN}")
    project.write("pyproject.toml", "[tool.alembic_pgpatterns]\ncreate_all = true\n")
    project.revision("a1", 'op.add_column("book", sa.Column("title", sa.String(255)))', downgrade="raise ValueError")
    project.revision(
        "b2", 'op.create_index("ix_book_title", "book", ["title"])', "a1", 'op.drop_index("ix_book_title", "book")'
    )
    report = json.loads(project.alembic("pgcheck", "--exit-zero", "--format", "json").stdout)
    (reason,) = (item["reason"] for item in report["skipped"] if item["what"] == "revision a1 and those before it")
    assert "ValueError" in reason and "prepare" in reason
    assert "blocking-index-build" in {finding["pattern"] for finding in report["findings"]}


def test_an_application_that_upgrades_its_database_when_it_is_made(project: Project) -> None:
    """Its own upgrade is left out: else env.py calls itself, or no revision is left to be looked at."""
    head = (
        "from alembic import command\nfrom alembic.config import Config\ncommand.upgrade(Config('alembic.ini'), 'head')"
    )
    project.env(head=head)
    report = check(project)
    assert report["summary"]["revisions"] == 1
    assert "missing-lock-timeout" not in {item["what"] for item in report["skipped"]}


def test_a_package_beside_the_program_s_folder(tmp_path: Path) -> None:
    """A repository with several programs, which share their tables."""
    api = make(tmp_path / "api")
    api.sql("a1", TABLE)
    api.env(models="from shared_tables.tables import Base\ntarget_metadata = Base.metadata\n")
    api.write("../shared_tables/__init__.py", "")
    api.write("../shared_tables/tables.py", BOOKS_AND_AUTHORS)
    report = check(api)
    (way,) = (item for item in report["found_out"] if item["setting"] == "alembic_options")
    assert way["value"] == {"prepend_sys_path": ".."} and "model-drift" in str(report["findings"])


@pytest.mark.long
def test_a_package_that_is_not_installed(project: Project) -> None:
    """Its own tests run with PYTHONPATH=lib, say; ``alembic`` alone does not find it."""
    ini(project, "[alembic]\nscript_location = %(here)s/lib/shop/migrations\n")
    (project.folder / "lib/shop").mkdir(parents=True)
    (project.folder / "migrations").rename(project.folder / "lib/shop/migrations")
    project.write("lib/shop/__init__.py", "")
    project.write("lib/shop/tables.py", BOOKS_AND_AUTHORS)
    project.env(models="from shop.tables import Base\ntarget_metadata = Base.metadata\n")
    (project.folder / "migrations/env.py").rename(project.folder / "lib/shop/migrations/env.py")
    report = check(project)
    (way,) = (item for item in report["found_out"] if item["setting"] == "alembic_options")
    assert way["value"]["prepend_sys_path"] == "lib" and "shop is not installed" in way["reason"]
    assert "model-drift" in {finding["pattern"] for finding in report["findings"]}


def test_an_extension_that_nothing_creates(project: Project) -> None:
    """In production somebody has created it by hand."""
    project.sql("a1", f"{TABLE}; ALTER TABLE book ADD COLUMN name citext")
    assert {item["setting"]: item["value"] for item in check(project)["found_out"]} == {"extensions": ["citext"]}


COMPUTED = 'sa.Column("small", sa.Text, sa.Computed("lower(title)"), {})'


@pytest.mark.long
@pytest.mark.parametrize("has", ["unique=True", "index=True"])
def test_a_computed_column_that_postgresql_18_makes_virtual(project: Project, has: str) -> None:
    """Production has an older one, where SQLAlchemy 2.1 makes a stored column: nothing else can have run there."""
    project.revision("a1", f'op.create_table("book", sa.Column("title", sa.Text), {COMPUTED.format(has)})')
    found = {item["setting"]: item["value"] for item in check(project)["found_out"]}
    assert found == ({"target_version": 13} if sqlalchemy_version.startswith("2.1") else {})


@pytest.mark.parametrize(
    "text,extension",
    [
        ("function create_hypertable(unknown, unknown) does not exist", "timescaledb"),
        ("function shop.similarity(text, text) does not exist", "pg_trgm"),
        ("function shop_text(integer) does not exist", None),
    ],
)
def test_the_extension_that_has_what_is_missing(text: str, extension: str | None) -> None:
    failure = Failure(text, "programming", statement="SELECT 1", sqlstate="42883", texts=(text,))
    assert missing_extension(failure) == extension


@pytest.mark.long
def test_an_extension_that_only_the_models_need(project: Project) -> None:
    uuid = 'sqlalchemy.Column("uuid", sqlalchemy.UUID, server_default=sqlalchemy.text("uuid_generate_v4()"))'
    project.env(models=f"import sqlalchemy\n{GROWN}\nBase.metadata.tables['book'].append_column({uuid})")
    project.revision("a1", 'op.add_column("book", sa.Column("title", sa.String(255)))')
    report = json.loads(project.alembic("pgcheck", "--init", "--exit-zero", "--format", "json").stdout)
    values = {item["setting"]: item["value"] for item in report["found_out"]}
    assert values == {"create_all": True, "extensions": ["uuid-ossp"]}


def refused(project: Project, *arguments: str) -> str:
    """The message of a check that could not be done, and that left no file."""
    before = {path: path.read_bytes() for path in project.folder.rglob("*") if path.suffix in (".ini", ".toml")}
    run = project.alembic(*arguments)
    assert run.returncode == 255 and run.stderr.startswith("FAILED: "), run.stderr
    assert before == {path: path.read_bytes() for path in project.folder.rglob("*") if path.suffix in (".ini", ".toml")}
    return run.stderr


def test_nothing_to_check(project: Project) -> None:
    """Before ``alembic init``, before the first revision, without models: what there is not, and what to do."""
    (project.versions / "a1.py").unlink()
    for flags in ((), ("--init",)):
        text = refused(project, "pgcheck", *flags)
        assert "no revision is in" in text and "names no target_metadata" in text and "models = [" in text
    for path in ("alembic.ini", "migrations/env.py"):
        (project.folder / path).unlink()
    for flags in ((), ("--init",)):
        text = refused(project, "pgcheck", *flags)
        assert "There is no" in text and "alembic init migrations" in text and "alembic -c" in text


def test_heads_that_exclude_each_other(project: Project) -> None:
    project.sql("b1", TABLE)
    text = refused(project, "pgcheck", "--init")
    assert "already exists" in text and "2 heads (a1, b1)" in text and "version_locations" in text


def test_init_where_nothing_works(project: Project) -> None:
    """What was tried is said, and nothing is written."""
    project.env(head="import os\nos.environ['SHOP_SECRET']\nraise RuntimeError('there is no licence')")
    project.sql("a1", "SELECT broken")
    text = refused(project, "pgcheck", "--init")
    assert "broken" in text and "This was tried, and nothing was written" in text
    assert "SHOP_SECRET = " in text and "***" not in text.partition("This was tried")[2]


@pytest.mark.long
def test_an_ini_file_in_another_folder(project: Project) -> None:
    """It is the only one that names the migrations, so it is used, and so are its settings."""
    (project.folder / "alembic.ini").unlink()
    text = "[alembic]\nscript_location = migrations\nsqlalchemy.url = postgresql+psycopg://a@b.example.invalid/c\n"
    project.write("conf/alembic.ini", f"{text}\n[pgpatterns]\nignore = varchar-length\n")
    project.write("conf/test.ini", "[app]\nscript_location = migrations\n")
    project.env(engine=ENGINE)
    report = check(project)
    assert "alembic -c conf/alembic.ini pgcheck" in hints(report)
    assert not [item for item in report["findings"] if item["pattern"] == "varchar-length"]
    project.write("conf/other.ini", text)
    assert "varchar-length" in hints(check(project)), "two files name it, so neither is used"


def test_a_missing_variable_of_a_project_without_an_ini_file(project: Project) -> None:
    (project.folder / "alembic.ini").unlink()
    project.write("pyproject.toml", '[tool.alembic]\nscript_location = "%(here)s/migrations"\n')
    project.env(head="import os\nos.environ['SHOP_DATABASE_URL']")
    run = project.alembic("pgcheck", "--no-downgrade")
    assert run.returncode == 255 and 'env = { SHOP_DATABASE_URL = "{url}" }' in run.stderr, run.stderr


def test_init_writes_what_a_revision_demands(project: Project) -> None:
    project.revision("b2", "import os\nos.environ['SHOP_SEARCH_HOST']", "a1")
    project.write("pyproject.toml", '[project]\nname = "shop"\nversion = "1"\n')
    check(project, "--init")
    settings = tomllib.loads((project.folder / "pyproject.toml").read_text())["tool"]["alembic_pgpatterns"]
    assert settings["env"] == {"SHOP_SEARCH_HOST": "localhost"}


def test_a_project_that_says_that_it_knows_no_database(project: Project) -> None:
    project.env(
        head="import os, sqlalchemy\nurl = os.environ.get('SHOP_DB_URL')\n"
        "if not url:\n    raise ValueError('No database connection information found')",
        engine="sqlalchemy.create_engine(url)",
    )
    assert "the project reads SHOP_DB_URL" in hints(check(project))


@pytest.mark.long
def test_a_driver_that_the_project_does_not_have(project: Project) -> None:
    """An asynchronous project without the driver that SQLAlchemy takes by itself: the URL names the one it has."""
    project.write("migrations/env.py", ASYNCHRONOUS)
    project.write("pyproject.toml", '[project]\nname = "shop"\nversion = "1"\n')
    check(project, "--init")
    settings = tomllib.loads((project.folder / "pyproject.toml").read_text())["tool"]["alembic_pgpatterns"]
    assert settings["env"] == {"SHOP_DATABASE_URL": "{url+asyncpg}"}
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nenv = { SHOP_DATABASE_URL = "{url}" }\n')
    run = project.alembic("pgcheck", "--no-downgrade")
    assert run.returncode == 255 and 'SHOP_DATABASE_URL = "{url+asyncpg}"' in run.stderr, run.stderr


ASYNCHRONOUS = """
import asyncio, os, sys

from alembic import context
from sqlalchemy import pool
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

for name in ("psycopg2", URL.create("postgresql").get_dialect().driver):
    sys.modules[name] = None  # as if it were not installed


def run(connection):
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()


async def main():
    engine = create_async_engine(os.environ["SHOP_DATABASE_URL"], poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)


asyncio.run(main())
"""


def test_what_needs_an_extension_that_is_not_here_is_said_and_the_rest_is_checked(project: Project) -> None:
    project.sql("a2", "CREATE EXTENSION postgis; ALTER TABLE book ADD COLUMN shop geometry(Point,4326)", down="a1")
    report = check(project)
    text = hints(report)
    assert "skipped: what the extension postgis does" in text or "what the extension postgis does: " in text
    assert "has a stand-in" in text


MODES = """
import os
from shop.models import Base
choices = {"production": "", "development": "postgresql+psycopg://localhost/shop"}
url = choices[os.environ.get("SHOP_ENV", "production")]
if not url:
    raise RuntimeError("SHOP_URI is required")
settings = {"SHOP_URI": url}
"""


@pytest.mark.long
def test_another_configuration_of_the_application_is_tried(project: Project) -> None:
    project.write("shop/__init__.py", "")
    project.write("shop/models.py", "from sqlalchemy.orm import DeclarativeBase\nclass Base(DeclarativeBase): pass\n")
    project.write("shop/settings.py", MODES)
    project.env(head="from shop.settings import settings")
    refused = project.alembic("pgcheck", "--exit-zero")
    assert refused.returncode == 255 and "SHOP_URI is required" in refused.stderr
    assert "Set SHOP_URI" not in refused.stderr, "it is a key of the application's own"
    check(project, "--init")
    written = tomllib.loads((project.folder / "pyproject.toml").read_text())["tool"]["alembic_pgpatterns"]
    assert written["env"] == {"SHOP_ENV": "development"}
