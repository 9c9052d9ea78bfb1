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
        (STAGED, dict.fromkeys(("author", "book", "shelf"), "ACCESS EXCLUSIVE")),
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
