"""Statements of the recorded workload that the revisions in scope make slow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alembic_pgpatterns.checks.senders import location_of
from alembic_pgpatterns.controller.head_schema import CachedRun, DatabaseAtHead, Head, server_at
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.position import EMPTY
from alembic_pgpatterns.controller.scratch_databases import disconnect, open_server
from alembic_pgpatterns.controller.upgrade import upgrade
from alembic_pgpatterns.revisions.model import Slowed
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.workload.model import Workload

if TYPE_CHECKING:
    from alembic_pgpatterns.advisor.costs import Planned

FACTOR = 2.0
"""Report a statement whose cost grew by at least this factor."""
LEAST = 1_000.0
"""The cost must also grow by at least this many units of the planner: some milliseconds."""
SHOWN = 120


def slowed(run: CachedRun, scope: Sequence[Revision], head: Head) -> tuple[Slowed, ...]:
    """The statements of the setting ``workload`` that read a whole table after the revisions but not before.

    Args:
        run: of the project.
        scope: the revisions, in order. Without any, or without a workload, there is nothing to compare.
        head: the project at head.

    Raises:
        PgPatternsError: the workload or the sizes cannot be read, or no server could be started.
    """
    settings = run.settings
    names = [script.revision for script in run.project.revisions]
    first = names.index(scope[0].revision) if scope else 0
    if settings.workload is None or not first:
        return ()  # there are no tables yet
    from alembic_pgpatterns.workload.imports import read_workloads

    workload = read_workloads([settings.path(settings.workload)])
    database = max(head.databases, key=lambda item: len(item.schema.tables))
    run.progress.say("planning the recorded statements")
    after = _costs(run, head.server, database, database.schema, workload)
    with _before(run, names[:first], database.database.name) as server:
        with server.connect(database.database.name) as connection:
            schema = catalog.read(connection)
        before = _costs(run, server, database, schema, workload)
    return tuple(_compared(workload, before, after, tuple(item.revision for item in scope)))


@contextmanager
def _before(run: CachedRun, revisions: Sequence[str], database: str) -> Iterator[Server]:
    """A server on which these revisions have run: from the cache if possible, otherwise from scratch."""
    with ExitStack() as stack:
        if run.cache is not None:
            at = stack.enter_context(server_at(run, revisions))
            if database in at.databases.names:
                yield at.run.server
                return
        server = stack.enter_context(open_server(run.settings))
        upgrade(run.on(server), EMPTY, run.project.heads_of(frozenset(revisions)), keep=True)
        yield server


def _costs(
    run: CachedRun, server: Server, database: DatabaseAtHead, schema: Schema, workload: Workload
) -> Mapping[str, Planned]:
    from alembic_pgpatterns.advisor.costs import statement_costs
    from alembic_pgpatterns.advisor.statistics import statistics_of

    stats: Path | None = run.settings.path(run.settings.stats) if run.settings.stats else None
    disconnect(server, database.database.name)
    return statement_costs(server, database.database.name, schema, statistics_of(stats, schema), workload)


def _compared(
    workload: Workload, before: Mapping[str, Planned], after: Mapping[str, Planned], revisions: tuple[str, ...]
) -> Iterator[Slowed]:
    for statement in workload.statements:
        old, new = before.get(statement.fingerprint), after.get(statement.fingerprint)
        if old is None or new is None or new.cost < max(FACTOR * old.cost, old.cost + LEAST):
            continue
        tables = tuple(sorted(new.scanned - old.scanned))
        if tables:
            yield Slowed(
                statement.fingerprint,
                statement.on_one_line(SHOWN),
                tables,
                old.cost,
                new.cost,
                revisions,
                location_of(statement),
            )
