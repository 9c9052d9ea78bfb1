"""What goes on, on a terminal; nothing of it in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from alembic_pgpatterns.output.safe_text import one_line
from alembic_pgpatterns.output.secrets import without_secrets

if TYPE_CHECKING:
    from rich.status import Status


class Silent:
    """Progress for pipes and files."""

    def say(self, what: str) -> None:
        """Nothing."""

    def step(self, done: int, total: int, revision: str) -> None:
        """Nothing."""


class Spinning:
    """Progress as one line that changes, gone at the end."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def say(self, what: str) -> None:
        """Show the phase."""
        from rich.markup import escape

        self._status.update(escape(one_line(without_secrets(what))))

    def step(self, done: int, total: int, revision: str) -> None:
        """Show how far the revisions are."""
        self.say(f"revision {done} of {total} ({revision})")


@contextmanager
def progress_on(stream: TextIO) -> Iterator[Silent | Spinning]:
    """Progress on a stream: a spinner where that is a terminal, else silence."""
    if not stream.isatty():
        yield Silent()
        return
    from rich.console import Console

    with Console(file=stream).status("reading the revisions") as status:
        yield Spinning(status)
