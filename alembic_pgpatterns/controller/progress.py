"""What is told about a run while it goes on."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Who is told what goes on, on a terminal."""

    def say(self, what: str) -> None:
        """A new phase begins: "starting PostgreSQL 18"."""

    def step(self, done: int, total: int, revision: str) -> None:
        """A revision ran."""

    def running(self, revision: str) -> None:
        """A revision begins to run."""
