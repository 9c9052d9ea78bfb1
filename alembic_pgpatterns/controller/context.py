"""The values that every step of a run needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.server.protocol import Server


@dataclass(frozen=True)
class RunContext:
    """The project, its settings, and where progress is shown."""

    project: Project
    settings: Settings
    progress: Progress
    _server: Server | None = None

    @property
    def server(self) -> Server:
        """The server that the migrations run on.

        Raises:
            RuntimeError: no server has been started yet, which is a mistake in the calling code.
        """
        if self._server is None:
            raise RuntimeError("this run has no server yet")
        return self._server

    def on(self, server: Server) -> Self:
        """The same run, on this server."""
        return replace(self, _server=server)
