"""A schema per tenant, as Alembic's cookbook has it: one history, run once for each tenant."""

from __future__ import annotations

import pytest

from tests.frameworks.conftest import NOBODY, WITH_PLUGIN, Framework, from_guide

pytestmark = pytest.mark.long


def test_from_nothing_to_green(framework: Framework) -> None:
    framework.run("alembic", "init", "migrations")
    framework.replace("alembic.ini", "driver://user:pass@localhost/dbname", NOBODY)
    framework.replace(
        "migrations/env.py",
        "target_metadata = None",
        "import models\nfrom sqlalchemy import text\n\ntarget_metadata = models.Base.metadata",
    )
    framework.replace("migrations/env.py", "target_metadata=target_metadata\n", WITH_PLUGIN)
    written = from_guide("Tenants by schema", "python")
    first, *rest = written.splitlines(keepends=True)
    framework.replace("migrations/env.py", f"    {first}", f"    {first}{''.join(f'    {line}' for line in rest)}\n")
    (framework.folder / "pyproject.toml").write_text(from_guide("Tenants by schema", "toml"))
    framework.run("alembic", "-x", "tenant=acme", "pgrevision", "-m", "first")
    assert "ix_task_project_id" in framework.versions() and "schema=" not in framework.versions()
    checked = framework.run("alembic", "-x", "tenant=acme", "pgcheck", "--all")
    assert "1 revision, 2 tables" in checked.stdout and "no findings" in checked.stdout
    framework.replace("models.py", "    name: Mapped[str]", "    added: Mapped[int]\n    name: Mapped[str]")
    report = framework.run("alembic", "-x", "tenant=acme", "pgcheck", "--all", code=1).stdout
    assert "acme.project" in report and "model-drift" in report and "project.added" in report
    assert "models.py:" in report, "the tables of the models are those of the tenant"
