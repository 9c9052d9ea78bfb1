"""UPDATE and DELETE in DO blocks and in functions that a revision calls.

The server's log shows what was sent, and an event trigger what DDL a function runs. Of other commands in a function
nothing tells, so they are read from its text. Known are the functions that the revision itself creates.
"""

from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.revisions.commands import Command, parse
from alembic_pgpatterns.revisions.plpgsql import bodies
from alembic_pgpatterns.schema.sql.parser import pg, postgast

_CHANGES = ("update", "delete")


class Functions:
    """The functions and procedures that a revision has created so far."""

    def __init__(self) -> None:
        """None yet."""
        self._commands: dict[str, tuple[Command, ...]] = {}

    def note(self, command: Command) -> None:
        """Remember the function that a command creates, if it does."""
        if command.kind != "create function":
            return
        for item in postgast.parse(command.text).stmts:
            name = item.stmt.create_function_stmt.funcname[-1].string.sval
            self._commands[name] = tuple(inner for text in bodies(item.stmt) for inner in parse(text))

    def changes(self, command: Command) -> Iterator[Command]:
        """Every UPDATE and DELETE that a command runs inside of a DO block or of a known function.

        Not one of all rows behind one that did the same for a part of them: that was done in batches, and few are left.
        """
        in_parts = set()
        for inner in self._inner(command, set()):
            if inner.kind not in _CHANGES:
                continue
            change = (inner.kind, inner.relations[:1], tuple(column for column, _ in inner.assigned))
            if not inner.everywhere:
                in_parts.add(change)
            if not (inner.everywhere and change in in_parts):
                yield inner

    def _inner(self, command: Command, entered: set[str]) -> Iterator[Command]:
        called = [name for name in self._called(command) if name not in entered]
        entered.update(called)
        for inner in (*command.inner, *(item for name in called for item in self._commands[name])):
            yield inner
            yield from self._inner(inner, entered)

    def _called(self, command: Command) -> list[str]:
        """The known functions that a command calls."""
        if not self._commands or command.kind in ("create function", "do"):
            return []
        try:
            calls = list(postgast.find_nodes(postgast.parse(command.text), pg.FuncCall))
        except postgast.PgQueryError:
            return []
        names = dict.fromkeys(call.funcname[-1].string.sval for call in calls)
        return [name for name in names if name in self._commands]
