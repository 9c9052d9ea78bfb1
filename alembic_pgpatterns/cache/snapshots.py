"""Copies of the cluster with a part of the history run, from which the next run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from alembic_pgpatterns.cache.contents import Contents, digest
from alembic_pgpatterns.cache.dependencies import Dependencies
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.revisions.introduced import Introductions
from alembic_pgpatterns.server import cluster
from alembic_pgpatterns.server.origin import Origin
from alembic_pgpatterns.server.throwaway import ThrowawayServer

PREFIX = "history-"
_STATES = "states"
_NOTES = "history.json"
_KEPT = 12
"""States of all projects that are kept: branches share most, and each takes some 40 MB."""
_UNUSED_DAYS = 30


@dataclass(frozen=True)
class Reached:
    """How far a server has come with a project's history.

    ``databases``: by origin, the scratch database; ``environment``: the one behind the variables of the settings.
    ``introductions`` and ``sessions``: by database, what came with which revision, and how env.py set itself up.
    """

    revisions: frozenset[str] = frozenset()
    databases: Mapping[Origin, str] = field(default_factory=dict)
    environment: str | None = None
    introductions: Mapping[str, Introductions] = field(default_factory=dict)
    sessions: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """All scratch databases."""
        own = {self.environment} if self.environment is not None else set()
        return frozenset({*self.databases.values(), *own})


NOWHERE = Reached()
"""An empty server."""


@dataclass(frozen=True)
class Snapshot:
    """A kept state: its folder, what is there, and the files that its revisions depend on."""

    folder: Path
    reached: Reached
    lasting: frozenset[str]


class Snapshots:
    """The kept states of one project."""

    def __init__(self, folder: Path, contents: Contents) -> None:
        """``folder`` is the project's own, and need not exist; ``contents`` say which of its states are still true."""
        self._folder = folder / _STATES
        self._contents = contents
        self._known: dict[str, str | None] = {}

    def find(self, within: frozenset[str]) -> Snapshot | None:
        """The state with the most revisions of those, all as they are now; None: there is none to go on from."""
        usable = [(folder, notes) for folder, notes in self._all() if self._fits(notes, within)]
        for folder, notes in sorted(usable, key=lambda item: -len(item[1]["revisions"])):
            if cluster.is_whole(folder):
                with contextlib.suppress(OSError):
                    os.utime(folder)
                return Snapshot(folder, _reached(notes), frozenset(notes["lasting"]))
        return None

    def shared(self) -> frozenset[str]:
        """What the nearest kept state has in common with the history: where it changed once it will change again."""
        current = self._contents.revisions.items()
        common = [
            frozenset(name for name, _ in notes["revisions"].items() & current)
            for _, notes in self._all()
            if notes["surroundings"] == self._contents.surroundings
        ]
        return max(common, key=len, default=frozenset())

    def keep(self, server: ThrowawayServer, reached: Reached, known: Dependencies, *, resume: bool) -> None:
        """Keep the server's state; where that cannot be done, the next run takes longer, and that is all."""
        notes = {
            "surroundings": self._contents.surroundings,
            "revisions": {name: self._contents.revisions[name] for name in sorted(reached.revisions)},
            "files": dict(known.files),
            "variables": dict(known.variables),
            "lasting": sorted(known.lasting),
            "databases": [[*_parts(origin), name] for origin, name in reached.databases.items()],
            "environment": reached.environment,
            "introductions": {name: asdict(item) for name, item in reached.introductions.items()},
            "sessions": dict(reached.sessions),
        }
        what = [notes[key] for key in ("surroundings", "revisions", "files", "variables", "databases", "sessions")]
        folder = self._folder / digest(what)[:16]
        if not cluster.is_whole(folder):
            with contextlib.suppress(PgPatternsError):
                _tidy(server, reached.names)
                server.save(folder, {_NOTES: json.dumps(notes)}, resume=resume)
            _prune(self._folder.parent.parent)

    def _all(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        for path in self._folder.glob(f"*/{_NOTES}"):
            with contextlib.suppress(OSError):
                try:
                    yield path.parent, json.loads(path.read_text("utf-8"))
                except ValueError:
                    forget(path.parent)

    def _fits(self, notes: Mapping[str, Any], within: frozenset[str]) -> bool:
        current = self._contents.revisions
        return (
            notes["surroundings"] == self._contents.surroundings
            and notes["revisions"].keys() <= within
            and all(current.get(name) == content for name, content in notes["revisions"].items())
            and Dependencies(notes["files"], notes["variables"]).hold(self._known)
        )


def forget(folder: Path) -> None:
    """Remove a state that nothing can be begun with."""
    shutil.rmtree(folder, ignore_errors=True)


def _prune(cache: Path) -> None:
    """Of all projects, remove the states that were used longest ago, and halves that a killed run left behind."""
    with contextlib.suppress(OSError):
        states = cache.glob(f"{PREFIX}*/{_STATES}/*")
        ages = sorted((time.time() - entry.stat().st_mtime, entry) for entry in states)
        whole = [(age, entry) for age, entry in ages if not entry.name.startswith("new-")]
        old = [entry for number, (age, entry) in enumerate(whole) if number >= _KEPT or age > _UNUSED_DAYS * 86400]
        old += [entry for age, entry in ages if entry.name.startswith("new-") and age > 86400]
        for entry in old:
            shutil.rmtree(entry, ignore_errors=True)


def _tidy(server: ThrowawayServer, names: frozenset[str]) -> None:
    """Drop what was made besides: the next run is to find what the history made, and nothing else."""
    query = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'"
    with server.connect() as connection:
        others = {row[0] for row in connection.execute(query)} - names
    for name in others:
        server.drop_database(name)


def _parts(origin: Origin) -> Sequence[str]:
    return (origin.host, origin.port, origin.database)


def _reached(notes: Mapping[str, Any]) -> Reached:
    return Reached(
        revisions=frozenset(notes["revisions"]),
        databases={Origin(host, port, database): name for host, port, database, name in notes["databases"]},
        environment=notes["environment"],
        introductions={name: _introductions(item) for name, item in notes["introductions"].items()},
        sessions=notes["sessions"],
    )


def _introductions(item: Mapping[str, Any]) -> Introductions:
    widths = {int(oid): [(width, revision) for width, revision in known] for oid, known in item["widths"].items()}
    return Introductions(list(item["revisions"]), list(item["highest"]), widths)
