"""A schema per tenant, as Alembic's cookbook has it: one history, run once for each tenant."""

from __future__ import annotations

import pytest

from tests.frameworks.conftest import NOBODY, WITH_PLUGIN, Framework

pytestmark = pytest.mark.long

BEFORE = "    with connectable.connect() as connection:\n"
AFTER = """
        tenant = context.get_x_argument(as_dictionary=True)["tenant"]
        connection.execute(text("SELECT set_config('search_path', :tenant, false)"), {"tenant": tenant})
        connection.commit()
        connection.dialect.default_schema_name = tenant
"""


def test_from_nothing_to_green(framework: Framework) -> None:
    framework.run("alembic", "init", "migrations")
    framework.replace("alembic.ini", "driver://user:pass@localhost/dbname", NOBODY)
    framework.replace(
        "migrations/env.py",
        "target_metadata = None",
        "import models\nfrom sqlalchemy import text\n\ntarget_metadata = models.Base.metadata",
    )
    framework.replace("migrations/env.py", "target_metadata=target_metadata\n", WITH_PLUGIN)
    framework.replace("migrations/env.py", BEFORE, BEFORE + AFTER.lstrip("\n"))
    framework.run("alembic", "-x", "tenant=acme", "pgrevision", "-m", "first")
    assert "ix_task_project_id" in framework.versions() and "schema=" not in framework.versions()
    checked = framework.run("alembic", "-x", "tenant=acme", "pgcheck", "--all")
    assert "1 revision, 2 tables" in checked.stdout and "no findings" in checked.stdout
