"""A revision that locks several tables locks them all at its start, so that none is closed while another is awaited."""

from __future__ import annotations

import re

import pytest

ID = 'Column("id", BigInteger, primary_key=True)'
KIND = 'Column("kind", Enum("a", "b", "c", name="kind"))'
BEFORE = f"""
author = Table("author", metadata, {ID})
book = Table("book", metadata, {ID}, Column("size", Integer))
shelf = Table("shelf", metadata, {ID}, {KIND})
unused = Table("unused", metadata, {ID})
"""
STAGED = f"""
author = Table("author", metadata, {ID}, Column("note", Text))
book = Table("book", metadata, {ID}, Column("size", BigInteger))
shelf = Table("shelf", metadata, {ID}, {KIND.replace('"b", ', "")})
new = Table("new", metadata, {ID})
"""
PLAIN = f"""
author = Table("author", metadata, {ID}, Column("note", Text))
book = Table("book", metadata, {ID}, Column("size", Integer), Column("author_id", ForeignKey("unused.id", name="by")))
shelf = Table("shelf", metadata, {ID}, {KIND}, Column("author_id", BigInteger))
unused = Table("unused", metadata, {ID})
"""
TWO = BEFORE.replace('"author", metadata, ', '"author", metadata, Column("note", Text), ').replace(
    'Column("size", Integer)', 'Column("size", Integer), Column("note", Text)'
)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (STAGED, dict.fromkeys(("author", "book"), "ACCESS EXCLUSIVE")),
        (PLAIN, {**dict.fromkeys(("author", "book", "shelf"), "ACCESS EXCLUSIVE"), "unused": "SHARE ROW EXCLUSIVE"}),
        (TWO, {}),
    ],
    ids=["beside a staged type", "three tables", "two tables"],
)
def test_tables_are_locked_together(make_project, after: str, expected: dict[str, str]) -> None:
    project = make_project().without_patterns()
    project.models(BEFORE)
    project.revise("before")
    project.alembic("upgrade", "head")
    start = project.alembic("heads").split()[0]
    project.models(after)
    first = project.revise("after")[0]
    upgrade = first[: first.index("def downgrade")]
    modes = {
        table: mode
        for tables, mode in re.findall(r"LOCK TABLE ([\w, ]+) IN ([A-Z ]+) MODE", upgrade)
        for table in tables.split(", ")
    }
    assert modes == expected
    for step in (("upgrade", "head"), ("downgrade", start), ("upgrade", "head")):
        project.alembic(*step)
    assert project.clean()


THREE, TWO_LABELS = 'Enum("a", "b", "c", name="kind")', 'Enum("a", "c", name="kind")'
CLASSES = f"""
shelf = Table("shelf", metadata, {ID}, Column("kind", {THREE}, server_default="b"))
box = Table("box", metadata, {ID}, Column("kinds", postgresql.ARRAY({THREE})), Column("n", Integer))
"""
FEWER = f"""
shelf = Table("shelf", metadata, {ID}, Column("kind", {TWO_LABELS}, server_default="c"), Column("n", Integer))
box = Table("box", metadata, {ID}, Column("kinds", postgresql.ARRAY({TWO_LABELS})))
other = Table("other", metadata, {ID}, Column("kind", {TWO_LABELS}, server_default="c"))
"""
REWRITES = "ALTER TYPE kind RENAME TO kind_old"


@pytest.mark.parametrize("phases", [False, True])
def test_a_removed_label_rewrites_tables_in_a_transaction_of_its_own(make_project, phases: bool) -> None:
    project = make_project().without_patterns()
    if phases:
        with project.ini.open("a") as file:
            file.write("phases = true\n")
    project.models(CLASSES)
    project.revise("before")
    project.alembic("upgrade", "head")
    start = project.alembic("heads").split()[0]
    project.models(FEWER)
    files = project.revise("after")
    for upgrade, downgrade in (file.split("def downgrade") for file in files):
        for body in (upgrade, downgrade):
            # Alone in its block: the locks of nothing else last as long as it rewrites rows.
            inner = re.findall(r"autocommit_block\(\):\n(?:        .*\n|\n)+?(?=    \S|$)", body)
            assert body.count(REWRITES) == sum(block.count(REWRITES) for block in inner)
            assert all(block.count("op.execute(") == 3 for block in inner if REWRITES in block)
    # Old code may still write the label that goes.
    assert ["pgpatterns: contract" in file for file in files if REWRITES in file.split("def downgrade")[0]] == [phases]
    (removing,) = (file.split("def downgrade")[0] for file in files if REWRITES in file.split("def downgrade")[0])
    assert "LOCK TABLE public.box IN" in removing and "LOCK TABLE public.shelf IN" in removing
    for step in (("upgrade", "head"), ("downgrade", start), ("upgrade", "head")):
        project.alembic(*step)
    assert project.clean()
