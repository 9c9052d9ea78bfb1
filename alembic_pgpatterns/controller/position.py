"""How far a server has come in a project's history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alembic_pgpatterns.runner.blame_facts import BlameFacts
from alembic_pgpatterns.server.real_database import RealDatabase


@dataclass(frozen=True)
class Position:
    """How far a server has come in a project's history.

    ``order``: the revisions that have run, in their order. ``databases``: the scratch database of each real one.
    ``environment``: the scratch database for variables of the settings. ``blame`` and ``sessions``: per database, which
    revision created what, and how env.py set up its session.
    """

    order: tuple[str, ...] = ()
    databases: Mapping[RealDatabase, str] = field(default_factory=dict)
    environment: str | None = None
    blame: Mapping[str, BlameFacts] = field(default_factory=dict)
    sessions: Mapping[str, str] = field(default_factory=dict)

    @property
    def revisions(self) -> frozenset[str]:
        """The revisions that have run."""
        return frozenset(self.order)

    @property
    def names(self) -> frozenset[str]:
        """All scratch databases."""
        for_variables = {self.environment} if self.environment is not None else set()
        return frozenset({*self.databases.values(), *for_variables})


EMPTY = Position()
"""An empty server."""
