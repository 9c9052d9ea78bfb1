"""Several databases with one history: Alembic's template "multidb"."""

from __future__ import annotations

import pytest

from tests.frameworks.conftest import NOBODY, Framework

pytestmark = pytest.mark.long


def test_from_nothing_to_green(framework: Framework) -> None:
    framework.run("alembic", "init", "-t", "multidb", "migrations")
    framework.replace("alembic.ini", "driver://user:pass@localhost/dbname", NOBODY)
    framework.replace("alembic.ini", "databases = engine1, engine2", "databases = shop, log")
    framework.replace("alembic.ini", "[engine1]", "[shop]")
    framework.replace("alembic.ini", "[engine2]", "[log]")
    framework.replace(
        "migrations/env.py",
        "target_metadata = {}",
        'import models\n\ntarget_metadata = {"shop": models.Shop.metadata, "log": models.Log.metadata}',
    )
    framework.replace(
        "migrations/env.py",
        "target_metadata=target_metadata.get(name),",
        "target_metadata=target_metadata.get(name),\n"
        '                autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"],',
    )
    framework.run("alembic", "pgrevision", "-m", "first")
    text = framework.versions()
    assert "def upgrade_shop" in text and "ix_entry_source_id" in text
    checked = framework.run("alembic", "pgcheck", "--all")
    assert "1 revision, 3 tables" in checked.stdout and "no findings" in checked.stdout
