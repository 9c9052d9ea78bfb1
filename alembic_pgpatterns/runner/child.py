"""The process that runs the project's code: it handles the requests of its parent, one after another.

It imports only the standard library, Alembic, SQLAlchemy, and modules of this package that do the same. So it runs in
any environment in which the project's migrations run. Its stdout is the parent's stderr: the parent's stdout is the
report.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.processes.channel import Closed, Parent, receive, send
from alembic_pgpatterns.processes.codec import CodecError
from alembic_pgpatterns.processes.supervisor import ChildEnds
from alembic_pgpatterns.remedies.apply import apply
from alembic_pgpatterns.remedies.metadata_copy import Copy, copied
from alembic_pgpatterns.remedies.model import Remedy
from alembic_pgpatterns.runner import (
    dependencies,
    file_reads,
    filters,
    models,
    quiet_log,
    regular_files,
    sandbox,
)
from alembic_pgpatterns.runner.bootstrap import Task
from alembic_pgpatterns.runner.failures import HistoryError, failure_of
from alembic_pgpatterns.runner.messages import (
    CreateRequest,
    Dependencies,
    DependenciesRequest,
    EnvRequest,
    EnvResult,
    Failure,
    ModelsRequest,
    ModelsResult,
    RevisionFacts,
    ScriptFacts,
)
from alembic_pgpatterns.runner.observers import Configured
from alembic_pgpatterns.runner.release_files import use_release
from alembic_pgpatterns.runner.run_env import EnvRun, run_env
from alembic_pgpatterns.runner.script_directory import ProjectScripts
from alembic_pgpatterns.schema.metadata import reader
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.server.drivers import load_drivers


class Child:
    """One project in its own process."""

    def __init__(self, config: Any, parent: Parent, task: Task | None = None) -> None:
        """``config``: Alembic's. ``task``: what the request "task" does."""
        if not getattr(config.cmd_opts, "verbose", False):
            quiet_log.begin()
        dependencies.begin()
        sandbox.without_own_migrations()
        file_reads.watch()
        regular_files.watch()
        self._scripts = ProjectScripts(config)
        self._parent = parent
        self._task = task
        self._runs: list[EnvRun] = []
        self._parser = models.AskedParser(parent)
        self._copy: Copy | None = None

    def release(self, root: str, copy: str) -> None:
        """Import from a copy of another release what would be imported from the repository."""
        use_release(root, copy)

    def script(self) -> ScriptFacts:
        """The folders and files of the migrations."""
        return self._scripts.facts()

    def history(self) -> tuple[RevisionFacts, ...]:
        """The revisions' facts, after running env.py as far as needed; no connection is opened for that."""
        # The redirect is on only if a server is named. At this one, a file, no connection can succeed.
        request = EnvRequest(server={"host": os.devnull}, offline=True, without_env_py=False)
        run = run_env(self._scripts, self._parent, request)
        if isinstance(run.raised, HistoryError):
            raise run.raised
        return self._scripts.revision_facts()

    def revisions(self) -> tuple[RevisionFacts, ...]:
        """The revisions' facts, after a run of env.py, which may have said where they are."""
        return self._scripts.revision_facts()

    def env(self, request: EnvRequest) -> EnvResult:
        """Run env.py."""
        self._runs.append(run_env(self._scripts, self._parent, request))
        return self._runs[-1].result(len(self._runs) - 1)

    def models(self, request: ModelsRequest) -> ModelsResult:
        """Read models."""
        items = self._items(request.run, request.number)
        with self._models_alone(items) as metadatas:
            return models.read_models(metadatas, items[0].context.dialect, request, self._parser)

    def create(self, request: CreateRequest) -> Failure | None:
        """Create the models' tables in a database."""
        items = self._items(request.run, request.number)
        driver = next((item.facts.driver for item in items), "")
        with self._models_alone(items) as distinct:
            metadatas = (self._copy.metadata,) if request.effective and self._copy is not None else distinct
            return models.create(metadatas, request, driver)

    def copy(self, run: int, number: int | None, default_schema: str) -> Schema:
        """Copy the models, so that remedies can be applied to the copy. Returns the models as they are."""
        with self._models_alone(self._items(run, number)) as metadatas:
            self._copy = copied(metadatas)
            return reader.read(metadatas, self._parser, default_schema=default_schema)

    def read_copy(self, default_schema: str, target_version: int | None) -> Schema:
        """Read the copy with the changes made so far."""
        metadata, version = self._copied().metadata, target_version
        return reader.read(metadata, self._parser, default_schema=default_schema, target_version=version, located=False)

    def apply(self, remedies: Sequence[Remedy], default_schema: str) -> list[bool | None]:
        """Apply remedies to the copy. For each: whether it changed something; None if only a person can do it."""
        changed = [apply(remedy, self._copied().metadata, default_schema) for remedy in remedies]
        return [None if objects is None else bool(objects) for objects in changed]

    def declared(
        self, run: int, number: int | None, server: Mapping[str, str], search_path: str | None
    ) -> list[tuple[str | None, str, str]]:
        """Declarations of this package in the models that a database lacks."""
        items = self._items(run, number)
        with self._models_alone(items) as metadatas:
            driver = next((item.facts.driver for item in items), "")
            return models.missing_declarations(metadatas, server, driver, search_path)

    def left_out(
        self,
        run: int,
        number: int | None,
        server: Mapping[str, str],
        search_path: str | None,
        objects: Sequence[filters.Named],
    ) -> list[bool]:
        """For each object: whether env.py keeps autogenerate from looking at it."""
        items = self._items(run, number)
        with self._models_alone(items) as metadatas:
            driver = next((item.facts.driver for item in items), "")
            contexts = [item.context for item in items]
            session = models.Session(server, driver, search_path)
            return filters.left_out(
                contexts, metadatas, objects, session, plugin=any(item.facts.by_plugin for item in items)
            )

    def _items(self, run: int, number: int | None) -> list[Configured]:
        items = self._runs[run].configured
        return items if number is None else [items[number]]

    @contextlib.contextmanager
    def _models_alone(self, items: Sequence[Configured]) -> Iterator[tuple[Any, ...]]:
        """The MetaData of some ``context.configure`` calls, without what revisions added to them."""
        metadatas = _distinct(items)
        with self._scripts.model_tables.alone(metadatas):
            yield metadatas

    def _copied(self) -> Copy:
        assert self._copy is not None
        return self._copy

    def dependencies(self, request: DependenciesRequest) -> Dependencies:
        """Everything that the project's code depended on."""
        return dependencies.dependencies(self._scripts, request)

    def task(self) -> Any:
        """Do the command's task."""
        assert self._task is not None
        return self._task(self._scripts, self._parent)

    def serve(self, requests: socket.socket) -> None:
        """Handle the parent's requests until the parent has ended."""
        owner = os.getpid()
        while True:
            name, arguments = receive(requests)
            try:
                answer = ("done", getattr(self, name)(*arguments))
            except Closed:
                raise
            # The project's code may call sys.exit(), which raises SystemExit.
            except BaseException as error:
                answer = ("failed", failure_of(error, self._folder()))
            if os.getpid() != owner:
                # A process that the project forked has returned to here: it must not answer for the project.
                os._exit(0)
            with contextlib.suppress(ValueError, OSError, AttributeError):  # the project may have set it to None
                sys.stdout.flush()
            try:
                send(requests, answer)
            except CodecError as error:
                send(requests, ("failed", Failure(f"{name}: its result cannot leave the project's process: {error}")))
            if name == "script":
                # While the parent starts a server. Not before: now the folders of the project are on sys.path.
                load_drivers()

    def _folder(self) -> str:
        with contextlib.suppress(PgPatternsError):
            return str(self._scripts.directory.dir)
        return os.curdir


def _distinct(items: Sequence[Configured]) -> tuple[Any, ...]:
    """The MetaData of some ``context.configure`` calls, each once."""
    return tuple({id(metadata): metadata for item in items for metadata in item.metadatas}.values())


def main(ends: ChildEnds, config: Any, task: Task | None = None) -> None:
    """Handle requests until the parent has ended; then end at once, without the project's threads and exit handlers."""
    try:
        Child(config, Parent(ends.callbacks), task).serve(ends.requests)
    except Closed:
        pass
    finally:
        os._exit(0)
