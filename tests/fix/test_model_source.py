"""The models' source edited: what is asked for changes, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alembic_pgpatterns.fix.model_source import edited, edits
from alembic_pgpatterns.remedies.model import (
    ChangeType,
    CreateIndex,
    DropIndex,
    IndexedKey,
    Remedy,
    ReplaceIndex,
    SetNotNull,
    TypeChange,
)
from alembic_pgpatterns.schema.names import Name

BOOK = Name("public", "book")
MAPPED = '''"""Models.  Odd   spacing stays."""
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = 'author'   # a comment
    id: Mapped[int] = mapped_column(primary_key = True)
    title: Mapped[str] = mapped_column(String(10))


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    title: Mapped[str] = mapped_column("Title", String(80), unique=True)  # shown
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    till: Mapped[datetime] = mapped_column(
        DateTime,
        nullable=True,
    )
'''


def change(column: str, old: str, new: str) -> ChangeType:
    return ChangeType((TypeChange(BOOK, column, old, new),))


def changed(text: str, *remedies: Remedy) -> str:
    """The lines that are new, by which everything else is shown to have stayed."""
    wanted = [edit for remedy in remedies for edit in edits(remedy) or ()]
    source = edited(text, wanted)
    assert source.missed == []
    compile(source.text, "models.py", "exec")
    before = text.splitlines()
    return "\n".join(line for line in source.text.splitlines() if line not in before)


def test_an_index_on_one_column() -> None:
    new = changed(MAPPED, CreateIndex.on(BOOK, "author_id"))
    assert new == '    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"), index=True)'


def test_an_index_on_several() -> None:
    new = changed(MAPPED, CreateIndex.on(BOOK, "author_id", "id"))
    assert new.splitlines() == [
        "from sqlalchemy import ForeignKey, Index, String",
        '    __table_args__ = (Index("ix_book_author_id_id", "author_id", "id"),)',
    ]


def test_indexes_that_do_not_fit_a_line_and_bring_text_along() -> None:
    partial = CreateIndex(BOOK, (IndexedKey("author_id"),), where="title IS NOT NULL")
    new = changed(MAPPED, partial, CreateIndex.on(BOOK, "id", "author_id"))
    assert new.splitlines() == [
        "from sqlalchemy import ForeignKey, Index, String, text",
        "    __table_args__ = (",
        '        Index("ix_book_author_id_partial", "author_id", postgresql_where=text("title IS NOT NULL")),',
        '        Index("ix_book_id_author_id", "id", "author_id"),',
    ]


def test_types() -> None:
    new = changed(
        MAPPED,
        change("Title", "varchar(80)", "text"),
        change("at", "timestamp", "timestamptz"),
        change("till", "timestamp", "timestamp with time zone"),
    )
    assert new.splitlines() == [
        "from sqlalchemy import DateTime, ForeignKey, String, Text",
        '    title: Mapped[str] = mapped_column("Title", Text, unique=True)  # shown',
        "    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())",
        "        DateTime(timezone=True),",
    ]


def test_the_last_use_of_a_name_takes_its_import_along() -> None:
    head = "import sqlalchemy as sa\nfrom sqlalchemy import String\nclass B:\n    __tablename__ = 'book'\n"
    text = head + "    a = Column(String(3))\n"
    assert "import Text" in changed(text, change("a", "varchar(3)", "text"))
    assert "String" not in edited(text, edits(change("a", "varchar(3)", "text")) or ()).text


def test_qualified_names_stay_qualified() -> None:
    head = "import sqlalchemy as sa\nclass B:\n    __tablename__ = 'book'\n"
    text = head + "    a = sa.Column(sa.String(3, collation='C'))\n"
    assert changed(text, change("a", "varchar(3)", "text")) == "    a = sa.Column(sa.Text(collation='C'))"


@pytest.mark.long
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('(Index("a", "id"),)', '(Index("a", "id"), Index("ix_book_id_title", "id", "title"))'),
        ('(a, {"schema": "x"})', '(a, Index("ix_book_id_title", "id", "title"), {"schema": "x"})'),
        ('{"comment": "x"}', '(Index("ix_book_id_title", "id", "title"), {"comment": "x"})'),
        ("(a, dict(x=1))", '(a, Index("ix_book_id_title", "id", "title"), dict(x=1))'),
        ("(a, OPTIONS)", '(a, Index("ix_book_id_title", "id", "title"), OPTIONS)'),
        ("(OPTIONS,)", '(Index("ix_book_id_title", "id", "title"), OPTIONS,)'),
        ("()", '(Index("ix_book_id_title", "id", "title"),)'),
    ],
)
def test_table_args_that_are_there(before: str, after: str) -> None:
    text = f"from sqlalchemy import Index\nclass B:\n    __tablename__ = 'book'\n    __table_args__ = {before}\n"
    assert changed(text, CreateIndex.on(BOOK, "id", "title")) == f"    __table_args__ = {after}"


def test_table_args_with_a_line_each() -> None:
    text = (
        "from sqlalchemy import Index\nclass B:\n    __tablename__ = 'book'\n    __table_args__ = (\n"
        '        Index("a", "id"),  # why\n        Index("b", "title"),\n    )\n'
    )
    source = edited(text, edits(CreateIndex.on(BOOK, "id", "title")) or ())
    compile(source.text, "models.py", "exec")
    assert '        Index("ix_book_id_title", "id", "title"),\n    )' in source.text
    assert source.text.count("# why") == 1


def test_tables() -> None:
    head = 'from sqlalchemy import Column, Table\nbook = Table(\n    "book",\n    metadata,\n'
    text = head + '    Column("a", Integer),\n    schema=None,\n)\n'
    new = changed(text, CreateIndex.on(BOOK, "a"), CreateIndex.on(BOOK, "a", "b"))
    assert new.splitlines() == [
        "from sqlalchemy import Column, Index, Table",
        '    Column("a", Integer, index=True),',
        '    Index("ix_book_a_b", "a", "b"),',
    ]


def test_an_index_in_place_of_another() -> None:
    old = CreateIndex.on(BOOK, "a")
    remedy = ReplaceIndex(Name("public", "ix_book_a"), old, CreateIndex(BOOK, old.keys, method="brin"))
    head = "from sqlalchemy import Index\nclass B:\n    __tablename__ = 'book'\n"
    text = head + "    a = Column(Integer, index=True, key='x')\n"
    assert changed(text, remedy).splitlines() == [
        '    __table_args__ = (Index("ix_book_a_brin", "a", postgresql_using="brin"),)',
        "    a = Column(Integer, key='x')",
    ]


def test_an_index_that_goes() -> None:
    drop = DropIndex(Name("public", "b"), BOOK, CreateIndex.on(BOOK, "x", "y"))
    text = 'class B:\n    __tablename__ = "book"\n    __table_args__ = (Index("a", "x"), Index("b", "x", "y"))\n'
    assert changed(text, drop) == '    __table_args__ = (Index("a", "x"),)'
    alone = text.replace('Index("a", "x"), ', "").replace('"y"))', '"y"),)')
    assert "__table_args__" not in edited(alone, edits(drop) or ()).text


def test_what_has_no_place_is_told() -> None:
    wanted = edits(CreateIndex.on(Name("public", "elsewhere"), "a")) or ()
    source = edited(MAPPED, wanted)
    assert source.text == MAPPED
    assert source.missed == list(wanted)


def test_a_name_that_another_statement_imports() -> None:
    head = "from sqlalchemy import Column\nfrom sqlalchemy import Index\nclass B:\n    __tablename__ = 'book'\n"
    new = changed(head + "    a = _Column(Integer)\n", CreateIndex.on(BOOK, "a", "b"))
    assert new == '    __table_args__ = (Index("ix_book_a_b", "a", "b"),)'


@pytest.mark.long
def test_a_limit_that_is_kept() -> None:
    kept = TypeChange(BOOK, "Title", "varchar(80)", "text", None, 'char_length("Title") <= 80', "ck_book_t", "t")
    new = changed(MAPPED, ChangeType((kept,)))
    assert new.splitlines() == [
        "from sqlalchemy import CheckConstraint, ForeignKey, String, Text",
        """    __table_args__ = (CheckConstraint('char_length("Title") <= 80', name="t"),)""",
        '    title: Mapped[str] = mapped_column("Title", Text, unique=True)  # shown',
    ]
    once = edited(MAPPED, edits(ChangeType((kept,))) or ())
    assert edited(once.text, (edits(ChangeType((kept,))) or ())[1:]) == edited(once.text, ())


MIXIN = """from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column


