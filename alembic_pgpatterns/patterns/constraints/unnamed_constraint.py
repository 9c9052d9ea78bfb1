from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.patterns import Action, Finding, Fold, Needs, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import ModelMetaData, Schema

KINDS = frozenset({"pk", "fk", "uq", "ck"})
"""The kinds of constraints of a naming convention (SQLAlchemy, "Configuring Constraint Naming Conventions")."""

CONVENTION = (
    '{"ix": "ix_%(column_0_label)s", "uq": "%(table_name)s_%(column_0_N_name)s_key", '
    '"fk": "%(table_name)s_%(column_0_N_name)s_fkey", "pk": "%(table_name)s_pkey"}'
)
IN_WORDS = {
    None: f"MetaData(naming_convention={CONVENTION})",
    # Flask-SQLAlchemy takes the MetaData of the model class or this argument, and copies the convention for each bind.
    "SQLAlchemy": f"SQLAlchemy(metadata=MetaData(naming_convention={CONVENTION}))",
    # The convention names a constraint when it is attached to its table, so it must be there first.
    "SQLModel": f"SQLModel.metadata.naming_convention = {CONVENTION}, above the first class with table=True,",
}
"""By the library that makes the MetaData: how to give it a naming convention."""

SAME_NAMES = (
    "gives the names that PostgreSQL gives, so nothing needs renaming. If a table or column was renamed, its "
    "constraints kept their old names: write name= for those."
)
BY_HAND = (
    "Write name= for each CHECK constraint: a naming convention for them needs %(constraint_name)s. It renames those "
    "that have a name, and models with a CHECK without a name can no longer be imported."
)
"""SQLAlchemy puts a given name into the token, and raises InvalidRequestError for a constraint without one."""


class UnnamedConstraint(SchemaPattern):
    """Constraints without a name in the models, and no naming convention that gives them one.

    PostgreSQL chooses a name for each, and Alembic does not know it. A downgrade then contains
    `op.drop_constraint(None, …)`, which fails. A later revision has to look up the name, and it can differ between two
    databases.

    The fix is one line: pass `naming_convention=` to your MetaData (or DeclarativeBase.metadata). The suggested
    convention gives the names that PostgreSQL chooses, so existing constraints keep their names. Write `name=` in two
    cases. A convention cannot name CHECK constraints that have no name. And constraints of a renamed table or column
    still have the old name: without `name=` autogenerate creates the unique ones again.

    Where env.py names this package's plugin, it is a note only: revisions then have the names that PostgreSQL gives.

    One finding per MetaData. Not reported: a MetaData whose constraints all have a name.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    fold = Fold.ALL
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
        "ix": "ix_%(column_0_label)s",
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
                    message=f"{metadata.label} has {counted(metadata.unnamed_constraints, 'constraints')} without a "
                    f"name, and no naming convention for {', '.join(missing)}",
                    remedy=Advice(_advice(metadata, missing)),
                    # The plugin writes the name that PostgreSQL gives into what it drops.
                    severity=Severity.INFO if metadata.by_plugin else None,
                )


def _advice(metadata: ModelMetaData, missing: list[str]) -> str:
    if missing == ["ck"]:
        return BY_HAND
    return f"{IN_WORDS.get(metadata.origin.call, IN_WORDS[None])} {SAME_NAMES} {BY_HAND}"
