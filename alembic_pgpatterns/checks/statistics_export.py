"""Export the statistics of a live database: over one guarded, read-only connection."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from alembic_pgpatterns.advisor.export import export
from alembic_pgpatterns.checks import live_connection as live
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.cache.history import HistoryCache
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.project import Project


def export_statistics(project: Project, settings: Settings, progress: Progress, url: str | None) -> dict[str, Any]:
    """The statistics of a live database as a document.

    Args:
        project: whose env.py names the database if ``url`` does not.
        settings: of the project.
        progress: shows what is going on.
        url: of the database, for libpq or SQLAlchemy.

    Raises:
        PgPatternsError: the database cannot be reached or read.
    """
    meant = _parameters(url) if url is not None else _of_env_py(project, settings, progress)
    place = live.shown(meant)
    progress.say(f"reading {place}")
    with live.guarded(meant) as connection:
        try:
            return export(connection)
        except psycopg.Error as error:
            raise PgPatternsError(f"{place}: its statistics could not be read: {str(error).strip()}") from error


def _parameters(url: str) -> dict[str, str]:
    scheme, separator, rest = url.partition("://")
    plain = f"{scheme.partition('+')[0]}{separator}{rest}"
    try:
        return {name: str(value) for name, value in conninfo_to_dict(plain).items()}
    except psycopg.Error as error:
        raise PgPatternsError(f"the URL of the database cannot be read: {str(error).strip()}") from error


def _of_env_py(project: Project, settings: Settings, progress: Progress) -> dict[str, str]:
    """Where env.py connects to, seen while it runs against a server of ours."""
    with Run(project, settings, progress, cache=HistoryCache.open(project, settings)).at_head() as head:
        meant = next((item.database.meant for item in head.databases if item.database.meant), None)
    if meant is None:
        raise PgPatternsError("env.py was not seen to connect to a database: name it, alembic pgstats URL -o FILE")
    return dict(meant)
