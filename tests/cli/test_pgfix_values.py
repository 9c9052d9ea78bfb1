"""``alembic pgfix`` and values: of the rows that are there, and those that the models fill in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.projects import Project, make

CLOCKS = """
from datetime import datetime
from sqlalchemy import BigInteger, Boolean, Column, DateTime, MetaData, Table
metadata = MetaData()
key = {"primary_key": True}
Table("flag", metadata, Column("id", BigInteger, **key), Column("ok", Boolean, default=True), Column("no", Boolean))
Table("naive", metadata, Column("id", BigInteger, **key), Column("at", DateTime, default=datetime.utcnow),
      Column("till", DateTime))
Table("seen", metadata, Column("id", BigInteger, **key), Column("at", DateTime), Column("till", DateTime))
Table("free", metadata, Column("id", BigInteger, **key),
      Column("at", DateTime))
"""


def _files(project: Project) -> set[str]:
    return {path.name for path in project.versions.glob("*.py")}


@pytest.fixture
def clocks(tmp_path: Path) -> Project:
    project = make(tmp_path)
    project.write("shop_models.py", CLOCKS)
    project.env(models="import sys; sys.path.insert(0, '.')\nfrom shop_models import metadata as target_metadata")
    times = "id bigserial PRIMARY KEY, at timestamp, till timestamp"
    project.sql(
        "a1",
        f"CREATE TABLE naive ({times}); CREATE TABLE seen ({times}); CREATE VIEW shown AS SELECT at FROM seen; "
        "CREATE TABLE free (id bigserial PRIMARY KEY, at timestamp); "
        "CREATE TABLE flag (id bigserial PRIMARY KEY, ok boolean, no boolean)",
    )
    return project


@pytest.mark.long
def test_rows_without_a_value_get_the_models_default_before_not_null(clocks: Project) -> None:
    run = clocks.alembic("pgfix", "--select", "nullable-flag")
    text = "".join((clocks.versions / name).read_text() for name in sorted(_files(clocks)) if name != "a1.py")
    assert text.count("UPDATE flag SET ok = true WHERE ok IS NULL") == 2, run.stderr
    assert "# Existing rows need a value in flag.no before NOT NULL." in text
    assert "pgpatterns: left for you: part 1: fill flag.no" in run.stderr


@pytest.mark.long
def test_times_of_a_table_change_together_and_with_what_fills_them_in(clocks: Project) -> None:
    run = clocks.alembic("pgfix", "--select", "timestamp-without-time-zone", "--models")
    assert run.returncode == 1 and "pgfix: 1 finding fixed" in run.stdout, run.stdout + run.stderr
    lines = run.stdout.splitlines()
    (naive,) = (line for line in lines if "without-time-zone public.naive.at: " in line)
    assert "the type and the default must change together" in naive
    assert "write default=lambda: datetime.now(timezone.utc) in the model too" in naive
    for left, other in (("naive.till", "naive.at"), ("seen.till", "seen.at")):
        (half,) = (line for line in lines if f"without-time-zone public.{left}: " in line)
        assert f"public.{other} of the same table stays without a time zone" in half
    text = "".join((clocks.versions / name).read_text() for name in _files(clocks) - {"a1.py"})
    assert "alter_column('free', 'at'" in text and "'naive'" not in text and "'seen'" not in text
    changed = CLOCKS.replace('      Column("at", DateTime))\n', '      Column("at", DateTime(timezone=True)))\n')
    assert (clocks.folder / "shop_models.py").read_text() == changed
