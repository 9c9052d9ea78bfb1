from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Shop(DeclarativeBase):
    pass


class Log(DeclarativeBase):
    pass


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
