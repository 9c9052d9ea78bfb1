"""What several patterns of revisions ask of a statement."""

from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.revisions.alter_table import AlterAction
from alembic_pgpatterns.revisions.model import RevisionRun, Statement, Work
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.names import Name, quote
from alembic_pgpatterns.schema.sql.binds import escape_binds
from alembic_pgpatterns.schema.sql.parser import pg, postgast

LOCKS = "https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES"
ALTER_TABLE = "https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES"
CREATE_INDEX = "https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY"


def named(statement: Statement) -> Name | None:
    """The relation that a statement names first, by its name before the revision; None: made by the revision."""
    return statement.tables[0] if statement.tables else None


def as_written(statement: Statement, table: Name) -> str:
    """The table for SQL beside the statement: as it names it, since an earlier one may have renamed it."""
    command = statement.command
    if command is None or named(statement) != table:
        return table_sql(table)
    relation = command.relations[0]
    return ".".join(quote(part) for part in (relation.schema, relation.name) if part)


def has_relation(schema: Schema, name: Name) -> bool:
    """Whether a schema has a table or a view of that name."""
    return any(table.name == name for table in schema.tables) or any(view.name == name for view in schema.views)


def busy(run: RevisionRun, name: Name | None) -> bool:
    """Whether the table was there before, and may hold more than a handful of rows."""
    return name is not None and run.existed(name) and not run.is_small(name)


def altered(run: RevisionRun, kind: str) -> Iterator[tuple[Statement, Name, AlterAction]]:
    """The parts of one kind of every ALTER TABLE on a table that was there before."""
    for statement in run.statements:
        command = statement.command
        # What failed has changed nothing.
        if command is None or command.kind != "alter table" or statement.error is not None:
            continue
        table = named(statement)
        if table is not None and run.existed(table):
            yield from ((statement, table, change) for change in command.actions if change.kind == kind)


def worked(statement: Statement, kind: str, run: RevisionRun) -> list[Work]:
    """The work of one kind on tables that may hold many rows: not those that the revision truncated before."""
    done = run.statements[: run.statements.index(statement)] if statement.work else ()
    empty = {name for s in done if s.command is not None and s.command.kind == "truncate" for name in s.tables}
    return [work for work in statement.works(kind) if work.root not in empty and not run.is_small(work.root)]


def constraint(statement: Statement, *kinds: str) -> AlterAction | None:
    """The constraint of one of these kinds that an ALTER TABLE adds, and checks at once."""
    added = (change for change in statement.actions if change.kind == "add constraint" and change.constraint in kinds)
    # With USING INDEX the work is done already, with NOT VALID later.
    return next((change for change in added if change.validated and not change.index), None)


def line(statement: Statement) -> str:
    """Where the statement is written, for messages about two of them."""
    return f"line {statement.location.line}"


def block(*statements: str) -> str:
    """Statements in an autocommit block, as a revision would have them."""
    calls = "".join(f"\n    op.execute({python(text)})" for text in statements)
    return f"with op.get_context().autocommit_block():{calls}"


def python(text: str, more: str = "") -> str:
    """The SQL, and more at its end, as a Python string for ``op.execute``, on one line and without its comments."""
    flat = escape_binds(" ".join(filter(None, (_on_one_line(text), more))))
    return f'"{flat}"' if flat.isprintable() and '"' not in flat and "\\" not in flat else repr(flat)


_COMMENTS = frozenset({pg.SQL_COMMENT, pg.C_COMMENT})


def _on_one_line(text: str) -> str:
    """One space between tokens where there was any: what stands inside of literals and names stays."""
    raw = text.encode()  # the lexer counts bytes
    parts: list[str] = []
    end = 0
    for token in postgast.scan(text).tokens:
        if token.token not in _COMMENTS:
            parts.append(f"{' ' if parts and token.start > end else ''}{raw[token.start : token.end].decode()}")
            end = token.end
    return "".join(parts)


def table_sql(table: Name) -> str:
    """The name as a revision would write it: the default schema goes without saying."""
    return str(table).removeprefix("public.")


_KINDS_OF_OBJECT = frozenset({pg.INDEX, pg.TABLE, pg.SCHEMA, pg.VIEW})


def with_words(text: str, words: str) -> str:
    """The statement with words behind the kind of its object: ``CREATE UNIQUE INDEX`` CONCURRENTLY …

    Its other words stay as they are written, which they would not if the changed parse tree were written out.
    """
    kinds = (token for token in postgast.scan(text).tokens if token.token in _KINDS_OF_OBJECT)
    end = next(kinds).end
    raw = text.encode()  # the lexer counts bytes
    return f"{raw[:end].decode()} {words}{raw[end:].decode()}"
