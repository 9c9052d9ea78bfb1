"""One run of the project's env.py, as Alembic runs it, in the process that runs the project's code."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from alembic_pgpatterns.errors import ApplicationFailed, PgPatternsError
from alembic_pgpatterns.processes.channel import Closed, Parent
from alembic_pgpatterns.revisions.recorder import Recorder
from alembic_pgpatterns.runner import observers, sandbox
from alembic_pgpatterns.runner.application import application
from alembic_pgpatterns.runner.asked_applications import FLASK_APP
from alembic_pgpatterns.runner.asked_options import AskedOptions, options_to_add
from alembic_pgpatterns.runner.drivers import ASYNC_DRIVERS, usable_driver
from alembic_pgpatterns.runner.engine import with_connection
from alembic_pgpatterns.runner.failures import HistoryError, NoDowngrade, describe, failure_of
from alembic_pgpatterns.runner.file_reads import recorded
from alembic_pgpatterns.runner.messages import EnvRequest, EnvResult, Failure, Need, Steps
from alembic_pgpatterns.runner.missing_settings import settings_to_add
from alembic_pgpatterns.runner.needs import WITHOUT_URL, of_error, reads_its_tables, url_variables
from alembic_pgpatterns.runner.paths import relative, several
from alembic_pgpatterns.runner.script_directory import ProjectScripts
from alembic_pgpatterns.runner.server_access import ServerAccess
from alembic_pgpatterns.runner.supplied import supplied
from alembic_pgpatterns.runner.supplies import Lent, load_models, watched_attributes
from alembic_pgpatterns.server.redirect import Routes, redirect

if TYPE_CHECKING:
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script


class HistoryDiffers(Exception):
    """The revisions differ from what the parent expects, so its request makes no sense."""


@dataclass
class EnvRun:
    """A run in progress, and its result."""

    project: ProjectScripts
    parent: Parent
    request: EnvRequest
    observer: observers.UpgradeObserver
    recorder: Recorder | None = None
    start: int = 0
    configured: list[observers.Configured] = field(default_factory=list)
    windows: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    own_environment: str | None = None
    raised: BaseException | None = None
    routes: Routes | None = None
    needs: list[Need] = field(default_factory=list)
    demands: AskedOptions = field(default_factory=AskedOptions)

    def result(self, number: int) -> EnvResult:
        """The result as plain data."""
        routes = self.routes
        return EnvResult(
            run=number,
            configured=tuple(replace(item.facts, applied=tuple(item.applied)) for item in self.configured),
            databases=tuple(routes.databases.items()) if routes is not None else (),
            real_parameters=dict(routes.real_parameters) if routes is not None else {},
            elsewhere=tuple(routes.elsewhere) if routes is not None else (),
            own_environment=self.own_environment,
            failure=self._failure(),
            history=self.project.revision_facts() if isinstance(self.raised, HistoryDiffers) else None,
            blame=self.observer.blame,
            sessions=self.observer.sessions if self.own_environment is None else {},
            leaves_more=self.observer.leaves_more,
            seconds=self.observer.seconds,
            recording=self.recorder.result() if self.recorder is not None else None,
            start=self.start,
            windows={name: tuple(windows) for name, windows in self.windows.items()},
            needs=tuple(dict.fromkeys(self._needs())),
            model_tables=self.project.model_tables.names() if self.raised is not None else (),
        )

    def _needs(self) -> Iterator[Need]:
        yield from self.needs
        if self.raised is not None or self.own_environment is not None or not self.configured:
            yield from (Need("attribute", name) for name in watched_attributes(self.project.config).missing)
        if self.routes is not None:
            refused = [url for url in self.routes.refused if url.startswith("sqlite")]
            if any(item.context.dialect.name == "sqlite" for item in self.configured):
                refused.append("sqlite://")  # in memory, which was let through since it reaches no server
            yield from (Need("sqlite", url) for url in refused)
            refused += [need.name for need in self.needs if need.kind in (WITHOUT_URL, "sqlite")]
            yield from url_variables(refused, self.project.read, usable_driver(), usable_driver(ASYNC_DRIVERS))
            yield from (Need("search_path", statement) for statement in self.routes.search_paths)

    def _failure(self) -> Failure | None:
        if self.raised is None or isinstance(self.raised, HistoryDiffers):
            return None
        files = self.project.files if "revisions" in vars(self.project) else frozenset()
        # The run's variables again: what an error is about may be the value of one.
        with environment_variables(self.request.variables):
            failure = failure_of(self.raised, str(self.project.directory.dir), files)
        return replace(failure, message=failure.message + self._ways_out(self.raised))

    def _ways_out(self, error: BaseException) -> str:
        lines = options_to_add(list(self.demands.needs(error)))
        if self.own_environment in (None, self.request.supplies.own_environment):
            return lines
        # What env.py would have set up may be missing: a naming convention, a search_path, an application's context.
        return f"{lines}\nenv.py failed before that, so the revisions ran without it: {self.own_environment}"


def run_env(project: ProjectScripts, parent: Parent, request: EnvRequest) -> EnvRun:
    """Run env.py once, with every connection redirected. Errors that it raises are in the result.

    Raises:
        Closed: the parent has ended.
    """
    run = EnvRun(project, parent, request, observers.UpgradeObserver(parent, request.last))
    access = ServerAccess(parent, request.server)
    access.make_current()
    with environment_variables(request.variables), contextlib.ExitStack() as stack:
        if request.log is not None or request.clock:
            run.recorder = _recorder(project, parent, request.log)
            run.start = run.recorder.position()
            stack.enter_context(run.recorder.listening())
        if request.server:
            run.routes = stack.enter_context(redirect(access, access.prepare, access.statement))
            run.routes.databases.update(request.databases)
            run.routes.aliases.update(request.aliases)
        stack.enter_context(supplied(project.config, request.supplies))
        _run_with_connection(run)
    return run


def _run_with_connection(run: EnvRun) -> None:
    """Run, with a connection in those of ``config.attributes`` that are to have one."""
    names = run.request.supplies.attributes
    if not names or not run.request.server:
        _run(run)
        return

    def with_attributes(connection: Any) -> None:
        # Some env.py take it for an engine: the same entry may hold what engine_from_config() returns otherwise.
        connection.connect = lambda: Lent(connection)
        run.project.config.attributes.update(dict.fromkeys(names, connection))
        _run(run)
        # Alembic does not commit a transaction that was open before it began; the program that hands over the
        # connection would.
        if connection.in_transaction() and run.raised is None:
            connection.commit()

    try:
        with_connection(_scratch(run), with_attributes)
    finally:
        for name in names:
            run.project.config.attributes.pop(name, None)


def _scratch(run: EnvRun) -> dict[str, str]:
    """Where the database is that stands for no particular one of the project."""
    return {**run.request.server, "dbname": run.parent.ask("database without env.py")}


def _recorder(project: ProjectScripts, parent: Parent, log: str | None) -> Recorder:
    if log is None:
        return Recorder(project, Path(os.devnull), lambda pid: {})
    return Recorder(project, Path(log), lambda pid: parent.ask("locks", pid))


def _run(run: EnvRun) -> None:
    environment = _environment(run)
    if run.request.supplies.own_environment is not None:
        _run_without_env_py(run, environment, run.request.supplies.own_environment)
        return
    try:
        run.parent.tell("running", str(run.project.directory.env_py_location))
        # The application in front of the environment: a program of its framework makes it before Alembic begins.
        with (
            sandbox.sandboxed(),
            recorded(run.project.read, code=False),
            application(run.project.config, run.request.supplies),
            environment,
        ):
            run.project.directory.run_env()
    except Closed:
        raise
    except BaseException as error:
        _after_failure(run, environment, run.raised or error)
    else:
        if run.raised is not None:
            _after_failure(run, environment, run.raised)


def _after_failure(run: EnvRun, environment: EnvironmentContext, error: BaseException) -> None:
    """Run the revisions without env.py, if env.py failed before it reached them or cannot be run at all."""
    run.raised = error
    options = list(run.demands.needs(error))
    run.needs += options
    needs = of_error(error, run.project.config, usable_driver(), usable_driver(ASYNC_DRIVERS))
    # After that the error is of a revision, which lacks nothing of env.py's, but may need these, too.
    run.needs += (need for need in needs if not run.configured or need.kind in _OF_REVISIONS)
    own_fault = isinstance(error, PgPatternsError | HistoryError | HistoryDiffers | NoDowngrade | exc.SQLAlchemyError)
    own_fault = own_fault and not isinstance(error, ApplicationFailed) and not reads_its_tables(error)
    if run.configured or own_fault or not run.request.without_env_py or _is_broken(run, error):
        return
    cause = describe(error, str(run.project.directory.dir)) + settings_to_add(error) + options_to_add(options)
    refused = run.parent.ask("without env.py", cause)
    if refused is not None:
        run.raised = PgPatternsError(refused)
        return
    _run_without_env_py(run, environment, cause)


_OF_REVISIONS = ("variable", "file", FLASK_APP, "application")
"""Kinds of need that a revision may have, as env.py does."""


def _run_without_env_py(run: EnvRun, environment: EnvironmentContext, cause: str) -> None:
    run.own_environment, run.raised = cause, None
    try:
        with environment, sandbox.sandboxed():
            if run.request.offline:
                _without_env_py(environment, dialect_name="postgresql")
            else:
                with_connection(_scratch(run), lambda connection: _without_env_py(environment, connection=connection))
    except Closed:
        raise
    except BaseException as second:
        run.raised = run.raised or second


def _without_env_py(environment: EnvironmentContext, **target: Any) -> None:
    environment.configure(**target, target_metadata=None)
    with environment.begin_transaction():
        environment.run_migrations()


def _is_broken(run: EnvRun, error: BaseException) -> bool:
    """Whether env.py is not valid Python, so that no other environment would help."""
    env_py = Path(run.project.directory.env_py_location)
    unreadable = isinstance(error, SyntaxError) and error.filename == str(env_py)
    return unreadable or not env_py.exists()


def _environment(run: EnvRun) -> EnvironmentContext:
    from alembic.runtime.environment import EnvironmentContext

    project, request = run.project, run.request
    environment = EnvironmentContext(
        project.config, project.directory, fn=_steps_of(run), as_sql=request.offline, destination_rev="heads"
    )
    run.demands.watch(environment)
    stock = environment.configure

    def configure(*args: Any, **kwargs: Any) -> None:
        # By default Alembic writes the SQL of an offline run to stdout (docs, EnvironmentContext.configure,
        # output_buffer).
        if request.offline:
            kwargs.setdefault("output_buffer", io.StringIO())
        if request.supplies.models and project.model_tables.are_missing(kwargs.get("target_metadata")):
            kwargs["target_metadata"] = models = load_models(request.supplies.models)
            project.model_tables.forget_empty(models)
        stock(*args, **kwargs)
        context = environment.get_context()
        item = observers.configured(context, Path(project.directory.env_py_location))
        run.configured.append(item)
        # Added to env.py's own. Alembic calls them after the version table is changed, in the revision's transaction
        # (docs, ``on_version_apply``).
        context.on_version_apply_callbacks = (*context.on_version_apply_callbacks, _notify(run, item))
        run.observer.configured(context, item.facts.database)

    # On the instance: `alembic.context` is a proxy for EnvironmentContext itself, and does not know a subclass.
    environment.configure = configure  # type: ignore[method-assign]
    return environment


def _notify(run: EnvRun, item: observers.Configured) -> Callable[..., None]:
    def notify(ctx: MigrationContext, step: Any, heads: set[str], run_args: dict[str, Any]) -> None:
        item.applied.extend(step.up_revision_ids if step.is_upgrade else step.down_revision_ids)
        run.observer.applied(ctx, step.up_revision_id)

    return notify


def _steps_of(run: EnvRun) -> Callable[[Any, Any], list[Any]]:
    """Answers Alembic's question what to run. env.py may swallow an error raised here, so the error is kept too."""

    def steps(revision: Any, context: MigrationContext) -> list[Any]:
        try:
            if run.request.history is not None and not _is_as_expected(run):
                raise HistoryDiffers
            chosen = chosen_steps(run.project, run.request.steps, revision)
            run.project.model_tables.note(metadata for item in run.configured for metadata in item.metadatas)
        except BaseException as error:
            run.raised = error
            raise
        # Only now: env.py may set the search_path after context.configure(). Not in a recorded session, where nothing
        # but the project's own statements may run.
        if run.recorder is None:
            observers.note_search_path(run.configured, context)
        database = observers.database_of(context) if run.recorder is not None else ""
        for step in chosen if run.request.steps.kind != "stamp" else ():  # which has no function of a revision
            # Alembic calls it in run_migrations() (runtime/migration.py). Replacing it, and not the module's function,
            # keeps the arguments that ``run_migrations(**kw)`` hands to upgrade().
            step.migration_fn = _around(run, step, database)
        return chosen

    return steps


