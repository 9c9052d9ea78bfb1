"""The project's code run by another interpreter, with another Alembic, SQLAlchemy and driver: the same findings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ENV = """
from alembic import context
from sqlalchemy import create_engine, pool
from models import Base

with create_engine("postgresql+psycopg2://me:secret@db.example.invalid/shop", poolclass=pool.NullPool).connect() as c:
    context.configure(connection=c, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
"""
MODELS = """
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.orm import declarative_base, relationship

Base = declarative_base()


class Author(Base):
    __tablename__ = "author"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(255), nullable=False)
    joined = sa.Column(sa.DateTime, server_default=sa.func.now())


class Book(Base):
    __tablename__ = "book"
    id = sa.Column(sa.Integer, primary_key=True)
    author_id = sa.Column(sa.ForeignKey("author.id"), nullable=False)
    price = sa.Column(sa.Float)
    data = sa.Column(JSONB)
    uid = sa.Column(UUID(as_uuid=True))
    tags = sa.Column(ARRAY(sa.String(20)))
    note = sa.Column(sa.String(10).with_variant(sa.Text(), "postgresql"))
    author = relationship(Author)
    __table_args__ = (sa.CheckConstraint("price > 0", name="ck_price"), sa.Index("ix_book_note", "note"))
"""
REVISION = """
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

revision = "a1"
down_revision = None


def upgrade():
    op.create_table(
        "author",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("joined", sa.DateTime, server_default=sa.func.now()),
    )
    op.create_table(
        "book",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("author_id", sa.Integer, sa.ForeignKey("author.id"), nullable=False),
        sa.Column("price", sa.Float),
        sa.Column("data", JSONB),
        sa.Column("uid", UUID(as_uuid=True)),
        sa.Column("tags", ARRAY(sa.String(20))),
        sa.Column("note", sa.Text),
        sa.CheckConstraint("price > 0", name="ck_price"),
    )


def downgrade():
    op.drop_table("book")
    op.drop_table("author")
"""
SECOND = """
from alembic import op

revision = "b2"
down_revision = "a1"


def upgrade():
    op.create_index("ix_book_note", "book", ["note"])


def downgrade():
    op.drop_index("ix_book_note", "book")
"""
PINS = {
    "the oldest": ["sqlalchemy==1.4.54", "alembic==1.8.1", "psycopg2-binary"],
    "in between": ["sqlalchemy==2.0.23", "alembic==1.13.2", "psycopg2-binary"],
    "the newest": ["sqlalchemy", "alembic", "psycopg2-binary"],
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    ini = "[alembic]\nscript_location = migrations\nprepend_sys_path = .\n[pgpatterns]\nsince = base\n"
    (tmp_path / "alembic.ini").write_text(ini)
    (tmp_path / "migrations" / "env.py").write_text(ENV)
    (tmp_path / "models.py").write_text(MODELS)
    (versions / "a1.py").write_text(REVISION)
    (versions / "b2.py").write_text(SECOND)
    return tmp_path


def report(project: Path, *arguments: str) -> dict[str, object]:
    command = [sys.executable, "-m", "alembic_pgpatterns", "pgcheck", "--no-cache", "--exit-zero", "--format", "json"]
    environment = {**os.environ, "CI": "", "VIRTUAL_ENV": ""}
    run = subprocess.run(
        [*command, *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    document: dict[str, object] = json.loads(run.stdout)
    return document


@pytest.mark.real
@pytest.mark.parametrize("pins", PINS)
def test_the_findings_are_the_same(pins: str, project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", *PINS[pins]], check=True)
    own, other = report(project), report(project, "--python", str(python))
    assert own["findings"] == other["findings"]
    assert own["skipped"] == other["skipped"]


@pytest.mark.sample(5)
@pytest.mark.parametrize("command", [("pgrevision", "-m", "next"), ("pgfix", "--all"), ("pgfix", "--all", "--models")])
@pytest.mark.parametrize("how", ["flag", "setting", "active"])
def test_what_writes_revisions_needs_the_environment(command: tuple[str, ...], how: str, project: Path) -> None:
    """Alembic of another version would write what the project's own cannot run."""
    python = project / "env" / "bin" / "python"
    venv.create(project / "env", with_pip=False)
    before = sorted(project.rglob("*"))
    environment = {**os.environ, "CI": "", "VIRTUAL_ENV": str(project / "env") if how == "active" else ""}
    flags = ["--python", str(python)] if how == "flag" else []
    if how == "setting":
        (project / "pyproject.toml").write_text(f'[tool.alembic_pgpatterns]\npython = "{python}"\n')
        before = sorted(project.rglob("*"))
    program = [sys.executable, "-m", "alembic_pgpatterns", *command, *flags]
    run = subprocess.run(program, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 255
    assert f"run `{python} -m alembic_pgpatterns {command[0]}`" in run.stderr
    assert f"pgcheck --all --python {python}` prints the SQL" in run.stderr
    assert sorted(project.rglob("*")) == before


@pytest.mark.parametrize("flags", [(), ("--init",)])
def test_an_interpreter_without_alembic_is_named(
    project: Path, tmp_path_factory: pytest.TempPathFactory, flags: tuple[str, ...]
) -> None:
    """Each request to its process is answered: ``--init`` sends several."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=False)
    python = str(folder / "bin" / "python")
    command = [sys.executable, "-m", "alembic_pgpatterns", "pgcheck", "--python", python, *flags]
    run = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 255
    assert "bin/python cannot run the project: ModuleNotFoundError: No module named 'alembic'" in run.stderr
    assert "Traceback" not in run.stderr
