"""Histories: debt taken out of a baseline, patterns enforced that are not by default, suppression in the models."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.patterns import Action, Needs, SchemaPattern, registry
from tests.autogenerate.inprocess import InProcess, Written, there_and_back

HEAD = """
from sqlalchemy import *
from sqlalchemy.dialects.postgresql import *
metadata = MetaData()
"""
OLD = """
Table("author", metadata, Column("id", Integer, primary_key=True), Column("code", String(20), unique=True))
Table("book", metadata, Column("id", Integer, primary_key=True), Column("author_id", ForeignKey("author.id")),
      Column("code", ForeignKey("author.code")), Column("title", String(255), nullable=False), Column("kind", CHAR(3)))
Table("far", metadata, Column("id", BigInteger, primary_key=True), Column("author_id", SmallInteger,
      ForeignKey("author.id")))
"""
DEBT = {
    "fixed-char public.book.kind",
    "foreign-key-type-mismatch public.far(author_id)",
    "integer-primary-key public.author.id",
    "integer-primary-key public.book.id",
    "unindexed-foreign-key public.book(author_id)",
    "unindexed-foreign-key public.book(code)",
    "unindexed-foreign-key public.far(author_id)",
    "varchar-length public.author.code",
    "varchar-length public.book.code",
    "varchar-length public.book.title",
}


@pytest.fixture
def project(database: Any, tmp_path: Path) -> Iterator[InProcess]:
    with database.engine().connect() as connection, database.connect() as look:
        yield InProcess(connection, look, tmp_path)


@pytest.fixture
def models(load_models: Callable[[str], ModuleType]) -> Callable[[str], Any]:
    return lambda code: load_models(HEAD + textwrap.dedent(code)).metadata


def accept(project: InProcess, entries: set[str]) -> None:
    (project.root / "pgpatterns-baseline.txt").write_text("\n".join(sorted(entries)) + "\n")


def settle(project: InProcess, toml: str) -> None:
    (project.root / "pyproject.toml").write_text(f"[tool.alembic_pgpatterns]\n{toml}\n")


def text(written: list[Written]) -> str:
    return "\n".join(file.upgrade for file in written)


def types(project: InProcess) -> dict[str, str]:
    return {f"{row[0]}.{row[1]}": row[2] for row in project.snapshot()["columns"]}


def old(project: InProcess, metadata: sa.MetaData) -> None:
    metadata.create_all(project.connection)
    project.connection.commit()
    project.look.execute("INSERT INTO author (id, code) SELECT n, 'c' || n FROM generate_series(1, 9) n")
    project.look.execute("INSERT INTO book (author_id, title, kind, code) SELECT id, 't', 'ab', code FROM author")
    project.look.execute("INSERT INTO far (id, author_id) SELECT id, id FROM author")
    accept(project, DEBT)


def test_accepted_debt_is_left(project: InProcess, models: Callable[[str], Any]) -> None:
    metadata = models(OLD)
    old(project, metadata)
    assert project.diffs(metadata) == []


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("paid", "column", "becomes"),
    [
        ({"varchar-length public.book.title"}, "book.title", "text"),
        ({"fixed-char public.book.kind"}, "book.kind", "text"),
        ({"varchar-length public.author.code", "varchar-length public.book.code"}, "book.code", "text"),
        ({"varchar-length public.author.code"}, "book.code", "text"),
        ({"integer-primary-key public.book.id"}, "book.id", "bigint"),
        ({"integer-primary-key public.author.id"}, "book.author_id", "bigint"),
        ({"foreign-key-type-mismatch public.far(author_id)"}, "far.author_id", "integer"),
        ({"unindexed-foreign-key public.book(author_id)"}, "book.author_id", "integer"),
        (DEBT, "author.id", "bigint"),
    ],
    ids=lambda given: sorted(given)[0] if isinstance(given, set) else given,
)
def test_debt_that_is_taken_out_is_paid(
    project: InProcess, models: Callable[[str], Any], paid: set[str], column: str, becomes: str
) -> None:
    metadata = models(OLD)
    old(project, metadata)
    accept(project, DEBT - paid)
    written = there_and_back(project, metadata)
    assert types(project)[column] == becomes
    for entry in paid:
        assert f"# pgpatterns: {entry.split()[0]}" in text(written) or column not in entry
    rows = project.look.execute("SELECT count(*), count(kind) FROM book JOIN author ON author.id = author_id")
    assert rows.fetchone() == (9, 9)


def test_a_rewrite_of_an_existing_table_is_never_in_silence(project: InProcess, models: Callable[[str], Any]) -> None:
    metadata = models(OLD)
    old(project, metadata)
    accept(project, DEBT - {"integer-primary-key public.author.id", "fixed-char public.book.kind"})
    written = text(project.revise(metadata))
    assert written.count("# pgpatterns: table-rewrite") >= 2
    assert "author.id" in "\n".join(project.output)
    assert "book.kind" in "\n".join(project.output)


def test_views_on_a_column_are_not_known_to_models(project: InProcess, models: Callable[[str], Any]) -> None:
    metadata = models(OLD)
    old(project, metadata)
    project.look.execute("CREATE VIEW titles AS SELECT title FROM book")
    accept(project, DEBT - {"varchar-length public.book.title"})
    written = project.revise(metadata)
    assert "view titles" in text(written)
    assert "view titles" in "\n".join(project.output)


WIDE = """
t = Table("t", metadata,
    Column("id", Integer, primary_key=True), Column("uid", String(36)), Column("at", DateTime),
    Column("created_at", TIMESTAMP(precision=0)), Column("clock", Time(timezone=True)), Column("doc", JSON),
    Column("docb", JSONB), Column("tags", ARRAY(Text), index=True), Column("price", Float), Column("paid", MONEY),
    Column("flag", Boolean), Column("is_on", Integer), Column("active", String(1)), Column("deleted_at", DateTime),
    Column("email", Text, unique=True), Column("tenant_id", BigInteger), Column("status", Text, index=True),
    Column("up", ForeignKey("t.id")), Column("ok", Boolean, nullable=False, server_default=true(), index=True),
    Column("a", BigInteger), Column("b", BigInteger), UniqueConstraint("tenant_id", "email"))
