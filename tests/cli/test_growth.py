"""A project that is written by ``alembic pgrevision`` alone: ``alembic pgcheck`` has nothing to say, at any step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.projects import Project, make

PLUGIN = 'autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"]'
LOAD = "import sys; sys.path.insert(0, '.')\nfrom shop_models import Base\ntarget_metadata = Base.metadata"
HEAD = """
import datetime
import enum

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Identity, Index, Integer, MetaData
from sqlalchemy import Numeric, String, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    })


class Status(enum.Enum):
    open = "open"
    paid = "paid"
    # LABELS
"""
CUSTOMER = """
class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    # CUSTOMER


# TABLES
"""
PURCHASE = """
class Purchase(Base):
    __tablename__ = "purchase"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    status: Mapped[Status] = mapped_column(server_default="open")
    total: Mapped[float] = mapped_column(Numeric(12, 2))
    at: Mapped[datetime.datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    # PURCHASE


# TABLES
"""
LINE = """
class Line(Base):
    __tablename__ = "line"
    purchase_id: Mapped[int] = mapped_column(ForeignKey("purchase.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    pieces: Mapped[int] = mapped_column(CheckConstraint("pieces > 0", name="pieces"))
    grams: Mapped[int] = mapped_column(server_default="0")
    # LINE


# TABLES
"""
STEPS: tuple[tuple[str, str, str], ...] = (
    ("customers", "", ""),
    ("purchases", "# TABLES", PURCHASE),
    ("lines", "# TABLES", LINE),
    ("a note", "# CUSTOMER", "note: Mapped[str | None]\n    # CUSTOMER"),
    ("a name", "# CUSTOMER", 'name: Mapped[str] = mapped_column(server_default="nobody")\n    # CUSTOMER'),
    ("advised", "# PURCHASE", 'by_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))\n    # PURCHASE'),
    ("required", "note: Mapped[str | None]", "note: Mapped[str]"),
    ("cancelled", "# LABELS", 'cancelled = "cancelled"'),
    ("faster", "# PURCHASE", '__table_args__ = (Index(None, "customer_id", "at"),)'),
    ("more", "grams: Mapped[int] = mapped_column(", "grams: Mapped[int] = mapped_column(BigInteger, "),
    ("checked", "# LINE", '__table_args__ = (CheckConstraint("number > 0", name="number"),)'),
    ("a fax", "# CUSTOMER", "fax: Mapped[str | None]\n    # CUSTOMER"),
)


@pytest.mark.long
@pytest.mark.parametrize(("every", "last"), [(3, 3), pytest.param(1, len(STEPS), marks=pytest.mark.long)])
def test_a_project_by_pgrevision_alone(every: int, last: int, tmp_path: Path) -> None:
    project = make(tmp_path)
    project.env(models=LOAD, options=PLUGIN)
    models = HEAD + CUSTOMER
    for number, (message, old, new) in enumerate(STEPS[:last], 1):
        assert old in models
        models = models.replace(old, new, 1) if old else models
        written = grow(project, message, models)
        if number % every == 0:
            checked = project.alembic("pgcheck")
            assert checked.returncode == 0, f"{message}: {checked.stdout}{checked.stderr}\n{written}"


def grow(project: Project, message: str, models: str) -> str:
    """Write the models and their next revision; what pgrevision printed."""
    project.write("shop_models.py", models)
    run = project.alembic("pgrevision", "-m", message)
    assert run.returncode == 0, f"{message}: {run.stderr}"
    unexpected = [line for line in run.stdout.splitlines() if "warning" in line or "error" in line]
    assert unexpected == [], message
    return run.stdout


OLD = """
from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Integer, MetaData, String, Table

metadata = MetaData()
Table("author", metadata, Column("id", Integer, primary_key=True), Column("name", String(255)))
"""
NEW = """
Table(
    "book",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("author_id", ForeignKey("author.id")),
    Column("title", String(255)),
    Column("printed", DateTime),
)
"""


@pytest.mark.long
def test_without_a_naming_convention_too(tmp_path: Path) -> None:
    """The plugin writes names into what it drops, so it is a note that the models have none."""
    project = make(tmp_path)
    load = LOAD.replace("Base\ntarget_metadata = Base.metadata", "metadata as target_metadata")
    project.env(models=load, options=PLUGIN)
    grow(project, "authors", OLD)
    checked = project.alembic("pgcheck")
    assert checked.returncode == 0, checked.stdout
    assert "info unnamed-constraint" in checked.stdout
    project.env(models=load)
    assert project.alembic("pgcheck", "--select", "unnamed-constraint").returncode == 1


def new_findings(project: Project) -> list[str]:
    project.alembic("pgcheck", "--exit-zero", "--format", "json=report.json")
    report = json.loads((project.folder / "report.json").read_text())
    return [item["fingerprint"] for item in report["findings"]]


@pytest.mark.long
def test_the_baseline_takes_exactly_what_the_report_shows(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.write("shop_models.py", OLD)
    load = "import sys; sys.path.insert(0, '.')\nfrom shop_models import metadata as target_metadata"
    project.env(models=load, options=PLUGIN)
    project.sql("a1", "CREATE TABLE author (id serial PRIMARY KEY, name varchar(255))")
    baseline = project.folder / "pgpatterns-baseline.txt"
    project.alembic("pgcheck", "--write-baseline")
    before = set(baseline.read_text().splitlines())
    project.write("shop_models.py", OLD + NEW)
    project.alembic("pgrevision", "-m", "books")
    shown = new_findings(project)
    assert shown
    project.alembic("pgcheck", "--write-baseline")
    added = {line for line in set(baseline.read_text().splitlines()) - before if not line.startswith("#")}
    assert added == set(shown)
    run = project.alembic("pgrevision", "-m", "nothing")
    assert run.stdout == "Nothing to do: the models and the head agree.\n"
