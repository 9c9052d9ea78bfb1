"""Litestar with advanced-alchemy: its own programs make the migrations, its stock env.py runs them."""

from __future__ import annotations

import pytest

pytest.importorskip("litestar")
pytest.importorskip("advanced_alchemy")

from tests.frameworks.conftest import NOBODY, Framework

pytestmark = pytest.mark.long

SETTINGS = """[tool.alembic_pgpatterns]
advanced_alchemy = "app:alchemy"
"""


@pytest.fixture
def project(framework: Framework) -> Framework:
    framework.variables = {"DATABASE_URL": NOBODY}
    framework.run("litestar", "--app", "app:app", "database", "init", "--no-prompt", "./migrations")
    return framework


def test_the_configuration_is_found(project: Framework) -> None:
    said = project.run("alembic", "pgrevision", "-m", "first").stderr
    assert 'advanced_alchemy = "app:alchemy"' in said


def test_models_that_only_the_application_imports(project: Framework) -> None:
    """The configuration that is found holds no models; under litestar's own program the application has them."""
    project.run("alembic", "pgrevision", "-m", "first")
    project.replace("app.py", CONFIGURATION, "from config import alchemy\n")
    (project.folder / "config.py").write_text(f"{IMPORTS}\n{CONFIGURATION}")
    report = project.run("alembic", "pgcheck", "--exit-zero").stdout
    assert "1 revision, 2 tables" in report and "NOT CHECKED" not in report


def test_a_configuration_that_cannot_be_found(project: Framework) -> None:
    (project.folder / "app.py").write_text("")
    said = project.run("alembic", "pgrevision", "-m", "first", code=255).stderr
    assert 'advanced_alchemy = "app.config:alchemy"' in said


IMPORTS = "import os\n\nfrom litestar.plugins.sqlalchemy import AsyncSessionConfig, SQLAlchemyAsyncConfig\n"
CONFIGURATION = """alchemy = SQLAlchemyAsyncConfig(
    connection_string=os.environ["DATABASE_URL"],
    session_config=AsyncSessionConfig(expire_on_commit=False),
)
"""


def test_from_nothing_to_green(project: Framework) -> None:
    (project.folder / "pyproject.toml").write_text(SETTINGS)
    project.replace(
        "migrations/env.py",
        "        process_revision_directives=writer,\n",
        '        autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"],\n'
        "        process_revision_directives=writer,\n",
    )
    written = project.run("alembic", "pgrevision", "-m", "first")
    assert "up, down and up again" in written.stderr + written.stdout
    assert "'ix_book_author_id'" in project.versions()
    checked = project.run("alembic", "pgcheck")
    assert "1 revision, 2 tables" in checked.stdout and "no findings" in checked.stdout
