"""What advice about a statement must say of its surroundings.

An autocommit block and batches begin with a commit, which ends or makes final what the transaction did before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# The base of all patterns imports this module. With an import of their classes the chain of imports would be too long.
RevisionRun = Any
Statement = Any

SAFE_LOCK = (
    "hold a session's lock on a connection of its own instead, by pg_try_advisory_lock in a loop (a waiting "
    "pg_advisory_lock would hold up CREATE INDEX CONCURRENTLY)"
)
"""What keeps runs apart although revisions commit."""

_COMMITS = ("autocommit", "op.backfill", "transaction of its own", "transactions of their own")


def with_notes(advice: str, run: RevisionRun, statement: Statement) -> str:
    """The advice, with what it would do to the rest of the transaction, of the block and of the project.

    Args:
        advice: what to write instead of the statement.
        run: of the revision.
        statement: the one that the advice replaces.
    """
    # Code is pasted, sentences are read.
    is_code = advice.startswith(("op.", "with op."))
    commits = statement.transactional and any(word in advice for word in _COMMITS)
    notes = [
        *(commit_notes(run, statement) if commits else ()),
        *(_code_notes(advice, run, statement) if is_code else ()),
    ]
    mark = "\n# " if is_code else " Note: "
    return advice + "".join(f"{mark}{note}" for note in notes)


def _code_notes(advice: str, run: RevisionRun, statement: Statement) -> Iterator[str]:
    if statement.batched and not advice.startswith('op.execute("SET '):  # that has to come before them
        yield "behind the op.batch_alter_table block: inside, op.execute runs before the block's own operations."
    if run.portable:
        yield (
            "SQLite has none of this: if the revisions run there, too, put it under "
            'if op.get_bind().dialect.name == "postgresql", and the present lines under else.'
        )


def commit_notes(run: RevisionRun, statement: Statement) -> Iterator[str]:
    """What a commit before the statement ends or makes final, one sentence each."""
    earlier = run.statements[: run.statements.index(statement)]
    same = [item for item in earlier if item.transactional and item.transaction == statement.transaction]
    if statement.advisory_lock:
        yield f"the commit releases pg_advisory_xact_lock, so that a second run could begin: {SAFE_LOCK}."
    for item in same:
        if item.command is not None and item.command.kind == "set constraints":
            yield (
                f"SET CONSTRAINTS in line {item.location.line} ends with its transaction: leave together what needs it."
            )
            break
    tables = set(statement.tables)
    for item in same if _builds_unique(statement) else ():
        dropped = next((name for table, name in _dropped_unique(run, item) if table in tables), None)
        if dropped is not None:
            yield (
                f"line {item.location.line} drops {dropped}, and the commit makes that final: build the new index "
                f"before line {item.location.line}, or nothing is unique during the build."
            )
            break


def _builds_unique(statement: Statement) -> bool:
    command = statement.command
    unique = ("unique", "primary key")
    return command is not None and (command.unique or any(part.constraint in unique for part in command.actions))


def _dropped_unique(run: RevisionRun, statement: Statement) -> Iterator[tuple[Any, str]]:
    """The unique constraints and indexes that a statement drops: table and name."""
    command = statement.command
    if command is None or statement.error is not None:
        return
    indexes = [index for table in run.before.tables for index in table.indexes if index.unique]
    constraints = {part.name for part in command.actions if part.kind == "drop constraint"}
    for index in indexes:
        if index.constraint in constraints and index.constraint and index.table in statement.tables:
            yield index.table, index.constraint
        named = (item for item in command.relations if command.kind == "drop index")
        if any(item.name == index.name.name and item.schema in ("", index.name.schema) for item in named):
            yield index.table, index.name.name
