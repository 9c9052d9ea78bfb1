from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, HistoryPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.model import Broken, History, Spot


class BreaksOldCode(HistoryPattern):
    """After a new revision, the models of the release before cannot read or write a table any more.

    Revisions run before the new code is everywhere. Until then the old code works on the new schema: on other servers,
    in workers, and again after a rollback. Each of its requests that touches the table fails.

    Needs git: the models are those of the setting `old_code` (flag `--old-code`), by default those of the commit where
    the branch left `diff_base`. They are read from its files in a process of their own. For each table of theirs a
    SELECT, INSERT, UPDATE and DELETE is prepared on the throw-away server before and after each new revision, and each
    label of their enums is tried. So is each statement of the setting `workload`, if that commit has the file, or the
    file lies outside of the repository.

    Where a revision changes a table or a trigger, the statements are executed, too: with made-up rows that the schema
    before and the old models allow, and that are rolled back. A new NOT NULL, a narrower type, or a CHECK that refuses
    NULL, a column's default or a text as long as the models allow, is a warning: the old models declare such rows. So
    is a statement that fails with values that were recorded. A new CHECK, unique rule or trigger that refuses other
    made-up values alone is an info: most such rules say what the code keeps anyway, and its author knows. New foreign
    keys are not tried so: made-up rows say nothing about them.

    A column that may be NULL from now on, and never was for the models of the release before, is a warning: their code
    fails where it reads a row of the new code that has no value.
    """

    severity = Severity.ERROR
    of_scope = True
    references = ("https://martinfowler.com/bliki/ParallelChange.html",)
    bad = """
        def upgrade():
            op.drop_column("orders", "note")
    """
    good = """
        def upgrade():
            op.add_column("orders", sa.Column("remark", sa.Text()))
    """

    def detect(self, history: History) -> Iterator[Finding]:
        """What breaks, in the order of the revisions."""
        for item in history.broken:
            place = f": {item.model}" if item.model is not None else ""
            message = f"{item.message} ({item.release}{place})"
            yield self.finding(
                _spot(item), message, Advice(_advice(item)), severity=_severity(item), revision=item.revision
            )


_WAY = (
    "Take two releases. First release code that no longer uses it, with a revision that old and new code can live "
    "with: a new column may be NULL or has a default. When the old code is gone from every server, a second revision "
    "drops, renames or restricts."
)
_VALUES = (
    "If the old code never writes such rows, leave it. Otherwise take two releases: first code that keeps the rule, "
    "then the revision."
)
_RULE = (
    "If the old code keeps the rule already, leave it. Otherwise take two releases: first code that keeps it, then the "
    "revision."
)
_NULLS = (
    "Let the new code write a value as long as the old code runs. Or take two releases: first code that can read NULL, "
    "then the revision."
)


def _advice(item: Broken) -> str:
    if item.imagined:
        return _RULE
    return _NULLS if item.with_new_rows else _VALUES if item.some_rows else _WAY


def _severity(item: Broken) -> Severity:
    if item.imagined:
        return Severity.INFO
    return Severity.WARNING if item.with_new_rows or item.some_rows else Severity.ERROR


def _spot(item: Broken) -> Spot:
    return Spot(f"{item.table}.{item.part}", item.table, item.location, item.location.line)
