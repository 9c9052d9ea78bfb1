"""One traced server for many tiny projects: a fresh database each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alembic_pgpatterns.revisions import serverlog
from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server
from tests import projects


@pytest.fixture(scope="session")
def traced_server(server) -> Iterator[ThrowawayServer]:
    with throwaway_server(server.binaries, settings=serverlog.SETTINGS) as running:
        yield running


@pytest.fixture(scope="session")
def old_traced_server(old_server) -> Iterator[ThrowawayServer]:
    with throwaway_server(old_server.binaries, settings=serverlog.SETTINGS) as running:
        yield running


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., projects.Project]:
    """``make("CREATE TABLE …", "op.add_column(…)", downgrade=…)``: what there is, and a revision on top of it."""

    def make(existing: str, *upgrades: str, downgrade: str = "pass", **env: str) -> projects.Project:
        project = projects.make(tmp_path)
        if env:
            project.env(**env)
        project.sql("r0", existing)
        for number, upgrade in enumerate(upgrades, 1):
            project.revision(f"r{number}", upgrade, f"r{number - 1}", downgrade)
        return project

    return make
