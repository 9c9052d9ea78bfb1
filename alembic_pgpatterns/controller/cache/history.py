"""What earlier runs of a project's history left, and what this one leaves."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.cache import traces
from alembic_pgpatterns.controller.cache.contents import Contents, contents, place
from alembic_pgpatterns.controller.cache.snapshots import PREFIX, Snapshot, Snapshots
from alembic_pgpatterns.controller.cache.traces import NO_TRACES, Traces
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.position import Position
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.revisions.model import Environment, RevisionRun
from alembic_pgpatterns.runner.messages import Dependencies, DependenciesRequest
from alembic_pgpatterns.server import cluster
from alembic_pgpatterns.server.binaries import find_binaries
from alembic_pgpatterns.server.throwaway import ThrowawayServer

OFF = "PGPATTERNS_NO_CACHE"
"""An environment variable: where it is set, nothing is kept and nothing that was kept is used."""


class HistoryCache:
    """The kept states and traces of one project, as far as they are true of it now."""

    def __init__(self, project: Project, folder: Path, contents: Contents, given: tuple[str, ...] = ()) -> None:
        """``folder``: the project's own; it need not exist. ``given``: variables that the settings give."""
        self._project = project
        self._folder = folder
        self._contents = contents
        self._snapshots = Snapshots(folder, contents)
        self._lasting: set[str] = set()
        self._sessions: dict[str, str] | None = None
        self._given = given
        self.reason: str | None = None
        """Why nothing could be cached; None if it could, or was not tried."""

    @classmethod
    def open(cls, project: Project, settings: Settings) -> HistoryCache | None:
        """The cache of a project; None where nothing is kept: it is off, or another way than env.py brings it to head.

        Raises:
            PgPatternsError: the history is broken, or there is no PostgreSQL.
        """
        elsewhere = settings.server is not None or settings.upgrade_command is not None or settings.create_all
        if not settings.cache or os.environ.get(OFF) or elsewhere or not project.revisions:
            return None
        binaries = find_binaries(settings.postgres_folder)
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            known = contents(project, settings, binaries)
            return cls(project, cluster.cache_folder() / f"{PREFIX}{place(project)}", known, tuple(settings.env))
        return None

    def find(self, within: Iterable[str]) -> Snapshot | None:
        """The kept state to go on from, which has run the first of these revisions, and none but these.

        Once `note_sessions` was called, one where env.py set itself up as it did then.
        """
        found = self._snapshots.find(self._project.in_order(within), self._sessions)
        self._lasting |= found.lasting if found is not None else set()
        return found

    def shared(self) -> frozenset[str]:
        """The revisions up to which the history is as it was, those they come from included."""
        common = self._snapshots.shared() or frozenset()
        order = self._project.in_order(self._contents.revisions)
        return frozenset(itertools.takewhile(common.__contains__, order))

    @property
    def proven(self) -> bool:
        """Whether env.py is known to run more than once in one process, as it was when a state was kept."""
        return self._snapshots.shared() is not None

    def note_sessions(self, sessions: Mapping[str, str]) -> None:
        """env.py has run, and set itself up so; empty: nobody knows how."""
        self._sessions = dict(sessions)

    def agrees(self, known: Traces) -> bool:
        """Whether these revisions were traced in sessions like the one of now."""
        return bool(self._sessions) and known.sessions == self._sessions

    def keep(self, server: ThrowawayServer, position: Position, *, resume: bool) -> None:
        """Keep a server's state; ``resume``: it is still needed."""
        known = self._dependencies()
        if known is not None:
            self._snapshots.keep(server, position, known, resume=resume)

    def runs(self, scope: Sequence[Revision], downgrade: bool) -> Traces:
        """The kept traces of the first revisions of a scope: of as many as are known without a gap."""
        kept = traces.load(self._file(scope, downgrade)) if scope else None
        if kept is None:
            return NO_TRACES
        self._lasting |= kept.lasting
        found: dict[str, tuple[RevisionRun, ...]] = {}
        for script in scope:
            run = kept.runs.get(self._contents.chain(script.revision))
            if run is None:
                break
            found[script.revision] = run
        return replace(kept, runs=found)

    def keep_runs(
        self,
        scope: Sequence[Revision],
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
        known = self._dependencies()
        if found and known is not None and self._sessions:
            traces.keep(self._file(scope, downgrade), Traces(found, environments, self._sessions), known)

    def _dependencies(self) -> Dependencies | None:
        """All that the runs depended on; None: that cannot be told, or some of it was written meanwhile."""
        paths = tuple(item.path for item in self._project.revisions)
        request = DependenciesRequest(paths, tuple(sorted(self._lasting)), self._given)
        known: Dependencies = self._project.request("dependencies", request)
        if known.untracked is not None:
            self.reason = known.untracked
            return None
        files = [*known.files, str(self._project.env_py), *(script.path for script in self._project.revisions)]
        return None if any(_written_since(path, self._project.began) for path in files) else known

    def _file(self, scope: Sequence[Revision], downgrade: bool) -> Path:
        before = None
        for name in self._contents.revisions:
            if name == scope[0].revision:
                break
            before = name
        return self._folder / "traces" / self._contents.chain(before, downgrade)[:16]


def _written_since(path: str, moment: float) -> bool:
    """Whether a file is younger than a moment, so that what ran may be what it was before."""
    try:
        facts = Path(path).stat()
    except OSError:
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_mtime > moment
