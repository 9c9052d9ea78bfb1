"""The metadata reader: what no catalog knows, and models that are not quite in order."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import textwrap
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql import asyncpg, psycopg, psycopg2
from sqlalchemy.ext.compiler import compiles

from alembic_pgpatterns.schema.metadata.declarations import Sources
from alembic_pgpatterns.schema.model import UNKNOWN, Name
from tests import reader as metadata

_numbers = itertools.count()


@pytest.fixture
def module(tmp_path):
    """A function that writes a module, with a marked line or several (``# <- mark``), and imports it."""
    imported = []

    def write(source: str, folder: str = ""):
        name = f"models_of_a_test_{next(_numbers)}"
        path = tmp_path / folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
        spec = importlib.util.spec_from_file_location(name, path)
        found = sys.modules[name] = importlib.util.module_from_spec(spec)
        imported.append(name)
        spec.loader.exec_module(found)
        lines = enumerate(source.splitlines(), 1)
        found.marks = {text.partition("# <- ")[2]: line for line, text in lines if "# <- " in text}
        return found

    yield write
    for name in imported:
        del sys.modules[name]


def table(schema, name, namespace="public"):
    found = schema.table(Name(namespace, name))
    assert found is not None, name
    return found


DECLARATIVE = """
import uuid
import sqlalchemy as sa
from sqlalchemy import orm

class Base(orm.DeclarativeBase):
    metadata = sa.MetaData(info={"pgpatterns": {"ignore": ["everywhere"]}})  # <- metadata

class Mixin:
    created: orm.Mapped[str] = orm.mapped_column(sa.Text)  # <- created

    @orm.declared_attr
    def owner(cls):  # <- owner
        return orm.mapped_column(sa.Text)

class Author(Mixin, Base):  # <- Author
    __tablename__ = "author"
    __table_args__ = (
        sa.Index("ix_both", "name", "created", info={"pgpatterns": {"fetches": ["owner"]}}),  # <- ix_both
        sa.CheckConstraint("name <> ''", name="named"),  # <- named
        sa.UniqueConstraint("name", "plain"),  # <- unique
        sa.Index(None, "plain", "owner"),  # <- unnamed
        {"info": {"pgpatterns": {"ignore": "here"}}},
    )
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)  # <- id
    name: orm.Mapped[str] = orm.mapped_column("Full name", sa.Text, key="name", index=True)  # <- name
    plain: orm.Mapped[str | None]  # <- plain
    books: orm.Mapped[list["Book"]] = orm.relationship(  # <- books
        back_populates="author", cascade="all, delete-orphan", passive_deletes=True
    )

class Book(Base):  # <- Book
    __tablename__ = "book"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    author_id: orm.Mapped[int] = orm.mapped_column(  # <- author_id
        sa.ForeignKey("author.id", ondelete="CASCADE"), info={"pgpatterns": {"ignore": ["the-key"]}}
    )
    author: orm.Mapped[Author] = orm.relationship(back_populates="books")

link = sa.Table(  # <- link
    "link",
    Base.metadata,
    sa.Column("a", sa.ForeignKey("author.id"), primary_key=True),  # <- a
    sa.Column(
        "b", sa.ForeignKey("book.id"), primary_key=True
    ),
)
"""


def test_locations(module, tmp_path):
    models = module(DECLARATIVE)
    schema = metadata.read(models.Base.metadata, root=tmp_path)
    author, book, link = (table(schema, name) for name in ("author", "book", "link"))
    where = {"Author": author, "Book": book, "link": link}
    where |= {column.name: column for column in author.columns if column.name != "Full name"}
    where |= {"name": author.column("Full name"), "author_id": book.column("author_id"), "a": link.column("a")}
    where |= {"ix_both": next(index for index in author.indexes if index.name.name == "ix_both")}
    where |= {"unique": author.unique_constraints[0]}
    where |= {"unnamed": next(index for index in author.indexes if index.columns == ("plain", "owner"))}
    where |= {"named": author.checks[0], "metadata": schema.metadatas[0]}
    lines = {name: found.origin.location.line for name, found in where.items()}
    assert lines == {name: models.marks[name] for name in lines}
    assert {found.origin.location.path for found in where.values()} == {f"{models.__name__}.py"}
    assert book.foreign_keys[0].origin.location.line == models.marks["author_id"]
    assert link.primary_key.origin.location.line == models.marks["link"]
    assert str(metadata.read(models.Base.metadata).tables[0].origin.location) == (
        f"{tmp_path / models.__name__}.py:{models.marks['Author']}"
    )


def test_what_info_asks_for_is_inherited(module):
    models = module(DECLARATIVE)
    schema = metadata.read(models.Base.metadata)
    author, book = table(schema, "author"), table(schema, "book")
    assert author.origin.ignored == author.column("id").origin.ignored == {"everywhere", "here"}
    assert book.origin.ignored == {"everywhere"}
    assert book.foreign_keys[0].origin.ignored == book.column("author_id").origin.ignored == {"everywhere", "the-key"}
    found = next(index for index in author.indexes if index.name.name == "ix_both")
    assert found.origin.info == {"fetches": ["owner"]} and found.origin.ignored == {"everywhere", "here"}


def test_classes_that_are_mapped_later(module):
    """SQLAlchemy maps a base of AbstractConcreteBase when it configures the mappers."""
    source = """
        import sqlalchemy as sa
        from sqlalchemy.ext.declarative import AbstractConcreteBase
        Base = sa.orm.declarative_base()

        class Dated(AbstractConcreteBase, Base):
            at = sa.Column(sa.Date)

        class Book(Dated):  # <- book
            __tablename__ = "book"
            id = sa.Column(sa.Integer, primary_key=True)
        """
    models = module(textwrap.dedent(source))
    (table,) = metadata.read(models.Base.metadata).tables
    assert table.origin.location.line == models.marks["book"]


def test_relationships_only_of_registries_that_are_named(module):
    models = module(DECLARATIVE)
    assert metadata.read(models.Base.metadata).relationships is None
    found = metadata.read(models.Base.metadata, registries=[models.Base.registry]).relationships
    books = next(relationship for relationship in found if relationship.name == "books")
    assert (books.parent, books.child, books.columns) == (
        Name("public", "author"),
        Name("public", "book"),
        ("author_id",),
    )
    assert {"delete", "delete-orphan"} <= books.cascade and books.passive_deletes is True
    assert books.origin.location.line == models.marks["books"]


SQLMODEL = """
import uuid
from datetime import datetime
from sqlalchemy import Column, DateTime, MetaData
from sqlmodel import Field, SQLModel

class Base(SQLModel):
    metadata = MetaData()

class Hero(Base, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)  # <- id
    name: str = Field(max_length=5, index=True)
    age: int | None = None
    made: datetime = Field(sa_column=Column(DateTime, onupdate=datetime.utcnow))
"""


def test_sqlmodel(module):
    models = module(SQLMODEL)
    hero = table(metadata.read(models.Base.metadata), "hero")
    assert hero.column("id").python_default == "uuid.uuid4"
    assert hero.column("id").origin.location.line == models.marks["id"]
    assert hero.column("name").type.length == 5 and not hero.column("name").type.decorated
    assert hero.column("age").nullable and hero.column("age").python_default is None
    # Field refuses sa_type, index and nullable beside a whole column.
    assert (hero.column("name").origin.call, hero.column("made").origin.call) == ("Field", "Column")
    assert hero.column("made").python_onupdate == "datetime.datetime.utcnow"


DATACLASS = """
import uuid
from sqlalchemy import orm

class Base(orm.MappedAsDataclass, orm.DeclarativeBase):
    pass

class Hero(Base):
    __tablename__ = "hero"
    id: orm.Mapped[uuid.UUID] = orm.mapped_column(primary_key=True, default_factory=uuid.uuid4)
    name: orm.Mapped[str] = orm.mapped_column(default="x")
"""


def test_mapped_dataclasses(module):
    models = module(DATACLASS)
    hero = table(metadata.read(models.Base.metadata), "hero")
    assert hero.column("id").python_default == "uuid.uuid4"


DEFAULTS = """
import datetime, functools, uuid
from uuid import uuid4
import sqlalchemy as sa

metadata = sa.MetaData()

def made():
    return str(uuid.uuid4())

class Caller:
    def __call__(self):
        return 3

defaults = {
    "uuid.uuid4": uuid.uuid4,
    "lambda": lambda: str(uuid.uuid4()),
    "lambda from": lambda: uuid4().hex,
    "made": made,
    "context": lambda context: 1,
    "partial": functools.partial(int, "3"),
    "utcnow": datetime.datetime.utcnow,
    "naive": lambda: datetime.datetime.utcnow().replace(microsecond=0),
    "aware": lambda: datetime.datetime.utcnow().replace(tzinfo=datetime.timezone.utc),
    "now": lambda: datetime.datetime.now().replace(microsecond=0),
    "now there": lambda: datetime.datetime.now(datetime.timezone.utc),
    "now in zone": lambda zone=datetime.timezone.utc: datetime.datetime.now(zone),
    "caller": Caller(),
    "dict": dict,
    "value": "it's",
    "sql": sa.func.now(),
    "sequence": sa.Sequence("numbers"),
    "none": None,
}
table = sa.Table("t", metadata, *(sa.Column(name, sa.Text, default=value) for name, value in defaults.items()))
"""


def test_a_default_in_the_application_s_own_sql():
    class clock(sa.sql.expression.FunctionElement):
        type = sa.DateTime()
        inherit_cache = True

    class nothing(sa.sql.expression.FunctionElement):
        type = sa.DateTime()
        inherit_cache = True

    compiles(clock, "postgresql")(lambda element, compiler, **options: "statement_timestamp()")
    compiles(nothing, "sqlite")(lambda element, compiler, **options: "1")
    columns = [sa.Column("at", sa.DateTime, default=clock()), sa.Column("never", sa.DateTime, onupdate=nothing())]
    at, never = metadata.read(sa.Table("book", sa.MetaData(), *columns).metadata).tables[0].columns
    assert (at.python_default, never.python_onupdate) == ("statement_timestamp()", "nothing")


def test_python_defaults(module):
    models = module(DEFAULTS)
    found = table(metadata.read(models.metadata), "t")
    here = models.__name__
    assert {column.name: column.python_default for column in found.columns} == {
        "uuid.uuid4": "uuid.uuid4",
        "lambda": "uuid.uuid4",
        "lambda from": "uuid.uuid4",
        "made": "uuid.uuid4",
        "context": f"{here}.<lambda>",
        "partial": "builtins.int",
        "utcnow": "datetime.datetime.utcnow",
        "naive": "datetime.datetime.utcnow",
        "aware": f"{here}.<lambda>",
        "now": "datetime.datetime.now",
        "now there": f"{here}.<lambda>",
        "now in zone": f"{here}.<lambda>",
        "caller": f"{here}.Caller",
        "dict": "builtins.dict",
        "value": '"it\'s"',
        "sql": "now()",
        "sequence": "Sequence('numbers')",
        "none": None,
    }
    assert found.column("sequence").sequence == Name("public", "numbers")
    assert found.column("sql").default is None


class Custom(sa.types.UserDefinedType):
    cache_ok = True

    def __init__(self, spelling="fancy(3)"):
        self.spelling = spelling

    def get_col_spec(self, **kw):
        return self.spelling


class Broken(sa.types.UserDefinedType):
    cache_ok = True

    def get_col_spec(self, **kw):
        raise RuntimeError("needs a connection")


def test_types_that_cannot_be_known_are_unknown():
    models = sa.MetaData()
    sa.Table(
        "t",
        models,
        sa.Column("v", Custom),
        sa.Column("b", Broken),
        sa.Column("n"),
        sa.Column("c", pg.CITEXT),
        sa.Column("vs", pg.ARRAY(Custom)),
        sa.Column("p", Custom("VECTOR(3)")),
        sa.Index("ix", "v", "b"),
    )
    found = table(metadata.read(models), "t")
    assert [(column.type.name, column.type.kind) for column in found.columns] == [
        ("fancy", "unknown"),
        ("", "unknown"),
        ("", "unknown"),
        ("citext", "base"),
        ("fancy", "unknown"),
        ("vector", "base"),
    ]
    assert found.column("v").type.modifier == (3,) and found.column("vs").type.array
    assert [key.opfamily for key in found.indexes[0].keys] == [UNKNOWN, UNKNOWN]


def test_non_native_enums_and_decorated_types_are_told_apart_from_plain_ones():
    class Slug(sa.types.TypeDecorator):
        impl = sa.String(8)
        cache_ok = True

    models = sa.MetaData()
    sa.Table(
        "t",
        models,
        sa.Column("plain", sa.String(8)),
        sa.Column("slug", Slug),
        sa.Column("enum", sa.Enum("a", "bcdefghi", native_enum=False)),
    )
    found = table(metadata.read(models), "t")
    assert [(column.type.name, column.type.length, column.type.decorated) for column in found.columns] == [
        ("varchar", 8, False),
        ("varchar", 8, True),
        ("varchar", 8, True),
    ]


def test_the_application_s_driver_decides_where_it_matters():
    class Portable(sa.types.TypeDecorator):
        impl = sa.String
        cache_ok = True

        def load_dialect_impl(self, dialect):
            return dialect.type_descriptor(sa.CHAR(32))

    models = sa.MetaData()
    sa.Table("t", models, sa.Column("c", Portable))
    names = [
        table(metadata.read(models, dialect=dialect), "t").columns[0].type.name
        for dialect in (psycopg2.dialect(), asyncpg.dialect(), psycopg.dialect())
    ]
    assert names == ["bpchar", "bpchar", "varchar"]


def test_a_computed_column_is_stored_where_the_target_is_older():
    models = sa.MetaData()
    sa.Table("t", models, sa.Column("a", sa.Integer), sa.Column("b", sa.Integer, sa.Computed("a + 1")))
    assert table(metadata.read(models, target_version=17), "t").column("b").generated.stored


def test_long_names_are_kept_as_written_and_still_found():
    models = sa.MetaData()
    column = "c" * 70
    sa.Table(
        "t" * 70,
        models,
        sa.Column(column, sa.Integer, sa.CheckConstraint(sa.text(f"{column} > 0"))),
        sa.UniqueConstraint(column, name="é" * 40),
        sa.Index("x" * 70, column, postgresql_include=[column]),
    )
    found = table(metadata.read(models), "t" * 70)
    assert found.columns[0].name == column
    assert {index.name.name for index in found.indexes} == {"é" * 40, "x" * 70}
    assert {index.columns for index in found.indexes} == {(column,)}
    assert found.checks[0].columns == (column,)


def test_a_convention_that_leaves_indexes_unnamed():
    models = sa.MetaData(naming_convention={"pk": "pk_%(table_name)s"})
    sa.Table("t", models, sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.Integer, index=True))
    schema = metadata.read(models)
    found = next(index for index in table(schema, "t").indexes if index.columns == ("a",))
    assert found.name.name == "t_a_idx"
    assert next(iter(models.tables["t"].indexes)).name is None
    assert schema.metadatas[0].convention == {"pk"} and schema.metadatas[0].unnamed_constraints == 0


