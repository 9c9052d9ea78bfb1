"""Models that the examples of most patterns of statements use."""

from __future__ import annotations

AUTHORS_AND_BOOKS = """
class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    joined: Mapped[datetime.datetime | None] = mapped_column(DateTime(timezone=True))

class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("author.id"))
    status: Mapped[str] = mapped_column(default="new")

def fill(session):
    session.add_all([Author(name=f"a{n}") for n in range(8)])
    session.flush()
    session.add_all([Book(author_id=n) for n in range(1, 8)])
"""
"""Eight authors, and a book of each of the first seven."""
