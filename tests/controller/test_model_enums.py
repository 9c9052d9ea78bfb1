"""Types of the models that `create_all()` does not create, or cannot."""

from __future__ import annotations

import pytest
from sqlalchemy import ARRAY, Column, Enum, Integer, MetaData, String, Table, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import ENUM, dialect

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.models import create_enums, demand_plain_texts
from conftest import Database


class Mood(TypeDecorator[str]):
    impl = ENUM("sad", "glad", name="mood", create_type=False)
    cache_ok = True


def test_enums_that_a_revision_creates(database: Database) -> None:
    models = MetaData()
    status = ENUM("new", "done", name="status", create_type=False)
    Table("job", models, Column("id", Integer), Column("status", status), Column("moods", ARRAY(Mood())))
    Table("task", models, Column("status", status), Column("kind", Enum("a", "b", name="kind")), Column("mood", Mood()))
    with database.engine().begin() as connection:
        create_enums(models, connection)
        models.create_all(connection)
        assert connection.exec_driver_sql("SELECT enum_range(NULL::status)::text").scalar() == "{new,done}"


def test_an_enum_without_a_name_is_told_with_its_columns(database: Database) -> None:
    models = MetaData()
    Table("job", models, Column("state", Enum("new", "done")), Column("other", Enum("a", native_enum=False)))
    with database.engine().begin() as connection, pytest.raises(PgPatternsError, match=r"name=…\): job\.state$"):
        create_enums(models, connection)


def test_texts_with_a_length_are_named() -> None:
    models = MetaData()
    Table("item", models, Column("note", Text(9)), Column("text", Text), Column("name", String(9)))
    with pytest.raises(PgPatternsError, match=r": item\.note$"):
        demand_plain_texts(models, dialect())
