"""After the expand part of ``pgrevision --phases``, the new models can read and write too, not only the old ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_phases import HEAD, LOAD, PLUGIN, in_order
from tests.projects import Project, make

MODELS = f"""{HEAD.replace("Text", "CheckConstraint, Enum, ForeignKey, Integer, Text, UniqueConstraint, Uuid, text")}
"""
OLD = f"""{MODELS}
Table("person", metadata, Column("id", BigInteger, primary_key=True), Column("full_name", Text, nullable=False),
    Column("nick", Text, nullable=False, server_default="x"),
    Column("state", Enum("asked", "refused", "late", name="state"), nullable=False, server_default="refused"))
Table("contact", metadata, Column("id", BigInteger, primary_key=True), Column("fax", Text, nullable=False),
    Column("phone", Text), CheckConstraint("num_nonnulls(fax, phone) > 0", name="reachable"),
    CheckConstraint("fax IS NOT NULL", name="has_fax"), UniqueConstraint("fax", name="contact_fax_key"))
Table("shelf", metadata, Column("a", BigInteger, primary_key=True, autoincrement=False),
    Column("b", Integer, primary_key=True, autoincrement=False))
Table("part", metadata, Column("a", BigInteger, primary_key=True, autoincrement=False),
    Column("b", Uuid, primary_key=True), Column("note", Text))
"""
NEW = f"""{MODELS}
Table("person", metadata, Column("id", BigInteger, primary_key=True), Column("first_name", Text),
    Column("state", Enum("new", "asked", "gone", "late", name="state"), nullable=False, server_default="new"))
Table("contact", metadata, Column("id", BigInteger, primary_key=True), Column("phone", Text))
Table("shelf", metadata, Column("a", BigInteger, primary_key=True, autoincrement=False))
Table("part", metadata, Column("a", BigInteger, primary_key=True, autoincrement=False), Column("note", Text))
"""
OLD_ROWS = (
    "INSERT INTO person (id, full_name) SELECT coalesce(max(id), 0) + 1, 'f' FROM person",
    "INSERT INTO contact (id, fax) SELECT coalesce(max(id), 0) + 1, count(*) FROM contact ON CONFLICT (fax) DO NOTHING",
    "INSERT INTO shelf (a, b) SELECT coalesce(max(a), 0) + 1, 7 FROM shelf",
    "INSERT INTO part (a, b) SELECT coalesce(max(a), 0) + 1, gen_random_uuid() FROM part",
)
NEW_ROWS = (
    "INSERT INTO person (id, first_name, state) SELECT coalesce(max(id), 0) + 1, 'n', 'gone' FROM person",
    "INSERT INTO contact (id) SELECT coalesce(max(id), 0) + 1 FROM contact",
    "INSERT INTO shelf (a) SELECT coalesce(max(a), 0) + 1 FROM shelf",
    "INSERT INTO part (a) SELECT coalesce(max(a), 0) + 1 FROM part",
)


@pytest.fixture
def shop(tmp_path: Path, database) -> Project:
    project = make(tmp_path)
    engine = f'__import__("sqlalchemy").create_engine({str(database.url)!r})'
    project.env(models=LOAD, options=PLUGIN)
    project.write("shop_models.py", OLD)
    started = project.alembic("pgrevision", "-m", "start")
    assert started.returncode == 0, started.stderr
    project.env(models=LOAD, options=PLUGIN, engine=engine)
    assert project.alembic("upgrade", "head").returncode == 0
    return project


@pytest.mark.long
@pytest.mark.parametrize("directives", [False, pytest.param(True, marks=pytest.mark.long)])
def test_new_models_insert_after_expand(shop: Project, directives: bool, database) -> None:
    shop.write("pyproject.toml", f"[tool.alembic_pgpatterns]\ndirectives = {str(directives).lower()}\n")
    start = in_order(shop)[-1].name.partition("_")[0]
    shop.write("shop_models.py", NEW)
    run = shop.alembic("pgrevision", "-m", "change", "--phases")
    assert run.returncode == 0, run.stderr
    for row in OLD_ROWS:
        database.execute(row)
    expand = shop.alembic("pgexpand").stdout.strip()
    upgraded = shop.alembic("upgrade", expand)
    assert upgraded.returncode == 0, upgraded.stderr
    for row in (*NEW_ROWS, *OLD_ROWS, *NEW_ROWS):
        database.execute(row)
    for target in (start, expand, "head", start, "head"):
        # A downgrade fills full_name. No value is right for a unique column, or one with a CHECK.
        database.execute("DELETE FROM contact; UPDATE person SET state = 'asked'")
        moved = shop.alembic("downgrade" if target == start else "upgrade", target)
        assert moved.returncode == 0, moved.stderr
    assert shop.alembic("check").returncode == 0
