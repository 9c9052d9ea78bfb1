"""What models say in ``info`` and nothing understands."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, MetaData, String, Table

from alembic_pgpatterns.findings.model_words import unknown_words
from alembic_pgpatterns.schema.metadata import reader
from alembic_pgpatterns.schema.sql import sqltext


def of(**words: Any) -> dict[str, Any]:
    return {"pgpatterns": words}


def said(metadata: MetaData) -> list[str]:
    return [line.partition('info["pgpatterns"]: ')[2] for line in unknown_words(reader.read(metadata, sqltext))]


def test_what_is_written_wrong_is_said_wherever_it_stands() -> None:
    metadata = MetaData(info=of(ignore=["varchar-lenght"]))
    Table("port", metadata, Column("id", Integer, primary_key=True), info=of(rwos=5))
    Table(
        "ship",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("flag", String(20), info=of(ignroe=["varchar-length"])),
        Column("port", ForeignKey("port.id", info=of(ignore="varchar-lengths"))),
        CheckConstraint("flag <> ''", name="named", info=of(ignore=["none-like-it-at-all"])),
        Index("by_flag", "flag", info=of(fetchs=["id"])),
    )
    assert said(metadata) == [
        "ignore: there is no pattern 'varchar-lenght'. Did you mean 'varchar-length'?",
        "nothing reads 'rwos'. Did you mean 'rows'?",
        "nothing reads 'ignroe'. Did you mean 'ignore'?",
        "ignore: there is no pattern 'varchar-lengths'. Did you mean 'varchar-length'?",
        "ignore: there is no pattern 'none-like-it-at-all'. `alembic pgcheck --list` shows all.",
        "nothing reads 'fetchs'. Did you mean 'fetches'?",
    ]


def test_what_is_written_right_is_not_said() -> None:
    words = of(ignore=["varchar-length"], reason="ISO", rows=5)
    metadata = MetaData(info={"other": {"ignroe": 1}, **words})
    Table("port", metadata, Column("id", Integer, primary_key=True, info=of(fetches=["code"])), info=words)
    assert said(metadata) == []


ELSEWHERE = MetaData()
Table("port", ELSEWHERE, Column("id", Integer, primary_key=True), info={"pgpatterns": {"rwos": 5}})


def test_the_line_of_the_model_is_said() -> None:
    (line,) = unknown_words(reader.read(ELSEWHERE, sqltext))
    assert line.partition(": ")[0].partition(":")[0].endswith("test_model_words.py")
