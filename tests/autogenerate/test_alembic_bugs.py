"""What stock autogenerate gets wrong, each shown failing without the plugin, and right with it."""

from __future__ import annotations

import pytest
import sqlalchemy

STOCK = ""
ID = 'Column("id", BigInteger, primary_key=True)'
NOTHING = "metadata.clear()"

CHAIN = "\n".join(
    [f't0 = Table("t0", metadata, {ID})']
    + [
        f't{n} = Table("t{n}", metadata, {ID}, Column("up", ForeignKey("t{n - 1}.id"), index=True))'
        for n in range(1, 9)
    ]
)


def both_ways(project, before: str, after: str) -> dict:
    """Two sets of models, a revision for each; up, down, and up again; the schema after ``after``."""
    project.models(before)
    project.revise("before")
    project.alembic("upgrade", "head")
    first = project.snapshot()
    start = head(project)
    project.models(after)
    project.revise("after")
    project.alembic("upgrade", "head")
    there = project.snapshot()
    assert project.clean()
    project.alembic("downgrade", start)
    assert project.snapshot() == first
    project.alembic("upgrade", "head")
    assert project.snapshot() == there
    return there


def head(project) -> str:
    return project.alembic("heads").split()[0]


def names(schema: dict, kind: str = "constraints") -> set[str]:
    return {row[1] for row in schema[kind]}


def test_removed_tables_go_before_those_they_reference(make_project) -> None:
    stock = make_project(way=STOCK)
    stock.models(CHAIN)
    stock.revise("before")
    stock.alembic("upgrade", "head")
    stock.models(NOTHING)
    stock.revise("after")
    with pytest.raises(sqlalchemy.exc.InternalError, match="depend on it"):
        stock.alembic("upgrade", "head")

    assert both_ways(make_project(), CHAIN, NOTHING)["columns"] == []


def test_a_removed_table_goes_after_the_keys_that_stay_behind_it(make_project) -> None:
    before = f"""
    parent = Table("parent", metadata, {ID})
    child = Table("child", metadata, {ID}, Column("parent_id", ForeignKey("parent.id")))
    """
    after = f'child = Table("child", metadata, {ID})'
    stock = make_project(way=STOCK)
    stock.models(before)
    stock.revise("before")
    stock.alembic("upgrade", "head")
    stock.models(after)
    stock.revise("after")
    with pytest.raises(sqlalchemy.exc.InternalError, match="depend on it"):
        stock.alembic("upgrade", "head")

    assert {row[0] for row in both_ways(make_project(), before, after)["columns"]} == {"child"}


CYCLE = f"""
a = Table("a", metadata, {ID}, Column("b_id", BigInteger),
          ForeignKeyConstraint(["b_id"], ["b.id"], name="a_to_b", use_alter=True))
b = Table("b", metadata, {ID}, Column("a_id", ForeignKey("a.id", name="b_to_a")))
"""


def test_a_key_with_use_alter_is_created(make_project) -> None:
    stock = make_project(way=STOCK)
    stock.models(CYCLE)
    stock.revise("before")
    stock.alembic("upgrade", "head")
    assert "a_to_b" not in names(stock.snapshot())

    assert {"a_to_b", "b_to_a"} <= names(both_ways(make_project(), NOTHING, CYCLE))


def test_a_cycle_of_removed_tables_is_opened(make_project) -> None:
    assert both_ways(make_project(), CYCLE, NOTHING)["columns"] == []


def test_a_cycle_that_nobody_declared_is_created(make_project) -> None:
    models = CYCLE.replace(", use_alter=True", "")
    stock = make_project(way=STOCK)
    stock.models(models)
    stock.revise("before")
    with pytest.raises(sqlalchemy.exc.ProgrammingError, match="does not exist"):
        stock.alembic("upgrade", "head")

    assert {"a_to_b", "b_to_a"} <= names(both_ways(make_project(), NOTHING, models))


@pytest.mark.long
@pytest.mark.parametrize("way", ["a new table", "a new column"])
def test_a_check_of_a_column_is_written(make_project, way: str) -> None:
    before = NOTHING if way == "a new table" else f'box = Table("box", metadata, {ID})'
    after = f"""
    box = Table("box", metadata, {ID},
                Column("size", Integer, CheckConstraint("size > 0")),
                Column("lid", Text, CheckConstraint("lid <> ''", name="lid_said")))
    """
    stock = make_project(way=STOCK)
    stock.models(before)
    stock.revise("before")
    stock.alembic("upgrade", "head")
    stock.models(after)
    stock.revise("after")
    stock.alembic("upgrade", "head")
    assert not {"box_size_check", "lid_said"} & names(stock.snapshot())

    assert {"box_size_check", "lid_said"} <= names(both_ways(make_project(), before, after))