def test_unnamed_constraints_are_counted():
    models = sa.MetaData()
    sa.Table(
        "t",
        models,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("a", sa.Integer, unique=True),
        sa.Column("b", sa.Boolean(create_constraint=True)),
        sa.CheckConstraint("a > b", name="named"),
        sa.Column("native", sa.Enum("x", name="e", create_constraint=True)),
    )
    sa.Table("keyless", models, sa.Column("a", sa.Integer))
    schema = metadata.read(models)
    # The primary key and the unique constraint; PostgreSQL's boolean and native enum need no CHECK.
    assert schema.metadatas[0].unnamed_constraints == 2
    assert table(schema, "t").primary_key.name is None and table(schema, "t").primary_key.index == "t_pkey"
    assert [check.name for check in table(schema, "t").checks] == ["named"]
    assert table(schema, "keyless").primary_key is None


def test_foreign_keys_out_of_the_metadata():
    models = sa.MetaData()
    sa.Table("t", models, sa.Column("a", sa.ForeignKey("other.parent.id", ondelete="set null")))
    sa.Table("u", models, sa.Column("a", sa.Integer, sa.ForeignKey("parent.id")))
    schema = metadata.read(models)
    key = table(schema, "t").foreign_keys[0]
    assert (key.referred_table, key.referred_columns, key.on_delete) == (Name("other", "parent"), ("id",), "SET NULL")
    assert key.key_opfamilies is UNKNOWN and table(schema, "t").columns[0].type.kind == "unknown"
    assert table(schema, "u").foreign_keys[0].referred_table == Name("public", "parent")


