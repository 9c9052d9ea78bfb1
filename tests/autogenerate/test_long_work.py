"""What works long under its lock has a transaction of its own, so that nobody waits for it who needs another table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_phases import HEAD, LOAD, PLUGIN, in_order
from tests.projects import Project, make

MODELS = f"""{HEAD.replace("Text", "CheckConstraint, Computed, Integer, Text, UniqueConstraint").replace("(1)", "")}
from sqlalchemy.dialects.postgresql import TSRANGE, ExcludeConstraint
"""
OLD = f"""{MODELS}
Table("alpha", metadata, Column("id", BigInteger, primary_key=True))
Table("booking", metadata, Column("id", BigInteger, primary_key=True), Column("during", TSRANGE))
Table("omega", metadata, Column("id", BigInteger, primary_key=True), Column("name", Text))
Table("size", metadata, Column("id", BigInteger, primary_key=True), Column("n", Text), Column("m", Text),
    Column("n_new", Text), Column("m_new", Text),
    CheckConstraint("n > '1'", name="size_n"), CheckConstraint("m > '1'", name="size_m"))
"""
# The names of the new columns that stages would need are taken in `size`: so one statement rewrites it.
NEW = f"""{MODELS}
Table("alpha", metadata, Column("id", BigInteger, primary_key=True), Column("note", Text))
Table("booking", metadata, Column("id", BigInteger, primary_key=True), Column("during", TSRANGE),
    ExcludeConstraint(("during", "&&"), name="booking_during_excl"))
Table("omega", metadata, Column("id", BigInteger, primary_key=True), Column("name", Text), Column("note", Text),
    Column("upper_name", Text, Computed("upper(name)", persisted=True)),
    UniqueConstraint("id", name="omega_id_key", postgresql_include=["name"]))
Table("size", metadata, Column("id", BigInteger, primary_key=True), Column("n", Integer), Column("m", Integer),
    Column("n_new", Text), Column("m_new", Text),
    CheckConstraint("n > 2", name="size_n"), CheckConstraint("m > 2", name="size_m"))
"""
TOGETHER = """
op.execute("SET LOCAL lock_timeout = '5s'")
op.execute("LOCK TABLE alpha, booking IN ACCESS EXCLUSIVE MODE")
op.execute("ALTER TABLE booking ADD CONSTRAINT twice EXCLUDE USING gist (during WITH &&)")
"""


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    project = make(tmp_path)
    project.env(models=LOAD, options=PLUGIN)
    project.write("shop_models.py", OLD)
    started = project.alembic("pgrevision", "-m", "start")
    assert started.returncode == 0, started.stderr
    return project


def test_what_works_long_locks_no_other_table(shop: Project) -> None:
    shop.write("shop_models.py", NEW)
    run = shop.alembic("pgrevision", "-m", "change")
    assert run.returncode == 0, run.stderr
    assert "held for" not in run.stdout, run.stdout
    assert "index build under ACCESS EXCLUSIVE" in run.stdout
    assert "rewrite under ACCESS EXCLUSIVE" in run.stdout
    # Short locks one after another are an info.
    assert "builds an index" not in run.stdout
    assert "rewrites" not in run.stdout
    # Both columns of one table, and nothing else.
    assert [path.read_text().count("type_=sa.Integer()") for path in in_order(shop)].count(2) == 1
    for path in in_order(shop)[1:]:
        before, _, behind = path.read_text().partition("DROP CONSTRAINT IF EXISTS booking_during_excl, ADD")
        assert (
            not behind or before.rstrip().rpartition("with op.get_context().autocommit_block():")[2].count("LOCK") == 0
        )


def test_the_plan_says_for_what_a_table_waits(shop: Project) -> None:
    start = in_order(shop)[-1].name.partition("_")[0]
    shop.revision("later", TOGETHER, start, 'op.execute("ALTER TABLE booking DROP CONSTRAINT twice")')
    planned = shop.alembic("pgcheck", "--plan", "--since", start)
    (alpha,) = [line for line in planned.stdout.splitlines() if line.strip().startswith("public.alpha")]
    assert "held for index build of public.booking" in alpha
    checked = shop.alembic("pgcheck", "--since", start, "--select", "strong-lock-then-more")
    assert "builds an index of booking" in checked.stdout
