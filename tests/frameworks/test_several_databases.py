"""Several databases with one history: Alembic's template "multidb"."""

from __future__ import annotations

import pytest

from tests.frameworks.conftest import NOBODY, Framework, from_guide

pytestmark = pytest.mark.long


LATER = """\
    source_id: Mapped[int] = mapped_column(ForeignKey(Source.id))
    first_id: Mapped[int | None] = mapped_column(ForeignKey(Source.id))
"""


def test_from_nothing_to_green(framework: Framework) -> None:
    framework.run("alembic", "init", "-t", "multidb", "migrations")
    framework.replace("alembic.ini", "driver://user:pass@localhost/dbname", NOBODY)
    framework.replace("alembic.ini", "databases = engine1, engine2", "databases = shop, log")
    framework.replace("alembic.ini", "[engine1]", "[shop]")
    framework.replace("alembic.ini", "[engine2]", "[log]")
    framework.replace("migrations/env.py", "target_metadata = {}\n", from_guide("Several databases", "python"))
    env = (framework.folder / "migrations/env.py").read_text()
    start, end = env.index("def run_migrations_online()"), env.index("if context.is_offline_mode()")
    written = from_guide("Several databases", "python", 1)
    framework.replace("migrations/env.py", env[start:end], f"{written}\n\n")
    framework.run("alembic", "pgrevision", "-m", "first")
    text = framework.versions()
    assert "def upgrade_shop" in text and "ix_entry_source_id" in text
    checked = framework.run("alembic", "pgcheck", "--all")
    assert "1 revision, 3 tables" in checked.stdout and "no findings" in checked.stdout
    framework.replace("models.py", "    source_id: Mapped[int] = mapped_column(ForeignKey(Source.id))\n", LATER)
    framework.run("alembic", "pgrevision", "-m", "second")
    assert "postgresql_concurrently=True" in framework.versions(), "the template's own transaction would forbid it"
    framework.run("alembic", "pgcheck", "--all")
