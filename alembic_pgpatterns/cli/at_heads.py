"""A project at its heads for the commands that write revisions, with what pgcheck too finds out about its needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from alembic_pgpatterns.cli.exit_codes import say_error
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.config.written import settings_lines
from alembic_pgpatterns.controller.head_schema import RunAt
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.controller.tries import trying_ways
from alembic_pgpatterns.controller.ways import hint
from alembic_pgpatterns.errors import PgPatternsError

Result = TypeVar("Result")


def say_found(project: Project) -> None:
    """Say on stderr what was found out, with the settings to write: stdout is for what a command did."""
    for line in hint(project.ways, settings_lines):
        say_error(line)


def demand_one_head(project: Project, head: str) -> None:
    """Raise PgPatternsError if there are several heads and the flag ``--head`` names none of them.

    Before any server is started: Alembic would refuse only when it writes the file, and knows no way to one head but a
    merge.
    """
    if head == "head" and len(project.heads) > 1:
        raise PgPatternsError(
            f"The history has {len(project.heads)} heads: {', '.join(project.heads)}. Name the one that the new "
            "revision follows (--head), or make one of them: alembic pgrebase."
        )


@contextmanager
def at_heads(
    project: Project, settings: Settings, progress: Progress, run: Callable[[RunAt], Result], *, watched: bool = False
) -> Iterator[tuple[RunAt, Result]]:
    """Start a server at all revisions. Where they or env.py lack something that can be found out, again with that.

    Only this is tried again, not what the command does there: by then it may have written files.

    Args:
        project: the project.
        settings: as they are; those of the run have what was found out.
        progress: shows what is going on.
        run: runs the revisions, if the server does not have them yet.
        watched: as for `Run.at`.

    Raises:
        PgPatternsError: what the last try raised.
    """

    def start(settings: Settings) -> tuple[RunAt, Result, ExitStack]:
        with ExitStack() as stack:
            names = [item.revision for item in project.revisions]
            at = stack.enter_context(Run(project, settings, progress).at(names, watched=watched))
            return at, run(at), stack.pop_all()

    at, result, started = trying_ways(project, settings, start)
    with started:
        say_found(project)
        yield at, result
