"""The lines for models are in the models' own words, and can be pasted."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from alembic_pgpatterns.findings.run_patterns import run_pattern
from alembic_pgpatterns.patterns import registry
from alembic_pgpatterns.remedies.model import CreateIndex, SetDefault, SetNotNull, TypeChange
from alembic_pgpatterns.remedies.model_line import check_expression, model_line
from alembic_pgpatterns.report.words import fix_lines
from alembic_pgpatterns.schema.names import Name
from tests import reader

MAPPED = """
import sqlalchemy
import sqlalchemy as sa
from sqlalchemy import Column, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class db:
    Column, String = sqlalchemy.Column, sqlalchemy.String


class Mixin:
    mixed = db.Column(db.String(255))


class Book(Mixin, Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    mapped: Mapped[str] = mapped_column(String(255))
    older = Column("older", String(255))
    named = db.Column(db.String(255))


table = sa.Table("core", Base.metadata, sa.Column("plain", sa.String(255), primary_key=True))
"""


def test_each_column_is_written_as_its_source_does(load_models: Callable[[str], ModuleType]) -> None:
    schema = reader.read(load_models(MAPPED).Base.metadata)
    findings = list(run_pattern(registry()["varchar-length"](), schema))
    lines = {finding.object.rpartition(".")[2]: fix_lines(finding) for finding in findings}
    was = "was character varying(255)"
    assert lines == {
        "mixed": (f"db.Column(db.Text)  # book.mixed, {was}",),
        "mapped": (f"mapped_column(Text)  # book.mapped, {was}",),
        "older": (f"Column(Text)  # book.older, {was}",),
        "named": (f"db.Column(db.Text)  # book.named, {was}",),
        "plain": (f"sa.Column(sa.Text)  # core.plain, {was}",),
    }


FIELDS = """
from typing import Optional
from sqlmodel import Field, SQLModel


class Team(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    name: str = Field(max_length=255)


class Hero(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    team_id: Optional[int] = Field(default=None, foreign_key="team.id")
"""


def test_sqlmodel_has_words_of_its_own(load_models: Callable[[str], ModuleType]) -> None:
    pytest.importorskip("sqlmodel")
    schema = reader.read(load_models(FIELDS).SQLModel.metadata)
    names = ("varchar-length", "unindexed-foreign-key")
    findings = [finding for name in names for finding in run_pattern(registry()[name](), schema)]
    assert [line for finding in findings for line in fix_lines(finding)] == [
        "Field(sa_type=Text)  # team.name, was character varying(255)",
        "Field(index=True)  # hero.team_id",
    ]


@pytest.mark.parametrize(
    ("call", "lines"),
    [
        (
            "mapped_column",
            (
                'mapped_column(server_default=text("now()"))  # book.at, instead of default=',
                "mapped_column(nullable=False)  # book.at",
                'Index("ix_book_at", "at")',
            ),
        ),
        (
            "sqlmodel.Field",
            (
                'sqlmodel.Field(sa_column_kwargs={"server_default": text("now()")})  # book.at, instead of default=',
                "sqlmodel.Field(nullable=False)  # book.at",
                "sqlmodel.Field(index=True)  # book.at",
            ),
        ),
        (
            "db.Column",
            (
                'db.Column(server_default=db.text("now()"))  # book.at, instead of default=',
                "db.Column(nullable=False)  # book.at",
                'db.Index("ix_book_at", "at")',
            ),
        ),
    ],
)
def test_other_remedies_in_the_same_words(call: str, lines: tuple[str, ...]) -> None:
    book = Name("public", "book")
    remedies = (SetDefault(book, "at", "now()", None, True), SetNotNull(book, "at"), CreateIndex.on(book, "at"))
    assert tuple(line for remedy in remedies for line in model_line(remedy, call)) == lines


def test_a_check_has_the_models_name_for_it() -> None:
    change = TypeChange(
        Name("public", "book"), "a", "varchar(9)", "text", None, "char_length(a) <= 9", "ck_book_a", "a"
    )
    assert check_expression(change) == 'CheckConstraint("char_length(a) <= 9", name="a")'