def test_operator_families_follow_the_referenced_key():
    models = sa.MetaData()
    # Without autoincrement=False it is a SERIAL, thus an integer, for SQLAlchemy before 2.0.45.
    sa.Table("p", models, sa.Column("id", sa.Numeric, primary_key=True, autoincrement=False))
    sa.Table("q", models, sa.Column("id", sa.BigInteger, primary_key=True))
    sa.Table("t", models, sa.Column("p", sa.BigInteger, sa.ForeignKey("p.id")), sa.Column("q", sa.ForeignKey("q.id")))
    found = {key.columns: key for key in table(metadata.read(models), "t").foreign_keys}
    assert found["p",].key_opfamilies == (frozenset({Name("pg_catalog", "numeric_ops")}),)
    assert found["q",].key_opfamilies == (frozenset({Name("pg_catalog", "integer_ops")}),)


def test_several_metadata_and_another_default_schema():
    first, second = sa.MetaData(schema="app"), sa.MetaData()
    sa.Table("a", first, sa.Column("id", sa.Integer))
    sa.Table("b", second, sa.Column("id", sa.Integer))
    sa.Table("a", second, sa.Column("other", sa.Integer), schema="app")
    schema = metadata.read([first, second], default_schema="main")
    assert [str(found.name) for found in schema.tables] == ["app.a", "main.b"]
    assert table(schema, "a", "app").columns[0].name == "id"
    assert [found.label for found in schema.metadatas] == ["MetaData", "MetaData 2"]


