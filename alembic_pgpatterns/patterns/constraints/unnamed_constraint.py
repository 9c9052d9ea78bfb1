from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Schema

KINDS = frozenset({"pk", "fk", "uq", "ck"})
"""The kinds of constraints of a naming convention (SQLAlchemy, "Configuring Constraint Naming Conventions")."""

CONVENTION = (
    'Give it MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", '
    '"uq": "%(table_name)s_%(column_0_N_name)s_key", '
    '"fk": "%(table_name)s_%(column_0_N_name)s_fkey", "pk": "%(table_name)s_pkey"}): the names PostgreSQL gives, '
    "so that nothing needs renaming. Constraints of what was renamed since kept their names: write name= for those."
)
BY_HAND = (
    "Name CHECK constraints one by one: a convention with %(constraint_name)s would rename those that have a name, "
    "and the models with one that has none would no longer import."
)
"""SQLAlchemy puts a given name into the token, and raises InvalidRequestError for a constraint without one."""


class UnnamedConstraint(SchemaPattern):
    """A MetaData without a naming convention, with constraints that have no name.

    PostgreSQL then makes the names up. Alembic renders such a constraint as `op.create_foreign_key(None, …)`, and the
    downgrade, `op.drop_constraint(None, …)`, fails; a later revision has to look the name up, and it may differ
    between databases that grew in different ways.

    One finding a MetaData. A convention names what is created from then on; for constraints that exist it
    gives the names PostgreSQL made up, if it is written as in the remedy. A table or column that was renamed
    since has constraints of the old name: without `name=` in the models autogenerate would make the unique ones anew.

    What does not count: a MetaData whose constraints are all named, by hand or by a convention.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    needs = Needs.MODELS
    references = (
        "https://alembic.sqlalchemy.org/en/latest/naming.html",
        "https://docs.sqlalchemy.org/en/20/core/constraints.html#configuring-constraint-naming-conventions",
    )
    bad_models = """
from sqlalchemy import BigInteger, Column, ForeignKey, Index, MetaData, Table

metadata = MetaData()
Table("author", metadata, Column("id", BigInteger, primary_key=True))
Table(
    "book",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("author_id", ForeignKey("author.id"), index=True),
)
"""
    good_models = """
from sqlalchemy import BigInteger, Column, ForeignKey, Index, MetaData, Table

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)
Table("author", metadata, Column("id", BigInteger, primary_key=True))
Table(
    "book",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("author_id", ForeignKey("author.id"), index=True),
)
"""

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """MetaData objects that leave names to PostgreSQL."""
        for metadata in schema.metadatas:
            missing = sorted(KINDS - metadata.convention)
            if metadata.unnamed_constraints and missing:
                yield self.finding(
                    at=metadata,
                    message=f"{metadata.label} has constraints without a name ({metadata.unnamed_constraints}) and no "
                    f"naming convention for {', '.join(missing)}",
                    remedy=Advice(BY_HAND if missing == ["ck"] else f"{CONVENTION} {BY_HAND}"),
                )
