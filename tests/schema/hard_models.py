"""Models that are hard to read, all of which PostgreSQL 15 and later can create."""

from __future__ import annotations

import datetime
import decimal
import enum
import functools
import uuid

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.mutable import MutableDict

from tests.versions import only_if


class Colour(enum.Enum):
    red = "r"
    green = "g"


class Slug(sa.types.TypeDecorator[str]):
    impl = sa.String(40)
    cache_ok = True


class Portable(sa.types.TypeDecorator[uuid.UUID]):
    """A uuid on PostgreSQL, text elsewhere."""

    impl = sa.CHAR(32)
    cache_ok = True

    def load_dialect_impl(self, dialect):
        return dialect.type_descriptor(pg.UUID() if dialect.name == "postgresql" else sa.CHAR(32))


class Point(sa.types.UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **kw: object) -> str:
        return "point"


def now_utc() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


email = pg.DOMAIN("email", sa.Text, check=sa.text("VALUE LIKE '%@%'"), not_null=True, schema="public")
short = pg.DOMAIN("Short Code", sa.String(8), collation="C")


class Base(orm.DeclarativeBase):
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        },
        info={"pgpatterns": {"ignore": ["unlogged-table"]}},
    )


class Stamped:
    created_at: orm.Mapped[datetime.datetime] = orm.mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )
    updated_at: orm.Mapped[datetime.datetime | None] = orm.mapped_column(sa.DateTime, default=now_utc)


class Author(Stamped, Base):
    __tablename__ = "author"
    __table_args__ = (
        sa.CheckConstraint("length(name) > 1", name="name_length"),
        sa.UniqueConstraint("name", "born", deferrable=True, initially="DEFERRED"),
        sa.Index("ix_author_lower", sa.text("lower(name) DESC"), postgresql_include=["born"]),
        sa.Index(
            "ix_author_some",
            "slug",
            sa.desc("born").nulls_last(),
            postgresql_where=sa.text("born IS NOT NULL AND name <> 'x'"),
            postgresql_ops={"slug": "text_pattern_ops"},
        ),
        {"comment": "who writes", "info": {"pgpatterns": {"ignore": ["float-for-money"]}}},
    )

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(80), index=True, comment="full")
    born: orm.Mapped[datetime.date | None]
    slug: orm.Mapped[str] = orm.mapped_column(Slug, unique=True, info={"pgpatterns": {"ignore": "varchar-length"}})
    colour: orm.Mapped[Colour] = orm.mapped_column(server_default="red")
    kind: orm.Mapped[str] = orm.mapped_column(
        sa.Enum("a", "b", native_enum=False, name="kind_of", create_constraint=True, length=9)
    )
    books: orm.Mapped[list[Book]] = orm.relationship(
        back_populates="author", cascade="all, delete-orphan", passive_deletes=True
    )


