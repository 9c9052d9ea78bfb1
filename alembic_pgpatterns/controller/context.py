"""What every step of a run needs to know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.server.protocol import Server

if TYPE_CHECKING:
    from alembic_pgpatterns.controller.cache.history import HistoryCache


@dataclass(frozen=True)
class RunContext:
    """The project, its settings, who is told about progress, and the cache: None if nothing is kept."""

    project: Project
    settings: Settings
    progress: Progress
    _server: Server | None = None
    cache: HistoryCache | None = None

    @property
    def server(self) -> Server:
        """The server that the migrations run on.

        Raises:
            RuntimeError: no server has been started yet; a mistake in the calling code.
        """
        if self._server is None:
            raise RuntimeError("this run has no server yet")
        return self._server

    def on(self, server: Server) -> Self:
        """The same run, on this server."""
        return replace(self, _server=server)
