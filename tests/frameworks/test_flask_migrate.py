"""Flask-Migrate: its own folder, its own env.py, the application's own engine."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

pytest.importorskip("flask_migrate")

from tests.frameworks.conftest import NOBODY, Framework
from tests.projects import MAKO

pytestmark = pytest.mark.long


@pytest.fixture
def project(framework: Framework) -> Framework:
    framework.variables = {"FLASK_APP": "app", "DATABASE_URL": NOBODY.replace("+psycopg", "+psycopg2")}
    return framework


@pytest.fixture
def initialised(project: Framework, database: Any) -> Framework:
    """After `flask db init`, the only command that needs the database which this application asks while it is made."""
    url = database.url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
    nobody = project.variables["DATABASE_URL"]
    project.variables["DATABASE_URL"] = url
    project.run("flask", "db", "init")
    project.variables["DATABASE_URL"] = nobody
    return project


def test_without_migrations_it_says_how_to_begin(project: Framework) -> None:
    assert "flask db init" in project.run("flask", "pgcheck", code=255).stderr


def test_from_nothing_to_green(initialised: Framework) -> None:
    project = initialised
    written = project.run("flask", "pgrevision", "-m", "first")
    assert "up, down and up again" in written.stderr + written.stdout
    text = project.versions()
    assert "'ix_book_order_author_id'" in text and "sa.BigInteger()" in text and "sa.Text()" in text
    checked = project.run("flask", "pgcheck")
    assert "1 revision, 2 tables" in checked.stdout and "no findings" in checked.stdout


def test_a_revision_by_hand_is_judged_and_run_again_and_again(initialised: Framework) -> None:
    project = initialised
    (project.folder / "migrations/versions/0001_first.py").write_text(BY_HAND)
    report = project.run("flask", "pgcheck", "--all", code=1).stdout
    assert "unindexed-foreign-key" in report and "blocking-index-build" not in report
    assert "irreversible-revision" not in report and "not checked" not in report
    assert "flask pgfix --all --dry-run" in report and "alembic pgfix" not in report


@pytest.mark.parametrize("program", [("flask",), ("manage",)])
def test_a_fix_is_checked_as_the_command_was_started(initialised: Framework, program: tuple[str, ...]) -> None:
    project = initialised
    (project.folder / "manage.py").write_text(OWN_PROGRAM)
    (project.folder / "migrations/versions/0001_first.py").write_text(BY_HAND)
    # 1: what the revision by hand has in another form stays different.
    done = project.run(*program, "pgfix", "--select", "unindexed-foreign-key", "--models", code=1)
    assert "ix_book_order_author_id" in project.versions() and "index=True" in (project.folder / "app.py").read_text()
    assert "Models and database still differ" in done.stdout and "index" not in done.stdout.partition("differ")[2]


def test_alembic_finds_the_application(initialised: Framework) -> None:
    (initialised.folder / "migrations/versions/0001_first.py").write_text(BY_HAND)
    del initialised.variables["FLASK_APP"]
    (initialised.folder / "app.py").rename(initialised.folder / "shop.py")
    for program in ("alembic", "flask"):
        report = initialised.run(program, "pgcheck", code=1).stdout
        assert "1 revision, 2 tables" in report and "unindexed-foreign-key" in report and "NOT CHECKED" not in report
        assert 'flask_app = "shop' in report
    initialised.run("alembic", "-c", "migrations/alembic.ini", "pgrevision", "-m", "next")
    assert initialised.versions().count("down_revision") > 1


def test_an_application_that_cannot_be_found(initialised: Framework) -> None:
    (initialised.folder / "migrations/versions/0001_first.py").write_text(BY_HAND)
    del initialised.variables["FLASK_APP"]
    (initialised.folder / "app.py").write_text("")
    for program in ("alembic", "flask"):
        said = initialised.run(program, "pgcheck", code=255).stderr
        assert 'flask_app = "package.module:create_app"' in said and "any value works" not in said


def test_a_folder_of_another_name_is_found(initialised: Framework) -> None:
    (initialised.folder / "migrations").rename(initialised.folder / "history")
    (initialised.folder / "history/versions/0001_first.py").write_text(BY_HAND)
    assert "1 revision, 2 tables" in initialised.run("flask", "pgcheck", "--exit-zero").stdout
    shutil.copytree(initialised.folder / "history", initialised.folder / "other")
    assert "-d history" in initialised.run("flask", "pgcheck", code=255).stderr


def test_the_help_is_that_of_the_command(project: Framework) -> None:
    text = project.run("flask", "pgcheck", "--help").stdout
    assert text.startswith("usage: flask pgcheck ") and "--write-baseline" in text


def test_the_other_commands_load_the_application_too(initialised: Framework) -> None:
    project = initialised
    (project.folder / "migrations/versions/0001_first.py").write_text(BY_HAND)
    (project.folder / "queries.py").write_text(QUERIES)
    assert project.run("flask", "pgexpand").stdout.strip() == "0001"
    assert "pgrehearse: 0 revisions on rows" in project.run("flask", "pgrehearse", "--rows", "1000").stdout
    assert '"queries.py' in project.run("flask", "pgadvise", "--format", "json").stdout
    assert "one head" in project.run("flask", "pgrebase").stdout
    assert "usage: flask pgstats" in project.run("flask", "pgstats", "--help").stdout
    # The project's folder is the one around Flask-Migrate's.
    project.run("flask", "pgcheck", "--write-baseline")
    assert "unindexed-foreign-key" in (project.folder / "pgpatterns-baseline.txt").read_text()
    phases = project.run("flask", "pgrevision", "--phases", "-m", "next").stderr
    assert "alembic upgrade" not in phases


def test_an_env_py_that_asks_flask_without_flask_migrate(project: Framework) -> None:
    without = project.folder / "lib/flask_migrate.py"
    without.parent.mkdir()
    without.write_text("raise ImportError('not installed')")
    project.variables["PYTHONPATH"] = "lib"
    (project.folder / "app.py").write_text(WITHOUT_FLASK_MIGRATE)
    (project.folder / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/history\n")
    (project.folder / "history/versions").mkdir(parents=True)
    (project.folder / "history/env.py").write_text(ASKS_FLASK)
    (project.folder / "history/script.py.mako").write_text(MAKO)
    (project.folder / "history/versions/0001_first.py").write_text(BY_HAND)
    for program in ("alembic", "flask"):
        report = project.run(program, "pgcheck", code=1).stdout
        assert "1 revision, 2 tables" in report and "unindexed-foreign-key" in report and "not checked" not in report
    project.run("flask", "pgfix", "--select", "unindexed-foreign-key", "--models")
    assert "ix_book_order_author_id" in project.versions("history/versions")


QUERIES = """
from sqlalchemy import select

from app import Author


def named(session, name):
    return session.scalars(select(Author).where(Author.name == name))
"""

WITHOUT_FLASK_MIGRATE = """
import os

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, ForeignKey, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class Author(db.Model):
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str | None] = mapped_column(Text)


class BookOrder(db.Model):
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("author.id"))


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    db.init_app(app)
    return app
"""

ASKS_FLASK = """
from alembic import context
from flask import current_app
from sqlalchemy import create_engine, pool

from app import db

engine = create_engine(current_app.config["SQLALCHEMY_DATABASE_URI"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=db.metadata)
    with context.begin_transaction():
        context.run_migrations()
"""

OWN_PROGRAM = """
from flask.cli import FlaskGroup

from app import create_app as create


def create_app():
    return create()


if __name__ == "__main__":
    FlaskGroup(create_app=create_app)()
"""

BY_HAND = """
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.create_table("author", sa.Column("id", sa.BigInteger(), primary_key=True), sa.Column("name", sa.Text()))
    op.create_table(
        "book_order",
        sa.Column("id", sa.BigInteger(), primary_key=True),
        sa.Column("author_id", sa.BigInteger(), sa.ForeignKey("author.id")),
    )


def downgrade():
    op.drop_table("book_order")
    op.drop_table("author")
"""
