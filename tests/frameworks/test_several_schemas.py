"""Tables in several schemas: Alembic's own template, with the schemas named in the models."""

from __future__ import annotations

import pytest

from tests.frameworks.conftest import NOBODY, WITH_PLUGIN, Framework

pytestmark = pytest.mark.long


def test_from_nothing_to_green(framework: Framework) -> None:
    framework.run("alembic", "init", "migrations")
    framework.replace("alembic.ini", "driver://user:pass@localhost/dbname", NOBODY)
    framework.replace(
        "migrations/env.py", "target_metadata = None", "import models\n\ntarget_metadata = models.Base.metadata"
    )
    included = f"include_schemas=True,\n            {WITH_PLUGIN}"
    framework.replace("migrations/env.py", "target_metadata=target_metadata\n", included)
    framework.run("alembic", "pgrevision", "-m", "first")
    text = framework.versions()
    assert "ix_invoice_customer_id" in text and "schema='billing'" in text
    checked = framework.run("alembic", "pgcheck", "--all")
    assert "1 revision, 2 tables" in checked.stdout and "no findings" in checked.stdout
