"""A check of a project, tried again with what is found out about what the project needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from alembic_pgpatterns.config import location
from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.config.written import settings_lines
from alembic_pgpatterns.controller.project import Project, with_true_history
from alembic_pgpatterns.controller.ways import FoundWays, Way, with_ways
from alembic_pgpatterns.errors import PgPatternsError

Result = TypeVar("Result")

MOST_TRIES = 12


def trying_ways(project: Project, settings: Settings, function: Callable[[Settings], Result]) -> Result:
    """Do something about a project; where env.py lacks something that can be found out, again with that.

    Args:
        project: the project; what was found out is noted in its ``ways``.
        settings: as they are.
        function: takes the settings.

    Raises:
        PgPatternsError: what the last try raised.
    """
    if project.located is not None and not project.ways:
        options = {**settings.alembic_options, location.OPTION: location.shown(project.located)}
        project.ways.append(Way("alembic_options", options, f"the migrations are in {location.shown(project.located)}"))
    for number in range(MOST_TRIES):
        project.is_looking = number < MOST_TRIES - 1
        try:
            return with_true_history(lambda: function(with_ways(settings, project.ways)))
        except FoundWays as found:
            project.close()
            project.ways += found.ways
        except PgPatternsError as error:
            if not _use_alternative(project):
                raise _with_untried(project, project.first_failure or error) from None
            project.first_failure = project.first_failure or error
            project.close()
        finally:
            project.is_looking = False
    raise AssertionError("the last try looks for no way")


def _with_untried(project: Project, error: PgPatternsError) -> PgPatternsError:
    """The error, with the settings that may help. Missing variables and URLs have their lines in it already."""
    values = {way.setting: way.value for way in project.untried if f"{way.setting} = " not in str(error)}
    if not values or isinstance(error, SettingsError):
        return error
    reasons = {way.setting: way.reason for way in project.untried}
    return PgPatternsError(
        f"{error}\nThis may help; alembic pgcheck --init tries it:\n{settings_lines(values, reasons)}"
    )


def _use_alternative(project: Project) -> bool:
    """Take another way in place of one that led to a failure; False if there is none."""
    for position, way in enumerate(project.ways):
        if way.alternative is not None:
            project.ways[position] = way.alternative
            return True
    return False
