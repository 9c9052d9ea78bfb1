"""Both readers read hard models, and agree on what both know, on PostgreSQL 18 and on an older one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql as pg

from alembic_pgpatterns.schema.catalog import reader as catalog
from tests import reader as metadata
from tests.examples import examples


def load(name: str) -> ModuleType:
    """A module beside this one, importable by its own name as models have to be."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


hard_models = load("hard_models")
disagreements = load("agreement").disagreements


def built(database, models: sa.MetaData):
    engine = database.engine()
    with engine.begin() as connection:
        models.create_all(connection)
    with engine.connect() as connection:
        return catalog.read(connection)


@pytest.mark.parametrize("models", [hard_models.Base.metadata, hard_models.plain_metadata])
def test_readers_agree_on_hard_models(any_database, models):
    any_database.execute("CREATE SCHEMA other")
    read = metadata.read(models, target_version=any_database.version // 10000)
    assert disagreements(built(any_database, models), read) == []


def ddl(models: sa.MetaData) -> list[str]:
    """What create_all sends."""
    sent: list[str] = []
    engine = sa.create_mock_engine("postgresql+psycopg://", lambda statement, *_, **__: sent.append(statement))
    models.create_all(engine, checkfirst=False)
    return [str(statement.compile(dialect=engine.dialect)) for statement in sent]


@pytest.mark.parametrize("models", [hard_models.Base.metadata, hard_models.plain_metadata])
def test_reading_leaves_the_models_as_they_are(models):
    before = ddl(models)
    first = metadata.read(models)
    assert ddl(models) == before
    assert metadata.read(models) == first


def test_disagreements_are_found(database):
    models = sa.MetaData()
    table = sa.Table("t", models, sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.String(3)))
    sa.Index("ix", table.c.a)
    found = built(database, models)
    database.execute("ALTER TABLE t ALTER a TYPE text, ALTER a SET DEFAULT 'x'; DROP INDEX ix; CREATE TABLE extra ()")
    with database.connect() as connection:
        assert disagreements(found, metadata.read(models)) == []
        lines = disagreements(catalog.read(connection), metadata.read(models))
    assert [line.split(":")[0] for line in lines] == [
        "table public.extra",
        "table public.t.columns a.type.name",
        "table public.t.columns a.type.modifier",
        "table public.t.columns a.type.display",
        "table public.t.columns a.default",
        "table public.t.indexes ix",
    ]


NAMES = st.text(st.sampled_from("abzAZ09_ .\"'éß中%:"), min_size=1, max_size=20).filter(lambda name: name.strip())
TYPES = st.sampled_from(
    [
        sa.Integer(),
        sa.BigInteger(),
        sa.SmallInteger(),
        sa.String(7),
        sa.String(),
        sa.Text(),
        sa.CHAR(4),
        sa.Uuid(),
        sa.Numeric(9, 3),
        sa.Float(),
        sa.Boolean(),
        sa.Date(),
        sa.DateTime(),
        sa.DateTime(timezone=True),
        sa.Interval(),
        pg.TIMESTAMP(precision=2),
        pg.INET(),
        pg.BYTEA(),
        pg.ARRAY(sa.Integer),
        pg.ARRAY(sa.String(3)),
        pg.INT4RANGE(),
        sa.String(5, collation="C"),
        sa.Enum("a", "b", native_enum=False),
    ]
)


CONVENTION = {"pk": "pk_%(table_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}


@st.composite
def metadatas(draw: st.DrawFn) -> sa.MetaData:
    """Two to four tables with odd names, keys, indexes, foreign keys along the primary keys."""
    models = sa.MetaData(naming_convention=draw(st.sampled_from([None, CONVENTION])))
    for table_name in draw(st.lists(NAMES, min_size=2, max_size=4, unique=True)):
        names = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
        columns = [
            sa.Column(name, draw(TYPES), nullable=draw(st.booleans()), unique=draw(st.booleans())) for name in names
        ]
        key = sa.Column("id", draw(st.sampled_from([sa.Integer, sa.BigInteger, sa.SmallInteger])), primary_key=True)
        targets = [table.c.id for table in models.tables.values()]
        parents = [
            sa.Column(f"parent {number}", sa.ForeignKey(target, ondelete=draw(st.sampled_from([None, "CASCADE"]))))
            for number, target in enumerate(draw(st.lists(st.sampled_from(targets), max_size=2)) if targets else [])
        ]
        sa.Table(table_name, models, key, *columns, *parents)
        chosen = draw(st.lists(st.sampled_from(columns + parents), min_size=1, max_size=3, unique=True))
        order = [column.desc() if draw(st.booleans()) else column for column in chosen]
        sa.Index(f"ix {len(models.tables)}", *order, unique=draw(st.booleans()), postgresql_include=["id"])
    return models


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(models=metadatas())
def test_readers_agree_on_generated_models(database, models):
    engine = database.engine()
    with engine.begin() as connection:
        models.create_all(connection)
        found = catalog.read(connection)
        models.drop_all(connection)
    assert disagreements(found, metadata.read(models, target_version=18)) == []
