from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern, Severity
from alembic_pgpatterns.patterns.revisions._statements import ALTER_TABLE, altered, as_written
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.commands import Command
from alembic_pgpatterns.revisions.filled import calls_unknown, executes, former_names, trigger_may_fill
from alembic_pgpatterns.revisions.model import RevisionRun, Spot, Statement
from alembic_pgpatterns.revisions.unfilled import place, unfilled
from alembic_pgpatterns.schema.model import Column, Location, Name, Table
from alembic_pgpatterns.schema.names import quote


class RequiredColumnWithoutDefault(RevisionPattern):
    """A NOT NULL column without a default that is added to an existing table: it fails if the table has rows.

    It works on an empty table, so it passes all tests, and fails in production: "column … contains null values".

    Since PostgreSQL 11 a constant default is instant, whatever the number of rows. Or add the column nullable, fill it
    in batches, then set NOT NULL. If the revision empties the table first, or fills the column and sets NOT NULL
    itself, it is a warning: the revision succeeds, but INSERTs of the old code, which does not name the column, then
    fail. So set NOT NULL in a later deployment, or keep a default until then.

    Where only a person knows the values of existing rows, autogenerate writes a comment with the statement to complete.
    A file that still has the comment, and changes no row, is a warning.
    """

    severity = Severity.ERROR
    fold = Fold.REVISION
    references = (ALTER_TABLE,)
    existing = "CREATE TABLE book (id bigint PRIMARY KEY);"
    bad = """
        def upgrade():
            op.add_column("book", sa.Column("kind", sa.Text(), nullable=False))
    """
    good = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.add_column("book", sa.Column("kind", sa.Text(), nullable=False, server_default="novel"))
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """ADD COLUMN … NOT NULL with nothing that fills it, and new columns that are so after the revision."""
        failing = set()
        for statement, table, change in altered(run, "add column"):
            # The project's own row counts may say that there is none.
            if change.required and not _emptied(run, table, statement) and (table, 0) not in run.rows:
                column = quote(change.name)
                failing.add((table, change.name))
                yield self.at(
                    run,
                    statement,
                    f"{table}.{column} is NOT NULL without a default: this fails as soon as {table} holds a row",
                    table,
                    f"ALTER TABLE {as_written(statement, table)} ADD COLUMN {column} {change.type} NOT NULL DEFAULT …, "
                    "or add it nullable, fill it in batches (op.backfill), then NOT NULL (op.set_not_null) in the "
                    "deployment after that",
                    object=f"{table}.{column}",
                )
        yield from self._afterwards(run, failing)
        yield from self._left_open(run)

    def _afterwards(self, run: RevisionRun, failing: set[tuple[Name, str]]) -> Iterator[Finding]:
        for before in run.before.tables:
            after = run.after.table(before.name) if before.partition_of is None else None
            columns = [c.name for c in after.columns if _left_to_code(c)] if after is not None else []
            names = [name for name in columns if not trigger_may_fill(run.statements, before.name, name)]
            origins = {name: _origin(run, before, name) for name in names if (before.name, name) not in failing}
            statements = [(quote(name), statement) for name, statement in origins.items() if statement is not None]
            if statements:
                yield self._without_default(run, before.name, statements)

    def _left_open(self, run: RevisionRun) -> Iterator[Finding]:
        """Columns for which the file has only the comment that says what a person has to write."""
        places = unfilled(run.path)
        for table in run.after.tables if places else ():
            # As the op names it: with its schema, or without if that is the default one.
            schemas = (
                (table.name.schema, None) if table.name.schema == run.after.default_schema else (table.name.schema,)
            )
            for column in table.columns:
                written = (place(schema, table.name.name, column.name) for schema in schemas)
                line = next((places[text] for text in written if text in places), None)
                if line is None or (table.name, 0) in run.rows:
                    continue
                if any(_may_fill(statement.command, column.name) for statement in run.statements):
                    continue
                if trigger_may_fill(run.statements, table.name, column.name):
                    continue
                name = f"{table.name}.{quote(column.name)}"
                spot = Spot(name, table.name, Location(run.path, line), line)
                message = (
                    f"existing rows get no value in {name}, because the statement for it is still a comment: "
                    f"NOT NULL fails as soon as {table.name} holds a row"
                )
                severity, revision = Severity.WARNING, run.revision
                yield self.finding(spot, message, _COMPLETE, severity=severity, detail=revision, revision=revision)

    def _without_default(self, run: RevisionRun, table: Name, columns: list[tuple[str, Statement]]) -> Finding:
        names = ", ".join(name for name, _ in columns)
        return self.at(
            run,
            columns[0][1],
            f"{names} of {table} {'are' if len(columns) > 1 else 'is'} new, NOT NULL, and without a default after this "
            f"revision: an INSERT of the old code, which does not name {'them' if len(columns) > 1 else 'it'}, fails",
            table,
            "Keep a server_default until no such code runs, or set NOT NULL in the deployment after that.",
            severity=Severity.WARNING,
        )


_COMPLETE = Advice(
    "Complete the statement and remove its comment signs; or delete the comment, if every row has a value already."
)
# "": what the parser's reader does not describe, such as MERGE or CALL.
_FILLING = frozenset(("", "insert", "copy"))


def _may_fill(command: Command | None, column: str) -> bool:
    """Whether a statement may give rows a value in a column; True if that is not known."""
    if command is None or command.kind in _FILLING:
        return True
    if command.kind == "update":
        return not command.assigned or column in dict(command.assigned)
    if command.kind == "select":
        return calls_unknown(command.text)
    if command.kind != "do":
        return False
    # The expressions of a block are SELECTs, too: the statements beside them say what it is for.
    updates = [inner for inner in command.inner if inner.kind == "update"]
    if updates:
        return any(_may_fill(inner, column) for inner in updates)
    if any(inner.kind == "lock" for inner in command.inner):
        return False
    return executes(command.text) or any(_may_fill(inner, column) for inner in command.inner)


def _left_to_code(column: Column) -> bool:
    filled = column.default or column.identity or column.generated or column.type.domains
    return not column.nullable and not filled


def _origin(run: RevisionRun, table: Table, column: str) -> Statement | None:
    """What made a new column required; None where it is an old one, perhaps of another name."""
    names = former_names(run.statements, table.name, column)
    if any(table.column(name) is not None for name in names):
        return None
    kinds = ("set not null", "add constraint", "add column")
    changed = [(s, c) for kind in kinds for s, at, c in altered(run, kind) if at == table.name]
    required = ((s, c) for s, c in changed if c.kind != "add constraint" or c.constraint == "not null")
    return next((s for s, c in required if names & {c.name, *c.columns}), None)


def _emptied(run: RevisionRun, table: Name, until: Statement) -> bool:
    for statement in run.statements:
        if statement is until:
            return False
        command = statement.command
        if command is None or not command.relations:
            continue
        emptying = command.kind == "truncate" or (command.kind == "delete" and command.everywhere)
        if emptying and table in statement.tables:
            return True
    return False
