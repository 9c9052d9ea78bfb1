from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import has_relation, named
from alembic_pgpatterns.revisions.commands import Command
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.schema.model import Name
from alembic_pgpatterns.schema.names import quote


class RenameUnderRunningCode(RevisionPattern):
    """A table, view or column that is renamed while the old version of the application may still use the old name.

    Until the last process with the old code has stopped, each of its statements on the table fails; and the new code
    fails until the revision has run. No order of the two works.

    Add the new column beside the old one, write both, copy the rows, switch the readers, and drop the old column in a
    later revision. For a table, leave a view with the old name. Not reported: a table that keeps a view of its old
    name; indexes, constraints and sequences, which code does not name; a column that takes the name of one that goes,
    where the revision drops the trigger that kept the two equal.
    """

    # One deployment waits for all that a revision renames.
    fold = Fold.REVISION
    references = (
        "https://www.postgresql.org/docs/current/sql-altertable.html",
        "https://www.postgresql.org/docs/current/sql-createview.html#SQL-CREATEVIEW-UPDATABLE-VIEWS",
    )
    existing = "CREATE TABLE book (id bigint PRIMARY KEY, name text);"
    bad = """
        def upgrade():
            op.alter_column("book", "name", new_column_name="title")
    """
    good = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.add_column("book", sa.Column("title", sa.Text()))
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Renames of what was there before, and is not there under its old name afterwards."""
        for statement in run.statements:
            command = statement.command
            if command is None or not command.kind.startswith(("rename ", "set schema")) or statement.error is not None:
                continue
            name = named(statement)
            if name is None:
                continue
            if command.kind == "rename column":
                if not _has_column(run, name, command.name) or _keeps_column(run, name, command.name):
                    continue
                # The end of a change in steps: a trigger has kept both columns equal, so that either name serves the
                # old code.
                if _has_column(run, name, command.new_name) and _ends_a_trigger(run, name):
                    continue
                old = f"{name}.{quote(command.name)}"
            elif not has_relation(run.before, name) or has_relation(run.after, name):
                continue
            else:
                old = str(name)
            new = quote(command.new_name)
            becomes = f"moves to the schema {new}" if command.kind == "set schema" else f"is renamed to {new}"
            message = f"{old} {becomes}: code that is still running and names it fails"
            yield self.at(run, statement, message, name, _instead(command, name), object=old)


def _has_column(run: RevisionRun, name: Name, column: str) -> bool:
    table = run.before.table(name)
    return table is not None and table.column(column) is not None


def _ends_a_trigger(run: RevisionRun, table: Name) -> bool:
    commands = ((statement.command, named(statement)) for statement in run.statements if statement.error is None)
    return any(command is not None and command.kind == "drop trigger" and name == table for command, name in commands)


def _keeps_column(run: RevisionRun, name: Name, column: str) -> bool:
    table = run.after.table(name)
    return table is not None and table.column(column) is not None


def _instead(command: Command, name: Name) -> str:
    if command.kind == "rename column":
        return (
            f"Add {quote(command.new_name)} beside it, write both, copy the rows in batches (op.backfill), and drop "
            f"{quote(command.name)} in a later revision."
        )
    return f"A view {name} over its new name, made in the same revision, until no old code runs."
