"""What earlier runs of a project's history left, and what this one leaves."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alembic_pgpatterns.cache import traces
from alembic_pgpatterns.cache.contents import Contents, contents, place
from alembic_pgpatterns.cache.dependencies import Dependencies, dependencies
from alembic_pgpatterns.cache.snapshots import PREFIX, Reached, Snapshot, Snapshots
from alembic_pgpatterns.cache.traces import Traces
from alembic_pgpatterns.project import Project
from alembic_pgpatterns.revisions.model import Environment, RevisionRun
from alembic_pgpatterns.server import cluster
from alembic_pgpatterns.server.binaries import find_binaries
from alembic_pgpatterns.server.throwaway import ThrowawayServer
from alembic_pgpatterns.settings import Settings

if TYPE_CHECKING:
    from alembic.script import Script


OFF = "PGPATTERNS_NO_CACHE"
"""An environment variable: where it is set, nothing is kept and nothing that was kept is used."""


class HistoryCache:
    """The kept states and traces of one project, as far as they are true of it now."""

    def __init__(self, project: Project, folder: Path, contents: Contents) -> None:
        """``folder`` is the project's own in the cache, and need not exist."""
        self._project = project
        self._folder = folder
        self._contents = contents
        self._snapshots = Snapshots(folder, contents)
        self._read: set[str] = set()

    @classmethod
    def open(cls, project: Project, settings: Settings) -> HistoryCache | None:
        """The cache of a project; None where nothing is kept: it is off, or another way than env.py brings it to head.

        Raises:
            PgPatternsError: the history is broken, or there is no PostgreSQL.
        """
        elsewhere = settings.server is not None or settings.upgrade_command is not None or settings.create_all
        if not settings.cache or os.environ.get(OFF) or elsewhere or not project.revisions:
            return None
        binaries = find_binaries(settings.path(settings.postgres) if settings.postgres else None)
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            known = contents(project, settings, binaries)
            return cls(project, cluster.cache_folder() / f"{PREFIX}{place(project)}", known)
        return None

    def find(self, within: Iterable[str]) -> Snapshot | None:
        """The kept state to go on from, which has run none but these revisions."""
        found = self._snapshots.find(frozenset(within))
        self.saw(found.lasting if found is not None else ())
        return found

    def shared(self) -> frozenset[str]:
        """The revisions up to which the history is as it was, those they come from included."""
        common = self._snapshots.shared()
        whole = (name for name in self._contents.revisions if self._project.ancestors([name]) <= common)
        return frozenset(whole)

    def keep(self, server: ThrowawayServer, reached: Reached, *, resume: bool) -> None:
        """Keep a server's state; ``resume``: it is still needed."""
        self._snapshots.keep(server, reached, self._dependencies(), resume=resume)

    def saw(self, read: Iterable[str]) -> None:
        """Revisions depend on these files."""
        self._read |= set(read)

    def runs(self, scope: Sequence[Script], downgrade: bool) -> Traces:
        """The kept traces of the first revisions of a scope: of as many as are known without a gap."""
        kept = traces.load(self._file(scope, downgrade)) if scope else None
        found: dict[str, tuple[RevisionRun, ...]] = {}
        for script in scope if kept is not None else ():
            run = kept.runs.get(self._contents.chain(script.revision)) if kept is not None else None
            if run is None:
                break
            found[script.revision] = run
        return Traces(found, kept.environments if kept is not None else ())

    def keep_runs(
        self,
        scope: Sequence[Script],
        downgrade: bool,
        runs: Mapping[str, tuple[RevisionRun, ...]],
        environments: tuple[Environment, ...],
    ) -> None:
        """Keep the traces of a scope's revisions, by identifier, up to the first that there is none of."""
        found: dict[str, tuple[RevisionRun, ...]] = {}
        for script in scope:
            if script.revision not in runs:
                break
            found[self._contents.chain(script.revision)] = runs[script.revision]
        if found:
            traces.keep(self._file(scope, downgrade), Traces(found, environments), self._dependencies())

    def _dependencies(self) -> Dependencies:
        return dependencies(self._project, self._read)

    def _file(self, scope: Sequence[Script], downgrade: bool) -> Path:
        before = None
        for name in self._contents.revisions:
            if name == scope[0].revision:
                break
            before = name
        return self._folder / "traces" / self._contents.chain(before, downgrade)[:16]