class Book(Base):
    __tablename__ = "book"
    id: orm.Mapped[uuid.UUID] = orm.mapped_column(primary_key=True, default=uuid.uuid4)
    other: orm.Mapped[uuid.UUID] = orm.mapped_column(Portable, default=lambda: uuid.uuid4())
    author_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("author.id", ondelete="cascade"), index=True)
    title: orm.Mapped[str] = orm.mapped_column("Title of book", sa.Text(collation="C"))
    price: orm.Mapped[decimal.Decimal] = orm.mapped_column(sa.Numeric(8, 2), server_default=sa.text("0"))
    weight: orm.Mapped[float] = orm.mapped_column(default=functools.partial(float, 3))
    doc: orm.Mapped[dict] = orm.mapped_column(MutableDict.as_mutable(pg.JSONB), default=dict)
    words: orm.Mapped[str] = orm.mapped_column(
        pg.TSVECTOR, sa.Computed("to_tsvector('english', \"Title of book\")", persisted=True)
    )
    pages: orm.Mapped[list[int]] = orm.mapped_column(pg.ARRAY(sa.SmallInteger), server_default="{}")
    author: orm.Mapped[Author] = orm.relationship(back_populates="books")
    __table_args__ = (
        sa.Index(None, "doc", postgresql_using="gin", postgresql_ops={"doc": "jsonb_path_ops"}),
        sa.Index("ix_book_words", "words", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
        sa.Index("ix_book_title", "Title of book", unique=True),
    )


class Types(Base):
    __tablename__ = "types"
    id: orm.Mapped[int] = orm.mapped_column(sa.BigInteger, sa.Identity(always=True, start=5), primary_key=True)
    e: orm.Mapped[str] = orm.mapped_column(email)
    es: orm.Mapped[list[str] | None] = orm.mapped_column(pg.ARRAY(email, dimensions=2))
    s: orm.Mapped[str | None] = orm.mapped_column(short)
    c: orm.Mapped[str | None] = orm.mapped_column(sa.CHAR(3))
    c1: orm.Mapped[str | None] = orm.mapped_column(sa.CHAR)
    v: orm.Mapped[str | None] = orm.mapped_column(sa.String().with_variant(sa.String(7), "postgresql"))
    u: orm.Mapped[str | None] = orm.mapped_column(sa.Unicode(5))
    t3: orm.Mapped[str | None] = orm.mapped_column(pg.TIMESTAMP(precision=3))
    tz0: orm.Mapped[str | None] = orm.mapped_column(pg.TIMESTAMP(timezone=True, precision=0))
    ti: orm.Mapped[str | None] = orm.mapped_column(sa.Time)
    titz: orm.Mapped[str | None] = orm.mapped_column(pg.TIME(timezone=True, precision=2))
    iv: orm.Mapped[datetime.timedelta | None]
    iv2: orm.Mapped[str | None] = orm.mapped_column(pg.INTERVAL(fields="DAY TO SECOND", precision=2))
    iv3: orm.Mapped[str | None] = orm.mapped_column(pg.INTERVAL(precision=4))
    iv4: orm.Mapped[str | None] = orm.mapped_column(pg.INTERVAL(fields="YEAR"))
    f: orm.Mapped[float | None] = orm.mapped_column(sa.Float)
    f24: orm.Mapped[float | None] = orm.mapped_column(sa.Float(24))
    d: orm.Mapped[float | None] = orm.mapped_column(sa.Double)
    r: orm.Mapped[float | None] = orm.mapped_column(sa.REAL)
    n: orm.Mapped[float | None] = orm.mapped_column(sa.Numeric)
    n5: orm.Mapped[float | None] = orm.mapped_column(sa.Numeric(5))
    b: orm.Mapped[bytes | None]
    bo: orm.Mapped[bool] = orm.mapped_column(sa.Boolean(create_constraint=True), server_default=sa.true())
    bi: orm.Mapped[str | None] = orm.mapped_column(pg.BIT(3))
    vb: orm.Mapped[str | None] = orm.mapped_column(pg.BIT(5, varying=True))
    bit: orm.Mapped[str | None] = orm.mapped_column(pg.BIT)
    j: orm.Mapped[dict | None] = orm.mapped_column(sa.JSON)
    jb: orm.Mapped[dict | None] = orm.mapped_column(sa.JSON().with_variant(pg.JSONB(), "postgresql"))
    m: orm.Mapped[str | None] = orm.mapped_column(pg.MONEY)
    ip: orm.Mapped[str | None] = orm.mapped_column(pg.INET)
    ci: orm.Mapped[str | None] = orm.mapped_column(pg.CIDR)
    mac: orm.Mapped[str | None] = orm.mapped_column(pg.MACADDR8)
    rng: orm.Mapped[str | None] = orm.mapped_column(pg.TSTZRANGE)
    mr: orm.Mapped[str | None] = orm.mapped_column(pg.INT4MULTIRANGE)
    arr: orm.Mapped[list | None] = orm.mapped_column(sa.ARRAY(sa.String(4)))
    enums: orm.Mapped[list | None] = orm.mapped_column(pg.ARRAY(pg.ENUM("x", "it's", name="Mood", schema="other")))
    uu: orm.Mapped[str | None] = orm.mapped_column(sa.Uuid(native_uuid=False))
    pickled: orm.Mapped[object | None] = orm.mapped_column(sa.PickleType)
    point: orm.Mapped[str | None] = orm.mapped_column(Point)
    cls: orm.Mapped[str | None] = orm.mapped_column(pg.REGCLASS)
    q: orm.Mapped[str | None] = orm.mapped_column(sa.String, server_default="it's \\ %")
    small: orm.Mapped[int] = orm.mapped_column(sa.SmallInteger, sa.Identity(cycle=True, increment=-1))
    __table_args__ = (
        pg.ExcludeConstraint((sa.column("rng"), "&&"), where=sa.text("n > 3"), name="no_overlap"),
        sa.Index("ix_types_hash", "jb", postgresql_using="hash"),
        sa.Index("ix_types_brin", "t3", "d", postgresql_using="brin"),
        sa.Index("ix_types_expr", sa.text("(n + n5)"), sa.text('upper(v) COLLATE "C" varchar_pattern_ops'), "ip"),
        sa.Index("ix_types_collate", sa.text('v COLLATE "C"'), "ci", "uu", "arr", "enums", "es"),
    )


lines = sa.Sequence("line_number_seq", start=10, increment=5, schema="other", metadata=Base.metadata)

line = sa.Table(
    "Line items",
    Base.metadata,
    sa.Column("Number", sa.BigInteger, lines, server_default=lines.next_value(), primary_key=True, autoincrement=False),
    sa.Column("book_id", sa.Uuid, sa.ForeignKey("book.id", deferrable=True, initially="DEFERRED")),
    sa.Column("quantity", sa.Integer, sa.CheckConstraint("quantity > 0", name="positive")),
    sa.Column("order", sa.Integer, nullable=False, server_default=sa.text("1 + 1")),
    sa.UniqueConstraint("book_id", "order", postgresql_nulls_not_distinct=True, name="uq_nulls"),
    sa.UniqueConstraint("quantity", **only_if(sa.UniqueConstraint, "include", ["order"])),
    sa.ForeignKeyConstraint(
        ["Number", "order"], ["other.Parent.a", "other.Parent.b"], match="FULL", onupdate="cascade"
    ),
    schema="other",
)

parent = sa.Table(
    "Parent",
    Base.metadata,
    sa.Column("a", sa.SmallInteger, autoincrement=True),
    sa.Column("b", sa.BigInteger),
    sa.PrimaryKeyConstraint("a", "b", **only_if(sa.PrimaryKeyConstraint, "include", ["c"])),
    sa.Column("c", sa.Integer),
    schema="other",
)

unkeyed = sa.Table("unkeyed", Base.metadata, sa.Column("x", sa.Text), prefixes=["UNLOGGED"])

parted = sa.Table(
    "parted",
    Base.metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("at", sa.DateTime(True), primary_key=True),
    sa.Column("author_id", sa.ForeignKey("author.id"), index=True),
    postgresql_partition_by="RANGE (at)",
)

plain_metadata = sa.MetaData()
"""Without a naming convention: all names are PostgreSQL's."""

long_name = "a_table_whose_name_is_just_as_long_as_postgresql_allows_it_to_be"
nameless = sa.Table(
    long_name[:60],
    plain_metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("a_rather_long_name_of_a_column_for_a_change", sa.Integer, index=True, unique=True),
    sa.Column("b_rather_long_name_of_a_column_for_a_change", sa.Integer, nullable=False),
    sa.UniqueConstraint("a_rather_long_name_of_a_column_for_a_change", "b_rather_long_name_of_a_column_for_a_change"),
    sa.CheckConstraint("id > 3"),
)
child = sa.Table(
    "child",
    plain_metadata,
    sa.Column("parent_id", sa.ForeignKey(f"{long_name[:60]}.id", ondelete="SET NULL"), primary_key=True),
    sa.Column("élan", sa.Text, unique=True),
    pg.ExcludeConstraint((sa.column("parent_id"), "="), using="btree"),
)
