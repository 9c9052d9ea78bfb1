"""An application's own engine, whose connections die: what the check's server caused is no finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.projects import Project, make

APPLICATION = """
from sqlalchemy import create_engine, text

engine = create_engine("postgresql+psycopg2://shop@db.invalid/shop", pool_size=2)
used, held = [], []


def kill():
    with engine.connect() as connection:
        for process in used:
            connection.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})
        used.append(connection.execute(text("SELECT pg_backend_pid()")).scalar())


def keep():
    if not held:
        held.append(engine.connect())
    return held[0]
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make(tmp_path)
    project.write("alembic.ini", "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = .\n")
    project.write("shop.py", APPLICATION)
    before = None
    for name in ("a1", "a2"):
        columns = "sa.Column('id', sa.BigInteger, primary_key=True)"
        project.revision(name, f"op.create_table('of_{name}', {columns})", before, f"op.drop_table('of_{name}')")
        before = name
    return project


def test_connections_that_are_killed_between_the_runs(project: Project) -> None:
    project.env(head="import shop\nshop.kill()", engine="shop.engine")
    run = project.alembic("pgcheck")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 revisions, 2 tables" in run.stdout and "no findings" in run.stdout and "not checked" not in run.stdout


@pytest.mark.long
def test_a_connection_that_the_application_never_gives_back(project: Project) -> None:
    """It cannot be replaced, which is an error with a way out: the revisions are not to blame."""
    project.env(head="import shop", engine="shop.engine")
    path = project.folder / "migrations/env.py"
    path.write_text(
        path.read_text().replace("with engine.connect() as connection:", "for connection in [shop.keep()]:")
    )
    run = project.alembic("pgcheck")
    assert run.returncode == 255 and "open it inside env.py by an engine with a URL" in run.stderr
    assert "irreversible-revision" not in run.stdout
