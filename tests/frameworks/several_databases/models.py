from sqlalchemy import ForeignKey, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


class Shop(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)


class Log(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)


class Product(Shop):
    __tablename__ = "product"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255))


class Source(Log):
    __tablename__ = "source"

    id: Mapped[int] = mapped_column(primary_key=True)


class Entry(Log):
    __tablename__ = "entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey(Source.id))