def test_what_is_not_for_postgresql_or_no_table_is_left_out():
    models = sa.MetaData()
    found = sa.Table("t", models, sa.Column("a", sa.Integer), sa.Column("xmin", sa.Text, system=True))
    sa.Index("ix_sqlite", found.c.a).ddl_if(dialect="sqlite")
    sa.Index("ix_postgresql", found.c.a).ddl_if(dialect="postgresql")
    found.append_constraint(sa.CheckConstraint("a > 1", name="sqlite").ddl_if(dialect="sqlite"))
    sa.Table("scratch", models, sa.Column("a", sa.Integer), prefixes=["TEMPORARY"])
    schema = metadata.read(models)
    assert [str(one.name) for one in schema.tables] == ["public.t"]
    assert [column.name for column in schema.tables[0].columns] == ["a"]
    assert [index.name.name for index in schema.tables[0].indexes] == ["ix_postgresql"]
    assert schema.tables[0].checks == ()


def test_reading_after_create_all_gives_the_same(database):
    """create_all marks constraints that close a cycle as written elsewhere."""
    models = sa.MetaData()
    sa.Table("a", models, sa.Column("id", sa.Integer, primary_key=True), sa.Column("b", sa.ForeignKey("b.id")))
    sa.Table(
        "b",
        models,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("a", sa.ForeignKey("a.id", use_alter=True, name="fk_b_a")),
    )
    before = metadata.read(models)
    models.create_all(database.engine())
    assert metadata.read(models) == before


