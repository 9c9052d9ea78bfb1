"""Constraint patterns that only models can answer: planted defects and traps."""

from __future__ import annotations

from typing import Annotated, ClassVar, Optional

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    MetaData,
    Sequence,
    Table,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, backref, mapped_column, relationship

from alembic_pgpatterns.patterns import registry
from alembic_pgpatterns.patterns.constraints.unnamed_constraint import CONVENTION as CONVENTION_ADVICE
from alembic_pgpatterns.schema.metadata.annotations import allows_none
from tests import reader as metadata

pytestmark = pytest.mark.usefixtures("held_messages")

CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


def fingerprints(name: str, *metadatas: MetaData, registries: tuple = ()) -> set[str]:
    schema = metadata.read(metadatas, target_version=18, registries=registries)
    findings = list(registry()[name](target_version=18).detect(schema))
    found = {finding.fingerprint.removeprefix(f"{name} ") for finding in findings}
    assert len(found) == len(findings)
    return found


def library(declared: MetaData, named: bool = False) -> MetaData:
    """Tables with one constraint of each kind."""
    names = ("author_pk", "book_pk", "author_fk", "title_uq", "title_ck") if named else (None,) * 5
    from sqlalchemy import PrimaryKeyConstraint

    Table("author", declared, Column("id", BigInteger), PrimaryKeyConstraint("id", name=names[0]))
    Table(
        "book",
        declared,
        Column("id", BigInteger),
        Column("author_id", BigInteger, ForeignKey("author.id", name=names[2])),
        Column("title", BigInteger),
        PrimaryKeyConstraint("id", name=names[1]),
        UniqueConstraint("title", name=names[3]),
        CheckConstraint("title > 0", name=names[4] or "positive"),
    )
    return declared


@pytest.mark.parametrize(
    "convention",
    [None, {}, {"ix": "ix_%(table_name)s"}, {"fk": "%(table_name)s_%(column_0_name)s_fkey"}],
    ids=["none", "empty", "indexes only", "foreign keys only"],
)
def test_a_metadata_that_leaves_names_to_postgresql_is_found_once(convention: dict[str, str] | None) -> None:
    assert fingerprints("unnamed-constraint", library(MetaData(naming_convention=convention))) == {"MetaData"}


def test_the_advised_convention_gives_the_names_postgresql_gave_and_renames_nothing() -> None:
    advised = eval(CONVENTION_ADVICE)
    book = library(MetaData(naming_convention=advised)).tables["book"]
    names = {str(constraint.name) for constraint in book.constraints}
    assert names == {"book_pkey", "book_author_id_fkey", "book_title_key", "positive"}


def test_each_of_several_metadata_is_judged_by_itself() -> None:
    good, bad = library(MetaData(naming_convention=CONVENTION)), library(MetaData())
    assert len(fingerprints("unnamed-constraint", good, bad)) == 1


@pytest.mark.parametrize(
    "declared",
    [
        library(MetaData(naming_convention=CONVENTION)),
        library(MetaData(), named=True),
        MetaData(),
        library(MetaData(naming_convention=CONVENTION), named=True),
    ],
    ids=["convention", "named by hand", "no tables", "both"],
)
def test_a_metadata_with_all_names_is_none(declared: MetaData) -> None:
    assert fingerprints("unnamed-constraint", declared) == set()


def test_bytes_of_names_are_counted_and_not_characters() -> None:
    long, accents = "b" * 64, "é" * 31
    declared = MetaData(naming_convention={"uq": "uq_%(table_name)s_%(column_0_name)s"})
    Table(long, declared, Column("id", BigInteger, primary_key=True))
    Table(
        "a" * 63,
        declared,
        Column("id", BigInteger, primary_key=True),
        Column("c" * 70, BigInteger),
        Column("é" * 32, BigInteger),
        Column(accents, BigInteger),
        Column("d" * 63, BigInteger, index=True, unique=True),
        Column("other", ForeignKey(f"{long}.id", name=f"fk_{accents}")),
        UniqueConstraint("other", name=f"uq_{accents}"),
        CheckConstraint("id > 0", name=f"ck_{accents}"),
        CheckConstraint("id > 1", name="e" * 63),
    )
    Table(
        "short",
        declared,
        Column("id", BigInteger, primary_key=True),
        Column("one", BigInteger),
        Index(f"ix_{accents}", "one"),
        Index("f" * 63, "one"),
    )
    Sequence(f"sq_{accents}", metadata=declared)
    fits = "public." + "a" * 63
    assert fingerprints("overlong-identifier", declared) == {
        f"public.{long}",
        f"{fits}.{'c' * 70}",
        f'{fits}."{"é" * 32}"',
        f'{fits}(other) "fk_{accents}"',
        f'{fits}(other) "uq_{accents}"',
        f'{fits}."ck_{accents}"',
        f'public."ix_{accents}"',
        f'public."sq_{accents}"',
    }


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id = Column(BigInteger, primary_key=True)
    refused = relationship("Refused", cascade="all, delete", passive_deletes=True)
    orphans = relationship("Orphan", cascade="all, delete-orphan", passive_deletes=True)
    one_by_one = relationship("OneByOne", cascade="all, delete")
    nulled = relationship("Nulled")
    right = relationship("Right", cascade="all, delete-orphan", passive_deletes=True, back_populates="author")
    left_alone = relationship("LeftAlone")
    set_null = relationship("SetNull", passive_deletes=True)
    read_only = relationship("Nulled", viewonly=True)
    loaded = relationship("Loaded", cascade="all, delete")
    tags = relationship("Tag", secondary="author_tag", cascade="all, delete", passive_deletes=True)


