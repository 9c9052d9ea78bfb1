"""Facts that exist only while the history runs: how env.py sets up its session, and what revisions leave in it."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from alembic_pgpatterns.runner.digest import digest

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

# Other sources are the server's own files and command line, which are the same for every session.
_SESSION = """
    SELECT name, setting FROM pg_catalog.pg_settings
    WHERE source IN ('global', 'database', 'user', 'database user', 'client', 'session') ORDER BY name
"""
# A temporary table, and things that differ between one transaction and two: rows whose deferred checks are pending, and
# enum values that were added in the transaction, which nobody may use before its commit (PostgreSQL docs, ALTER TYPE,
# "Notes").
_LEFT = """
    SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relpersistence = 't' AND relnamespace = pg_my_temp_schema()),
           EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql),
           EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE condeferrable),
           EXISTS (SELECT FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid
                   WHERE e.xmin = pg_catalog.pg_current_xact_id()::xid AND t.xmin <> e.xmin)
"""
# The application's name changes nothing; settings of a transaction end with it.
_OF_DRIVERS = frozenset(
    {"application_name", "transaction_isolation", "transaction_read_only", "transaction_deferrable"}
)
# A timeout that is too short leads to an error, which a run from scratch then reports.
_HARMLESS = frozenset(
    {"lock_timeout", "statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout"}
)
_APART = frozenset({"url", "fn", "script"})


def session(context: MigrationContext) -> str:
    """The digest of what env.py gave to Alembic and set in its session (search_path, role, timeouts).

    Empty if the session cannot be asked. Outside a transaction the question leaves no transaction open.
    """
    settings = _settings(context, _OF_DRIVERS)
    return digest([settings, sorted(_configured_options(context))]) if settings is not None else ""


def search_path(context: MigrationContext) -> tuple[str | None, str | None]:
    """The session's search_path, and its first schema that exists: there are the tables to which nobody gives a schema.

    Both are None where there is no session that can be asked.
    """
    rows = _rows_of(context, "SELECT pg_catalog.current_setting('search_path'), pg_catalog.current_schema()::text")
    return rows[0] if rows else (None, None)


def session_digest(context: MigrationContext) -> str:
    """The digest of the session's settings, which revisions may change for later ones."""
    return digest(_settings(context, _OF_DRIVERS | _HARMLESS))


def leaves_more(context: MigrationContext) -> bool:
    """Whether the revisions that ran left something in their session that a new session would not have."""
    ((temporary, prepared, deferrable, values),) = _rows_of(context, _LEFT) or [(True,) * 4]
    # Otherwise each revision commits, and nothing is pending for the next one.
    goes_on = not context._transaction_per_migration
    return bool(temporary or prepared or (goes_on and (deferrable or values)))


def _settings(context: MigrationContext, but: frozenset[str]) -> list[tuple[Any, ...]] | None:
    rows = _rows_of(context, _SESSION)
    return None if rows is None else [row for row in rows if row[0] not in but]


def _rows_of(context: MigrationContext, query: str) -> list[tuple[Any, ...]] | None:
    connection = context.connection
    if connection is None or context.as_sql:  # offline it may be SQLAlchemy's MockConnection, which asks nothing
        return None
    outside = not connection.in_transaction()
    try:
        return [tuple(row) for row in connection.exec_driver_sql(query).fetchall()]
    except SQLAlchemyError:
        return None
    finally:
        if outside:
            _rollback(connection)


def _rollback(connection: Any) -> None:
    """End the transaction that the question started; SQLAlchemy 1.4 does not know of it."""
    if hasattr(connection, "rollback"):
        connection.rollback()
    else:
        connection.connection.rollback()


def _configured_options(context: MigrationContext) -> Iterator[tuple[str, str]]:
    """The options of ``context.configure`` that revisions may see. They get the naming convention from the models."""
    for name, value in context.opts.items():
        if name not in _APART:
            yield (name, _in_words(value))
    connection, environment = context.connection, context.environment_context
    if connection is not None:
        yield ("execution options", _in_words(dict(connection.get_execution_options())))
        url = connection.engine.url
        yield ("user", str(url.username))
        if "pgpatterns-" not in str(url):  # otherwise it is the throw-away server, which differs each time
            yield ("place", f"{url.host}:{url.port}/{url.database} {sorted(map(str, url.query.items()))}")
    yield ("opened", str(context._in_external_transaction))
    if environment is not None:
        yield ("configuration", _in_words(dict(_configured(environment.config))))
    metadata = context.opts.get("target_metadata")
    for item in metadata if isinstance(metadata, (list, tuple)) else [metadata]:
        yield ("naming_convention", _in_words(dict(getattr(item, "naming_convention", None) or {})))


def _configured(config: Any) -> Iterator[tuple[str, object]]:
    """What env.py may have set in the configuration, except the place of the database."""
    if config.file_config.has_section(config.config_ini_section):
        for name, value in config.file_config.items(config.config_ini_section, raw=True):
            if "://" not in value:
                yield name, value
    for name, value in config.attributes.items():
        if not str(name).startswith("pgpatterns"):
            yield f"attribute {name}", value


def _in_words(value: object) -> str:
    """A value as text that can be compared with another run's: it contains no memory address."""
    if value is None or isinstance(value, (str, int, float)):
        return repr(value)
    if isinstance(value, dict):
        return str(sorted((_in_words(key), _in_words(item)) for key, item in value.items()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return str(sorted(map(_in_words, value)))
    if inspect.isfunction(value):
        with contextlib.suppress(OSError, TypeError):
            return inspect.getsource(value)
    kind = value if isinstance(value, type) else type(value)
    return f"{kind.__module__}.{kind.__qualname__}"
