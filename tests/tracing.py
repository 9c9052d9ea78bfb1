"""Tracing tiny projects, for tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from alembic.config import Config

from alembic_pgpatterns.config.reading import read_settings
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.controller.tracer import Tracer, TraceResult
from alembic_pgpatterns.patterns import Finding, RevisionPattern
from alembic_pgpatterns.revisions import serverlog
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server
from tests import projects


class Silent:
    def say(self, what: str) -> None: ...

    def step(self, done: int, total: int, revision: str) -> None: ...

    def running(self, revision: str) -> None: ...


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def trace(
    project: projects.Project, server: ThrowawayServer, only: Sequence[str] | None = None, **settings: object
) -> TraceResult:
    with inside(project.folder):
        own = Project(Config(str(project.folder / "alembic.ini")))
        scope = [script for script in own.revisions if only is None or script.revision in only]
        tracer = Tracer(Run(own, read_settings(own.ini, None, settings), Silent(), server))
        try:
            return tracer.trace(scope)
        finally:
            tracer.clear()
            own.close()


def findings(pattern: type[RevisionPattern], runs: Sequence[RevisionRun]) -> list[Finding]:
    return [finding for run in runs for finding in pattern().detect(run)]


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