UNNAMED = f"""
parent = Table("parent", metadata, {ID}, Column("a", Integer), Column("b", Integer){{unique}})
child = Table("child", metadata, {ID}, Column("x", BigInteger), Column("y", BigInteger){{key}})
"""


def test_a_downgrade_drops_unnamed_constraints(make_project) -> None:
    before = UNNAMED.format(unique="", key="")
    after = UNNAMED.format(unique=', UniqueConstraint("a", "b")', key=', ForeignKeyConstraint(["x"], ["parent.id"])')
    stock = make_project(way=STOCK)
    stock.models(before)
    stock.revise("before")
    stock.alembic("upgrade", "head")
    stock.models(after)
    stock.revise("after")
    stock.alembic("upgrade", "head")
    with pytest.raises(Exception, match=r"no name|None"):
        stock.alembic("downgrade", "-1")

    assert {"parent_a_b_key", "child_x_fkey"} <= names(both_ways(make_project(), before, after))


def test_an_unnamed_constraint_stands_back_from_a_name_that_is_taken(make_project) -> None:
    project = make_project()
    before = UNNAMED.format(unique="", key="")
    project.models(before)
    project.revise("before")
    project.alembic("upgrade", "head")
    project.database.execute("CREATE SEQUENCE parent_a_b_key")
    project.models(UNNAMED.format(unique=', UniqueConstraint("a", "b")', key=""))
    project.revise("after")
    project.alembic("upgrade", "head")
    assert "parent_a_b_key1" in names(project.snapshot())
    project.alembic("downgrade", "-1")


MOOD = 'Enum("sad", "ok", name="mood")'


def test_a_downgrade_takes_the_enum_type_with_it(make_project) -> None:
    models = f't = Table("t", metadata, {ID}, Column("mood", {MOOD}))'
    stock = make_project(way=STOCK)
    stock.models(models)
    stock.revise("mood")
    stock.alembic("upgrade", "head")
    stock.alembic("downgrade", "base")
    with pytest.raises(sqlalchemy.exc.ProgrammingError, match='"mood" already exists'):
        stock.alembic("upgrade", "head")

    assert both_ways(make_project(), NOTHING, models)["types"]


@pytest.mark.parametrize(
    "after",
    [
        f't = Table("t", metadata, {ID}, Column("mood", {MOOD}))',
        f't = Table("t", metadata, {ID})\nu = Table("u", metadata, {ID}, Column("moods", ARRAY({MOOD})))',
        f"""
        mood = {MOOD}
        t = Table("t", metadata, {ID}, Column("mood", mood))
        u = Table("u", metadata, {ID}, Column("mood", mood))
        """,
        f"""
        t = Table("t", metadata, {ID})
        u = Table("u", metadata, {ID}, Column("mood", {MOOD}), Column("before", {MOOD}))
        v = Table("v", metadata, {ID}, Column("moods", postgresql.ARRAY({MOOD})))
        """,
        f't = Table("t", metadata, {ID}, Column("mood", {MOOD}), schema=None)\nt.c.mood.nullable = False',
    ],
    ids=["a column", "an array", "shared", "shared by new tables", "required"],
)
@pytest.mark.sample(2)
def test_enum_types_of_other_kinds_come_and_go(make_project, after: str) -> None:
    assert both_ways(make_project(), f't = Table("t", metadata, {ID})', after)["types"]


def test_an_enum_type_that_was_there_stays(make_project) -> None:
    before = f't = Table("t", metadata, {ID}, Column("mood", {MOOD}))'
    after = before + f'\nu = Table("u", metadata, {ID}, Column("mood", {MOOD}))'
    both_ways(make_project(), before, after)


@pytest.mark.long
def test_the_check_of_a_type_is_not_verified_under_the_column_s_lock(make_project) -> None:
    """Stock writes it into add_column, which has PostgreSQL read the table under ACCESS EXCLUSIVE."""
    after = f"""
    box = Table("box", metadata, {ID},
                Column("kind", Enum("a", "b", name="box_kind", native_enum=False, create_constraint=True)),
                Column("flag", Boolean(create_constraint=True)))
    """
    project = make_project()
    found = both_ways(project, f'box = Table("box", metadata, {ID})', after)
    assert "box_kind" in names(found)
    text = "".join(path.read_text() for path in project.versions())
    assert "op.create_check_constraint" in text and "postgresql_not_valid=True" in text
    stock = make_project(way=STOCK)
    both_ways(stock, f'box = Table("box", metadata, {ID})', after)
    assert stock.snapshot()["constraints"] == found["constraints"]
