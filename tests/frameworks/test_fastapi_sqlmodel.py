"""FastAPI, SQLModel and pydantic-settings: models in SQLModel's words, settings that the application demands."""

from __future__ import annotations

import pytest

pytest.importorskip("sqlmodel")
pytest.importorskip("fastapi")
pytest.importorskip("pydantic_settings")

from tests.frameworks.conftest import WITH_PLUGIN, Framework, from_guide

pytestmark = pytest.mark.long


SECTION = "FastAPI with SQLModel, and settings that an application demands"


@pytest.fixture
def project(framework: Framework) -> Framework:
    framework.run("alembic", "init", "migrations")
    framework.replace(
        "models.py", "SQLModel\n\n\nclass Team", f"SQLModel\n\n{from_guide(SECTION, 'python')}\n\nclass Team"
    )
    framework.replace("migrations/env.py", "target_metadata = None\n", from_guide(SECTION, "python", 1))
    text = (framework.folder / "migrations/env.py").read_text()
    start = text.index("    connectable = engine_from_config(")
    framework.replace("migrations/env.py", text[start : text.index("    with connectable.connect()")], "")
    framework.replace("migrations/env.py", "target_metadata=target_metadata\n", WITH_PLUGIN)
    framework.replace(
        "migrations/script.py.mako", "import sqlalchemy as sa", "import sqlalchemy as sa\nimport sqlmodel"
    )
    return framework


SETTINGS = from_guide(SECTION, "toml")


def test_missing_settings_end_with_the_lines_to_paste(project: Framework) -> None:
    said = project.run("alembic", "pgrevision", "-m", "first", code=255).stderr
    assert "[tool.alembic_pgpatterns]" in said and "DATABASE_URL" in said and "SECRET_KEY" in said


def test_from_nothing_to_green(project: Framework) -> None:
    (project.folder / "pyproject.toml").write_text(SETTINGS)
    project.run("alembic", "pgrevision", "-m", "first")
    text = project.versions()
    assert "ix_hero_team_id" in text and "sa.BigInteger()" in text
    checked = project.run("alembic", "pgcheck")
    assert "1 revision, 2 tables" in checked.stdout and "no findings" in checked.stdout


def test_the_naming_convention_is_in_words_of_sqlmodel(project: Framework) -> None:
    (project.folder / "pyproject.toml").write_text(SETTINGS)
    project.replace("models.py", from_guide(SECTION, "python"), "")
    project.run("alembic", "pgrevision", "-m", "first")
    report = project.run("alembic", "pgcheck", "--select", "unnamed-constraint").stdout
    assert "SQLModel.metadata.naming_convention = {" in report and "at   models.py:" in report


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
