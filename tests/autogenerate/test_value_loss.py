"""What a new type takes from the values: said in words that hold, with a query that finds exactly these rows."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.dialects.postgresql import TIME, TIMESTAMP

from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import type_text
from alembic_pgpatterns.autogenerate.rewrite.value_loss import value_loss

NUMBERS = [
    sa.Numeric(5, 1), sa.Numeric(9, 4), sa.Numeric(12), sa.Numeric(), sa.REAL(), sa.Double(), sa.SmallInteger(),
    sa.Integer(), sa.BigInteger(), sa.Float(20),
]  # fmt: skip
FIGURES = ("7", "9.75", "3.3549", "1.23456789012345678", "155", "12345.6789", "16777217", "9007199254740993")
TIMES = [
    TIMESTAMP(), TIMESTAMP(timezone=True), TIMESTAMP(precision=0), TIMESTAMP(precision=3, timezone=True), sa.Date(),
    TIME(), TIME(precision=0),
]  # fmt: skip
MOMENTS = ("2024-05-01 12:00:00", "2024-05-01 12:00:00.25", "2024-05-01 00:00:00", "2024-05-01 12:00:00.123456")
PAIRS = [
    (old, new, values)
    for types, values in ((NUMBERS, FIGURES), (TIMES, MOMENTS))
    for old in types
    for new in types
    if type_text(old) != type_text(new)
]
EXPECTED = {
    ("FLOAT", "NUMERIC(5, 1)"): "Values are rounded to 1 digit after the point",
    ("DOUBLE PRECISION", "NUMERIC(5, 1)"): "Values are rounded to 1 digit after the point",
    ("NUMERIC(9, 4)", "NUMERIC(12)"): "Values are rounded to whole numbers",
    ("DOUBLE PRECISION", "REAL"): "6 digits of each value stay",
    ("REAL", "NUMERIC"): "6 digits of each value stay, as with PostgreSQL's own cast",
    ("TIMESTAMP WITHOUT TIME ZONE", "DATE"): "The time of day is lost",
    ("TIMESTAMP WITHOUT TIME ZONE", "TIME WITHOUT TIME ZONE"): "The day is lost",
    (
        "TIMESTAMP WITHOUT TIME ZONE",
        "TIMESTAMP(0) WITHOUT TIME ZONE",
    ): "Values are rounded to 0 digits after the second",
}


def change(old: sa.types.TypeEngine, new: sa.types.TypeEngine, column: str = "c") -> ops.AlterColumnOp:
    return ops.AlterColumnOp("t", column, existing_type=old, modify_type=new)


def test_the_query_finds_the_rows_that_change(any_database) -> None:
    wrong, seen = [], 0
    with any_database.connect() as connection:
        for old, new, values in PAIRS:
            before, after, loss = type_text(old), type_text(new), value_loss(change(old, new))
            if not (kept := fitting(connection, before, after, values)):
                continue
            seen += 1
            connection.execute(f"CREATE TABLE t (c {before})")
            connection.execute(f"INSERT INTO t SELECT unnest(%s::text[])::{before}", [kept])
            found = connection.execute(loss.query).fetchall() if loss.query else None
            connection.execute(
                f"ALTER TABLE t ADD was {before}; UPDATE t SET was = c; ALTER TABLE t ALTER c TYPE {after}"
            )
            changed = "true" if loss.words == "The day is lost" else f"c::{before} <> was"
            lost = connection.execute(f"SELECT was FROM t WHERE {changed}").fetchall()
            connection.execute("DROP TABLE t")
            if bool(lost) is not bool(loss.words) or (found is not None and sorted(found) != sorted(lost)):
                wrong.append((before, after, loss.words, found, lost))
    assert seen > 90
    assert wrong == []


def fitting(connection, before: str, after: str, values: tuple[str, ...]) -> list[str]:
    result = []
    for value in values:
        try:
            connection.execute(f"SELECT CAST(CAST(%s::text AS {before}) AS {after})", [value])
        except psycopg.Error:
            continue
        result.append(value)
    return result


@pytest.mark.parametrize(("types", "words"), EXPECTED.items())
def test_words(types: tuple[str, str], words: str) -> None:
    named = {type_text(kind): kind for kind in (*NUMBERS, *TIMES, sa.Float())}
    assert value_loss(change(*(named[name] for name in types))).words == words


def test_a_cast_of_its_own_is_not_judged() -> None:
    op = ops.AlterColumnOp("t", "c", existing_type=sa.Double(), modify_type=sa.Integer(), postgresql_using="floor(c)")
    assert not value_loss(op).words


def test_it_stands_in_the_revision_and_on_the_console(make_project, new_database) -> None:
    project = make_project(database=new_database()).without_patterns()
    table = (
        'Table("ship", metadata, Column("id", BigInteger, primary_key=True), Column("Draught", %s), Column("x", %s))'
    )
    project.models(table % ("Double", "Double"))
    project.revise("start")
    project.alembic("upgrade", "head")
    project.models(table % ("Numeric(4, 1)", "Numeric"))
    query = 'SELECT * FROM ship WHERE "Draught" <> "Draught"::NUMERIC(4, 1)::DOUBLE PRECISION;'
    for text in (project.revise("digits")[0], project.output):
        words = " ".join(text.replace("#", "").split())
        assert "Values are rounded to 1 digit after the point" in words and query in words, words
        assert words.count("15 digits of each value stay, as with PostgreSQL's own cast") == 1
