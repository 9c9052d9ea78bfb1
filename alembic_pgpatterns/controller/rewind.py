"""For a history that does not start from an empty database: build the models, then take the last revisions back.

The models are what the database is at head, so their tables, with the heads stamped, are a database at head. From there
the downgrades lead to where the last revisions began, and these can be run again one by one, as in a deployment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.env_run import Databases, explained, handlers, run_env
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.process import ProjectFailed
from alembic_pgpatterns.errors import PgPatternsError, first_line
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.runner.messages import CreateRequest, EnvResult, Steps

WAY_OUT = 'with the schema before the first one in a file (pg_dump --schema-only, prepare = "first.sql") all can run'


@dataclass(frozen=True)
class Rewound:
    """The revisions that were taken back, in the history's order; and why not all that were asked for."""

    revisions: tuple[Revision, ...] = ()
    trouble: Skipped | None = None


def rewind(run: RunContext, result: EnvResult, databases: Databases, scope: Sequence[Revision]) -> Rewound:
    """Build the models in the databases of a run, stamp the heads, and take revisions back.

    Args:
        run: the project, on a server.
        result: of a run of env.py in which no revision ran.
        databases: those of that run.
        scope: the revisions to take back, in order, as far as their downgrades work.
    """
    try:
        _build(run, result)
        run_env(run, Steps("stamp", run.project.heads), databases)
    except PgPatternsError as error:
        return Rewound(trouble=Skipped("what revisions do", f"the models cannot be built: {first_line(error)}"))
    names = {item.revision for item in scope}
    undone: list[Revision] = []
    for revision in reversed(run.project.revisions):
        if not names - {item.revision for item in undone}:
            break
        try:
            run_env(run, Steps("down", (revision.revision,)), databases)
        except PgPatternsError as error:
            return Rewound(tuple(reversed(undone)), _trouble(revision, error))
        undone.append(revision)
    return Rewound(tuple(reversed(undone)))


def _build(run: RunContext, result: EnvResult) -> None:
    for number, item in enumerate(result.configured):
        request = CreateRequest(
            result.run, run.server.by_socket(item.database), number, schemas=True, search_path=item.search_path
        )
        failure = run.project.request("create", request, handlers=handlers(run, Databases()))
        if failure is not None:
            raise ProjectFailed(explained(failure, run.server))


def _trouble(revision: Revision, error: PgPatternsError) -> Skipped:
    reason = f"it cannot be taken back from the schema of the models: {first_line(error)}; {WAY_OUT}"
    return Skipped(f"revision {revision.revision} and those before it", reason, expected=True)
