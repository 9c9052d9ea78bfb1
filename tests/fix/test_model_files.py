"""Files of models through pgfix's editor: what is changed still imports, and everything else stays byte by byte.

Each source is tried in several dresses: line ends, byte order mark, encoding, and imports by name or by module.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fix.model_source import decoded, edited_file, edits
from alembic_pgpatterns.remedies.model import ChangeType, CreateIndex, Remedy, TypeChange
from alembic_pgpatterns.schema.names import Name
from tests.examples import mostly_long

BOOK = Name("public", "book")
TEXT = ChangeType((TypeChange(BOOK, "title", "varchar(80)", "text"),))
TIME = ChangeType((TypeChange(BOOK, "at", "timestamp", "timestamptz"),))
BIG = ChangeType((TypeChange(BOOK, "number", "integer", "bigint"),))
INDEX = CreateIndex.on(BOOK, "author_id")

HEAD = """# {mark}
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
{imports}
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry


class Base(DeclarativeBase):
    pass


"""
NAMES = (
    "from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Integer, MetaData, String, Table, Unicode, func"
)
CLASS = """class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    {body}
"""

NOT_INDEXED = 'author_id = mapped_column(ForeignKey("author.id"), index=False)'
EDITABLE: dict[str, tuple[str, Remedy]] = {
    "string": ("title: Mapped[str] = mapped_column(String(80))", TEXT),
    "string without annotation": ("title = mapped_column(String(80))", TEXT),
    "column": ("title = Column(String(80), nullable=False)", TEXT),
    "named column": ('caption: Mapped[str] = mapped_column("title", String(80))', TEXT),
    "unicode": ("title = mapped_column(Unicode(80))", TEXT),
    "keyword length": ("title = mapped_column(String(length=80), unique=True)", TEXT),
    "bare string": ("title = mapped_column(String)", TEXT),
    "several lines": ("title = mapped_column(\n        String(80),\n        nullable=True,\n    )", TEXT),
    "comment beside": ("title = mapped_column(String(80))  # shown", TEXT),
    "comment above": ("# shown\n    title = mapped_column(String(80))", TEXT),
    "collation": ('title = mapped_column(String(80, collation="C"))', TEXT),
    "datetime": ("at = mapped_column(DateTime)", TIME),
    "datetime called": ("at = mapped_column(DateTime(), server_default=func.now())", TIME),
    "datetime by annotation": ("at: Mapped[datetime] = mapped_column(server_default=func.now())", TIME),
    "datetime by annotation alone": ("at: Mapped[datetime] = mapped_column()", TIME),
    "nothing but an annotation": ("at: Mapped[datetime]", TIME),
    "nullable annotation": ("at: Mapped[datetime | None]", TIME),
    "annotated": ("title: Mapped[Annotated[str, 80]]", TEXT),
    "string by annotation": ("title: Mapped[str] = mapped_column(unique=True)", TEXT),
    "integer": ("number: Mapped[int] = mapped_column(Integer, unique=True)", BIG),
    "integer by annotation": ("number: Mapped[int] = mapped_column(unique=True)", BIG),
    "integer by annotation alone": ("number: Mapped[int]", BIG),
    "foreign key": ('author_id = mapped_column(ForeignKey("author.id"))', INDEX),
    "foreign key with keywords": ('author_id = mapped_column(ForeignKey("author.id"), nullable=True)', INDEX),
    "index false": ('author_id = mapped_column(ForeignKey("author.id"), index=False)', INDEX),
    "empty table args": (
        'author_id = mapped_column(ForeignKey("author.id"), index=False)\n    __table_args__ = ()',
        INDEX,
    ),
    "table args": (
        'author_id = mapped_column(ForeignKey("author.id"), index=False)\n    __table_args__ = {"comment": "x"}',
        INDEX,
    ),
}
SHARED_LINE = "title = mapped_column(String(80)); other = mapped_column(String(3))"
MISSED: dict[str, tuple[str, Remedy, str]] = {
    "two on one line": (SHARED_LINE, TEXT, "several statements share its line"),
    "type_": ("title = mapped_column(type_=String(80))", TEXT, "its type is written with type_="),
    "datetime type_": ("at: Mapped[datetime] = mapped_column(type_=DateTime())", TIME, "with type_="),
    "with_variant": ('title = mapped_column(String(80).with_variant(String(90), "mysql"))', TEXT, "does not know"),
    "a name": ("title = mapped_column(SHORT)", TEXT, "pgfix does not know the type `SHORT`"),
    "arguments": ("title = mapped_column(*ARGUMENTS)", TEXT, "does not know the type"),
    "another function": ("title = shortened(80)", TEXT, "but `shortened(80)`"),
    "a comment inside": ("title = mapped_column(String(  # by law\n        80))", TEXT, "a comment stands inside"),
    "a function": ("@declared_attr\n    def title(cls):\n        return mapped_column(String(80))", TEXT, "a function"),
    "in another file": ("pass", TEXT, "no class of this file writes out the column title"),
    "args by name": (
        'author_id = mapped_column(ForeignKey("author.id"), index=False)\n    __table_args__ = ARGS',
        INDEX,
        "__table_args__ of Book is not a tuple",
    ),
    "args of two statements": (
        'author_id = mapped_column(ForeignKey("author.id"), index=False)\n    __table_args__ = (); x = 1',
        INDEX,
        "shares its line",
    ),
}
DRESSES = ("lf", "crlf", "bom", "latin-1", "module")


def in_dresses(names: Iterable[str]) -> list[Any]:
    """Every source in every dress; by default each in one, and each dress in its turn."""
    listed = list(names)
    quick = [(name, DRESSES[number % len(DRESSES)]) for number, name in enumerate(listed)]
    return mostly_long([(name, dress) for name in listed for dress in DRESSES], *quick)


def dressed(body: str, dress: str) -> bytes:
    """A file: the same source with other line ends, a mark, another encoding, or types by their module."""
    imports, mark = NAMES, "Bücher"
    text = HEAD + CLASS.replace("{body}", body)
    if dress == "module":
        imports = "import sqlalchemy as sa"
        for name in NAMES.partition("import ")[2].split(", "):
            text = text.replace(f"{name}(", f"sa.{name}(").replace(f"({name})", f"(sa.{name})")
            text = text.replace(f"({name},", f"(sa.{name},")
    text = text.replace("{imports}", imports).replace("{mark}", mark)
    if dress == "latin-1":
        return f"# -*- coding: latin-1 -*-\n{text}".encode("latin-1")
    if dress == "crlf":
        return text.replace("\n", "\r\n").encode()
    return (codecs.BOM_UTF8 if dress == "bom" else b"") + text.encode()


@pytest.mark.long
@pytest.mark.parametrize(("name", "dress"), in_dresses(EDITABLE))
@pytest.mark.sample(2)
def test_what_is_edited(name: str, dress: str) -> None:
    body, remedy = EDITABLE[name]
    before = dressed(body, dress)
    source = edited_file(Path("models.py"), before, edits(remedy) or ())
    assert source.missed == []
    assert source.data != before
    compile(source.data, "models.py", "exec")
    text, encoding = decoded(source.data)
    assert encoding == decoded(before)[1]
    assert text.encode(encoding) == source.data
    assert ("\r\n" in text) == (dress == "crlf")
    assert dress != "crlf" or "\n" not in text.replace("\r\n", "")
    kept = [line for line in decoded(before)[0].splitlines() if "import" not in line and "mapped_column(" not in line]
    assert [line for line in kept if line not in text and "String" not in line and "args" not in line] == []
    again = edited_file(Path("models.py"), source.data, edits(remedy) or ())
    assert again.data == source.data, "a second run has no work"


@pytest.mark.parametrize(("name", "dress"), in_dresses(MISSED))
def test_what_is_left_alone(name: str, dress: str) -> None:
    """It is said, with the reason, and not a byte of the file changes."""
    body, remedy, reason = MISSED[name]
    before = dressed(body, dress)
    source = edited_file(Path("models.py"), before, edits(remedy) or ())
    assert source.missed
    assert reason in "; ".join(source.reasons)
    assert source.data == before


def test_names_for_type_checkers_are_not_there_at_run_time() -> None:
    before = (
        b"from typing import TYPE_CHECKING\nfrom sqlalchemy import String\n"
        b"from sqlalchemy.orm import DeclarativeBase, mapped_column\n\n"
        b"if TYPE_CHECKING:\n    from sqlalchemy import Text\n\n\n"
        b"class Base(DeclarativeBase):\n    pass\n\n\n"
        b'class Book(Base):\n    __tablename__ = "book"\n    id = mapped_column(String(3), primary_key=True)\n'
        b"    title = mapped_column(String(80))\n"
    )
    source = edited_file(Path("models.py"), before, edits(TEXT) or ())
    namespace: dict[str, object] = {"__name__": "models"}
    exec(compile(source.data, "models.py", "exec"), namespace)
    assert str(namespace["Book"].__table__.c.title.type) == "TEXT"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "data", [b"# -*- coding: nonsense -*-\n", b"x = '\xe9'\n", b"class Book(:\n"], ids=["codec", "bytes", "syntax"]
)
def test_files_that_cannot_be_read(data: bytes) -> None:
    with pytest.raises(PgPatternsError, match=r"models\.py: "):
        edited_file(Path("models.py"), data, edits(TEXT) or ())
