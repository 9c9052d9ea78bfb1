"""Hard models: autogenerate, upgrade, then nothing more to do; downgrade restores, upgrade again."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import sqlalchemy as sa

from tests.autogenerate.inprocess import InProcess, there_and_back

HEAD = """
from sqlalchemy import *
from sqlalchemy.dialects.postgresql import *
from sqlalchemy.orm import *
from sqlalchemy.schema import CreateTable
metadata = MetaData()
"""
HARD = {
    "identity": """
        Table("t", metadata, Column("id", Integer, Identity(always=True, start=10, increment=2), primary_key=True),
              Column("other", SmallInteger, Identity(always=False)), Column("name", String(20)))
        Table("u", metadata, Column("id", ForeignKey("t.id"), primary_key=True))
        """,
    "computed": """
        Table("t", metadata, Column("id", BigInteger, primary_key=True), Column("name", String(20), nullable=False),
              Column("size", Integer, Computed("char_length(name) + 1", persisted=True)),
              Column("shout", String(40), Computed("upper(name)", persisted=True), index=True))
        """,
    "enums": """
        import enum
        class Color(enum.Enum):
            RED = "red"
            BLUE = "blue"
        shared = Enum("a", "b", name="shared")
        Table("t", metadata, Column("id", Integer, primary_key=True), Column("color", Enum(Color), nullable=False),
              Column("one", shared, server_default="a"), Column("many", ARRAY(shared)),
              Column("plain", Enum("x", "yy", native_enum=False, length=12)),
              Column("checked", Enum("x", "yy", native_enum=False, create_constraint=True, name="checked")),
              Column("own", ENUM("p", "q", name="own")))
        Table("u", metadata, Column("id", Integer, primary_key=True), Column("one", shared))
        """,
    "typedecorator": """
        import decimal
        class Money(TypeDecorator):
            impl = Numeric(10, 2)
            cache_ok = True
        class Short(TypeDecorator):
            impl = String(16)
            cache_ok = True
        class Variant(TypeDecorator):
            impl = Text
            cache_ok = True
            def load_dialect_impl(self, dialect):
                return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else Text())
        Table("t", metadata, Column("id", Integer().with_variant(BigInteger(), "postgresql"), primary_key=True),
              Column("price", Money), Column("short", Short), Column("doc", Variant),
              Column("var", String(9).with_variant(Text(), "sqlite")))
        """,
    "arrays": """
        Table("t", metadata, Column("id", Integer, primary_key=True), Column("tags", ARRAY(String(20))),
              Column("grid", ARRAY(Integer, dimensions=2)),
              Column("generic", __import__("sqlalchemy").ARRAY(String(7))))
        """,
    "exclude": """
        Table("t", metadata, Column("room", Integer, primary_key=True), Column("during", TSTZRANGE),
              ExcludeConstraint(("during", "&&"), name="no_overlap", using="gist"))
        """,
    "indexes": """
        t = Table("t", metadata, Column("id", Integer, primary_key=True), Column("email", String(255)),
              Column("doc", JSONB), Column("at", DateTime(timezone=True)), Column("flag", Boolean),
              Column("up", ForeignKey("t.id")))
        Index("ix_lower", func.lower(t.c.email), unique=True)
        Index("ix_partial", t.c.up, postgresql_where=t.c.flag.is_(True))
        Index("ix_include", t.c.at, postgresql_include=["email"])
        Index("ix_gin", t.c.doc, postgresql_using="gin", postgresql_ops={"doc": "jsonb_path_ops"})
        Index("ix_brin", t.c.at, postgresql_using="brin", postgresql_with={"pages_per_range": 64})
        Index("ix_desc", t.c.at.desc().nullslast(), t.c.email)
        Index("ix_text", text("(doc ->> 'a')"))
        Index("ix_ops", t.c.email, postgresql_ops={"email": "text_pattern_ops"})
        """,
    "use_alter": """
        Table("a", metadata, Column("id", Integer, primary_key=True),
              Column("b_id", ForeignKey("b.id", use_alter=True, name="fk_a_b")))
        Table("b", metadata, Column("id", Integer, primary_key=True), Column("a_id", ForeignKey("a.id")))
        """,
    "cycle": """
        Table("a", metadata, Column("id", Integer, primary_key=True), Column("b_id", ForeignKey("b.id", name="ab")))
        Table("b", metadata, Column("id", Integer, primary_key=True), Column("a_id", ForeignKey("a.id", name="ba")))
        """,
    "partitioned": """
        Table("t", metadata, Column("id", BigInteger, primary_key=True), Column("at", DateTime, primary_key=True),
              Column("p_id", ForeignKey("p.id")), Column("name", String(20)), postgresql_partition_by="RANGE (at)")
        Table("p", metadata, Column("id", Integer, primary_key=True))
        """,
    "partition key": """
        Table("t", metadata, Column("id", BigInteger, primary_key=True), Column("kind", String(20), primary_key=True),
              postgresql_partition_by="LIST (kind)")
        """,
    "comments": """
        Table("t", metadata, Column("id", Integer, primary_key=True, comment="the 'key' of 100%"),
              Column("name", String(20), comment="what it's called"), comment="things")
        """,
    "naming with ix": """
        metadata.naming_convention = {"ix": "idx_%(column_0_label)s", "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s"}
        Table("p", metadata, Column("id", Integer, primary_key=True), Column("x", String(9), index=True, unique=True))
        Table("t", metadata, Column("id", Integer, primary_key=True), Column("p_id", ForeignKey("p.id")),
              Column("y", Integer, CheckConstraint("y > 0", name="positive")), UniqueConstraint("y", "p_id"))
        """,
    "naming without ix": """
        metadata.naming_convention = {"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s"}
        Table("p", metadata, Column("id", Integer, primary_key=True), Column("x", String(9), index=True))
        Table("t", metadata, Column("id", Integer, primary_key=True), Column("p_id", ForeignKey("p.id"), index=True),
              Column("q_id", ForeignKey("p.id")), Column("z", Integer, unique=True))
        """,
    "schemas": """
        metadata.info["schemas"] = ["sales", "Audit Log"]
        Table("author", metadata, Column("id", Integer, primary_key=True), schema="sales")
        Table("book", metadata, Column("id", Integer, primary_key=True), Column("a_id", ForeignKey("sales.author.id")),
              Column("name", String(20)), schema="Audit Log")
        Table("book", metadata, Column("id", Integer, primary_key=True), Column("a_id", ForeignKey("sales.author.id")),
              Column("kind", Enum("a", "b", name="kind", schema="sales")))
        """,
    "metadatas": """
        one, two = MetaData(), MetaData(naming_convention={"fk": "fk_%(table_name)s"})
        author = Table("author", one, Column("id", Integer, primary_key=True), Column("name", String(30)))
        Table("book", two, Column("id", Integer, primary_key=True), Column("author_id", ForeignKey(author.c.id)))
        metadata = [one, two]
        """,
    "inheritance": """
        class Base(DeclarativeBase):
            pass
        class Person(Base):
            __tablename__ = "person"
            id: Mapped[int] = mapped_column(primary_key=True)
            kind: Mapped[str] = mapped_column(String(20))
            boss_id: Mapped[int | None] = mapped_column(ForeignKey("engineer.id"))
            __mapper_args__ = {"polymorphic_on": kind, "polymorphic_identity": "person"}
        class Engineer(Person):
            __tablename__ = "engineer"
            id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
            tool: Mapped[str | None] = mapped_column(String(20))
            __mapper_args__ = {"polymorphic_identity": "engineer", "inherit_condition": id == Person.id}
        class Clerk(Person):
            pen: Mapped[str | None] = mapped_column(String(5), use_existing_column=True)
            __mapper_args__ = {"polymorphic_identity": "clerk"}
        metadata = Base.metadata
        """,
    "sqlmodel": """
        from datetime import datetime
        from sqlmodel import SQLModel, Field
        SQLModel.metadata.clear()
        class Team(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            name: str = Field(max_length=40, index=True)
        class Hero(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            alias: str
            team_id: int | None = Field(default=None, foreign_key="team.id")
            at: datetime
        metadata = SQLModel.metadata
        """,
    "sequences": """
        Sequence("standalone", metadata=metadata)
        Table("t", metadata, Column("id", Integer, Sequence("counted", start=5), primary_key=True),
              Column("n", Integer))
        """,
    "info": """
        metadata.info["other_plugin"] = {"views": ["v"]}
        Table("t", metadata, Column("id", Integer, primary_key=True, info={"x": 1}), Column("s", String(3)),
              info={"y": 2})
        """,
    "constraints": """
        p = Table("p", metadata, Column("a", Integer, primary_key=True), Column("b", String(10), primary_key=True),
              Column("c", Integer, unique=True), Column("d", Integer), UniqueConstraint("d", name="uq_d",
              postgresql_nulls_not_distinct=False, deferrable=True, initially="DEFERRED"))
        Table("t", metadata, Column("id", Integer, primary_key=True), Column("a", Integer), Column("b", String(12)),
              Column("c", SmallInteger, ForeignKey("p.c", ondelete="SET NULL", onupdate="CASCADE")),
              Column("size", Integer, CheckConstraint("size > 0")), CheckConstraint("size < 100", name="small"),
              ForeignKeyConstraint(["a", "b"], ["p.a", "p.b"], deferrable=True, initially="DEFERRED"))
        """,
    "names": """
        Table("Order", metadata, Column("Id", Integer, primary_key=True, key="pk"), Column("select", String(9)),
              Column("parent %", ForeignKey("Order.pk")))
        Table("a_table_whose_name_is_quite_long_for_an_index_of_it_to_fit", metadata,
              Column("a_column_with_a_long_name_id", ForeignKey("Order.pk"), primary_key=True),
              Column("another_column_with_a_long_name_id", ForeignKey("Order.pk")))
        """,
    "strings": """
        Table("p", metadata, Column("code", CHAR(3), primary_key=True), Column("name", String(20, collation="C")))
        Table("t", metadata, Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
              Column("code", ForeignKey("p.code"), nullable=False), Column("u", Unicode(7), server_default="x"),
              Column("v", VARCHAR(5), unique=True))
        """,
    "link": """
        Table("a", metadata, Column("id", Integer, primary_key=True))
        Table("b", metadata, Column("id", Integer, primary_key=True))
        Table("ab", metadata, Column("a_id", ForeignKey("a.id"), primary_key=True),
              Column("b_id", ForeignKey("b.id"), primary_key=True))
        Table("abs", metadata, Column("id", Integer, primary_key=True), Column("a_id", Integer),
              Column("b_id", Integer),
              ForeignKeyConstraint(["a_id", "b_id"], ["ab.a_id", "ab.b_id"]), ForeignKeyConstraint(["a_id"], ["a.id"]))
        """,
    "mixins": """
        class Base(MappedAsDataclass, DeclarativeBase):
            type_annotation_map = {str: String(50)}
        class Stamped(MappedAsDataclass):
            created: Mapped[str] = mapped_column(init=False, server_default="now")
        class A(Stamped, Base):
            __tablename__ = "a"
            id: Mapped[int] = mapped_column(primary_key=True, init=False)
        class B(Stamped, Base):
            __tablename__ = "b"
            __table_args__ = {"comment": "b", "info": {"pgpatterns": {"ignore": ["varchar-length"]}}}
            id: Mapped[int] = mapped_column(primary_key=True, init=False)
            a_id: Mapped[int] = mapped_column(ForeignKey(A.id))
        metadata = Base.metadata
        """,
    "unlogged": """
        Table("t", metadata, Column("id", Integer, primary_key=True), Column("s", String(3)), prefixes=["UNLOGGED"])
        """,
}


def schemas_of(metadata: object) -> list[str]:
    return metadata.info.get("schemas", []) if isinstance(metadata, sa.MetaData) else []


@pytest.fixture
def project(any_database, tmp_path: Path) -> Iterator[InProcess]:
    with any_database.engine().connect() as connection, any_database.connect() as look:
        yield InProcess(connection, look, tmp_path)


Load = Callable[[str], ModuleType]


def load(load_models: Load, code: str) -> object:
    return load_models(HEAD + textwrap.dedent(code)).metadata


@pytest.mark.sample(10)
@pytest.mark.parametrize("name", HARD)
def test_hard_models(project: InProcess, load_models: Load, name: str) -> None:
    metadata = load(load_models, HARD[name])
    for schema in schemas_of(metadata):
        project.look.execute(f'CREATE SCHEMA "{schema}"')
    project.options = {"include_schemas": bool(schemas_of(metadata))}
    there_and_back(project, metadata)


OPTIONS: dict[str, dict[str, object]] = {
    "batch": {"render_as_batch": True},
    "types not compared": {"compare_type": False},
    "types compared by a callable": {"compare_type": lambda *given: None},
    "defaults compared": {"compare_server_default": True},
    "all schemas": {"include_schemas": True},
}


@pytest.mark.sample(10)
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", ["strings", "indexes", "constraints", "inheritance"])
def test_options_of_configure(project: InProcess, load_models: Load, name: str, option: str) -> None:
    metadata = load(load_models, HARD[name])
    project.options = OPTIONS[option]
    there_and_back(project, metadata)


def test_objects_that_are_left_out_stay_so(project: InProcess, load_models: Load) -> None:
    metadata = load(load_models, HARD["link"])
    assert isinstance(metadata, sa.MetaData)
    own = {id(table) for table in metadata.tables.values()}
    seen: set[tuple[str, str]] = set()

    def include(item: object, name: str, kind: str, reflected: bool, compared: object) -> bool:
        seen.add((kind, name))
        table = item if kind == "table" else item.table  # type: ignore[attr-defined]
        return (reflected or id(table) in own) and name != "abs"

    project.options = {"include_object": include}
    written = there_and_back(project, metadata)
    assert "create_table('ab'" in written[0].upgrade
    assert "ix_ab_b_id_a_id" in written[0].upgrade
    assert "'abs'" not in written[0].upgrade
    assert ("index", "ix_ab_b_id_a_id") in seen
