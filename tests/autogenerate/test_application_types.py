"""Types of the application: written as what they store, or kept with their import, by the setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from alembic_pgpatterns.remedies.metadata_copy import copied
from tests.autogenerate.conftest import AlembicProject
from tests.autogenerate.inprocess import InProcess, there_and_back


class Storing(sa.TypeDecorator[Any]):
    """Stores whatever type it is given, as a dialect's own implementation: drivers have subclasses of each."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, stored: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.stored = stored

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return self.stored.dialect_impl(dialect)


class Short(sa.TypeDecorator[str]):
    impl = sa.String
    cache_ok = True


class Nameless(sa.TypeDecorator[str]):
    """Its repr cannot be called: SQLAlchemy shows parameters that it does not take."""

    impl = sa.String
    cache_ok = True

    def __init__(self, limits: dict[str, int]) -> None:
        super().__init__(limits["length"])
        self.limits = object()


class Inner(sa.TypeDecorator[str]):
    impl = sa.String(7)
    cache_ok = True


class Outer(sa.TypeDecorator[str]):
    """What it stores is a decorator too."""

    impl = Inner
    cache_ok = True


STORED = (
    Outer(),
    sa.Uuid(), sa.Uuid(as_uuid=False), sa.JSON(), postgresql.JSONB(), sa.Enum("a", "b", name="stored_enum"),
    sa.Boolean(), sa.Integer(), sa.BigInteger(), sa.Numeric(8, 3), sa.Float(), sa.Date(), sa.Time(), sa.DateTime(),
    sa.DateTime(timezone=True), sa.Interval(), sa.LargeBinary(), sa.String(5), sa.Text(), sa.Unicode(7),
    sa.ARRAY(sa.String(3)), postgresql.ARRAY(sa.Uuid()), postgresql.INT4RANGE(), postgresql.TSTZMULTIRANGE(),
    postgresql.INET(), postgresql.CIDR(), postgresql.MACADDR(), postgresql.BIT(4), postgresql.MONEY(),
    postgresql.OID(), postgresql.REGCLASS(), postgresql.TSVECTOR(), postgresql.TSQUERY(), postgresql.HSTORE(),
    postgresql.CITEXT(), postgresql.INTERVAL(precision=3), postgresql.TIMESTAMP(precision=3), postgresql.BYTEA(),
    postgresql.DOUBLE_PRECISION(), postgresql.REAL(), postgresql.DOMAIN("stored_domain", sa.Integer()),
)  # fmt: skip


@pytest.fixture
def project(database: Any, tmp_path: Path) -> Any:
    with database.engine().connect() as connection, database.connect() as look:
        yield InProcess(connection, look, tmp_path)


@pytest.fixture
def project_on_disk(make_project: Callable[..., AlembicProject]) -> AlembicProject:
    return make_project()


def configure(project: InProcess, setting: str) -> None:
    lines = f'[tool.alembic_pgpatterns]\nignore = ["*"]\ntype_decorators = "{setting}"\n'
    (project.root / "pyproject.toml").write_text(lines)


def test_every_type_is_written_as_what_it_stores(project: InProcess) -> None:
    configure(project, "stored")
    metadata = sa.MetaData()
    # In SQLAlchemy before 2.1 the dialect's own Float is a Numeric, so such a decorator would store another type.
    floats = isinstance(sa.Float().dialect_impl(postgresql.dialect()), sa.Float)
    kinds = [kind for kind in STORED if floats or not isinstance(kind, sa.Float)]
    columns = [sa.Column(f"c{number}", Storing(kind)) for number, kind in enumerate(kinds)]
    sa.Table("box", metadata, sa.Column("id", sa.BigInteger, primary_key=True), *columns)
    (written,) = there_and_back(project, metadata)
    assert "Storing" not in written.upgrade
    assert "_PG" not in written.upgrade


@pytest.mark.parametrize(("setting", "expected"), [("stored", "sa.String(length=9)"), ("kept", "Short(length=9)")])
def test_the_setting(project: InProcess, setting: str, expected: str) -> None:
    configure(project, setting)
    metadata = sa.MetaData()
    sa.Table("box", metadata, sa.Column("s", Short(9)), sa.Column("n", Nameless({"length": 7})))
    (written,) = there_and_back(project, metadata)
    assert f"sa.Column('s', {'' if setting == 'stored' else __name__ + '.'}{expected}" in written.upgrade
    assert "sa.Column('n', sa.String(length=7)" in written.upgrade


OWN = """
class Short(TypeDecorator):
    impl = String
    cache_ok = True


Table("box", metadata, Column("s", Short(9)))
"""


def test_a_kept_class_is_imported_in_the_file(project_on_disk: AlembicProject) -> None:
    with project_on_disk.ini.open("a") as file:
        file.write("\n[pgpatterns]\nignore = *\ntype_decorators = kept\n")
    project_on_disk.models(OWN)
    (text,) = project_on_disk.revise()
    assert "import models\n" in text
    assert "models.Short(length=9)" in text
    project_on_disk.alembic("upgrade", "head")
    assert project_on_disk.clean()


class _InUpperCase(FunctionElement):
    """An element of the application that no dialect but PostgreSQL's can write."""

    inherit_cache = True
    name = "in_upper_case"


@compiles(_InUpperCase, "postgresql")
def _in_upper_case(element: _InUpperCase, compiler: Any, **options: Any) -> str:
    return f"{compiler.process(element.clauses, **options)} = upper({compiler.process(element.clauses, **options)})"


def test_an_element_that_only_postgresql_knows_is_copied() -> None:
    metadata = sa.MetaData()
    word = sa.Column("word", sa.Text)
    checks = [sa.CheckConstraint(_InUpperCase(word), name="upper"), sa.CheckConstraint("word <> ''", name="some")]
    sa.Table("t", metadata, word, *checks, sa.Index("ix_upper", _InUpperCase(word)))
    copy = copied([metadata])
    table = copy.metadata.tables["t"]
    originals = {copy.original(item) for item in table.constraints if isinstance(item, sa.CheckConstraint)}
    assert originals == set(checks)
