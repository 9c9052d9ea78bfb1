"""Flask-Migrate: its own folder, its own env.py, the application's own engine."""

from __future__ import annotations

import pytest

pytest.importorskip("flask_migrate")

from tests.frameworks.conftest import NOBODY, Framework

pytestmark = pytest.mark.long


@pytest.fixture
def project(framework: Framework) -> Framework:
    framework.variables = {"FLASK_APP": "app", "DATABASE_URL": NOBODY.replace("+psycopg", "+psycopg2")}
    return framework


def test_from_nothing_to_green(project: Framework) -> None:
    early = project.run("flask", "pgcheck", code=255)
    assert "flask db init" in early.stderr
    (project.folder / "migrations/versions").mkdir(parents=True)
    initialised(project)
    written = project.run("flask", "pgrevision", "-m", "first")
    assert "up, down and up again" in written.stderr + written.stdout
    text = project.versions()
    assert "'ix_book_order_author_id'" in text and "sa.BigInteger()" in text and "sa.Text()" in text
    checked = project.run("flask", "pgcheck")
    assert "1 revision, 2 tables" in checked.stdout and "no findings" in checked.stdout


def test_a_revision_by_hand_is_judged_and_run_again_and_again(project: Framework) -> None:
    (project.folder / "migrations/versions").mkdir(parents=True)
    initialised(project)
    (project.folder / "migrations/versions/0001_first.py").write_text(BY_HAND)
    report = project.run("flask", "pgcheck", "--all", code=1).stdout
    assert "unindexed-foreign-key" in report and "blocking-index-build" not in report
    assert "irreversible-revision" not in report and "not checked" not in report
    assert "flask pgfix --all --dry-run" in report and "alembic pgfix" not in report


def test_the_help_is_that_of_the_command(project: Framework) -> None:
    text = project.run("flask", "pgcheck", "--help").stdout
    assert text.startswith("usage: flask pgcheck ") and "--write-baseline" in text


def initialised(project: Framework) -> None:
    """What `flask db init` writes: that program needs the database that this application asks while it is made."""
    from pathlib import Path
    from shutil import copy

    import flask_migrate

    templates = Path(flask_migrate.__file__).parent / "templates/flask"
    copy(templates / "env.py", project.folder / "migrations/env.py")
    copy(templates / "script.py.mako", project.folder / "migrations/script.py.mako")
    copy(templates / "alembic.ini.mako", project.folder / "migrations/alembic.ini")


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
