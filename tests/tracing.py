"""Tracing tiny projects, for tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from alembic.config import Config

from alembic_pgpatterns.pattern import Finding, RevisionPattern
from alembic_pgpatterns.project import Project
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.server.throwaway import ThrowawayServer
from alembic_pgpatterns.settings import Settings
from alembic_pgpatterns.tracing import Traced, Tracer
from tests import projects


class Silent:
    def say(self, what: str) -> None: ...

    def step(self, done: int, total: int, revision: str) -> None: ...


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
) -> Traced:
    with inside(project.folder):
        own = Project(Config(str(project.folder / "alembic.ini")))
        scope = [script for script in own.revisions if only is None or script.revision in only]
        tracer = Tracer(own, Settings.read(own.ini, None, settings), server, Silent())
        try:
            return tracer.trace(scope)
        finally:
            tracer.clear()


def findings(pattern: type[RevisionPattern], runs: Sequence[RevisionRun]) -> list[Finding]:
    return [finding for run in runs for finding in pattern().detect(run)]
