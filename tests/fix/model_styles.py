"""Model files in many styles, each in several dresses: line ends, encodings, links, rights."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HEAD = '''"""{n}: é"""
{future}from datetime import datetime
from typing import Annotated, Optional
import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Integer, MetaData, String, Table, Text
from sqlalchemy.orm import Mapped, MappedAsDataclass, deferred, mapped_column, registry
from shop.base import Base, db, keep, metadata as meta

'''
BASE = """from types import SimpleNamespace
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase
class Base(DeclarativeBase):
    pass
metadata = Base.metadata
db = SimpleNamespace(
    Column=sa.Column, String=sa.String, BigInteger=sa.BigInteger, ForeignKey=sa.ForeignKey, Text=sa.Text
)
def keep(cls): return cls
"""
BOOK = 'class {N}(Base):\n    __tablename__ = "{t}"\n    id = mapped_column(BigInteger, primary_key=True)\n'
TITLE = "    title = mapped_column(String(80))\n"
AUTHOR = '    author_id = mapped_column(ForeignKey("author.id"))\n'
ON_A_LINE = "id = mapped_column(BigInteger, primary_key=True); title = mapped_column(String(80))\n"
EDITED = {
    "lines and comments": BOOK + "    title = mapped_column(\n        # the type\n        String(80),\n"
    "        # more\n        nullable=True,  # yes\n    )\n",
    "dataclass": 'class {N}(MappedAsDataclass, Base):\n    __tablename__ = "{t}"\n'
    "    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, init=False)\n"
    '    title: Mapped[str] = mapped_column(String(80), default="x")\n'
    "    at: Mapped[Optional[datetime]] = mapped_column(default=None)\n",
    "imperative": 'tab = Table("{t}", meta, Column("id", BigInteger, primary_key=True), Column("title", String(80)))\n'
    "class {N}:\n    pass\nregistry(metadata=meta).map_imperatively({N}, tab)\n",
    "a table": '{N} = Table(\n    "{t}",\n    meta,\n    Column("id", BigInteger, primary_key=True),\n'
    '    Column("title", String(80)),\n    Column("at", DateTime),\n)\n',
    "sa.Column": 'class {N}(Base):\n    __tablename__ = "{t}"\n    id = sa.Column(sa.BigInteger, primary_key=True)\n'
    '    title = sa.Column(sa.String(80))\n    author_id = sa.Column(sa.ForeignKey("author.id"))\n',
    "db.Column": 'class {N}(Base):\n    __tablename__ = "{t}"\n    id = db.Column(db.BigInteger, primary_key=True)\n'
    '    title = db.Column(db.String(80))\n    author_id = db.Column(db.BigInteger, db.ForeignKey("author.id"))\n',
    "decorators": '@keep\n@keep\nclass {N}(Base):\n    """title = mapped_column(String(80))"""\n'
    '    __tablename__ = "{t}"\n    id = mapped_column(BigInteger, primary_key=True)\n' + TITLE,
    "a mixin": "class Mix{N}:\n" + TITLE + "    at: Mapped[Optional[datetime]]\n\n\n"
    'class {N}(Mix{N}, Base):\n    __tablename__ = "{t}"\n    id = mapped_column(BigInteger, primary_key=True)\n',
    "a mixin of two": "class Mix{N}:\n" + TITLE + '\n\nclass {N}(Mix{N}, Base):\n    __tablename__ = "{t}"\n'
    "    id = mapped_column(BigInteger, primary_key=True)\n\n\nclass {N}2(Mix{N}, Base):\n"
    '    __tablename__ = "{t}2"\n    id = mapped_column(BigInteger, primary_key=True)\n',
    "an abstract class": "class Abs{N}(Base):\n    __abstract__ = True\n" + TITLE + "\n\nclass {N}(Abs{N}):\n"
    '    __tablename__ = "{t}"\n    id = mapped_column(BigInteger, primary_key=True)\n',
    "__table__": 'class {N}(Base):\n    __table__ = Table("{t}", Base.metadata, '
    'Column("id", BigInteger, primary_key=True), Column("title", String(80)))\n',
    "annotated": "str80{n} = Annotated[str, mapped_column(String(80))]\n" + BOOK + "    title: Mapped[str80{n}]\n",
    "inheritance": BOOK + '    kind = mapped_column(Text)\n    __mapper_args__ = {{"polymorphic_on": kind, '
    '"polymorphic_identity": "a"}}\n\n\nclass Sub{N}({N}):\n' + TITLE + AUTHOR
    + '    __mapper_args__ = {{"polymorphic_identity": "b"}}\n',
    "in a function": 'def made():\n    class {N}(Base):\n        __tablename__ = "{t}"\n'
    "        id = mapped_column(BigInteger, primary_key=True)\n        title = mapped_column(String(80))\n"
    "    return {N}\n\n\n{N} = made()\n",
    "try": "try:\n    import nothing_of_this_name\nexcept ImportError:\n    class {N}(Base):\n"
    '        __tablename__ = "{t}"\n        id = mapped_column(BigInteger, primary_key=True)\n'
    '        author_id = mapped_column(ForeignKey("author.id"))\n        title = mapped_column(String(80))\n',
    "options in a dict": BOOK + TITLE + AUTHOR + '    __table_args__ = {{"comment": "c"}}\n',
    "options in a tuple": BOOK + TITLE
    + '    author_id: Mapped[Optional[int]] = mapped_column(ForeignKey("author.id"))\n'
    '    __table_args__ = (\n        sa.UniqueConstraint("title", name="uq_{t}"),  # one\n        {{"comment": "c"}},\n'
    "    )\n",
    "a backslash": BOOK + "    title = \\\n        mapped_column(String(80))\n",
    "parentheses": BOOK + '    title: "Mapped[str]" = (mapped_column(\n        String(80)))\n'
    "    at = mapped_column(DateTime(), nullable=True, default=None)\n",
}  # fmt: skip
"""What is changed. Of the others it is said why a person has to."""
LEFT = {
    "a walrus": BOOK + "    title = (again := mapped_column(String(80)))\n    del again\n",
    "a condition": BOOK + "    if True:\n        title = mapped_column(String(80))\n    else:\n"
    "        title = mapped_column(Text)\n",
    "one line": 'class {N}(Base): __tablename__ = "{t}"; ' + ON_A_LINE,
    "two classes": 'class {N}A(Base): __tablename__ = "{t}a"; ' + ON_A_LINE
    + 'class {N}B(Base): __tablename__ = "{t}b"; ' + ON_A_LINE,
    "a loop": 'for x in ("a", "b"):\n    globals()["{N}" + x] = type("{N}" + x, (Base,), {{"__tablename__": "{t}" + x, '
    '"id": mapped_column(BigInteger, primary_key=True), "title": mapped_column(String(80))}})\n',
    "deferred": BOOK + "    title = deferred(mapped_column(String(80)))\n",
    "a type by its name": "SHORT = String(80)\n" + BOOK + "    title = mapped_column(SHORT)\n",
}  # fmt: skip
ANNOTATIONS_AS_TEXT = {"dataclass", "annotated", "parentheses"}
"""These cannot have their annotations as text."""


def _windows(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def _mixed(text: str) -> bytes:
    lines = text.encode().splitlines()
    return b"".join(line + (b"\r\n" if number % 2 else b"\n") for number, line in enumerate(lines))


DRESSES: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "Windows": lambda text: _windows(text.encode()),
    "a mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "latin-1": lambda text: b"# -*- coding: latin-1 -*-\n" + text.encode("latin-1"),
    "cp1252": lambda text: _windows(b"# vim: set fileencoding=cp1252 :\n" + text.encode("cp1252")),
    "no last line end": lambda text: text.rstrip("\n").encode(),
    "mixed line ends": _mixed,
    "tabs": lambda text: text.replace("    ", "\t").encode(),
    "a form feed": lambda text: text.replace("\n\n", "\n\x0c\n", 1).encode(),
    "a mark on Windows": lambda text: b"\xef\xbb\xbf" + _windows(text.encode()),
    "a program": lambda text: b"#!/usr/bin/env python3\n" + text.encode(),
    "a link": str.encode,
    "a hard link": str.encode,
    "read only": str.encode,
}


@dataclass(frozen=True)
class Dressed:
    """A model file as it was written; ``other``: the file that it is a link to."""

    path: Path
    style: str
    dress: str
    data: bytes
    other: Path

    def faults(self) -> list[str]:
        """What is not as it was, apart from the text."""
        new = self.path.read_bytes()
        kinds = ("ends with a line end", "begins with a mark", "form feeds", "names its encoding", "has line ends of")
        result = [kind for kind, a, b in zip(kinds, _shape(self.data), _shape(new), strict=True) if a != b]
        result += ["is no link"] * (self.dress == "a link" and not self.path.is_symlink())
        result += ["is another file"] * (self.dress.endswith("link") and self.other.read_bytes() != new)
        mode = {"a program": 0o755, "read only": 0o444}.get(self.dress)
        result += ["has other rights"] * (mode is not None and self.path.stat().st_mode & 0o777 != mode)
        compile(new, str(self.path), "exec")
        return result


def _shape(data: bytes) -> tuple[object, ...]:
    ends = ("windows" * (b"\r\n" in data), "unix" * (data.count(b"\n") > data.count(b"\r\n")))
    return data.endswith(b"\n"), data[:3] == b"\xef\xbb\xbf", data.count(b"\x0c"), b"coding" in data[:60], ends


def dressed(folder: Path, number: int, style: str, dress: str) -> Dressed:
    """Write one model file; its table is named ``t`` and the number."""
    name = f"t{number:03}"
    future = "from __future__ import annotations\n" if number % 5 == 0 and style not in ANNOTATIONS_AS_TEXT else ""
    text = HEAD.format(n=number, future=future) + (EDITED | LEFT)[style].format(N=name.upper(), t=name, n=number)
    file = Dressed(folder / "shop" / f"{name}.py", style, dress, DRESSES[dress](text), folder / f"{name}.other")
    if dress == "a link":
        file.other.write_bytes(file.data)
        file.path.symlink_to(file.other)
    else:
        file.path.write_bytes(file.data)
    if dress == "a hard link":
        os.link(file.path, file.other)
    file.path.chmod({"a program": 0o755, "read only": 0o444}.get(dress, 0o644))
    return file