class Times:
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    note: Mapped[str]


class Book(Times, Base):
    __tablename__ = "book"


class Author(Times, Base):
    __tablename__ = "author"
"""


def test_the_column_of_a_mixin_is_changed_where_it_is() -> None:
    """Each table asks for the same edit of the same line."""
    tables = (BOOK, Name("public", "author"))
    asked = [
        replace(edit, line=line)
        for name, line, old, new in (("made_at", 8, "timestamp", "timestamptz"), ("note", 9, "varchar(9)", "text"))
        for table in tables
        for edit in edits(ChangeType((TypeChange(table, name, old, new),))) or ()
    ]
    source = edited(MIXIN, asked)
    assert source.missed == []
    assert [line for line in source.text.splitlines() if line not in MIXIN.splitlines()] == [
        "from sqlalchemy import DateTime, Text, func",
        "    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())",
        "    note: Mapped[str] = mapped_column(Text)",
    ]
    elsewhere = edited(MIXIN, [replace(edit, line=7) for edit in asked])
    assert elsewhere.text == MIXIN and len(elsewhere.missed) == 4


@pytest.mark.parametrize(
    ("head", "line", "expected"),
    [
        (
            "import sqlalchemy as sa\nimport sqlalchemy.orm as so\n",
            "a: so.Mapped[datetime]",
            "a: so.Mapped[datetime] = so.mapped_column(sa.DateTime(timezone=True))",
        ),
        (
            "import sqlalchemy as sa\nfrom sqlalchemy import orm\n",
            "a: orm.Mapped[datetime] = orm.mapped_column()",
            "a: orm.Mapped[datetime] = orm.mapped_column(sa.DateTime(timezone=True))",
        ),
        (
            "from sqlalchemy.dialects import postgresql as pg\nfrom sqlalchemy import Column\n",
            "a = Column(pg.TIMESTAMP())",
            "a = Column(DateTime(timezone=True))",
        ),
        ("", "a: datetime = db.mapped_column()", "a: datetime = db.mapped_column(db.DateTime(timezone=True))"),
    ],
)
def test_types_come_from_where_types_are(head: str, line: str, expected: str) -> None:
    """sqlalchemy.orm and the dialect have no DateTime."""
    text = f"{head}class B:\n    __tablename__ = 'book'\n    {line}\n"
    assert changed(text, change("a", "timestamp", "timestamptz")).splitlines()[-1] == f"    {expected}"


def test_the_function_of_a_new_type_is_imported() -> None:
    text = "from sqlalchemy.orm import Mapped\nclass B:\n    __tablename__ = 'book'\n    a: Mapped[datetime]\n"
    new = changed(text, change("a", "timestamp", "timestamptz"))
    assert "from sqlalchemy.orm import Mapped, mapped_column" in new
    assert "from sqlalchemy import DateTime" in new


def test_a_key_that_takes_its_type_from_the_one_it_refers_to_stays() -> None:
    key = TypeChange(BOOK, "author_id", "integer", "bigint")
    assert changed(MAPPED, ChangeType((TypeChange(BOOK, "id", "integer", "bigint"), key))).splitlines() == [
        "from sqlalchemy import BigInteger, ForeignKey, String",
        "    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)",
    ]


FIELDS = """from sqlmodel import Column, Field, SQLModel, String


