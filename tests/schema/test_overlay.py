"""The database's schema with what only the models know."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa

from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import NO_ORIGIN, UNKNOWN, Name
from alembic_pgpatterns.schema.overlay import overlay
from tests import reader as metadata

LONG = "an index whose name is too long for PostgreSQL, which cuts it in silence after 63 bytes"


def info(*names: str) -> dict[str, object]:
    return {"pgpatterns": {"ignore": list(names)}}


class Slug(sa.types.TypeDecorator):
    impl = sa.String(8)
    cache_ok = True


def models() -> sa.MetaData:
    found = sa.MetaData(info=info("all"))
    sa.Table(
        "author",
        found,
        sa.Column("id", sa.Uuid, primary_key=True, default=uuid.uuid4, info=info("id")),
        sa.Column("slug", Slug),
        sa.Column("name", sa.Text),
        sa.Column("only in models", sa.Text),
        sa.CheckConstraint("name <> ''"),
        sa.Index(LONG, "name", info={"pgpatterns": {"fetches": ["slug"], "ignore": "long"}}),
        sa.Index("ix_models", "name", "slug", info=info("renamed")),
        info=info("author"),
    )
    sa.Table(
        "book",
        found,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("author_id", sa.Uuid, sa.ForeignKey("author.id", info=info("key"))),
    )
    return found


@pytest.fixture
def laid_over(database):
    database.execute(f"""
        CREATE TABLE author (
            id uuid PRIMARY KEY, slug varchar(8), name text CHECK (name <> ''), drifted text CHECK (drifted <> 'x')
        );
        CREATE INDEX "{LONG}" ON author (name);
        CREATE INDEX ix_database ON author (name, slug);
        CREATE INDEX ix_drifted ON author (drifted);
        CREATE POLICY p ON author USING (true);
        CREATE TABLE book (id serial PRIMARY KEY, author_id uuid CONSTRAINT k REFERENCES author);
        CREATE TABLE stray (id int);
        CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1';
    """)
    with database.connect() as connection:
        read = catalog.read(connection)
    return read, metadata.read(models()), overlay(read, metadata.read(models()))


def test_facts_stay_the_database_s(laid_over):
    before, declared, after = laid_over
    assert after.source == "database" and after.server_version == before.server_version
    assert [table.name for table in after.tables] == [table.name for table in before.tables]
    author = after.table(Name("public", "author"))
    assert [column.name for column in author.columns] == ["id", "slug", "name", "drifted"]
    assert {index.name for index in author.indexes} == {
        index.name for index in before.table(Name("public", "author")).indexes
    }
    assert after.metadatas == declared.metadatas and after.relationships is None


def test_columns_get_what_python_does(laid_over):
    author = laid_over[2].table(Name("public", "author"))
    assert [column.python_default for column in author.columns] == ["uuid.uuid4", None, None, None]
    assert [column.type.decorated for column in author.columns] == [False, True, False, False]
    stray = laid_over[2].table(Name("public", "stray"))
    assert stray.columns[0].python_default is UNKNOWN


def test_ignored_and_info_are_matched(laid_over):
    after = laid_over[2]
    author, book = after.table(Name("public", "author")), after.table(Name("public", "book"))
    assert author.column("id").origin.ignored == {"all", "author", "id"}
    assert author.column("drifted").origin.ignored == {"all", "author"}
    indexes = {index.name.name: index.origin for index in author.indexes}
    assert indexes[LONG[:63]].info["fetches"] == ["slug"] and "long" in indexes[LONG[:63]].ignored
    assert "renamed" in indexes["ix_database"].ignored
    assert indexes["ix_drifted"].ignored == {"all", "author"} and indexes["ix_drifted"].info == {}
    assert author.primary_key.origin.ignored == {"all", "author", "id"}
    assert {frozenset(check.origin.ignored) for check in author.checks} == {frozenset({"all", "author"})}
    assert author.policies[0].origin.ignored == {"all", "author"}
    assert book.foreign_keys[0].origin.ignored == {"all", "key"}
    assert after.table(Name("public", "stray")).origin.ignored == {"all"}
    assert after.functions[0].origin.ignored == after.namespaces[0].origin.ignored == {"all"}
    assert after.sequences[0].origin == book.column("id").origin


def test_without_models_nothing_changes(laid_over):
    before = laid_over[0]
    after = overlay(before, metadata.read(sa.MetaData()))
    assert after.tables == before.tables
    assert {table.origin for table in after.tables} == {NO_ORIGIN}
