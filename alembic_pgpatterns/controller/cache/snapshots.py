"""Copies of the cluster after a part of the history, from which the next run continues."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alembic_pgpatterns.controller.cache.contents import Contents
from alembic_pgpatterns.controller.cache.dependencies import hold
from alembic_pgpatterns.controller.position import Position
from alembic_pgpatterns.controller.scratch_databases import scratch_databases
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.runner.blame_facts import BlameFacts
from alembic_pgpatterns.runner.digest import digest
from alembic_pgpatterns.runner.messages import Dependencies
from alembic_pgpatterns.server import cluster, files
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.real_database import RealDatabase
from alembic_pgpatterns.server.throwaway import ThrowawayServer

PREFIX = "history-"
_STATES = "states"
_UNDER_WAY = "new-"
_NOTES = "history.json"
_MOST_SNAPSHOTS = 12
"""Number of snapshots that are kept for all projects. Branches share most of them; each takes about 40 MB."""


@dataclass(frozen=True)
class Snapshot:
    """A snapshot: its folder, its position in the history, and the files that its revisions depend on."""

    folder: Path
    position: Position
    lasting: frozenset[str]


class Snapshots:
    """The snapshots of one project."""

    def __init__(self, folder: Path, contents: Contents) -> None:
        """``folder``: for this project; it need not exist. ``contents``: decide which snapshots are still valid."""
        self._folder = folder / _STATES
        self._contents = contents
        self._digests: dict[str, str | None] = {}

    def find(self, order: Sequence[str], sessions: Mapping[str, str] | None = None) -> Snapshot | None:
        """The snapshot in which most of these revisions have run, all unchanged; None if there is none.

        ``order``: the order from an empty server; a snapshot with another order does not fit. ``sessions``: how env.py
        sets up its sessions, if known.
        """
        usable = [(folder, notes) for folder, notes in self._all() if self._fits(notes, order, sessions)]
        for folder, notes in sorted(usable, key=lambda item: -len(item[1].revisions)):
            if cluster.is_whole(folder):
                with contextlib.suppress(OSError):
                    os.utime(folder)
                return Snapshot(folder, notes.position, notes.dependencies.lasting)
        return None

    def shared(self) -> frozenset[str] | None:
        """The first revisions of the history that are the same in the nearest snapshot: what changed may change again.

        None if there is no snapshot with these surroundings.
        """
        current = self._contents.revisions.items()
        common = [
            frozenset(name for name, _ in notes.revisions.items() & current)
            for _, notes in self._all()
            if notes.surroundings == self._contents.surroundings
        ]
        return max(common, key=len, default=None)

    def keep(self, server: ThrowawayServer, position: Position, dependencies: Dependencies, *, resume: bool) -> None:
        """Make a snapshot of the server. If that is not possible, only the next run takes longer."""
        revisions = {name: self._contents.revisions[name] for name in position.order}
        notes = _Notes(self._contents.surroundings, revisions, dependencies, position)
        content = notes.plain()
        # These follow from the others, and are not needed to tell two snapshots apart.
        key = {name: value for name, value in content.items() if name not in ("introductions", "lasting")}
        folder = self._folder / digest(key)[:16]
        if not cluster.is_whole(folder) and _can_be_moved(server):
            with contextlib.suppress(PgPatternsError):
                if not resume:
                    # Traced databases and copies of them would take space in every snapshot, and a scratch database of
                    # the same name could not be created.
                    _tidy(server, position.names)
                server.save(folder, {_NOTES: json.dumps(content)}, resume=resume)
            _prune(self._folder.parent.parent)

    def _all(self) -> Iterator[tuple[Path, _Notes]]:
        for path in self._folder.glob(f"[!n]*/{_NOTES}"):
            with contextlib.suppress(OSError):
                try:
                    yield path.parent, _Notes.of(json.loads(read_text(path)))
                except (ValueError, TypeError, KeyError, AttributeError):
                    forget(path.parent)

    def _fits(self, notes: _Notes, order: Sequence[str], sessions: Mapping[str, str] | None) -> bool:
        current = self._contents.revisions
        return (
            notes.surroundings == self._contents.surroundings
            and tuple(order[: len(notes.revisions)]) == notes.position.order
            and all(current.get(name) == content for name, content in notes.revisions.items())
            and (sessions is None or sessions == notes.position.sessions)
            and hold(notes.dependencies, self._digests)
        )


@dataclass(frozen=True, slots=True)
class _Notes:
    """The notes beside a snapshot: when it may be used, and its position."""

    surroundings: str
    revisions: Mapping[str, str]
    dependencies: Dependencies
    position: Position

    def plain(self) -> dict[str, Any]:
        position = self.position
        return {
            "surroundings": self.surroundings,
            "revisions": list(self.revisions.items()),
            "files": dict(self.dependencies.files),
            "variables": dict(self.dependencies.variables),
            "lasting": sorted(self.dependencies.lasting),
            "databases": [[*_parts(origin), name] for origin, name in position.databases.items()],
            "environment": position.environment,
            "introductions": {name: asdict(item) for name, item in position.blame.items()},
            "sessions": dict(position.sessions),
        }

    @classmethod
    def of(cls, notes: Mapping[str, Any]) -> _Notes:
        """Raises ValueError, TypeError, KeyError or AttributeError if the values are not such notes."""
        revisions = dict(notes["revisions"])
        dependencies = Dependencies(dict(notes["files"]), dict(notes["variables"]), frozenset(notes["lasting"]))
        position = Position(
            order=tuple(revisions),
            databases={RealDatabase(host, port, database): name for host, port, database, name in notes["databases"]},
            environment=notes["environment"],
            blame={name: _blame_facts(item) for name, item in notes["introductions"].items()},
            sessions=dict(notes["sessions"]),
        )
        return cls(notes["surroundings"], revisions, dependencies, position)


def _can_be_moved(server: ThrowawayServer) -> bool:
    """Whether everything is in the data folder, and a server started there behaves like this one.

    A revision may have created a tablespace, which is a folder elsewhere, or used ALTER SYSTEM, which takes effect at
    the next start.
    """
    try:
        elsewhere = files.entries(server.sockets, "data", "pg_tblspc")
        lines = files.read_text(server.sockets, "data", "postgresql.auto.conf").splitlines()
    except OSError:
        return False
    return not elsewhere and all(not line.strip() or line.startswith("#") for line in lines)


def forget(folder: Path) -> None:
    """Delete a snapshot. It is renamed first, so that nobody copies half of it."""
    deleted = folder if folder.name.startswith(_UNDER_WAY) else folder.with_name(f"{_UNDER_WAY}{uuid.uuid4().hex}")
    with contextlib.suppress(OSError):
        folder.rename(deleted)
    shutil.rmtree(deleted, ignore_errors=True)


def _prune(cache: Path) -> None:
    """Delete the snapshots of all projects that were not used for longest, and incomplete ones of killed runs."""
    with contextlib.suppress(OSError):
        states = list(cache.glob(f"{PREFIX}*/{_STATES}/*"))
        halves = [state for state in states if state.name.startswith(_UNDER_WAY)]
        whole = [state for state in states if state not in halves]
        for state in (*cluster.unused(whole, keep_newest=_MOST_SNAPSHOTS), *cluster.unused(halves, days=1)):
            forget(state)


def _tidy(server: Server, names: frozenset[str]) -> None:
    """Drop the other databases: the next run must find only what the history made."""
    for name in scratch_databases(server) - names:
        server.drop_database(name)


def _parts(origin: RealDatabase) -> Sequence[str]:
    return (origin.host, origin.port, origin.database)


def _blame_facts(item: Mapping[str, Any]) -> BlameFacts:
    widths = {int(oid): [(width, revision) for width, revision in pairs] for oid, pairs in item["widths"].items()}
    return BlameFacts(list(item["revisions"]), list(item["highest"]), widths)