Index("ix_a", t.c.a)
Index("ix_a_b", t.c.a, t.c.b)
Index("ix_a_too", t.c.a)
Index("ix_created", t.c.created_at)
Index("ix_range", t.c.created_at, t.c.status)
Index("ix_docb", t.c.docb)
Table("k", metadata, Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
      Column("t_id", ForeignKey("t.id")), Column("t2_id", ForeignKey("t.id"), nullable=False),
      Column("locked_at", DateTime), Column("state", Text))
Table("nokey", metadata, Column("x", Text), Column("T Id", ForeignKey("t.id")))
Table("soft", metadata, Column("id", BigInteger, Identity(), primary_key=True), Column("name", Text, unique=True),
      Column("deleted_at", DateTime(timezone=True)), Column("t_id", ForeignKey("t.id"), index=True))
Table("link", metadata, Column("t_id", ForeignKey("t.id"), primary_key=True),
      Column("k_id", ForeignKey("k.id"), primary_key=True))
"""


def others() -> list[str]:
    return [
        name
        for name, cls in registry().items()
        if issubclass(cls, SchemaPattern) and cls.action is not Action.ENFORCE and cls.needs is not Needs.DATABASE
    ]


@pytest.mark.long
@pytest.mark.sample(14)
@pytest.mark.parametrize("name", others())
def test_any_pattern_may_be_enforced(project: InProcess, models: Callable[[str], Any], name: str) -> None:
    settle(project, f'target_version = 16\npatterns.{name}.action = "enforce"')
    metadata = models(WIDE)
    try:
        there_and_back(project, metadata)
    except PgPatternsError as error:
        assert name in str(error)


def test_all_patterns_at_once(project: InProcess, models: Callable[[str], Any]) -> None:
    settle(project, "\n".join(f'patterns.{name}.action = "enforce"' for name in others()))
    metadata = models(WIDE)
    metadata.create_all(project.connection)
    project.connection.commit()
    try:
        there_and_back(project, metadata)
    except PgPatternsError as error:
        assert "report" in str(error)


SUPPRESSED = """
metadata = MetaData(info={everywhere})
Table("p", metadata, Column("id", BigInteger, primary_key=True))
t = Table("t", metadata, Column("id", BigInteger, primary_key=True), Column("name", String(9), info={column}),
      Column("other", String(9)), Column("p_id", BigInteger), Column("doc", JSONB, nullable=False),
      ForeignKeyConstraint(["p_id"], ["p.id"], info={constraint}), Index("ix_doc", "doc", info={index}),
      info={table})
"""


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("where", "pattern", "gone"),
    [
        ("everywhere", "varchar-length", ("VARCHAR", "name VARCHAR", "other VARCHAR")),
        ("table", "varchar-length", ("name VARCHAR", "other VARCHAR")),
        ("column", "varchar-length", ("name VARCHAR", "other TEXT")),
        ("constraint", "unindexed-foreign-key", ("-ix_t_p_id",)),
        ("table", "unindexed-foreign-key", ("-ix_t_p_id",)),
        ("index", "btree-on-container", ("-suggests btree-on-container",)),
        ("table", "btree-on-container", ("-suggests btree-on-container",)),
    ],
)
def test_suppression_in_the_models(
    project: InProcess, models: Callable[[str], Any], where: str, pattern: str, gone: tuple[str, ...]
) -> None:
    places = ("everywhere", "table", "column", "constraint", "index")
    info = repr({"pgpatterns": {"ignore": [pattern], "reason": "a test"}})
    given = {place: info if place == where else "{}" for place in places}
    plain = text(project.revise(models(SUPPRESSED.format(**dict.fromkeys(places, "{}")))))
    assert all(part in plain for part in ("ix_t_p_id", "suggests btree-on-container"))
    project.emptied()
    metadata = models(SUPPRESSED.format(**given))
    written = text(there_and_back(project, metadata))
    found = types(project)
    for part in gone:
        if part.startswith("-"):
            assert part[1:] not in written
        elif " " in part:
            column, kind = part.split()
            assert found[f"t.{column}"].startswith({"VARCHAR": "character varying", "TEXT": "text"}[kind])
