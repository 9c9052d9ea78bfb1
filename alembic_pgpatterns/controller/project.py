"""A project as the checks see it: its configuration, its history as plain data, and the process that runs its code."""

from __future__ import annotations

import importlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

from alembic_pgpatterns.config import location
from alembic_pgpatterns.config.ini_search import note_of, other_ini
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.history import History, Revision, read_without_running
from alembic_pgpatterns.controller.process import Confinement, Handlers, ProjectProcess
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.runner.bootstrap import Task
from alembic_pgpatterns.runner.messages import RevisionFacts, ScriptFacts
from alembic_pgpatterns.runner.paths import relative
from alembic_pgpatterns.runner.reparented import reparented_facts

_LOOKS_LIKE_REVISION = re.compile(r"^down_revision\b", re.MULTILINE)


Result = TypeVar("Result")


class HistoryChanged(Exception):
    """The revisions differ from what was read from their files; conclusions from them must be drawn again."""


def with_true_history(function: Callable[[], Result]) -> Result:
    """Call a function for a project, and again if the revisions differ from what was read from their files.

    The second time Alembic's own facts are used, so there is no third time.
    """
    try:
        return function()
    except HistoryChanged:
        return function()


class Project:
    """What a check needs of the project. The project's code runs in another process, never in this one."""

    def __init__(self, config: Any, settings: Settings | None = None, *, fresh: bool = False) -> None:
        """Take an ``alembic.config.Config``.

        Args:
            config: Alembic's.
            settings: they set the limits of the project's process.
            fresh: do not fork, because this process has imported the project, and may be connected to its database.

        Raises:
            SettingsError: an entry of ``allow_connect`` is not an address.
            PgPatternsError: nobody can tell which migrations are meant.
        """
        self.config = config
        options = settings.alembic_options.get(location.OPTION) if settings is not None else None
        if settings is not None and options is not None:
            location.use(config, settings.path(Path(options)).absolute())
        place = location.complete(config)
        ini = other_ini(config)
        notes = [*([note_of(ini)] if ini is not None else []), *([place.note] if place.note is not None else [])]
        self.section_note, self.located = "; ".join(notes) or None, place.folder
        """What was found out about the configuration: another file, a section of another name; the migrations."""
        self.began = time.time()
        self.fresh = fresh
        self._confinement = Confinement.of(settings, fresh=fresh)
        self._history: History | None = None
        self._later: list[str] = []
        self._process: ProjectProcess | None = None
        self.ways: list[Any] = []
        """What was found out, and given to the project, because without it nothing could be checked; see `ways`."""
        self.first_failure: PgPatternsError | None = None
        self.is_looking = False
        """Whether the caller tries again with what is found out."""
        self.tries_all = False
        """Whether to try too what only a person can decide, as for ``--init``."""
        self.has_models = False
        """Whether env.py named models in the last run that failed."""
        self.untried: tuple[Any, ...] = ()
        """What could be tried, and only a person can decide; see `ways`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that runs the project's code, and all processes that it has started."""
        if self._process is not None:
            self._process.close()
            self._process = None

    @cached_property
    def names_sqlite(self) -> bool:
        """Whether env.py or a revision speaks of SQLite, or uses ``batch_alter_table``, which is made for it."""
        paths = [self.env_py, *(Path(revision.path) for revision in self.revisions)]
        words = ("sqlite", "batch_alter_table")
        return any(word in read_text(path, "replace") for path in paths if path.is_file() for word in words)

    def start(self) -> None:
        """Start the project's process now, because what this process does next takes a while."""
        if self._process is None:
            self._process = ProjectProcess(self.config, self._confinement)

    def request(self, name: str, *values: Any, handlers: Handlers | None = None) -> Any:
        """Send a request to the project's process, which is started if needed.

        Args:
            name: the name of a method of `runner.child.Child`.
            values: its arguments.
            handlers: what the process may report or ask until then.

        Raises:
            ProjectFailed: it failed, the process ended, or it took too long.
        """
        self.start()
        assert self._process is not None
        meanwhile = self._load_later() if name == "env" else iter(())
        return self._process.request(name, *values, handlers=handlers or {}, meanwhile=meanwhile)

    def load_while_waiting(self, *modules: str) -> None:
        """Import modules, by name, as soon as the project's process runs env.py, when this one would only wait."""
        self._later += modules

    def _load_later(self) -> Iterator[None]:
        while self._later:
            yield importlib.import_module(self._later.pop(0))  # type: ignore[misc]

    def limit(self, seconds: float) -> None:
        """Let each further request take no longer than this, and than the settings allow."""
        if self._process is not None:
            self._process.time_limit = max(0.0, min(seconds, self._confinement.time_limit))

    def perform(self, task: Task, handlers: Handlers) -> Any:
        """Do a task in a new process, a fork of this one, in which nothing of the project is imported yet.

        Raises:
            ProjectFailed: it failed, its process ended, or it took too long.
        """
        process = ProjectProcess(self.config, self._confinement, task)
        try:
            return process.request("task", handlers=handlers)
        finally:
            process.close()

    @cached_property
    def script(self) -> ScriptFacts:
        """The folders and files of the migrations.

        Raises:
            PgPatternsError: there is no configuration file or script location, or a folder does not exist.
        """
        facts: ScriptFacts = self.request("script")
        return facts

    @property
    def ini(self) -> Path | None:
        """The path of alembic.ini, which need not exist."""
        return Path(self.config.config_file_name) if self.config.config_file_name else None

    @property
    def pyproject(self) -> Path | None:
        """pyproject.toml: the one that Alembic was given, or the one beside alembic.ini; it need not exist."""
        if self.config.toml_file_name and Path(self.config.toml_file_name).exists():
            return Path(self.config.toml_file_name)
        return self.ini.parent / "pyproject.toml" if self.ini is not None else None

    @property
    def history(self) -> History:
        """The revisions.

        They are read from the files' source. If that is not possible, or if it gives no valid history, Alembic loads
        the files in the project's process, after env.py, and reports what is wrong.

        Raises:
            PgPatternsError: a file cannot be loaded, or the history is broken: the message names file and line.
        """
        if self._history is None:
            self._history = self._read() or self._loaded()
        return self._history

    def _read(self) -> History | None:
        from alembic.script.revision import RevisionError

        facts = read_without_running(self.script.files)
        # Two files with one identifier: Alembic's own error is better than what we could say.
        if facts is None or len({item.revision for item in facts}) < len(facts):
            return None
        history = History(reparented_facts(self.config, facts))
        try:
            return history if len(history.revisions) == len(facts) else None
        except (RevisionError, KeyError):
            return None

    def _loaded(self) -> History:
        def refuse(*values: object) -> None:
            raise PgPatternsError("a connection is opened while the revisions are being read.")

        return History(self.request("history", handlers={"create": refuse, "owns": refuse}))

    def replace_history(self, facts: Iterable[RevisionFacts]) -> None:
        """Replace the history that was read from the files.

        Raises:
            HistoryChanged: always.
        """
        self._history = History(facts)
        raise HistoryChanged

    @property
    def revisions(self) -> tuple[Revision, ...]:
        """All revisions, each after its parents. Raises as `history`."""
        return self.history.revisions

    def demand_revisions(self, action: str) -> None:
        """Raise PgPatternsError if there is no revision to ``action``: nothing would run, and that is no result."""
        if not self.revisions:
            raise PgPatternsError(
                f"There is nothing to {action}: no revision is in {self.script.folder}. Write the first one: "
                "alembic pgrevision -m MESSAGE"
            )

    @property
    def heads(self) -> tuple[str, ...]:
        """The identifiers of all heads, sorted. Raises as `history`."""
        return self.history.heads

    def ancestors(self, revisions: Iterable[str]) -> set[str]:
        """The revisions and all their ancestors and dependencies. Raises as `history`."""
        return self.history.ancestors(revisions)

    def heads_of(self, revisions: Iterable[str]) -> tuple[str, ...]:
        """The revisions of which no other one of them is a descendant, sorted. Raises as `history`."""
        return self.history.heads_of(revisions)

    def in_order(self, revisions: Iterable[str]) -> tuple[str, ...]:
        """Some revisions, in the order in which they run from an empty database. Raises as `history`."""
        return self.history.in_order(revisions)

    @property
    def env_py(self) -> Path:
        """The path of env.py, which need not exist."""
        return Path(self.script.env_py)

    @property
    def revision_files(self) -> frozenset[str]:
        """The absolute paths of all revision files."""
        return frozenset(item.path for item in self.revisions)

    def missing_folders(self) -> tuple[str, ...]:
        """The version locations that do not exist, if at least one exists."""
        folders = [Path(folder) for folder in self.script.version_locations]
        missing = tuple(relative(str(folder)) for folder in folders if not folder.is_dir())
        return missing if len(missing) < len(folders) else ()

    def files_outside_history(self) -> tuple[str, ...]:
        """Files below the version locations that look like revisions but are not in the history, sorted."""
        folders = {Path(folder).absolute() for folder in self.script.version_locations}
        files = (path for folder in folders for path in folder.rglob("*.py") if path.is_file())
        # Alembic keeps ".." and links as they were given (`alembic -c ../app/alembic.ini`), so files are compared.
        loaded = {os.path.realpath(path) for path in self.revision_files}
        paths = {path for path in files if os.path.realpath(path) not in loaded}
        return tuple(relative(str(path)) for path in sorted(paths) if _LOOKS_LIKE_REVISION.search(_text(path)))


def _text(path: Path) -> str:
    return read_text(path, "replace")
