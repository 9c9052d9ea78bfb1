"""The interface for showing the progress of a run."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Shows the progress, usually on a terminal."""

    def say(self, phase: str) -> None:
        """A new phase starts: "starting PostgreSQL 18"."""

    def step(self, done: int, total: int, revision: str) -> None:
        """A revision has run."""

    def running(self, revision: str) -> None:
        """A revision starts to run."""
