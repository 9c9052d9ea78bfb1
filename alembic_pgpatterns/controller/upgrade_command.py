"""The project's own program as what runs the revisions: up to head, or up to one revision at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.env_run import Databases, new_database
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.process import Confinement
from alembic_pgpatterns.controller.scratch_databases import SCRATCH, disconnect
from alembic_pgpatterns.controller.version_tables import version_tables, versions
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.paths import relative
from alembic_pgpatterns.server.command import run_command, takes_revision, up_to
from alembic_pgpatterns.server.protocol import Server

ALL_HEADS = ("heads",)
"""Alembic's own word, for a command whose revision files cannot be read here."""


def command_to_head(run: RunContext, database: str) -> None:
    """Upgrade a database to head by the upgrade command of the settings.

    Args:
        run: the project, on a server.
        database: a scratch database there.

    Raises:
        PgPatternsError: the command failed; the message names the revision, if the command can be told where to stop.
    """
    try:
        command_up_to(run, database, _heads(run))
    except PgPatternsError as error:
        if not takes_revision(run.settings.upgrade_command):
            raise
        raise _of_revision(run, database, error) from None


def command_up_to(run: RunContext, database: str, targets: Iterable[str]) -> None:
    """Run the upgrade command once per target; once, if it cannot be told where to stop. Arguments as above."""
    settings = run.settings
    assert settings.upgrade_command is not None
    commands = dict.fromkeys(up_to(settings.upgrade_command, target) for target in targets)
    for command in commands:
        run.progress.say(f"running {command}")
        run_command(
            command,
            server=run.server,
            database=database,
            env=settings.env,
            cwd=Path.cwd(),
            allowed=Confinement.of(settings).allowed,
            seconds=settings.seconds,
        )


def _heads(run: RunContext) -> Sequence[str]:
    try:
        return run.project.heads or ALL_HEADS
    except PgPatternsError:
        return ALL_HEADS


def _of_revision(run: RunContext, database: str, error: PgPatternsError) -> PgPatternsError:
    """The error with the revision that the command cannot run; without, if it is not found.

    Args:
        run: the project, on a server.
        database: where the command failed.
        error: of the command.
    """
    try:
        pending = list(run.project.revisions)
    except PgPatternsError:
        return error
    done = _done(run, database)
    if not done:  # it may still have done a part, in an autocommit block
        database = new_database(run, Databases())
    # Halved each time: a program may take seconds to start, and a history may have hundreds of revisions.
    for number in range(len(pending)):
        pending = [item for item in pending if item.revision not in done]
        if len(pending) <= 1:
            break
        middle = pending[(len(pending) - 1) // 2].revision
        attempt = copied(run.server, database, f"{SCRATCH}_try_{number}")
        failure = _failure(run, attempt, middle)
        if failure is not None:
            error, below = failure, run.project.ancestors([middle])
            pending = [item for item in pending if item.revision in below]
        if _done(run, attempt) > done:
            database, done = attempt, _done(run, attempt)
    return PgPatternsError(f"{named(pending[0])} failed: {error}") if len(pending) == 1 else error


def _failure(run: RunContext, database: str, target: str) -> PgPatternsError | None:
    try:
        command_up_to(run, database, [target])
    except PgPatternsError as error:
        return error
    return None


def _done(run: RunContext, database: str) -> set[str]:
    """The revisions that have run in a database, as its version tables say."""
    server = run.server
    return run.project.ancestors(
        row for table in version_tables(server, database) for row in versions(server, database, table)
    )


def demand_stop(run: RunContext, database: str, targets: Sequence[str]) -> None:
    """Raise PgPatternsError unless a database is exactly at some revisions, to which the command has upgraded it."""
    expected, done = run.project.ancestors(targets), _done(run, database)
    if done != expected:
        others = ", ".join(run.project.heads_of(done)) or "no revision"
        raise PgPatternsError(
            f"it was told to upgrade to {', '.join(targets)}, ended without an error, and the version table then said "
            f"{others}. If it cannot be told where to stop, leave {{revision}} out of upgrade_command"
        )


def named(revision: Revision) -> str:
    """A revision and its file, at the beginning of a message."""
    return f"{relative(revision.path)}: revision {revision.revision}"


def copied(server: Server, database: str, name: str) -> str:
    """A copy of a scratch database, after all connections to it have ended: PostgreSQL cannot copy one in use."""
    disconnect(server, database)
    return server.create_database(name, template=database)
