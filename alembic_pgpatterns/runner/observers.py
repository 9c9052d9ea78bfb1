"""What is recorded while env.py runs the revisions, in the process that runs them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.processes.channel import Parent
from alembic_pgpatterns.runner.blame_facts import BlameFacts
from alembic_pgpatterns.runner.digest import digest
from alembic_pgpatterns.runner.messages import ConfiguredDatabase
from alembic_pgpatterns.runner.paths import relative
from alembic_pgpatterns.runner.session_state import leaves_more, search_path, session, session_digest
from alembic_pgpatterns.schema.origin import Location

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


@dataclass
class Configured:
    """One ``context.configure`` call of env.py, with what cannot leave this process: models, dialect, options."""

    context: MigrationContext
    facts: ConfiguredDatabase
    metadatas: tuple[Any, ...]
    applied: list[str] = field(default_factory=list)


def metadatas_of(context: MigrationContext) -> tuple[Any, ...]:
    """The ``target_metadata`` of env.py."""
    metadata = context.opts.get("target_metadata")
    if isinstance(metadata, list | tuple):
        return tuple(metadata)
    return (metadata,) if metadata is not None else ()


def configured(context: MigrationContext, env_py: Path) -> Configured:
    """Record a ``context.configure`` call."""
    metadatas = metadatas_of(context)
    plugins = context.opts.get("autogenerate_plugins")
    facts = ConfiguredDatabase(
        database=database_of(context),
        version_table=str(context.version_table),
        version_schema=context.version_table_schema,
        models=len(metadatas),
        driver=str(getattr(context.dialect, "driver", "")),
        plugins=tuple(map(str, plugins)) if plugins is not None else None,
        # Private: MigrationContext has no public attribute for either.
        transaction_per_migration=bool(context._transaction_per_migration),
        opened_transaction=bool(context._in_external_transaction),
        location=_place(env_py),
    )
    return Configured(context, facts, metadatas)


def note_search_path(items: Sequence[Configured], context: MigrationContext) -> None:
    """Record where the session of a context looks for tables that have no schema."""
    path, schema = search_path(context)
    for item in items:
        if item.context is context:
            item.facts = replace(item.facts, search_path=path, default_schema=schema)


def _place(env_py: Path) -> Location:
    """The line of env.py that is running."""
    frame = sys._getframe(1)
    while frame is not None:
        if Path(frame.f_code.co_filename).name == env_py.name:
            return Location(relative(frame.f_code.co_filename), frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return Location(relative(str(env_py)), 1)


def database_of(context: MigrationContext) -> str:
    """The scratch database of the context, from its driver: asking the server would start a transaction."""
    if context.as_sql or context.connection is None or context.connection.dialect.name != "postgresql":
        return ""
    driven: Any = driver_connection(context.connection)
    if hasattr(driven, "info"):  # psycopg and psycopg2, synchronous or not
        return str(driven.info.dbname)
    if hasattr(driven, "_params"):  # asyncpg, whose connections have no public attribute for it
        return str(driven._params.database)
    return str(context.connection.exec_driver_sql("SELECT current_database()").scalar())


def driver_connection(connection: Any) -> Any:
    """The driver's own connection inside a SQLAlchemy connection, for SQLAlchemy 1.4 and 2.0."""
    fairy = connection.connection
    driven = getattr(fairy, "driver_connection", None)
    return driven if driven is not None else fairy.connection


class UpgradeObserver:
    """Records what each revision created in each database, how sessions are set up, and how long it takes."""

    def __init__(self, parent: Parent, last: Sequence[str]) -> None:
        """``last``: revisions after which the session is examined for what they leave in it; empty: none is."""
        self._parent = parent
        self._last = frozenset(last)
        self._session = ""
        self._current = BlameFacts()
        self.blame: dict[str, BlameFacts] = {}
        self.sessions: dict[str, str] = {}
        self.leaves_more = False
        self.seconds = 0.0
        self._since = time.monotonic()

    def configured(self, context: MigrationContext, database: str) -> None:
        """env.py configured a database."""
        if self._last:
            # One database may have several sessions, such as one per tenant.
            state = session(context)
            self.sessions[database] = digest([self.sessions.get(database), state]) if state else ""
            self._session = session_digest(context)
        self._current = self.blame.setdefault(database, BlameFacts())
        self._since = time.monotonic()

    def applied(self, context: MigrationContext, revision: str) -> None:
        """A revision has run and is in the version table; its transaction may still be open."""
        self._parent.tell("applied", revision)
        self._current.applied(context, revision)
        if revision in self._last:
            self.leaves_more |= session_digest(context) != self._session or leaves_more(context)
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now