def child(name: str, ondelete: str | None) -> type:
    columns = {
        "__tablename__": name.lower(),
        "id": Column(BigInteger, primary_key=True),
        "author_id": Column(ForeignKey("author.id", ondelete=ondelete), index=True),
    }
    return type(name, (Base,), columns)


Refused, Orphan = child("Refused", None), child("Orphan", "RESTRICT")
OneByOne, Nulled = child("OneByOne", "CASCADE"), child("Nulled", "CASCADE")
LeftAlone, SetNull, Loaded = child("LeftAlone", None), child("SetNull", "SET NULL"), child("Loaded", None)


class Right(Base):
    __tablename__ = "right"
    id = Column(BigInteger, primary_key=True)
    author_id = Column(ForeignKey("author.id", ondelete="CASCADE"), index=True)
    author = relationship("Author", back_populates="right")


class Node(Base):
    __tablename__ = "node"
    id = Column(BigInteger, primary_key=True)
    parent_id = Column(ForeignKey("node.id", ondelete="CASCADE"), index=True)
    children = relationship("Node", cascade="all", passive_deletes=True, backref=backref("parent", remote_side=[id]))


class Tag(Base):
    __tablename__ = "tag"
    id = Column(BigInteger, primary_key=True)


Table(
    "author_tag",
    Base.metadata,
    Column("author_id", ForeignKey("author.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id", ondelete="CASCADE"), primary_key=True, index=True),
)


def test_cascades_that_do_not_fit_their_foreign_key() -> None:
    """Traps: ``right`` from both sides, ``left_alone``, ``set_null``, ``read_only``, ``loaded``, ``tags``, ``Node``."""
    assert fingerprints("orm-cascade-mismatch", Base.metadata, registries=(Base.registry,)) == {
        "Author.refused",
        "Author.orphans",
        "Author.one_by_one",
        "Author.nulled",
    }


def test_without_registries_nothing_is_said_about_relationships() -> None:
    assert fingerprints("orm-cascade-mismatch", Base.metadata) == set()


def test_a_flag_whose_annotation_allows_none() -> None:
    """SQLAlchemy makes the column nullable, and keeps nowhere that the annotation said so."""

    class Base(DeclarativeBase):
        pass

    class Flagged:
        by_mixin: Mapped[bool | None]

    class Item(Flagged, Base):
        __tablename__ = "item"
        id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
        union: Mapped[bool | None]
        optional: Mapped[Optional[bool]] = mapped_column("other_name")  # noqa: UP045
        quoted: Mapped["bool | None"]  # noqa: UP037
        stated = mapped_column(Boolean, nullable=True)
        unknown = mapped_column(Boolean, default=None)
        renamed = mapped_column("not_known_yet", Boolean, default=None, index=True)
        twofold = mapped_column(Boolean, default=None, server_default="true")
        shut = mapped_column(Boolean, default=False)
        filled: Mapped[bool | None] = mapped_column(server_default="false")
        open = mapped_column(Boolean)
        decided: Mapped[bool]

    assert fingerprints("nullable-flag", Base.metadata) == {
        "public.item.filled",
        "public.item.open",
        "public.item.twofold",
        "public.item.shut",
    }


def test_a_flag_of_a_subclass_is_null_in_rows_of_others() -> None:
    """Single-table inheritance without a CHECK: NOT NULL would refuse every row of another class."""

    class Base(DeclarativeBase):
        pass

    class Animal(Base):
        __tablename__ = "animal"
        id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
        kind: Mapped[str]
        tame = mapped_column(Boolean)
        __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}

    class Cat(Animal):
        purrs = mapped_column(Boolean, default=False)
        __mapper_args__: ClassVar = {"polymorphic_identity": "cat"}

    class Dog(Base):
        __tablename__ = "dog"
        id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
        barks = mapped_column(Boolean)

    assert fingerprints("nullable-flag", Base.metadata) == {"public.animal.tame", "public.dog.barks"}


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("Mapped[bool | None]", True), ("Mapped[Optional[bool]]", True), ("orm.Mapped[typing.Optional[bool]]", True),
        ("Mapped[Union[bool, None]]", True), ("Mapped['bool | None']", True),
        ("Mapped[Annotated[bool | None, 5]]", True),
        ("Mapped[bool]", False), ("Mapped[list[bool | None]]", False), ("Mapped[Annotated[bool, None]]", False),
        ("not Python:", False), ("", False), (None, False), (Mapped[bool | None], True), (Mapped["bool|None"], True),
        (Mapped[Annotated[bool | None, 5]], True), (Mapped[bool], False), (Mapped[list[bool | None]], False),
    ],
)  # fmt: skip
def test_annotations_that_allow_none(annotation: object, expected: bool) -> None:
    assert allows_none(annotation) is expected


FLAGS = Table(
    "flags",
    MetaData(),
    Column("id", BigInteger, primary_key=True),
    Column("checked", Boolean, default=None),
    Column("shown", Boolean),
)


def test_a_flag_of_a_table_whose_default_is_none() -> None:
    assert fingerprints("nullable-flag", FLAGS.metadata) == {"public.flags.shown"}
