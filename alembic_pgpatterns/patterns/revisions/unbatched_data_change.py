from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import altered, busy, named, python
from alembic_pgpatterns.revisions.commands import Command
from alembic_pgpatterns.revisions.model import RevisionRun, Statement
from alembic_pgpatterns.schema.model import Name
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.binds import escape_binds
from alembic_pgpatterns.schema.sql.expressions import has_parameter, null_columns
from alembic_pgpatterns.schema.sql.values import calls, columns


class UnbatchedDataChange(RevisionPattern):
    """One UPDATE or DELETE that changes all rows of an existing table.

    Every row stays locked until the end of the transaction, so everybody else who writes one of them waits; each row is
    written twice on disk; and a failure near the end undoes everything.

    In batches that commit one by one, nobody waits longer than for one batch. Reported if the statement has no WHERE,
    or one that only tests for null; with a key or another condition it may be a few rows.

    Not seen: what a function does that an earlier revision has created, and what triggers do.
    """

    fold = Fold.REVISION
    weighs_rows = True
    references = ("https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-SPACE-RECOVERY",)
    existing = "CREATE TABLE book (id bigint PRIMARY KEY, kind text);"
    bad = """
        def upgrade():
            op.execute("UPDATE book SET kind = 'novel' WHERE kind IS NULL")
    """
    good = """
        def upgrade():
            op.execute("UPDATE book SET kind = 'novel' WHERE id = 7")
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """UPDATE and DELETE of everything; the same statement in a loop counts once."""
        seen = set()
        for statement in run.statements:
            command = statement.command
            if command is None or not changes_everything(statement):
                continue
            table = named(statement)
            if table is not None and busy(run, table) and (table, command.kind, statement.location.line) not in seen:
                seen.add((table, command.kind, statement.location.line))
                yield self.at(
                    run,
                    statement,
                    f"one {command.kind.upper()} changes all rows of {table}{_those(command)}: each stays locked "
                    f"against other writers until the transaction ends{_under_lock(run, statement)}",
                    table,
                    _instead(run, command, table),
                    object=f"{table} {command.kind}",
                )


def changes_everything(statement: Statement) -> bool:
    """Whether it is an UPDATE or DELETE of all rows, or of those that are null somewhere."""
    command = statement.command
    return command is not None and command.kind in ("update", "delete") and command.everywhere


def _under_lock(run: RevisionRun, statement: Statement) -> str:
    """The table that nobody can even read meanwhile, because the transaction holds a lock that it took before."""
    held = (lock.root for lock in statement.held if lock.mode == "ACCESS EXCLUSIVE" and busy(run, lock.root))
    name = next(held, None)
    return f", and it holds ACCESS EXCLUSIVE on {name} already, so that reads wait as well" if name is not None else ""


def _is_new(run: RevisionRun, table: Name, column: str) -> bool:
    """Whether the revision adds the column, without a value for the rows that are there."""
    added = (change for _, at, change in altered(run, "add column") if at == table)
    return any(change.name == column and not (change.default or change.generated) for change in added)


def _those(command: Command) -> str:
    return f" where {command.where}" if command.where else ""


def _has_values_elsewhere(text: str) -> bool:
    """Whether the value is not in the text, or ``sa.text()`` would take a part of it, such as ``':a'``, for a name."""
    return has_parameter(text) or escape_binds(text) != text


def _false_afterwards(run: RevisionRun, command: Command, table: Name) -> str | None:
    """The condition of the UPDATE, false for each row that was changed; None where that cannot be had from its text."""
    assigned = dict(command.assigned)
    filled = [name for name, text in assigned.items() if text.upper() != "NULL"]
    if command.where and null_columns(command.where) & {*filled}:
        return command.where
    if any(
        calls(text) or columns(text) & {*assigned} or not _compares(run, table, name) for name, text in assigned.items()
    ):
        return None
    changed = " OR ".join(f"{quote(name)} IS DISTINCT FROM ({text})" for name, text in assigned.items())
    return f"({command.where}) AND ({changed})" if command.where else changed


def _compares(run: RevisionRun, table: Name, name: str) -> bool:
    """Whether the column's type is known and has an equality: json has none."""
    of_table = run.after.table(table) or run.before.table(table)
    column = of_table.column(name) if of_table is not None else None
    return column is not None and column.type.name not in ("json", "xml", "point")


def _instead(run: RevisionRun, command: Command, table: Name) -> str:
    if command.kind == "delete":
        batches = "Delete in batches of some thousand rows by key, each in a transaction of its own"
        return f"{batches}." if command.where else f"{batches}, or TRUNCATE."
    texts = (command.where, *dict(command.assigned).values())
    is_constant = command.assigned and not any(map(_has_values_elsewhere, filter(None, texts)))
    assigned = command.assigned if is_constant else ()
    values = ", ".join(f"{python(name)}: sa.text({python(text)})" for name, text in assigned) or "…"
    where = _false_afterwards(run, command, table) if is_constant else None
    new = [name for name, _ in assigned if _is_new(run, table, name)]
    if not command.where and new:
        where = f"{quote(new[0])} IS NULL"  # nothing else has filled a column that the revision adds
    relation = command.relations[0]
    schema = f", schema={python(relation.schema)}" if relation.schema else ""
    # Since PostgreSQL 11 a constant default is stored once for all rows that are there (docs, "ALTER TABLE", Notes).
    instant = new and not any(columns(text) for _, text in assigned)
    return (
        f"op.backfill({python(relation.name)}, {{{values}}}, where={python(where) if where else '…'}{schema})"
        "  # in batches, each in a transaction of its own; where: must be false for a row after its update"
        + ("\n# or op.add_column with server_default=…, which changes no row" if instant else "")
    )
