from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import altered, has_relation
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.revisions.retyped import retyped
from alembic_pgpatterns.schema.model import Column
from alembic_pgpatterns.schema.names import quote


class DropUnderRunningCode(RevisionPattern):
    """A table, view or column that is dropped while the old version of the application may still use it.

    SQLAlchemy names every column in its SELECTs and INSERTs. Until the last process with the old model has stopped,
    each of its statements on the table fails.

    First deploy code that no longer knows the column (``deferred()`` is not enough: INSERT names it too), and drop the
    column in the next deployment. Not reported: what the revision creates again under the same name, unless a column
    then has a different kind of type.
    """

    # One deployment waits for all that a revision drops.
    fold = Fold.REVISION
    references = ("https://www.postgresql.org/docs/current/sql-altertable.html",)
    existing = "CREATE TABLE book (id bigint PRIMARY KEY, title text, pages integer);"
    bad = """
        def upgrade():
            op.drop_column("book", "pages")
    """
    good = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.alter_column("book", "pages", nullable=True)
    """
    not_when = "No code that is running knows it any more: say so in the file, `# pgpatterns: ignore[...] reason`."

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Drops of what was there before, and is gone afterwards."""
        others = {old.identifier: _made_again(old, new) for old, new in retyped(run)}
        for statement, table, change in altered(run, "drop column"):
            before, after = run.before.table(table), run.after.table(table)
            is_dropped = after is not None and after.column(change.name) is None
            column = f"{table}.{quote(change.name)}"
            if before is not None and before.column(change.name) is not None and is_dropped:
                yield self.at(run, statement, _message(column), table, _ADVICE, object=column)
            elif column in others:
                yield self.at(run, statement, others[column], table, _RENAMED, object=column)
        for statement in run.statements:
            command = statement.command
            kinds = ("drop table", "drop view", "drop materialized view")
            # What failed has changed nothing.
            if command is None or command.kind not in kinds or statement.error is not None:
                continue
            for name in filter(None, statement.tables):
                if has_relation(run.before, name) and not has_relation(run.after, name):
                    yield self.at(run, statement, _message(str(name)), name, _ADVICE)


def _message(name: str) -> str:
    return f"{name} is dropped: code that is still running and names it fails"


def _made_again(old: Column, new: Column) -> str:
    return (
        f"{old.identifier} is dropped and made again as {new.type.display}, was {old.type.display}: code that is still "
        "running and uses it as before fails"
    )


_RENAMED = "Give the new column another name, write both, and drop the old one when no code names it any more."
_ADVICE = "First deploy code that does not name it; drop it in the deployment after that."
