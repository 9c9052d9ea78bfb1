"""New revisions tried out before anybody has them: up, down and up again on a throw-away server, and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.arrival import Progress
from alembic_pgpatterns.baseline import Baseline
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.judge import judge, suppressed
from alembic_pgpatterns.models import read_models
from alembic_pgpatterns.pattern import Finding
from alembic_pgpatterns.project import Project
from alembic_pgpatterns.schema import catalog
from alembic_pgpatterns.schema.difference import differences
from alembic_pgpatterns.schema.model import Name, Schema
from alembic_pgpatterns.schema.overlay import overlay
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.settings import Settings
from alembic_pgpatterns.upgrade import Run, run_revisions

if TYPE_CHECKING:
    from alembic.script import Script


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What came out of it: findings that the revisions brought, and what their downgrade did not restore."""

    new: tuple[Finding, ...]
    lost: tuple[str, ...]


def rehearse(
    project: Project, identifiers: Sequence[str], settings: Settings, server: Server, progress: Progress
) -> Rehearsed:
    """Run revisions up, down and up again, by the project's env.py; to be called inside `arrival.on_server`.

    Args:
        project: read after the revisions were written; the database may be at their parents or before them.
        identifiers: of the revisions, in the order they run.
        settings: the project's.
        server: where all of it happens.
        progress: who is told.

    Raises:
        PgPatternsError: one of them fails: which way, file and line, statement, what the server said.
    """
    with project.explained_history():
        scripts = [project.script.get_revision(identifier) for identifier in identifiers]
    progress.say("running the revisions before")
    before = _run(project, _until(project, scripts[0]), "the revisions before it")
    start = _schemas(before, server)
    progress.say("running the new revision")
    run = _run(project, _up(project, scripts), "upgrade")
    there = _schemas(run, server)
    _run(project, _down(project, scripts), "downgrade")
    back = _schemas(before, server)
    _run(project, _up(project, scripts), "the second upgrade")
    lost = [str(item) for old, new in zip(start, back, strict=True) for item in differences(old, new)]
    return Rehearsed(tuple(_new(start, there, run, settings)), tuple(dict.fromkeys(lost)))


Steps = Callable[..., list[Any]]


def _run(project: Project, steps: Steps, what: str) -> Run:
    try:
        run = run_revisions(project, steps, destination_rev="heads")
    except PgPatternsError as error:
        raise PgPatternsError(f"{what} failed: {error}") from error
    if not any(entry.database for entry in run.configured):
        raise PgPatternsError("env.py ended without connecting to a database, so nothing could be tried out.")
    return run


def _until(project: Project, script: Script) -> Steps:
    """All that the first new revision comes from."""
    parents = script.down_revision
    target = parents if parents is not None else ()
    names = [target] if isinstance(target, str) else list(target)
    names += list(script._resolved_dependencies)

    def steps(revision: Any, context: object) -> list[Any]:
        if set(names) <= project.ancestors(revision):
            return []
        target: Any = tuple(names)
        return project.script._upgrade_revs(target, revision)

    return steps


def _up(project: Project, scripts: Sequence[Script]) -> Steps:
    from alembic.runtime.migration import MigrationStep

    found = project.script.revision_map
    return lambda revision, context: [MigrationStep.upgrade_from_script(found, script) for script in scripts]


def _down(project: Project, scripts: Sequence[Script]) -> Steps:
    from alembic.runtime.migration import MigrationStep

    found = project.script.revision_map
    return lambda revision, context: [MigrationStep.downgrade_from_script(found, one) for one in reversed(scripts)]


def _schemas(run: Run, server: Server) -> list[Schema]:
    found = []
    for entry in run.configured:
        with server.connect(entry.database) as connection:
            table = Name(entry.version_schema or "", entry.version_table)
            found.append(catalog.read(connection, version_tables=(table,)))
    return found


def _new(before: Sequence[Schema], after: Sequence[Schema], run: Run, settings: Settings) -> Iterator[Finding]:
    """Findings at head that were not there before, that the models do not suppress and nobody accepted."""
    baseline = Baseline.read(settings.path(settings.baseline)) or Baseline()
    for old, new, entry in zip(before, after, run.configured, strict=True):
        models = read_models(entry.metadatas, new.default_schema, settings, entry.dialect).schema
        whole = overlay(new, models) if models is not None else new
        known = {finding.fingerprint for finding in judge(old, settings).findings}
        for finding in judge(whole, settings).findings:
            accepted = baseline.accepts(finding.fingerprint) or suppressed(finding)
            if finding.fingerprint not in known and not accepted:
                yield finding


def in_words(rehearsed: Rehearsed, names: Sequence[str], server: Server) -> Iterator[str]:
    """The outcome in lines for people.

    Args:
        rehearsed: the outcome.
        names: the files, as people write them.
        server: where it happened.
    """
    version = f"{server.version // 10000}.{server.version % 10000}"
    yield f"pgpatterns: {', '.join(names)}: up, down and up again on PostgreSQL {version}."
    for finding in rehearsed.new:
        where = f" ({finding.location})" if finding.location else ""
        yield f"pgpatterns: {finding.severity}: {finding.pattern}: {finding.message}{where}"
    for line in rehearsed.lost:
        yield f"pgpatterns: its downgrade does not restore all: {line}"