class BookShelf(SQLModel, table=True):
    '''A shelf.'''

    a: str = Field(max_length=80)
    b: str = Field(sa_column=Column(String(3), unique=True))
    c: str = Field(default=None, sa_type=String(9))
    d: datetime = Field(default_factory=now)
    e: int = Field(foreign_key="author.id")
    f: str = Field()
    g: datetime
    h: int | None = Field(default=None, primary_key=True)
    i: str = Field("draft", max_length=9)
"""


def test_fields_of_sqlmodel() -> None:
    shelf = Name("public", "bookshelf")
    changes = [TypeChange(shelf, name, "varchar(9)", "text") for name in "abci"]
    changes += [TypeChange(shelf, name, "timestamp", "timestamptz") for name in "dg"]
    changes += [TypeChange(shelf, "h", "integer", "bigint")]
    indexes = [CreateIndex.on(shelf, *columns) for columns in ("e", "b", "ae")]
    new = changed(FIELDS, ChangeType(tuple(changes)), *indexes)
    assert new.splitlines() == [
        "from sqlalchemy import BigInteger, DateTime, Index, Text",
        '    __table_args__ = (Index("ix_bookshelf_a_e", "a", "e"),)',
        "    a: str = Field(max_length=80, sa_type=Text)",
        "    b: str = Field(sa_column=Column(Text, unique=True, index=True))",
        "    c: str = Field(default=None, sa_type=Text)",
        "    d: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))",
        '    e: int = Field(foreign_key="author.id", index=True)',
        "    g: datetime = Field(sa_type=DateTime(timezone=True))",
        "    h: int | None = Field(default=None, primary_key=True, sa_type=BigInteger)",
        '    i: str = Field("draft", max_length=9, sa_type=Text)',
    ]


def test_a_field_whose_type_is_not_written_is_told() -> None:
    change_of_f = ChangeType((TypeChange(Name("public", "bookshelf"), "f", "varchar(9)", "text"),))
    assert edited(FIELDS, edits(change_of_f) or ()).missed


@pytest.mark.parametrize(
    ("name", "table"),
    [("BookShelf", "book_shelf"), ("BookShelf", "bookshelf"), ("HTTPCall", "http_call"), ("A2B", "a2_b")],
)
def test_names_that_libraries_derive(name: str, table: str) -> None:
    text = f"class {name}(db.Model):\n    a = db.Column(db.String(3))\n"
    remedy = ChangeType((TypeChange(Name("public", table), "a", "varchar(3)", "text"),))
    assert changed(text, remedy, CreateIndex.on(Name("public", table), "a")) == "    a = db.Column(db.Text, index=True)"


@pytest.mark.long
@pytest.mark.parametrize(
    ("line", "new"),
    [
        ("at: Mapped[bool | None] = mapped_column(default=False)",
         "at: Mapped[bool | None] = mapped_column(default=False, nullable=False)"),
        ("at = Column(Boolean, nullable=True, default=False)", "at = Column(Boolean, nullable=False, default=False)"),
        ("at: Mapped[bool | None]", "at: Mapped[bool | None] = mapped_column(nullable=False)"),
        ("at = mapped_column('at', Boolean)", "at = mapped_column('at', Boolean, nullable=False)"),
        ("at: bool | None = Field(default=False)", "at: bool | None = Field(default=False, nullable=False)"),
        ("at: bool | None = Field(sa_column=Column(Boolean))",
         "at: bool | None = Field(sa_column=Column(Boolean, nullable=False))"),
        ("at: bool | None = Field(sa_type=Boolean)", "at: bool | None = Field(sa_type=Boolean, nullable=False)"),
    ],
)  # fmt: skip
def test_a_column_that_becomes_not_null(line: str, new: str) -> None:
    model = f"from sqlalchemy.orm import mapped_column\n\nclass Book(Base):\n    __tablename__ = 'book'\n    {line}\n"
    source = edited(model, edits(SetNotNull(BOOK, "at")) or ())
    assert source.missed == [] and source.text == model.replace(line, new)


def test_a_column_of_a_table_that_becomes_not_null() -> None:
    table = "book = Table('book', metadata, Column('id', Integer), Column('at', Boolean))\n"
    source = edited(table, edits(SetNotNull(BOOK, "at")) or ())
    assert source.missed == [] and source.text == table.replace("Boolean)", "Boolean, nullable=False)")
    (other,) = edits(SetNotNull(BOOK, "elsewhere")) or ()
    assert edited(MAPPED, [other]).reasons == ("no class of this file writes out the column elsewhere",)


SHARED_TABLE = (
    MAPPED
    + """

