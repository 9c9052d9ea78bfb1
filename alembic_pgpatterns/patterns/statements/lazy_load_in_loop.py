from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import SQLALCHEMY_LOADING, at_usage, usages
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.model import Workload


class LazyLoadInLoop(StatementPattern):
    """A relationship that is loaded with one query per object (N+1 queries).

    The first query loads a list of objects. Then the code reads a relationship of each, and SQLAlchemy sends one
    query per object. A list of 100 objects costs 101 round trips to the database instead of 2.

    It is certain: the ORM says of each query why it sent it. Two or more different parents within one call of the
    application and one transaction count, since test data is small.
    """

    references = (SQLALCHEMY_LOADING,)
    models = """
        class Author(Base):
            __tablename__ = "author"
            id: Mapped[int] = mapped_column(primary_key=True)
            books: Mapped[list["Book"]] = relationship()

        class Book(Base):
            __tablename__ = "book"
            id: Mapped[int] = mapped_column(primary_key=True)
            author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))

        def fill(session):
            session.add_all([Author(books=[Book(), Book()]) for _ in range(6)])
    """
    bad = """
        def run(session):
            return [len(author.books) for author in session.scalars(select(Author))]
    """
    good = """
        def run(session):
            authors = session.scalars(select(Author).options(selectinload(Author.books)))
            return [len(author.books) for author in authors]
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Lazy loads of two or more parents."""
        for statement, usage in usages(workload, tests=True):
            count = usage.series.distinct_in_transaction
            if usage.reason == "lazy load" and count >= 2 and usage.attribute:
                message = f"{usage.attribute} is loaded with one query per object: {count} queries in one call"
                instead = (
                    f"Load it with the first query: .options(selectinload({usage.attribute})) for a list, "
                    f"joinedload({usage.attribute}) for a single object."
                )
                yield at_usage(self, usage.attribute or statement.fingerprint, usage, message, instead)
