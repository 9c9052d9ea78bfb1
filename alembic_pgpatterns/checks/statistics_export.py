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


_STATEMENTS: LiteralString = """
    SELECT s.query, s.calls, s.mean_exec_time FROM {}.pg_stat_statements s
    JOIN pg_catalog.pg_database d ON d.oid = s.dbid
    WHERE d.datname = current_database() AND s.toplevel IS NOT FALSE
"""


def live_workload(url: str) -> Workload:
    """The statements that pg_stat_statements of a live database has counted; their values are not in it.

    Raises:
        PgPatternsError: it cannot be reached, or it does not count statements.
    """
    meant = _parameters(url)
    collected = Collected("pg_stat_statements")
    with live.guarded(meant) as connection:
        try:
            row = connection.execute(
                "SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n "
                "ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'"
            ).fetchone()
            if row is None:
                raise PgPatternsError(f"{live.shown(meant)}: the extension pg_stat_statements is not there.")
            statement = sql.SQL(_STATEMENTS).format(sql.Identifier(row[0]))
            for text, calls, mean in connection.execute(statement):
                collected.add(text, calls=calls, milliseconds=mean)
        except psycopg.Error as error:
            raise PgPatternsError(f"{live.shown(meant)}: pg_stat_statements: {str(error).strip()}") from error
    return collected.workload(Path(live.shown(meant)))


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
