"""Types of packages that people use, the real ones (extra ``frameworks``). PostGIS's own types are stood in for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.autogenerate.conftest import AlembicProject

pytestmark = pytest.mark.long
ID = 'Column("id", BigInteger, primary_key=True)'
HELPERS = (
    "include_object=helpers.include_object, process_revision_directives=helpers.writer, render_item=helpers.render_item"
)


@pytest.fixture
def project(make_project: Callable[..., AlembicProject]) -> AlembicProject:
    project = make_project().without_patterns()
    # Importing GeoAlchemy2 makes its listeners hear of every table for good, so not in this process.
    project.alembic = project.outside  # type: ignore[method-assign]
    return project


def snapshot(project: AlembicProject) -> dict[str, list[tuple[object, ...]]]:
    """The catalog without what stands in for PostGIS."""
    found = project.snapshot()
    return {**found, "types": [row for row in found["types"] if row[0] != "postgis_modifier"]}


def follow(project: AlembicProject, steps: list[str], rows: str) -> str:
    """A revision for each step, with rows from the first on: up, nothing left, down, up; then all down and up."""
    texts, there = [], snapshot(project)
    for number, models in enumerate(steps):
        head, before = (project.alembic("heads").split() or ["base"])[0], there
        project.models(models)
        texts += project.revise(f"step {number}")
        project.alembic("upgrade", "head")
        assert project.clean(), f"{project.alembic('check')}\n{texts[-1]}"
        there = snapshot(project)
        project.alembic("downgrade", head)
        assert snapshot(project) == before, texts[-1]
        project.alembic("upgrade", "head")
        assert snapshot(project) == there, texts[-1]
        if not number:
            project.database.execute(rows)
    project.alembic("downgrade", "base")
    project.alembic("upgrade", "head")
    assert snapshot(project) == there
    return "\n".join(texts)


def places(*columns: str) -> str:
    return f'from geoalchemy2 import Geography, Geometry, Raster\nTable("place", metadata, {", ".join((ID, *columns))})'


SPOT = "Column('spot', Geometry('POINT', 4326))"
PLACES = [
    places(SPOT),
    places(SPOT, "Column('area', Geography('POLYGON', 4326))", "Column('road', Geometry('LINESTRING', 4326, 3))"),
    places("Column('spot', Geometry('MULTIPOINT', 4326))", "Column('road', Geometry('LINESTRINGZ', 4326, 3))"),
    places("Column('spot', Geometry('POINT', 3857, spatial_index=False))"),
    places("Column('spot', Geometry('POINT', 3857))", "Column('flat', Geometry(spatial_index=False))"),
    places(SPOT) + f"; Table('other', metadata, {ID}, Column('ends', ARRAY(Text)), {SPOT})",
]


@pytest.mark.parametrize("helpers", [HELPERS, ""], ids=["helpers", "alone"])
def test_geoalchemy2(project: AlembicProject, helpers: str) -> None:
    pytest.importorskip("geoalchemy2", reason="the extra frameworks has it", exc_type=ImportError)
    project.database.execute("CREATE EXTENSION postgis")
    if helpers:
        project.env(
            "from alembic import context",
            "from alembic import context\nfrom geoalchemy2 import alembic_helpers as helpers",
        )
        project.configure(helpers)
    follow(project, PLACES, "INSERT INTO place VALUES (1, 'SRID=4326;POINT(1 2)')")


def documents(*items: str) -> str:
    imports = "from pgvector.sqlalchemy import BIT, HALFVEC, SPARSEVEC, VECTOR, Vector"
    return f'{imports}\ndocument = Table("document", metadata, {", ".join((ID, *items))})'


NEAR = "Index('ix_near', 'v', postgresql_using='hnsw', postgresql_ops={{'v': '{}'}}, postgresql_with={{'m': {}}})"
DOCUMENTS = [
    documents("Column('v', Vector(3))"),
    documents("Column('v', VECTOR(3))", NEAR.format("vector_cosine_ops", 8)),
    documents("Column('v', Vector(3), nullable=False)", NEAR.format("vector_l2_ops", 16), "Column('s', SPARSEVEC(9))"),
    documents("Column('v', HALFVEC(3))", NEAR.format("halfvec_l2_ops", 16), "Column('b', BIT(4))"),
    documents("Column('v', Vector)", "Column('d', Vector(2), server_default='[1,2]')"),
    documents("Column('v', Vector(3))", "Column('a', ARRAY(Vector(2)))"),
]


def test_pgvector(project: AlembicProject) -> None:
    pytest.importorskip("pgvector", reason="the extra frameworks has it")
    written = follow(project, DOCUMENTS, "INSERT INTO document VALUES (1, '[1,2,3]')")
    assert "CREATE EXTENSION IF NOT EXISTS vector" in written
