"""A project as its checks see it: its configuration, its history as plain data, and the process that runs its code."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.confinement import Confinement
from alembic_pgpatterns.controller.history import History, Revision, read_without_running
from alembic_pgpatterns.controller.process import Handlers, ProjectProcess
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.bootstrap import Task
from alembic_pgpatterns.runner.messages import RevisionFacts, ScriptFacts
from alembic_pgpatterns.runner.paths import relative

_LOOKS_LIKE_REVISION = re.compile(r"^down_revision\b", re.MULTILINE)


Result = TypeVar("Result")


class HistoryChanged(Exception):
    """The revisions are not what their files seemed to say; what was concluded from them must be done again."""


def with_true_history(function: Callable[[], Result]) -> Result:
    """Do something about a project, and do it again if its revisions turn out not to be what their files seemed to say.

    By then they are what Alembic has loaded, so there is no third time.
    """
    try:
        return function()
    except HistoryChanged:
        return function()


class Project:
    """What a check needs to know of the project. Its code runs in a process of its own, and never here."""

    def __init__(self, config: Any, settings: Settings | None = None, *, fresh: bool = False) -> None:
        """Take an ``alembic.config.Config``.

        Args:
            config: Alembic's.
            settings: how the project's process is confined.
            fresh: do not fork: the project is imported in this process, and perhaps connected to its database.

        Raises:
            SettingsError: an entry of ``allow_connect`` is no address.
        """
        self.config = config
        self.began = time.time()
        self.fresh = fresh
        self._confinement = Confinement.of(settings, fresh=fresh)
        self._history: History | None = None
        self._process: ProjectProcess | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that runs the project's code, with all that it has started."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def request(self, name: str, *values: Any, handlers: Handlers | None = None) -> Any:
        """Have the project's process do something; it is started if need be.

        Args:
            name: of a method of `runner.child.Child`.
            values: its arguments.
            handlers: what the process may ask meanwhile.

        Raises:
            ProjectFailed: it failed, ended, or took too long.
        """
        if self._process is None:
            self._process = ProjectProcess(self.config, self._confinement)
        return self._process.request(name, *values, handlers=handlers or {})

    def perform(self, task: Task, handlers: Handlers) -> Any:
        """Have a task done in a new process, a fork of this one, in which nothing of the project is imported yet.

        Raises:
            ProjectFailed: it failed, ended, or took too long.
        """
        process = ProjectProcess(self.config, self._confinement, task)
        try:
            return process.request("task", handlers=handlers)
        finally:
            process.close()

    @cached_property
    def script(self) -> ScriptFacts:
        """Where the migrations are.

        Raises:
            PgPatternsError: no configuration file, no script location, or a folder that does not exist.
        """
        facts: ScriptFacts = self.request("script")
        return facts

    @property
    def ini(self) -> Path | None:
        """alembic.ini, which need not exist."""
        return Path(self.config.config_file_name) if self.config.config_file_name else None

    @property
    def pyproject(self) -> Path | None:
        """pyproject.toml: the one given to Alembic, else the one beside alembic.ini; it need not exist."""
        if self.config.toml_file_name and Path(self.config.toml_file_name).exists():
            return Path(self.config.toml_file_name)
        return self.ini.parent / "pyproject.toml" if self.ini is not None else None

    @property
    def history(self) -> History:
        """The revisions.

        They are read from the files' source. If that cannot be done, or makes no history, Alembic loads the files in
        the project's process, after env.py, and says what is wrong.

        Raises:
            PgPatternsError: a file does not load, or the history is broken: the message names file and line.
        """
        if self._history is None:
            self._history = self._read() or self._loaded()
        return self._history

    def _read(self) -> History | None:
        from alembic.script.revision import RevisionError

        facts = read_without_running(self.script.files)
        if facts is None or len({item.revision for item in facts}) < len(facts):
            return None
        history = History(facts)
        try:
            return history if len(history.revisions) == len(facts) else None
        except (RevisionError, KeyError):
            return None

    def _loaded(self) -> History:
        def refuse(*values: object) -> None:
            raise PgPatternsError("a connection is opened while the revisions are being read.")

        return History(self.request("history", handlers={"create": refuse, "owns": refuse}))

    def replace_history(self, facts: Iterable[RevisionFacts]) -> None:
        """The revisions are others than their files seemed to say.

        Raises:
            HistoryChanged: always.
        """
        self._history = History(facts)
        raise HistoryChanged

    @property
    def revisions(self) -> tuple[Revision, ...]:
        """All revisions, each after those it comes from. Raises as `history`."""
        return self.history.revisions

    @property
    def heads(self) -> tuple[str, ...]:
        """The identifiers of all heads, sorted. Raises as `history`."""
        return self.history.heads

    def ancestors(self, revisions: Iterable[str]) -> set[str]:
        """The revisions and all they come from or depend on. Raises as `history`."""
        return self.history.ancestors(revisions)

    def heads_of(self, revisions: Iterable[str]) -> tuple[str, ...]:
        """Those of some revisions that no other of them comes from, sorted. Raises as `history`."""
        return self.history.heads_of(revisions)

    def in_order(self, revisions: Iterable[str]) -> tuple[str, ...]:
        """Some revisions, in the order in which all run from an empty database. Raises as `history`."""
        return self.history.in_order(revisions)

    @property
    def env_py(self) -> Path:
        """env.py, which need not exist."""
        return Path(self.script.env_py)

    @property
    def revision_files(self) -> frozenset[str]:
        """The absolute paths of all revision files."""
        return frozenset(item.path for item in self.revisions)

    def missing_folders(self) -> tuple[str, ...]:
        """The version locations that do not exist, where at least one does."""
        folders = [Path(folder) for folder in self.script.version_locations]
        missing = tuple(relative(str(folder)) for folder in folders if not folder.is_dir())
        return missing if len(missing) < len(folders) else ()

    def files_outside_history(self) -> tuple[str, ...]:
        """Files below the version locations that look like revisions and are none of the history's, sorted."""
        folders = {Path(folder).absolute() for folder in self.script.version_locations}
        files = (path for folder in folders for path in folder.rglob("*.py") if path.is_file())
        paths = {path for path in files if str(path) not in self.revision_files}
        return tuple(relative(str(path)) for path in sorted(paths) if _LOOKS_LIKE_REVISION.search(_text(path)))


def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace")
