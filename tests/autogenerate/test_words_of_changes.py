"""What a person has to know of a change stands above it: how rows are filled, how an index is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_phases import HEAD, LOAD, PLUGIN, in_order
from tests.projects import make

MODELS = f"""{HEAD.replace("Text", "Text, text")}
Table("bill", metadata, Column("id", BigInteger, primary_key=True), Column("method", Text%s),
    Index("ix_bill_method", "method", postgresql_where=text("id > %s")))
"""


@pytest.mark.long
def test_a_column_to_fill_and_an_index_that_changes(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.env(models=LOAD, options=PLUGIN)
    project.write("shop_models.py", MODELS % ("", 1))
    assert project.alembic("pgrevision", "-m", "start").returncode == 0
    project.write("shop_models.py", MODELS % (", nullable=False", 2))
    run = project.alembic("pgrevision", "-m", "change")
    assert run.returncode == 0, run.stderr
    assert "queries always have an index" in run.stdout
    upgrades = "".join(path.read_text() for path in in_order(project)[1:])
    assert "op.backfill('bill', {'method': sa.text('...')}, 'method IS NULL')" in upgrades
    # The statement runs as it is written, in a revision before, and is no change of all rows at once.
    start = in_order(project)[0].name.partition("_")[0]
    for path in in_order(project)[1:]:
        path.unlink()
    project.revision("fill", "op.backfill('bill', {'method': sa.text(\"'cash'\")}, 'method IS NULL')", start)
    checked = project.alembic("pgcheck", "--since", start, "--select", "unbatched-data-change")
    assert checked.returncode == 0, checked.stdout + checked.stderr
