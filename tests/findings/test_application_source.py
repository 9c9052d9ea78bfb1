"""Which source is read for evidence, and what is said of files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.evidence.model import Evidence
from alembic_pgpatterns.findings import application
from alembic_pgpatterns.findings.application import read_application, unread, with_evidence
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.schema.model import Column, DataType, Location, Name, Origin, Schema, Table

MODELS = """from sqlalchemy.orm import DeclarativeBase, mapped_column
class Base(DeclarativeBase): pass
class Parcel(Base):
    __tablename__ = "parcel"
    id = mapped_column(Integer, primary_key=True)
"""
QUERY = """from beside.inner.models import Parcel
from sqlalchemy import select
def lost(session):
    return session.scalars(select(Parcel).where(Parcel.id == 3))
"""
INDEXES = ("index-on-flag",)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and a package of models beside it."""
    installed = tuple(f"lib/{folder}/inner/models.py" for folder in ("site-packages", "dist-packages"))
    for name in ("project/migrations/env.py", "beside/__init__.py", "beside/inner/__init__.py", *installed):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (tmp_path / "project/queries.py").write_text(QUERY)
    (tmp_path / "beside/inner/models.py").write_text(MODELS)
    (tmp_path / "beside/queries.py").write_text(QUERY)
    for name in installed:
        (tmp_path / name).write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "project"


def schema(*places: Location | None) -> Schema:
    """A schema with a table per place of a column's declaration."""
    names = [Name("public", f"t{number}") for number in range(len(places))]
    tables = (
        Table(name, columns=(Column(name, "id", DataType("int8"), False, origin=Origin(place)),))
        for name, place in zip(names, places, strict=True)
    )
    return Schema("database", tuple(tables))


def read(settings: Settings, *schemas: Schema, always: bool = False) -> Evidence:
    evidence = read_application(settings, schemas, always=always)
    assert evidence is not None
    return evidence


def test_the_source_is_read_only_for_a_pattern_that_asks(project: Path) -> None:
    for select, asked in ((INDEXES, True), (("missing-primary-key",), False), (("offset-paging",), False)):
        settings = Settings(root=project, select=select)
        assert (read_application(settings, [schema()]) is not None) is asked, select
    assert read_application(settings, [schema()], always=True) is not None


def test_the_project_and_the_outermost_package_of_models_outside(project: Path) -> None:
    settings = Settings(root=project, select=INDEXES)
    inside, outside = Location("project/models.py", 1), Location("beside/inner/models.py", 5)
    assert read(settings, schema(None, inside)).files == 1
    assert read(settings, schema(inside), schema(outside)).files == 3
    for folder in ("site-packages", "dist-packages"):
        installed = Location(f"lib/{folder}/inner/models.py", 5)
        assert read(settings, schema(installed)).files == 1


@pytest.mark.parametrize("folder", ["project", ".", "beside/inner", "project/migrations"])
def test_places_are_seen_from_the_project_wherever_the_command_is_started(
    folder: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.parent / folder)
    declared = Location(str(project.parent / "beside/inner/models.py"), 5)
    evidence = read(Settings(root=project, select=INDEXES), schema(declared))
    places = {place.path for shape in evidence.shapes for place in shape.places}
    assert places == {"queries.py", "../beside/queries.py"}
    assert {shape.table for shape in evidence.shapes} == {"public.t0"}


def test_the_folders_of_the_settings_replace_all_others(project: Path) -> None:
    outside = schema(Location("beside/inner/models.py", 5))
    assert read(Settings(root=project, select=INDEXES, source=(Path("migrations"),)), outside).files == 0
    assert read(Settings(root=project, select=INDEXES, source=(Path("../beside"),)), outside).files == 2


def test_a_line_that_declares_one_table_connects_its_class_with_it(project: Path) -> None:
    settings = Settings(root=project, select=INDEXES, source=(Path(), Path("../beside")))
    place = Location("beside/inner/models.py", 5)

    def tables(*schemas: Schema) -> set[str]:
        return {shape.table for shape in read(settings, *schemas).shapes}

    assert tables(schema(place)) == {"public.t0"}
    # The line of a mixin declares the columns of several tables.
    assert tables(schema(place, place)) == {"parcel"}
    assert tables(schema(None, place)) == {"public.t1"}


@pytest.mark.parametrize(("cache", "variable", "kept"), [(True, None, True), (False, None, False), (True, "1", False)])
def test_what_was_read_is_kept_unless_someone_says_no(
    cache: bool, variable: str | None, kept: bool, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "cache_folder", lambda: project.parent / "cache")
    monkeypatch.delenv("PGPATTERNS_NO_CACHE", raising=False)
    if variable is not None:
        monkeypatch.setenv("PGPATTERNS_NO_CACHE", variable)
    read(Settings(root=project, select=INDEXES, cache=cache), schema())
    assert (project.parent / "cache/source").exists() is kept


def test_what_could_not_be_read() -> None:
    subject = "queries of the application's source"

    def of(*files: str) -> Evidence:
        return Evidence("source", unread=files)

    assert unread(None) == unread(of()) == []
    assert unread(of("a.py: no")) == [Skipped(subject, "a.py: no", expected=True)]
    assert unread(of("a.py: no", "b.py: no")) == [Skipped(subject, "a.py: no (and 1 more)", expected=True)]
    assert unread(of("a", "b", "c"))[0].reason == "a (and 2 more)"


def test_a_schema_with_evidence() -> None:
    evidence = Evidence("source", files=3)
    result = with_evidence(schema(None), evidence)
    assert (result.evidence, result.tables) == (evidence, schema(None).tables)
