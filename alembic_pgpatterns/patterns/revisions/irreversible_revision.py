from __future__ import annotations

import re
from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, RevisionPattern
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.model import Downgrade, RevisionRun, Spot
from alembic_pgpatterns.schema.model import Location, Schema

SHOWN = 3
_REMEDY = Advice(
    'Undo in downgrade() what upgrade() did, or say there that it cannot be: raise NotImplementedError("why").'
)
_EXISTS_ALREADY = re.compile(r"(?P<label>enum label|type) \S.* already exists")
"""PostgreSQL's words for an enum, or one of its labels, that an earlier upgrade left (ERRCODE_DUPLICATE_OBJECT)."""
_LEFT_LABEL = Advice(
    "ALTER TYPE … ADD VALUE IF NOT EXISTS: PostgreSQL cannot drop a label, so that the downgrade leaves it."
)
_LEFT_TYPE = Advice(
    "Drop the type at the end of downgrade(): op.execute('DROP TYPE …'). create_table makes an enum's type, and "
    "drop_table leaves it."
)
_NO_NAME = re.compile(
    r"Can't emit DROP CONSTRAINT for constraint (?P<kind>\w+)\((?:.*table=Table\('(?P<table>[^']*)')?"
)
"""SQLAlchemy's words where an op.drop_constraint() has None for the name (sql/compiler.py, visit_drop_constraint)."""


class IrreversibleRevision(RevisionPattern):
    """A downgrade that is empty, fails, or does not restore the schema as it was before the upgrade.

    The downgrade was run: the schema before the upgrade is compared with the schema after the downgrade, and then the
    upgrade is run again. It is better to learn now that a revision cannot be undone than during an incident.

    If a revision cannot be undone, say so in its downgrade: ``raise NotImplementedError("the old column is gone")``.
    Then it is not reported. Nor is a file without the function: that is a way of working, and the report says once how
    many files have none. The order of columns, whether a constraint is validated, owners and data are not compared, nor
    labels that an enum has more: PostgreSQL cannot drop one, and they disturb nobody. The downgrade of a revision that
    begins with an empty database is a guess: nobody goes back to that in production.
    """

    references = ("https://alembic.sqlalchemy.org/en/latest/tutorial.html#downgrading",)
    existing = "CREATE TABLE book (id bigint PRIMARY KEY);"
    bad = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.add_column("book", sa.Column("title", sa.Text()))

        def downgrade():
            pass
    """
    good = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.add_column("book", sa.Column("title", sa.Text()))

        def downgrade():
            op.drop_column("book", "title")
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """One finding a revision."""
        downgrade = run.downgrade
        if downgrade is None or downgrade.declared:
            return
        message, remedy = _message(downgrade), _remedy(downgrade)
        no_name = _NO_NAME.search(downgrade.failure or "")
        if no_name is not None:
            message = "the downgrade fails: it drops a constraint without naming it"
            remedy = _naming(_new_names(run, no_name["kind"], no_name["table"]))
        if message is not None:
            place = downgrade.location or Location(run.path, run.downgrade_line)
            spot = Spot(run.revision, None, place, place.line)
            cause = "no name" if no_name is not None else ""
            finding = self.finding(spot, message, remedy, revision=run.revision, cause=cause)
            yield finding.but(guess=not run.before.tables)


def _new_names(run: RevisionRun, kind: str, table_name: str | None) -> list[str]:
    """The names of the constraints of a kind (SQLAlchemy's class) that the revision adds, to a table if it is known."""
    kinds = {"ForeignKeyConstraint": "foreign_keys", "CheckConstraint": "checks"}

    def names(schema: Schema) -> dict[str, None]:
        tables = (table for table in schema.tables if table_name in (None, table.name.name))
        groups = (getattr(table, kinds.get(kind, "unique_constraints")) for table in tables)
        return {item.name: None for group in groups for item in group if item.name}

    before = names(run.before)
    return [name for name in names(run.after) if name not in before]


def _naming(names: list[str]) -> Advice:
    written = " or ".join(map(repr, names)) if names else "the name that PostgreSQL gave it"
    return Advice(
        f"Write {written} there in place of None. With a naming_convention in MetaData autogenerate writes such names."
    )


def _remedy(downgrade: Downgrade) -> Advice:
    """What to do; where only the second upgrade fails, about the enum that the downgrade left."""
    alone = downgrade.failure is None and not downgrade.differences
    left = _EXISTS_ALREADY.search(downgrade.again or "") if alone else None
    if left is None:
        return _REMEDY
    return _LEFT_LABEL if left["label"] == "enum label" else _LEFT_TYPE


def _message(downgrade: Downgrade) -> str | None:
    if downgrade.failure is not None:
        return f"the downgrade fails: {_one_line(downgrade.failure)}"
    if downgrade.differences:
        shown, more = downgrade.differences[:SHOWN], len(downgrade.differences) - SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        return f"after upgrade and downgrade the schema is not what it was: {'; '.join(shown)}{rest}"
    if downgrade.again is not None:
        return f"after its downgrade the upgrade fails: {_one_line(downgrade.again)}"
    return None


def _one_line(text: str) -> str:
    """The server's message and the statement, without the mark below the spot."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "; ".join(line for line in lines if line.strip("^"))