class Novel(Book):
    hero_id: Mapped[int | None] = mapped_column(ForeignKey("author.id"))


class Saga(Novel):
    series_id: Mapped[int | None] = mapped_column(ForeignKey("author.id"))
"""
)


@pytest.mark.long
def test_a_column_that_only_a_subclass_has_is_changed_there() -> None:
    """Single-table inheritance: an index in Book's __table_args__ would name a column that is not there yet."""
    for name in ("hero_id", "series_id"):
        line = f'    {name}: Mapped[int | None] = mapped_column(ForeignKey("author.id"), index=True)'
        assert changed(SHARED_TABLE, CreateIndex.on(BOOK, name)) == line
    for keys in (("hero_id", "id"), ("series_id", "hero_id")):
        asked = edits(CreateIndex.on(BOOK, *keys)) or ()
        source = edited(SHARED_TABLE, asked)
        assert source.text == SHARED_TABLE and list(source.missed) == list(asked)


@pytest.mark.parametrize(
    ("schema", "template", "short"),
    [
        ("public", "ix_%(column_0_label)s", True),
        ("billing", "ix_%(column_0_label)s", False),  # it would be ix_billing_book_author_id
        ("billing", "ix_%(table_name)s_%(column_0_N_name)s", True),
        ("public", "idx_%(column_0_label)s", False),
        ("public", "ix_%(of_the_application)s", False),
        ("public", None, False),
    ],
)
def test_index_true_only_where_it_makes_the_same_name(schema: str, template: str | None, short: bool) -> None:
    (edit,) = edits(CreateIndex.on(Name(schema, "book"), "author_id"), template) or ()
    assert edit.simple is short
    assert '"ix_book_author_id"' in edit.expression