def _is_as_expected(run: EnvRun) -> bool:
    expected = {item.revision: item for item in run.request.history or ()}
    return expected == {item.revision: item for item in run.project.revision_facts()}


def _around(run: EnvRun, step: Any, database: str) -> Callable[..., Any]:
    """The step's function, with the recording around it."""
    function = recorded(run.project.read, code=True)(step.migration_fn)
    path = str(step.revision.path)

    def around(*arguments: Any, **keywords: Any) -> None:
        run.parent.tell("running", path, str(step.revision.revision))
        if run.recorder is None:
            function(*arguments, **keywords)
            return
        try:
            with run.recorder.recording() as window:
                function(*arguments, **keywords)
        finally:
            run.windows.setdefault(database, []).append((window[0], window[1]))

    # Alembic logs it: "Running upgrade a1 -> b2" (runtime/migration.py, MigrationStep.name).
    around.__name__ = step.migration_fn.__name__
    return around


def chosen_steps(project: ProjectScripts, steps: Steps, revision: Any) -> list[Any]:
    """Alembic's steps for the requested revisions.

    Args:
        project: the project.
        steps: the requested revisions.
        revision: the identifiers in the version table.

    Raises:
        HistoryError: the revision files do not form a history.
    """
    if steps.kind == "nothing":
        project.revisions  # noqa: B018, they are loaded here, as Alembic does
        return []
    order = steps.revisions
    if steps.kind == "stamp":
        return list(project.directory._stamp_revs(order, revision))
    # With several branches the order is Alembic's choice. What `alembic upgrade heads` does from an empty database must
    # be what the project's deployments did.
    if steps.kind == "heads" or (steps.kind == "missing" and not revision and len(order) == len(project.revisions)):
        return list(project.directory._upgrade_revs("heads", revision))
    if steps.kind == "until":
        done = set(order) <= project.ancestors(several(revision))
        return [] if done else list(project.directory._upgrade_revs(tuple(order), revision))  # type: ignore[arg-type]
    if steps.kind == "missing":
        before = project.ancestors(several(revision))
        order = tuple(name for name in order if name not in before)
    return [migration_step(project, project.revision(name), up=steps.kind != "down") for name in order]


def migration_step(project: ProjectScripts, script: Script, up: bool) -> Any:
    """Alembic's step for one revision, up or down.

    Raises:
        NoDowngrade: it is to go down, and its file has no function for that.
    """
    from alembic.runtime.migration import MigrationStep

    if not up and not hasattr(script.module, "downgrade"):
        # Alembic would raise an AttributeError that names the module by the file's mangled name.
        raise NoDowngrade(f"{relative(str(Path(script.path).absolute()))} has no downgrade().")
    make = MigrationStep.upgrade_from_script if up else MigrationStep.downgrade_from_script
    return make(project.directory.revision_map, script)


@contextlib.contextmanager
def environment_variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the time of a run."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
