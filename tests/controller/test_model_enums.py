"""Enums of the models that `create_all()` does not create, or cannot."""

from __future__ import annotations

import pytest
from sqlalchemy import ARRAY, Column, Enum, Integer, MetaData, Table, TypeDecorator
from sqlalchemy.dialects.postgresql import ENUM

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.models import create_enums
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
