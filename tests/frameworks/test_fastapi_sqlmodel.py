"""FastAPI, SQLModel and pydantic-settings: models in SQLModel's words, settings that the application demands."""

from __future__ import annotations

import pytest

pytest.importorskip("sqlmodel")
pytest.importorskip("fastapi")
pytest.importorskip("pydantic_settings")

from tests.frameworks.conftest import WITH_PLUGIN, Framework

pytestmark = pytest.mark.long


@pytest.fixture
def project(framework: Framework) -> Framework:
    framework.run("alembic", "init", "migrations")
    framework.replace(
        "migrations/env.py",
        "target_metadata = None",
        "import models\nfrom app import engine\n\ntarget_metadata = models.SQLModel.metadata",
    )
    text = (framework.folder / "migrations/env.py").read_text()
    start = text.index("    connectable = engine_from_config(")
    end = text.index("    with connectable.connect()")
    framework.replace("migrations/env.py", text[start:end], "    connectable = engine\n\n")
    framework.replace(
        "migrations/env.py",
        "target_metadata=target_metadata\n",
        WITH_PLUGIN,
    )
    framework.replace(
        "migrations/script.py.mako", "import sqlalchemy as sa", "import sqlalchemy as sa\nimport sqlmodel"
    )
    return framework


SETTINGS = '[tool.alembic_pgpatterns]\nenv = { DATABASE_URL = "{url}", SECRET_KEY = "any" }\n'


def test_missing_settings_end_with_the_lines_to_paste(project: Framework) -> None:
    said = project.run("alembic", "pgrevision", "-m", "first", code=255).stderr
    assert "[tool.alembic_pgpatterns]" in said and "DATABASE_URL" in said and "SECRET_KEY" in said


def test_from_nothing_to_green(project: Framework) -> None:
    (project.folder / "pyproject.toml").write_text(SETTINGS)
    project.run("alembic", "pgrevision", "-m", "first")
    text = project.versions()
    assert "ix_hero_team_id" in text and "sa.BigInteger()" in text
    checked = project.run("alembic", "pgcheck", "--all", "--fail-on", "error")
    assert "1 revision, 2 tables" in checked.stdout and "model-drift" not in checked.stdout


def test_pgfix_edits_fields(project: Framework) -> None:
    pytest.importorskip("libcst")
    (project.folder / "pyproject.toml").write_text(SETTINGS)
    project.replace("migrations/env.py", ', "alembic_pgpatterns"', "")
    project.run("alembic", "pgrevision", "-m", "as alembic writes it")
    chosen = ("--select", "varchar-length,unindexed-foreign-key")
    project.run("alembic", "pgcheck", *chosen, code=1)
    project.run("alembic", "pgfix", *chosen, "--models")
    models = (project.folder / "models.py").read_text()
    assert "name: str = Field(max_length=255, sa_type=Text)" in models
    assert 'Field(default=None, foreign_key="team.id", index=True)' in models
    project.run("alembic", "pgcheck", *chosen, "--select", "model-drift")
