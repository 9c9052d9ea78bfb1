from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns._deletions import may_lose_rows
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import ForeignKey, Relationship, Schema


class OrmCascadeMismatch(SchemaPattern):
    """A relationship whose cascade and its foreign key's ON DELETE contradict each other.

    With `cascade="all, delete"` and `passive_deletes=True`, SQLAlchemy leaves children that are not loaded to the
    database. Without ON DELETE CASCADE the database refuses: deleting a parent fails, but only for parents whose
    children are not loaded.

    The reverse is ON DELETE CASCADE without `passive_deletes`: SQLAlchemy loads every child and deletes it, or sets its
    foreign key to NULL, one by one. The database could have deleted all of them in one statement.

    This is read from the mapped classes of the models, or of the registries named in the settings. It is a guess where
    nothing in the application's source deletes rows of the parent, and where children that are deleted one by one are
    loaded together with the parent (`lazy="selectin"`): `passive_deletes` spares no loaded child. Each kind of
    contradiction is said once, with all relationships that have it.

    Not reported: the many-to-one side, view-only relationships, link tables (secondary), and models whose mappers
    cannot be configured as env.py imports them.
    """

    severity = Severity.INFO
    action = Action.REPORT
    needs = Needs.MODELS
    weighs_queries = True
    references = (
        "https://docs.sqlalchemy.org/en/20/orm/cascades.html#using-foreign-key-on-delete-cascade-with-orm-relationships",
    )
    bad_models = """
from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    books: Mapped[list["Book"]] = relationship(cascade="all, delete", passive_deletes=True)


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"), index=True)


metadata = Base.metadata
registries = [Base.registry]
"""
    good_models = """
from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    books: Mapped[list["Book"]] = relationship(cascade="all, delete", passive_deletes=True)


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id", ondelete="CASCADE"), index=True)


metadata = Base.metadata
registries = [Base.registry]
"""

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Relationships whose foreign key says otherwise."""
        for relationship in schema.relationships or ():
            deletes_children = not relationship.many_to_one and not relationship.view_only
            key = _foreign_key(schema, relationship) if deletes_children else None
            problem = _problem(relationship, key) if key is not None else None
            if problem is not None:
                message, advice = problem
                cause = "by the database" if relationship.passive_deletes else "one by one"
                finding = self.finding(at=relationship, message=message, remedy=Advice(advice), cause=cause)
                # Nothing is spared where the children are loaded anyway.
                is_idle = relationship.eager and "delete" in relationship.cascade and not relationship.passive_deletes
                yield finding.but(guess=is_idle or not may_lose_rows(schema, relationship.parent))


def _foreign_key(schema: Schema, relationship: Relationship) -> ForeignKey | None:
    child = schema.table(relationship.child)
    keys = child.foreign_keys if child is not None else ()
    columns = frozenset(relationship.columns)
    matching = [key for key in keys if key.referred_table == relationship.parent and frozenset(key.columns) == columns]
    # Of two equal keys it is not known which one the relationship means.
    return matching[0] if len(matching) == 1 else None


def _problem(relationship: Relationship, key: ForeignKey) -> tuple[str, str] | None:
    deletes, passive = "delete" in relationship.cascade, bool(relationship.passive_deletes)
    name, where = relationship.identifier, key.identifier
    if deletes and passive and key.on_delete in ("NO ACTION", "RESTRICT"):
        return (
            f"{name} leaves deleting children to the database, and {where} has ON DELETE {key.on_delete}",
            'Declare ForeignKey(…, ondelete="CASCADE"), or remove passive_deletes.',
        )
    if key.on_delete == "CASCADE" and not passive:
        how = "deletes children one by one" if deletes else "sets the key of children to NULL"
        return (
            f"{name} {how}, and {where} has ON DELETE CASCADE",
            'Declare relationship(cascade="all, delete-orphan", passive_deletes=True).',
        )
    return None
