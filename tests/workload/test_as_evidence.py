"""A recorded workload as evidence for patterns, before the application's source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alembic_pgpatterns.evidence.model import Condition, Evidence, Place, QueryShape, Use
from alembic_pgpatterns.workload.as_evidence import with_workload
from alembic_pgpatterns.workload.model import Recorded, Site, Usage, Workload
from alembic_pgpatterns.workload.text import read
from tests.projects import make


def recorded(text: str, line: int, *, test: bool = False) -> Recorded:
    reading = read(text)
    assert reading is not None
    return Recorded(reading.fingerprint, text, reading.kind, 40, usages=(Usage(Site("app.py", line, "f", test), 40),))


def test_what_ran_comes_first_and_is_not_counted_twice() -> None:
    asked = Condition("name", Use.EQUAL)
    in_source = QueryShape("public.item", conditions=(asked,), places=(Place("app.py", 3),))
    never_ran = QueryShape("public.item", conditions=(Condition("deleted", Use.EQUAL, "true"),))
    workload = Workload(
        (
            recorded("SELECT * FROM item WHERE name = $1", 3),
            recorded("INSERT INTO item (name) VALUES ($1)", 9),
            recorded("SELECT * FROM item WHERE id = $1", 5, test=True),
        )
    )
    evidence = with_workload(Evidence("source", (in_source, never_ran), files=7), workload)
    assert evidence.kind == "workload" and evidence.files == 7
    selects = [shape for shape in evidence.shapes if shape.command == "select"]
    assert [(shape.conditions, shape.calls) for shape in selects] == [((asked,), 1), (never_ran.conditions, 1)]
    assert selects[0].places == (Place("app.py", 3, "f"),)
    assert str(evidence.inserted["item"]) == "app.py:9"


@pytest.mark.parametrize(
    ("values", "constant", "literals"),
    [
        (((True, "new", 7),), (), ["true", None, None]),
        (((True, "new", 7), (True, "new", 7)), (0, 1, 2), ["true", "'new'", None]),
        (((True, "new", 7), (False, "old", 7)), (), [None, None, None]),
        ((), (), [None, None, None]),
    ],
)
def test_what_is_always_sent_the_same(
    values: tuple[tuple[object, ...], ...], constant: tuple[int, ...], literals: list[str | None]
) -> None:
    statement = recorded("SELECT * FROM item WHERE lost = $1 AND state = $2 AND size > $3", 3)
    workload = Workload((replace(statement, values=values, constant=constant),))
    (shape,) = with_workload(Evidence("source"), workload).shapes
    assert [item.literal for item in shape.conditions] == literals


APP = """
from sqlalchemy import BigInteger
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    lost: Mapped[bool] = mapped_column(index=True)
"""


def test_pgcheck_takes_the_workload_of_the_settings_as_evidence(tmp_path: Path) -> None:
    """The statement is nowhere in the source: a report sends it."""
    project = make(tmp_path)
    project.write("app.py", APP)
    project.env(models="import sys; sys.path.insert(0, '.')\nfrom app import Base\ntarget_metadata = Base.metadata")
    project.sql("a1", "CREATE TABLE item (id bigint PRIMARY KEY, lost boolean NOT NULL)")
    project.sql("a2", "CREATE INDEX ix_item_lost ON item (lost)", "a1")
    run = project.alembic("pgcheck", "--exit-zero", "--select", "index-on-flag")
    assert "no findings" in run.stdout.lower() and "1 guess" in run.stdout, run.stdout
    project.write("queries/report.sql", "SELECT id FROM item WHERE lost = true;")
    ini = project.folder / "alembic.ini"
    ini.write_text(ini.read_text() + "\n[pgpatterns]\nworkload = queries\n")
    run = project.alembic("pgcheck", "--exit-zero", "--select", "index-on-flag")
    assert "only true is searched for in 1 query" in " ".join(run.stdout.split()), run.stdout + run.stderr
