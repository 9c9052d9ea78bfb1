"""What a project needs that its settings do not say, for the commands that run some of its revisions only."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.cache.history import HistoryCache
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.controller.tries import trying_ways
from alembic_pgpatterns.controller.ways import with_ways
from alembic_pgpatterns.errors import PgPatternsError

Result = TypeVar("Result")


def with_needs(
    project: Project,
    settings: Settings,
    progress: Progress,
    function: Callable[[Settings], Result],
    failed: Callable[[Result], bool] = lambda result: False,
) -> tuple[Settings, Result]:
    """Call a function; where it fails, once more with what pgcheck would find out about the project's needs.

    Only after a failure: most projects need nothing, and to find it out takes an upgrade to head.

    Args:
        project: the project; what was found out is noted in its ``ways``.
        settings: as they are.
        progress: shows what is going on.
        function: takes the settings.
        failed: whether a result is a failure, too.

    Returns:
        The settings of the call that counts, and its result.

    Raises:
        PgPatternsError: what the function raised, with whatever was found out.
    """
    try:
        result = function(settings)
        if not failed(result):
            return settings, result
    except PgPatternsError:
        needs = _needs(project, settings, progress)
        if needs == settings:
            raise
    else:
        needs = _needs(project, settings, progress)
        if needs == settings:
            return settings, result
    return needs, function(needs)


def _needs(project: Project, settings: Settings, progress: Progress) -> Settings:
    """The settings with what an upgrade to head finds out; where it fails for another reason, as far as it came."""

    def to_head(settings: Settings) -> Settings:
        with Run(project, settings, progress, cache=HistoryCache.open(project, settings)).at_head():
            return settings

    project.close()  # the failed call may have left it at some revision, or with a broken connection
    try:
        with suppress(PgPatternsError):
            return trying_ways(project, settings, to_head)
        return with_ways(settings, project.ways)
    finally:
        project.close()
