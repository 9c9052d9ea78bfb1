from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import (
    ALTER_TABLE,
    altered,
    as_written,
    block,
    constraint,
    line,
    python,
    worked,
)
from alembic_pgpatterns.revisions.model import MODES, RevisionRun, Statement, Work, blocks
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.parser import Node, postgast


class ValidatingForeignKey(RevisionPattern):
    """A foreign key that is added to an existing table and checks all its rows while writes to both tables wait.

    ADD FOREIGN KEY takes SHARE ROW EXCLUSIVE on both tables and keeps it while it looks up every row.

    With NOT VALID the lock is released at once, and new rows are checked from then on. VALIDATE CONSTRAINT, in another
    transaction, checks the old ones under SHARE UPDATE EXCLUSIVE, which blocks neither reads nor writes.

    Not reported: a new column with an inline REFERENCES, whose values are all null. Before PostgreSQL 18 NOT VALID is
    refused on a partitioned table.
    """

    fold = Fold.REVISION
    weighs_rows = True
    references = (ALTER_TABLE,)
    existing = """
        CREATE TABLE author (id bigint PRIMARY KEY);
        CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint);
    """
    bad = """
        def upgrade():
            op.create_foreign_key("book_author_id_fkey", "book", "author", ["author_id"], ["id"])
    """
    good = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.create_foreign_key(
                "book_author_id_fkey", "book", "author", ["author_id"], ["id"], postgresql_not_valid=True
            )
            with op.get_context().autocommit_block():
                op.execute("ALTER TABLE book VALIDATE CONSTRAINT book_author_id_fkey")
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Checks of a foreign key while writers wait."""
        for statement in run.statements:
            # VALIDATE is the safe form: it lets writers on.
            if any(change.kind == "validate" for change in statement.actions):
                continue
            for work in worked(statement, "foreign key", run):
                if statement.mode(work.root) not in (None, "SHARE UPDATE EXCLUSIVE"):
                    yield self._finding(run, statement, work)

    def _finding(self, run: RevisionRun, statement: Statement, work: Work) -> Finding:
        modes = _modes(statement, work)
        held = " and ".join(f"{mode} is held on {' and '.join(tables)}" for mode, tables in modes.items())
        message = (
            f"{work.name or 'the foreign key'} is checked against every row of {work.root} while {held}: "
            f"{blocks(max(modes, key=MODES.index))} wait"
        )
        instead = _inline(run, statement, work) or _instead(statement, work)
        return self.at(run, statement, message, work.root, instead, object=f"{work.root}.{work.name}")


def _modes(statement: Statement, work: Work) -> dict[str, list[str]]:
    """Tables by the lock that keeps writers away: earlier statements may have left a stronger one than ADD takes."""
    others = {lock.root for lock in statement.locks if lock.mode == "SHARE ROW EXCLUSIVE"} - {work.root}
    by_mode: dict[str, list[str]] = {}
    for table in (work.root, *sorted(others, key=str)):
        by_mode.setdefault(statement.mode(table) or "SHARE ROW EXCLUSIVE", []).append(str(table))
    return by_mode


def _inline(run: RevisionRun, statement: Statement, work: Work) -> str | None:
    """The key together with its column, where the revision adds that as well and fills nothing in: all are null."""
    change = constraint(statement, "foreign key")
    if change is None or len(change.columns) != 1 or len(statement.actions) > 1:
        return None
    for added, table, column in altered(run, "add column"):
        if table == work.root and column.name == change.columns[0] and not (column.required or column.default):
            between = run.statements[run.statements.index(added) : run.statements.index(statement)]
            if any(table in s.tables and s.command is not None and s.command.kind == "update" for s in between):
                return None
            new = f"ALTER TABLE {as_written(statement, table)} ADD COLUMN {quote(column.name)} {column.type}"
            return (
                f"op.execute({python(_with_key(new, statement.sql))})  # in place of {line(added)} and this: in a new "
                "column there is nothing to check"
            )
    return None


def _with_key(new_column: str, foreign_key: str) -> str:
    """The ADD COLUMN with the foreign key of the other ALTER TABLE, as a part of the column's definition."""
    tree, other = postgast.parse(f"{new_column} REFERENCES placeholder"), postgast.parse(foreign_key)
    column, constraint_node = (getattr(_first_action(item), "def") for item in (tree, other))
    key = column.column_def.constraints[0].constraint
    key.CopyFrom(constraint_node.constraint)
    key.ClearField("fk_attrs")  # the key's own columns: here it is the new one
    return str(postgast.deparse(tree))


def _first_action(tree: Node) -> Node:
    return tree.stmts[0].stmt.alter_table_stmt.cmds[0].alter_table_cmd


def _instead(statement: Statement, work: Work) -> str:
    change = constraint(statement, "foreign key")
    if change is None or statement.command is None or len(statement.actions) > 1 or work.name is None:
        return "Add it with NOT VALID, then VALIDATE CONSTRAINT in an autocommit block."
    validate = f"ALTER TABLE {as_written(statement, work.root)} VALIDATE CONSTRAINT {quote(work.name)}"
    return (
        f"op.execute({python(statement.sql, 'NOT VALID')})\n{block(validate)}"
        "\n# or op.create_foreign_key_not_valid and op.validate_constraint"
    )