def test_an_empty_metadata():
    schema = metadata.read(sa.MetaData())
    assert schema.tables == () and schema.source == "models" and schema.server_version is None


LAZY = """
import sqlalchemy as sa

metadata = sa.MetaData()
items = sa.Table("item", metadata, sa.Column("id", sa.Integer, primary_key=True))  # <- item


class Lazy:
    \"\"\"Like openai's proxy of a package that is not installed: whatever is asked of it imports the package.\"\"\"

    @property
    def __class__(self):
        raise RuntimeError("the package is not installed")


missing = Lazy()
"""


def test_a_module_with_a_proxy_that_cannot_be_looked_at(module):
    models = module(LAZY)
    place = table(metadata.read(models.metadata), "item").origin.location
    assert place is not None and place.line == models.marks["item"]


LIBRARY = """
import sqlalchemy as sa
from sqlalchemy import orm

class SlugKey:
    slug = orm.mapped_column(sa.String(100))

    @orm.declared_attr.directive
    def __table_args__(cls):
        return (sa.Index(f"ix_{cls.__tablename__}_slug", "slug", mysql_length=20),)
"""
OF_LIBRARY = """
import sqlalchemy as sa
from sqlalchemy import orm
from {} import SlugKey

class Base(orm.DeclarativeBase):
    pass

class Role(SlugKey, Base):
    __tablename__ = "role"
    id = orm.mapped_column(sa.BigInteger, primary_key=True)
    rank = orm.mapped_column(sa.BigInteger, index=True)
"""


@pytest.mark.parametrize(("changed", "own"), [("", True), ("# another\n", False)])
def test_a_project_that_is_installed_is_shown_as_the_project(module, tmp_path, changed: str, own: bool) -> None:
    """`pip install .` makes an equal copy of its files, and Python imports that."""
    copy = module("here = 1\n", "site-packages")
    name = f"{copy.__name__}.py"
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / name).write_text(Path(copy.__file__).read_text() + changed)
    source = Sources(project).of_module(copy.__name__)
    assert source is not None
    assert (source.path == f"src/{name}") is own


def test_what_a_base_class_of_a_library_declares(module):
    """No line of the project does; and the library's options name another database."""
    library = module(LIBRARY, "site-packages")
    schema = metadata.read(module(OF_LIBRARY.format(library.__name__)).Base.metadata)
    role = table(schema, "role")
    assert {column.name: column.origin.library for column in role.columns} == {"slug": True, "id": False, "rank": False}
    indexes = {index.name.name: index.origin.library for index in role.indexes if index.constraint is None}
    assert indexes == {"ix_role_slug": True, "ix_role_rank": False}
    assert schema.metadatas[0].databases == {"mysql"}
