"""A src layout, Alembic configured in pyproject.toml, a URL that pydantic checks."""

from __future__ import annotations

import pytest

pytest.importorskip("pydantic_settings")

from tests.frameworks.conftest import WITH_PLUGIN, Framework, from_guide

pytestmark = pytest.mark.long


def test_from_nothing_to_green(framework: Framework) -> None:
    framework.run("alembic", "init", "-t", "pyproject", "src/shop/migrations")
    framework.replace(
        "src/shop/migrations/env.py",
        "target_metadata = None\n",
        from_guide("A src layout", "python"),
    )
    framework.replace(
        "src/shop/migrations/env.py",
        "target_metadata=target_metadata\n",
        WITH_PLUGIN,
    )
    framework.run("alembic", "pgrevision", "-m", "first")
    text = framework.versions("src/shop/migrations/versions")
    assert "ix_orders_customer_id" in text and "sa.BigInteger()" in text
    checked = framework.run("alembic", "pgcheck", "--all")
    assert "1 revision, 2 tables" in checked.stdout and "no findings" in checked.stdout
