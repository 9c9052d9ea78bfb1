"""A column that a person fills from another one: what is dropped is still there when the statement runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from alembic_pgpatterns.revisions.unfilled import heading
from tests.cli.test_phases import HEAD, LOAD, PLUGIN, in_order
from tests.projects import make

OLD = f"""{HEAD}
Table("person", metadata, Column("id", BigInteger, primary_key=True), Column("full_name", Text))
Table("address", metadata, Column("person", BigInteger, primary_key=True), Column("street", Text))
"""
NEW = f"""{HEAD}
Table("person", metadata, Column("id", BigInteger, primary_key=True), Column("last_name", Text, nullable=False),
    Column("street", Text))
"""


@pytest.mark.parametrize("directives", [pytest.param(False, marks=pytest.mark.long), True])
def test_the_source_of_a_fill_is_dropped_behind_it(tmp_path: Path, directives: bool) -> None:
    project = make(tmp_path)
    project.write("pyproject.toml", f"[tool.alembic_pgpatterns]\ndirectives = {str(directives).lower()}\n")
    project.env(models=LOAD, options=PLUGIN)
    project.write("shop_models.py", OLD)
    assert project.alembic("pgrevision", "-m", "start").returncode == 0
    project.write("shop_models.py", NEW)
    run = project.alembic("pgrevision", "-m", "split")
    assert run.returncode == 0, run.stderr
    upgrades = [path.read_text().partition("def downgrade")[0] for path in in_order(project)[1:]]
    upgrade = "\n".join(upgrades)
    statement = upgrade.index(heading(None, "person", "last_name"))
    assert upgrade.index("op.drop_column('person', 'full_name'") > statement
    assert upgrade.index("op.drop_table('address'") > statement
