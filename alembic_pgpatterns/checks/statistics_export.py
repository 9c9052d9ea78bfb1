"""Export the statistics of a live database: over one guarded, read-only connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from alembic_pgpatterns.advisor.export import export
from alembic_pgpatterns.checks import live_connection as live
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.cache.history import HistoryCache
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.workload.imports.collect import Collected
from alembic_pgpatterns.workload.model import Workload


def export_statistics(project: Project, settings: Settings, progress: Progress, url: str | None) -> dict[str, Any]:
    """The statistics of a live database as a document.

    Args:
        project: its env.py names the database if there is no ``url``.
        settings: of the project.
        progress: shows what is going on.
        url: of the database, in libpq's or SQLAlchemy's form.

    Raises:
        PgPatternsError: the database cannot be reached or read.
    """
    target = _parameters(url) if url is not None else _of_env_py(project, settings, progress)
    place = live.shown(target)
    progress.say(f"reading {place}")
    with live.guarded(target) as connection:
        try:
            return export(connection)
        except psycopg.Error as error:
            raise PgPatternsError(f"{place}: its statistics could not be read: {str(error).strip()}") from error


# What functions run is counted with the statement that calls them (pg_stat_statements.track = all).
_STATEMENTS: LiteralString = """
    SELECT s.query, s.calls, s.mean_exec_time FROM {}.pg_stat_statements s
    JOIN pg_catalog.pg_database d ON d.oid = s.dbid
    WHERE d.datname = current_database() AND s.toplevel IS NOT FALSE
"""


def live_workload(url: str) -> Workload:
    """The statements that pg_stat_statements of a live database has counted, without their values.

    Raises:
        PgPatternsError: it cannot be reached, or the extension is not installed.
    """
    target = _parameters(url)
    collected = Collected("pg_stat_statements")
    with live.guarded(target) as connection:
        try:
            row = connection.execute(
                "SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n "
                "ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'"
            ).fetchone()
            if row is None:
                raise PgPatternsError(f"{live.shown(target)}: the extension pg_stat_statements is not installed.")
            statement = sql.SQL(_STATEMENTS).format(sql.Identifier(row[0]))
            for text, calls, mean in connection.execute(statement):
                collected.add(text, calls=calls, milliseconds=mean)
        except psycopg.Error as error:
            raise PgPatternsError(f"{live.shown(target)}: pg_stat_statements: {str(error).strip()}") from error
    return collected.workload(Path(live.shown(target)))


def _parameters(url: str) -> dict[str, str]:
    scheme, separator, address = url.partition("://")
    # libpq does not know the driver in SQLAlchemy's `postgresql+psycopg://`.
    plain = f"{scheme.partition('+')[0]}{separator}{address}"
    try:
        return {name: str(value) for name, value in conninfo_to_dict(plain).items()}
    except psycopg.Error as error:
        raise PgPatternsError(f"the URL of the database cannot be read: {str(error).strip()}") from error


def _of_env_py(project: Project, settings: Settings, progress: Progress) -> dict[str, str]:
    """The database that env.py connects to, seen while env.py runs on the throw-away server."""
    with Run(project, settings, progress, cache=HistoryCache.open(project, settings)).at_head() as head:
        databases = [item.database for item in head.databases]
    target = next((item.real_parameters for item in databases if item.real_parameters), None)
    if target is None:
        raise PgPatternsError("env.py opened no connection to a database: name it, alembic pgstats URL -o FILE")
    return dict(target)
