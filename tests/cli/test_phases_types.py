"""``alembic pgrevision --phases``: what goes and comes back with a column's new type is there until the contract."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from alembic_pgpatterns.revisions.contract import MARK
from tests.cli.test_phases import LOAD, PLUGIN, in_order
from tests.projects import Project, make

HEAD = """
from sqlalchemy import *

metadata = MetaData()
"""
OLD = f"""{HEAD}
Table("owner", metadata, Column("id", BigInteger, primary_key=True),
    Column("code", BigInteger, unique=True, nullable=False))
Table("wig", metadata, Column("id", BigInteger, primary_key=True), Column("size", BigInteger),
    Column("state", Text, nullable=False, server_default="shelf"),
    Column("owner_code", BigInteger, ForeignKey("owner.code", name="wig_owner"), index=True),
    CheckConstraint("state <> 'lost' OR size > 3", name="lost_size"),
    Index("ix_wig_shelf", "size", unique=True, postgresql_where=text("state = 'shelf'")))
"""
NEW = (
    OLD.replace('"state", Text', '"state", Enum("shelf", "lost", name="wig_state")')
    .replace('code", BigInteger', 'code", Text')
    .replace('Column("size", BigInteger)', 'Column("size", BigInteger), Column("note", Text)')
)
VIEW = """
from sqlalchemy.schema import CreateView
table = metadata.tables["wig"]
CreateView(select(table.c.id, table.c.state{more}).where(table.c.size > 3), "big", metadata=metadata)
"""
if not hasattr(sa, "CreateView"):
    # SQLAlchemy before 2.1
    VIEW = ""
ROW = "INSERT INTO wig (id, size, owner_code) SELECT coalesce(max(id), 0) + 1, {size}, {code} FROM wig"


@pytest.fixture
def shop(tmp_path: Path, database) -> Project:
    project = make(tmp_path)
    project.env(models=LOAD, options=PLUGIN)
    project.write("shop_models.py", OLD + VIEW.format(more=""))
    assert project.alembic("pgrevision", "-m", "start").returncode == 0
    project.env(models=LOAD, options=PLUGIN, engine=f'__import__("sqlalchemy").create_engine({str(database.url)!r})')
    assert project.alembic("upgrade", "head").returncode == 0
    return project


@pytest.mark.long
def test_what_comes_back_with_a_new_type_goes_in_the_contract(shop: Project, database) -> None:
    start = in_order(shop)[-1].name.partition("_")[0]
    shop.write("shop_models.py", NEW + VIEW.format(more=", table.c.owner_code"))
    run = shop.alembic("pgrevision", "-m", "change", "--phases")
    assert run.returncode == 0, run.stderr
    # Neither code can send values of the other's type.
    lines = [line for line in run.stdout.splitlines() if "old and new code cannot run at the same time" in line]
    columns = sorted(line.partition(": breaks-old-code: ")[2].partition(":")[0] for line in lines)
    assert columns == ["owner.code", "wig.owner_code", "wig.state"]
    upgrades = (path.read_text().partition("def downgrade")[0] for path in in_order(shop)[1:])
    expanding = "".join(upgrade for upgrade in upgrades if MARK not in upgrade)
    assert "add_column" in expanding
    assert "drop_" not in expanding
    assert "DROP" not in expanding
    assert shop.alembic("upgrade", shop.alembic("pgexpand").stdout.strip()).returncode == 0
    database.execute("INSERT INTO owner VALUES (1, 1)")
    database.execute(ROW.format(size=5, code=1))
    for size, code in ((5, 1), (6, 2)):
        with pytest.raises(psycopg.errors.IntegrityError):
            database.execute(ROW.format(size=size, code=code))
    with pytest.raises(psycopg.errors.CheckViolation):
        database.execute("UPDATE wig SET state = 'lost', size = 2")
    if VIEW:
        database.execute("SELECT id, state FROM big")
    for way, target in (("upgrade", "head"), ("downgrade", start), ("upgrade", "head")):
        moved = shop.alembic(way, target)
        assert moved.returncode == 0, moved.stderr
    assert shop.alembic("check").returncode == 0
