"""A project of many model files, each with something that pgfix looks at: columns and keys in many combinations."""

from __future__ import annotations

import itertools
import sys
import textwrap
from pathlib import Path

from tests.projects import Project, make

KEYS = (
    "mapped_column(BigInteger, primary_key=True)",
    "mapped_column(BigInteger, Identity(), primary_key=True)",
    "mapped_column(Integer, primary_key=True)",
    "mapped_column(UUID, primary_key=True)",
)
BODIES = (
    'author_id: Mapped[int | None] = mapped_column(ForeignKey("author.id"))',
    'author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))',
    'author_id = mapped_column(ForeignKey("author.id"), index=True)',
    'author_id = mapped_column(ForeignKey("author.id", ondelete="CASCADE"), index=True, nullable=False)',
    "title: Mapped[str] = mapped_column(String(255))",
    "title: Mapped[str | None] = mapped_column(String(80), unique=True)",
    "title = mapped_column(String(80), index=True)",
    "at: Mapped[datetime] = mapped_column(DateTime)",
    "at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)",
    "active: Mapped[bool] = mapped_column(index=True)",
    "active: Mapped[bool | None] = mapped_column(Boolean)",
    "data = mapped_column(JSON)",
    "data = mapped_column(JSONB, index=True)",
    "tags = mapped_column(ARRAY(Text), index=True)",
    "price: Mapped[float] = mapped_column(Float)",
    "price = mapped_column(MONEY)",
    "code = mapped_column(CHAR(8))",
    'a = mapped_column(Integer, index=True)\nb = mapped_column(Integer)\n__table_args__ = (Index("i_{t}", "a", "b"),)',
    "a = mapped_column(Integer)\nb = mapped_column(Integer)\n"
    '__table_args__ = (Index("i_{t}", "a", "b"), Index("j_{t}", "a", "b"))',
    'author_id = mapped_column(ForeignKey("author.id"))\nat = mapped_column(DateTime)\n'
    "title = mapped_column(String(20))",
    'author_id = mapped_column(ForeignKey("author.id"))\nother_id = mapped_column(ForeignKey("author.id"))\n'
    '__table_args__ = (UniqueConstraint("author_id", "other_id"),)',
    "deleted_at = mapped_column(DateTime)\nemail = mapped_column(String(100), unique=True)",
    "created_at = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)\n"
    "payload = mapped_column(JSONB)",
    "status = mapped_column(String(20), index=True)\nrun_at = mapped_column(DateTime(timezone=True))",
    'parent_id = mapped_column(ForeignKey("{t}.id"))',
)
MODULE = """# {number}
from datetime import datetime

from sqlalchemy import (
    ARRAY, CHAR, JSON, UUID, BigInteger, Boolean, DateTime, Float, ForeignKey, Identity, Index, Integer, String, Text,
    UniqueConstraint, func,
)
from sqlalchemy.dialects.postgresql import JSONB, MONEY
from sqlalchemy.orm import Mapped, mapped_column

from shop.base import Base


class {name}(Base):
    __tablename__ = "{table}"

    id = {key}
{body}
"""
BASE = "from sqlalchemy.orm import DeclarativeBase\n\n\nclass Base(DeclarativeBase):\n    pass\n"
WRITE_SQL = """
import sys
from shop import Base
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable
for table in Base.metadata.sorted_tables:
    for item in (CreateTable(table), *map(CreateIndex, sorted(table.indexes, key=lambda index: index.name))):
        print(str(item.compile(dialect=postgresql.dialect())).strip() + ";")
"""


def module(number: int, table: str, key: str, body: str) -> str:
    """A model's file."""
    text = textwrap.indent(body.replace("{t}", table), "    ")
    return MODULE.format(number=number, name=table.title(), table=table, key=key, body=text)


def project_of(folder: Path, count: int) -> Project:
    """A project with so many model files and the one revision that makes their tables."""
    import subprocess

    project = make(folder)
    names = ["author"]
    project.write("shop/base.py", BASE)
    project.write("shop/author.py", module(0, "author", KEYS[0], "pass"))
    for number, (key, body) in zip(range(1, count), itertools.cycle(itertools.product(KEYS, BODIES)), strict=False):
        names.append(f"t{number:03}")
        project.write(f"shop/{names[-1]}.py", module(number, names[-1], key, body))
    imports = "".join(f"import shop.{name}\n" for name in names)
    project.write("shop/__init__.py", f"from shop.base import Base\n{imports}")
    project.env("import sys; sys.path.insert(0, '.')\nfrom shop import Base\ntarget_metadata = Base.metadata")
    written = subprocess.run([sys.executable, "-c", WRITE_SQL], cwd=folder, capture_output=True, text=True, check=True)
    project.sql("a1", written.stdout)
    return project
