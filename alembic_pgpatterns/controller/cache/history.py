"""What earlier runs of a project's history left, and what this run leaves."""

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
from alembic_pgpatterns.controller.cache.stored_passwords import holds_passwords
from alembic_pgpatterns.controller.cache.traces import NO_TRACES, Traces
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.position import Position
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.revisions.model import Environment, RevisionRun
from alembic_pgpatterns.runner.messages import Dependencies, DependenciesRequest
from alembic_pgpatterns.server.binaries import find_binaries
from alembic_pgpatterns.server.cache_folder import cache_folder
from alembic_pgpatterns.server.throwaway import ThrowawayServer

OFF = "PGPATTERNS_NO_CACHE"
"""An environment variable: if it is set, nothing is cached and the cache is not used."""


class HistoryCache:
    """The snapshots and traces of one project, as far as they are still valid."""

    def __init__(self, project: Project, folder: Path, contents: Contents, variables: tuple[str, ...] = ()) -> None:
        """``folder``: for this project; it may not exist. ``variables``: those that the settings set."""
        self._project = project
        self._folder = folder
        self._contents = contents
        self._snapshots = Snapshots(folder, contents)
        self._lasting: set[str] = set()
        self._sessions: dict[str, str] | None = None
        self._from_settings = variables
        self.reason: str | None = None
        """Why nothing could be cached; None if it could, or if it was not tried."""

    @classmethod
    def open(cls, project: Project, settings: Settings) -> HistoryCache | None:
        """The cache of a project; None if it is off, or if the project is brought to head without its env.py.

        Raises:
            PgPatternsError: the history is broken, or there is no PostgreSQL.
        """
        elsewhere = settings.server is not None or settings.upgrade_command is not None or settings.create_all
        if not settings.cache or os.environ.get(OFF) or elsewhere or not project.revisions:
            return None
        binaries = find_binaries(settings.postgres_folder)
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            digests = contents(project, settings, binaries)
            return cls(project, cache_folder() / f"{PREFIX}{place(project)}", digests, tuple(settings.env))
        return None

    def find(self, within: Iterable[str]) -> Snapshot | None:
        """The snapshot to start from. It has run the first of these revisions, and no others.

        After `note_sessions`, only a snapshot for which env.py set up its sessions in the same way.
        """
        snapshot = self._snapshots.find(self._project.in_order(within), self._sessions)
        self._lasting |= snapshot.lasting if snapshot is not None else set()
        return snapshot

    def shared(self) -> frozenset[str]:
        """The first revisions of the history that are unchanged since the nearest snapshot."""
        common = self._snapshots.shared() or frozenset()
        order = self._project.in_order(self._contents.revisions)
        return frozenset(itertools.takewhile(common.__contains__, order))

    @property
    def proven(self) -> bool:
        """Whether env.py is known to run more than once in one process, from when a snapshot was made."""
        return self._snapshots.shared() is not None

    def note_sessions(self, sessions: Mapping[str, str]) -> None:
        """Note how env.py has set up its sessions; empty: nobody knows how."""
        self._sessions = dict(sessions)

    def agrees(self, cached: Traces) -> bool:
        """Whether the cached traces were made with sessions like the present ones."""
        return bool(self._sessions) and cached.sessions == self._sessions

    def keep(self, server: ThrowawayServer, position: Position, *, resume: bool) -> None:
        """Make a snapshot of a server. ``resume``: the server is still needed."""
        dependencies = self._dependencies()
        if dependencies is not None and holds_passwords(server, position.names):
            self.reason = "a user mapping, a subscription or a function in the database holds a password"
        elif dependencies is not None:
            self._snapshots.keep(server, position, dependencies, resume=resume)

    def runs(self, scope: Sequence[Revision], downgrade: bool) -> Traces:
        """The cached traces of the first revisions in scope, up to the first one without a trace."""
        cached = traces.load(self._file(scope, downgrade)) if scope else None
        if cached is None:
            return NO_TRACES
        self._lasting |= cached.lasting
        runs: dict[str, tuple[RevisionRun, ...]] = {}
        for script in scope:
            run = cached.runs.get(self._contents.chain(script.revision))
            if run is None:
                break
            runs[script.revision] = run
        return replace(cached, runs=runs)

    def keep_runs(
        self,
        scope: Sequence[Revision],
        downgrade: bool,
        runs: Mapping[str, tuple[RevisionRun, ...]],
        environments: tuple[Environment, ...],
    ) -> None:
        """Keep the traces of a scope's revisions, by identifier, up to the first that there is none of."""
        cached_runs: dict[str, tuple[RevisionRun, ...]] = {}
        for script in scope:
            if script.revision not in runs:
                break
            cached_runs[self._contents.chain(script.revision)] = runs[script.revision]
        depends_on = self._dependencies()
        if cached_runs and depends_on is not None and self._sessions:
            traces.keep(self._file(scope, downgrade), Traces(cached_runs, environments, self._sessions), depends_on)

    def _dependencies(self) -> Dependencies | None:
        """Everything that the runs depended on; None if it is not known, or if a file was changed during the run."""
        paths = tuple(item.path for item in self._project.revisions)
        request = DependenciesRequest(paths, tuple(sorted(self._lasting)), self._from_settings)
        result: Dependencies = self._project.request("dependencies", request)
        if result.untracked is not None:
            self.reason = result.untracked
            return None
        files = [*result.files, str(self._project.env_py), *(script.path for script in self._project.revisions)]
        # The digest is of the file as it is now; what ran may have been the text before.
        return None if any(_written_since(path, self._project.began) for path in files) else result

    def _file(self, scope: Sequence[Revision], downgrade: bool) -> Path:
        before = None
        for name in self._contents.revisions:
            if name == scope[0].revision:
                break
            before = name
        return self._folder / "traces" / self._contents.chain(before, downgrade)[:16]


def _written_since(path: str, moment: float) -> bool:
    """Whether a file was changed after a moment, so that an older content of it may have run."""
    try:
        facts = Path(path).stat()
    except OSError:
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_mtime > moment
