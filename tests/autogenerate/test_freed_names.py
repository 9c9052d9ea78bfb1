"""Names that one object gives up and another one takes in the same revision: there, nothing left to do, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from tests.autogenerate.inprocess import InProcess, there_and_back

ID = "Column('id', BigInteger, primary_key=True)"
TABLE = f"Table('score', metadata, {ID}, Column('points', Integer))"
LABELS = "Enum('won', 'lost', name='score')"


def game(*items: str, name: str = "game") -> str:
    return f"Table('{name}', metadata, {', '.join((ID, *items))})"


def keys(first: str, second: str, third: str) -> str:
    named = zip("abc", (first, second, third), strict=True)
    columns = [f"Column('{column}', ForeignKey('team.id', name='{name}'))" for column, name in named]
    return f"{game(name='team')}\n{game(*columns)}"


def two(first: str, second: str) -> str:
    columns = ("Column('a', Integer)", "Column('b', Integer)")
    return f"{game(columns[0], first)}\n{game(columns[1], second, name='round')}"


def three(first: str, second: str, third: str) -> str:
    return "\n".join((two(first, second), game("Column('c', Integer)", third, name="third")))


REFERENCE = "Column('a', ForeignKey('team.id', name='{}'))"
CHECK = "CheckConstraint('a > 0', name='y')"
HOLDERS = {
    "index": game("Column('a', Integer)", "Index('score', 'a')"),
    "unique": game("Column('a', Integer)", "UniqueConstraint('a', name='score')"),
    "exclude": game("Column('a', postgresql.INT4RANGE)", "postgresql.ExcludeConstraint(('a', '&&'), name='score')"),
    "enum": game(f"Column('e', {LABELS})"),
    "domain": game("Column('d', postgresql.DOMAIN('score', Integer))"),
    "sequence": game("Column('n', BigInteger, server_default=Sequence('score', metadata=metadata).next_value())"),
    "table": f"{game()}\n{TABLE}",
    "new_table_with_enum": game(f"Column('e', {LABELS})", name="other"),
}


@pytest.fixture
def project(database: Any, tmp_path: Path) -> Iterator[InProcess]:
    with database.engine().connect() as connection, database.connect() as look:
        yield InProcess(connection, look, tmp_path)


def models(code: str) -> sa.MetaData:
    metadata = sa.MetaData()
    exec(code, {**vars(sa), "metadata": metadata, "postgresql": postgresql})
    return metadata


@pytest.mark.long
def test_one_name_goes_from_kind_to_kind(project: InProcess) -> None:
    for kind in (*HOLDERS, *reversed(HOLDERS)):
        there_and_back(project, models(HOLDERS[kind]))


def test_with_phases_the_name_waits_for_what_has_it(project: InProcess) -> None:
    (project.root / "pyproject.toml").write_text("[tool.alembic_pgpatterns]\nphases = true\n")
    for kind in ("table", "index", "table", "enum", "unique"):
        there_and_back(project, models(HOLDERS[kind]))


@pytest.mark.long
@pytest.mark.parametrize("old", HOLDERS)
def test_one_name_goes_from_each_kind_to_each(project: InProcess, old: str) -> None:
    for new in HOLDERS:
        if new != old:
            there_and_back(project, models(HOLDERS[old]))
            there_and_back(project, models(HOLDERS[new]))


EXCHANGES = {
    "a chain of foreign keys": (keys("one", "two", "three"), keys("two", "three", "four")),
    "foreign keys exchange two names": (keys("one", "two", "three"), keys("two", "one", "three")),
    "foreign keys exchange three names": (keys("one", "two", "three"), keys("two", "three", "one")),
    "indexes of two tables": (two("Index('x', 'a')", "Index('y', 'b')"), two("Index('y', 'a')", "Index('x', 'b')")),
    "keys of two tables": (
        two("UniqueConstraint('a', name='x')", "UniqueConstraint('b', name='y')"),
        two("UniqueConstraint('a', name='y')", "UniqueConstraint('b', name='x')"),
    ),
    "an index moves on through three": (
        three("Index('i1', 'a')", "Index('i3', 'b')", "Index('i2', 'c')"),
        three("Index('i2', 'a')", "Index('i1', 'b')", "Index('i3', 'c')"),
    ),
    "a foreign key takes the name of a dropped CHECK": (
        f"{game(name='team')}\n{game(REFERENCE.format('x'), CHECK)}",
        f"{game(name='team')}\n{game(REFERENCE.format('y'))}",
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("steps", EXCHANGES.values(), ids=EXCHANGES)
def test_names_are_exchanged(project: InProcess, steps: tuple[str, str]) -> None:
    for code in (*steps, steps[0]):
        there_and_back(project, models(code))
