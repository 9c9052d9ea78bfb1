"""What goes on, on a terminal; nothing of it in a pipe."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from alembic_pgpatterns.output.safe_text import one_line
from alembic_pgpatterns.output.secrets import without_secrets


class Silent:
    """Progress for pipes and files."""

    def say(self, phase: str) -> None:
        """Nothing."""

    def step(self, done: int, total: int, revision: str) -> None:
        """Nothing."""

    def running(self, revision: str) -> None:
        """Nothing."""


class OneLine:
    """Progress as one line that changes, gone at the end. No thread draws it: the project's process is forked off."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def say(self, phase: str) -> None:
        """Show the phase."""
        # Some terminals begin another line as soon as one is full.
        width = shutil.get_terminal_size().columns - 1
        self._stream.write(f"\r\x1b[2K{one_line(without_secrets(phase))[:width]}")
        self._stream.flush()

    def step(self, done: int, total: int, revision: str) -> None:
        """Show how many revisions are done."""
        self.say(f"revision {done} of {total} ({revision})")

    def running(self, revision: str) -> None:
        """Show which revision runs."""
        self.say(f"running revision {revision}")

    def clear(self) -> None:
        """Take the line away."""
        self._stream.write("\r\x1b[2K")
        self._stream.flush()


@contextmanager
def progress_on(stream: TextIO | None) -> Iterator[Silent | OneLine]:
    """Progress on a stream: one line if it is a terminal, else silence."""
    if stream is None or stream.closed or not stream.isatty():
        yield Silent()
        return
    progress = OneLine(stream)
    try:
        yield progress
    finally:
        progress.clear()
