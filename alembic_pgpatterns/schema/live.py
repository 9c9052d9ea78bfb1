"""What only a server in use can tell: settings, roles, sessions, statements, how old things are.

``schema.catalog_live`` fills it. A part that could not be read is None and its reason stands in ``unread``; a pattern
that needs it is then skipped. What is there but not whole (other roles' statements are hidden) stands in ``partial``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from alembic_pgpatterns.schema.model import NO_ORIGIN, Name, Origin, Schema
from alembic_pgpatterns.schema.names import quote

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(\w*)\s*")


@dataclass(frozen=True, slots=True)
class LiveObject:
    """What a finding about a server is about: a role, a database, a statement."""

    identifier: str
    table: Name | None = None
    origin: Origin = NO_ORIGIN


@dataclass(frozen=True, slots=True)
class ServerSetting:
    """A row of pg_settings, as a session begins with it. ``value`` in ``unit`` (``ms``, ``kB``, ``8kB``; '' for none).

    ``source``: where the value comes from (docs, "pg_settings"): 'default', 'configuration file', 'database' ...
    """

    name: str
    value: str
    unit: str = ""
    source: str = "default"

    @property
    def number(self) -> int:
        """The value as a number in its unit; 0 where it is none."""
        try:
            return int(float(self.value))
        except ValueError:
            return 0

    @property
    def kilobytes(self) -> int:
        """A size in kB, whatever unit the setting counts in."""
        found = re.fullmatch(r"(\d*)(B|kB|MB)", self.unit)
        if found is None:
            return 0
        factor = {"B": 1 / 1024, "kB": 1.0, "MB": 1024.0}[found[2]] * int(found[1] or 1)
        return int(self.number * factor)


@dataclass(frozen=True, slots=True)
class RoleSetting:
    """A value that ALTER ROLE or ALTER DATABASE … SET gives to new sessions. None: of every role, of every database."""

    role: str | None
    database: str | None
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Role:
    """A role that may log in.

    ``sessions``: how many it has now in this database. ``owns``: it owns a table here. ``limit``: CONNECTION LIMIT,
    -1 for none.
    """

    name: str
    superuser: bool = False
    limit: int = -1
    sessions: int = 0
    owns: bool = False

    @property
    def place(self) -> LiveObject:
        """What a finding about it is about."""
        return LiveObject(f"role {quote(self.name)}")


@dataclass(frozen=True, slots=True)
class Sessions:
    """Client connections of the whole server, and what holds old row versions.

    ``oldest_transaction``: seconds since the oldest open transaction began, None where there is none or it is hidden.
    """

    total: int
    here: int
    oldest_transaction: float | None = None


@dataclass(frozen=True, slots=True)
class StatementUsage:
    """What pg_stat_statements has of one text in this database. Times in milliseconds."""

    query: str
    calls: int
    mean: float
    total: float
    rows: int


@dataclass(frozen=True, slots=True)
class Recording:
    """Of pg_stat_statements: the extension is in this database; its library is loaded, None where not known."""

    installed: bool
    loaded: bool | None


@dataclass(frozen=True, slots=True)
class Age:
    """How many transactions ago the oldest row of a database or table was frozen; the same for multixacts."""

    name: str
    transactions: int
    multixacts: int
    table: Name | None = None


@dataclass(frozen=True, slots=True)
class HbaRule:
    """A line of pg_hba.conf that counts. ``address`` '' for local ones; ``netmask`` '' where none is shown."""

    line: int
    type: str
    databases: tuple[str, ...]
    users: tuple[str, ...]
    address: str
    netmask: str
    method: str


@dataclass(frozen=True, slots=True)
class LiveServer:
    """A server in use, seen by one role in one database.

    Attributes:
        version: server_version_num.
        database: its name.
        role: the one that looked.
        since: the statistics count since then, at the latest.
        now: the server's clock.
        recovery: it is a standby.
        settings: by name, as sessions of our role begin with them.
        schema: the live schema with statistics, models laid over it; None where it could not be read.
        head: what the revisions build; ``at_head`` says whether the live database is there, ``where`` why not.
        unread: parts that could not be read, with the reason.
        partial: parts of which only some could be read, with the reason.
    """

    version: int
    database: str
    role: str
    since: datetime
    now: datetime
    recovery: bool = False
    settings: Mapping[str, ServerSetting] = field(default_factory=dict)
    role_settings: tuple[RoleSetting, ...] = ()
    roles: tuple[Role, ...] = ()
    database_limit: int = -1
    sessions: Sessions = Sessions(0, 0)
    recording: Recording = Recording(False, None)
    statements: tuple[StatementUsage, ...] | None = None
    ages: tuple[Age, ...] = ()
    table_ages: tuple[Age, ...] = ()
    hba: tuple[HbaRule, ...] | None = None
    replicas: tuple[str, ...] | None = None
    slots: tuple[str, ...] = ()
    schema: Schema | None = None
    head: Schema | None = None
    unread: Mapping[str, str] = field(default_factory=dict)
    partial: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> LiveObject:
        """The database, as what a finding is about."""
        return LiveObject(f"database {quote(self.database)}")

    def setting(self, name: str) -> ServerSetting:
        """The setting of that name; an empty one where the server has none."""
        return self.settings.get(name, ServerSetting(name, ""))

    def given(self, role: str, name: str) -> str | None:
        """What ALTER ROLE and ALTER DATABASE give a role here, the nearest first; None where they say nothing.

        The order is PostgreSQL's (docs, "Parameter Interaction via the … SQL"): role in this database, role, database.
        """
        order = ((role, self.database), (role, None), (None, self.database), (None, None))
        known = {(item.role, item.database): item.value for item in self.role_settings if item.name == name}
        return next((known[key] for key in order if key in known), None)

    def effective(self, role: str, name: str) -> str:
        """The value a session of the role begins with, as text; the server's own where nobody gave another."""
        value = self.given(role, name)
        return self.setting(name).value if value is None else value


def is_zero(value: str) -> bool:
    """Whether a duration as settings spell it (``0``, ``30s``, ``1.5 min``) is none at all."""
    found = _DURATION.fullmatch(value)
    return found is None or float(found[1]) == 0
