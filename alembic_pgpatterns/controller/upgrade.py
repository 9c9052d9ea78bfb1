"""One upgrade by the project's env.py, from an empty server or from a snapshot."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.env_run import Databases, run_env
from alembic_pgpatterns.controller.position import EMPTY, Position
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.scratch_databases import scratch_databases
from alembic_pgpatterns.controller.version_tables import versions
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.blame_facts import BlameFacts
from alembic_pgpatterns.runner.messages import ConfiguredDatabase, EnvResult, Steps
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.server.protocol import Server


@dataclass(frozen=True)
class Upgraded:
    """The result of an upgrade. ``seconds``: how long the revisions took.

    ``complete``: env.py ran as it does for the project, and every database reached the target. ``separable``: the
    revisions left nothing in their session nor outside the databases, so the next ones may run in another session.
    """

    result: EnvResult
    position: Position
    complete: bool
    separable: bool

    @property
    def seconds(self) -> float:
        """How long the revisions took."""
        return self.result.seconds


def upgrade(
    run: RunContext, start: Position = EMPTY, heads: tuple[str, ...] | None = None, *, keep: bool = False
) -> Upgraded:
    """Run the missing revisions.

    Args:
        run: the project, on a server that is at ``start``.
        start: the revisions that have run.
        heads: where to stop; None for the project's heads.
        keep: whether the cluster may be cached afterwards.

    Raises:
        PgPatternsError: env.py or a revision failed.
    """
    project, server = run.project, run.server
    target = heads if heads is not None else project.heads
    order = project.in_order(project.ancestors(target))
    databases = Databases(dict(start.databases), start.environment)
    # Alembic's own order depends on the start; a resumed run must give the same result as one from scratch.
    steps = Steps("missing", order) if keep else Steps("heads")
    result = run_env(run, steps, databases, last=target if keep else ())
    names = {*result.blame, *start.blame}
    position = Position(
        order=order,
        databases=dict(databases.by_origin),
        environment=databases.environment,
        blame={name: _blame(result, start, name) for name in names},
        sessions=result.sessions,
    )
    at_target = bool(result.configured) and all(is_at(project, server, item, target) for item in result.configured)
    complete = keep and at_target and result.own_environment is None and _same_setup(start, position)
    separable = keep and not result.leaves_more and scratch_databases(server) <= position.names
    return Upgraded(result, position, complete, separable)


def _blame(result: EnvResult, start: Position, database: str) -> BlameFacts:
    return result.blame.get(database, BlameFacts()).after(start.blame.get(database, BlameFacts()))


def resumes_alike(run: RunContext, position: Position) -> bool:
    """Whether env.py, run again after everything is done, finds the same databases and sets itself up as before.

    It does not if it creates something that exists by then, connects elsewhere each time, or cannot run twice; or if a
    revision changed a setting of all sessions (ALTER DATABASE SET).
    """
    with contextlib.suppress(PgPatternsError):
        return upgrade(run, position, run.project.heads_of(position.revisions), keep=True).complete
    return False


def _same_setup(start: Position, position: Position) -> bool:
    """Whether env.py used the existing databases, and set up its sessions as when the databases were created."""
    if not start.revisions:
        return all(position.sessions.values())
    return position.sessions == start.sessions and position.names == start.names


def is_at(project: Project, server: Server, item: ConfiguredDatabase, heads: tuple[str, ...]) -> bool:
    """Whether the version table on our server contains these revisions."""
    table = Name(item.version_schema or "", item.version_table)
    revisions = versions(server, item.database, table) if item.database else ()
    return bool(revisions) and set(heads) <= project.ancestors(revisions)
