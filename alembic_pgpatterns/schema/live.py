"""Facts that only a server in use has: settings, roles, sessions, statements, ages.

``schema.catalog.live`` reads them. A part that could not be read is None, with the reason in ``unread``; patterns that
need it are skipped. A part that is not complete (other roles' statements are hidden) is named in ``partial``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from alembic_pgpatterns.schema.model import NO_ORIGIN, Name, Origin, Schema
from alembic_pgpatterns.schema.names import quote

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(\w*)\s*")


@dataclass(frozen=True, slots=True)
class LiveObject:
    """The subject of a finding about a server: a role, a database, a statement."""

    identifier: str
    table: Name | None = None
    origin: Origin = NO_ORIGIN


class ServerSetting(NamedTuple):
    """A row of pg_settings, as a new session sees it. ``value`` is in ``unit`` (``ms``, ``kB``, ``8kB``; '' for none).

    ``source``: where the value comes from (docs, "pg_settings"): 'default', 'configuration file', 'database' ...
    """

    name: str
    value: str
    unit: str = ""
    source: str = "default"

    @property
    def number(self) -> int:
        """The value as a number in its unit; 0 if it is not a number."""
        try:
            return int(float(self.value))
        except ValueError:
            return 0

    @property
    def kilobytes(self) -> int:
        """A size in kB, for any unit of the setting."""
        unit = re.fullmatch(r"(\d*)(B|kB|MB)", self.unit)
        if unit is None:
            return 0
        # Units of pg_settings have a factor where they are blocks: 8kB.
        factor = {"B": 1 / 1024, "kB": 1.0, "MB": 1024.0}[unit[2]] * int(unit[1] or 1)
        return int(self.number * factor)


class RoleSetting(NamedTuple):
    """A value that ALTER ROLE or ALTER DATABASE … SET gives to new sessions. None: for every role or database."""

    role: str | None
    database: str | None
    name: str
    value: str


class Role(NamedTuple):
    """A role that may log in.

    ``sessions``: how many it has now in this database. ``owns``: whether it owns a table here. ``limit``: CONNECTION
    LIMIT, -1 for none.
    """

    name: str
    superuser: bool = False
    limit: int = -1
    sessions: int = 0
    owns: bool = False

    @property
    def place(self) -> LiveObject:
        """The role as the subject of a finding."""
        return LiveObject(f"role {quote(self.name)}")


class Sessions(NamedTuple):
    """Client connections of the whole server, and what keeps old row versions from being removed.

    ``oldest_transaction``: seconds since the oldest open transaction began; None if there is none or it is hidden.
    """

    total: int
    here: int
    oldest_transaction: float | None = None


class StatementUsage(NamedTuple):
    """An entry of pg_stat_statements for this database. Times in milliseconds."""

    query: str
    calls: int
    mean: float
    total: float
    rows: int


class Recording(NamedTuple):
    """Whether pg_stat_statements is installed in this database, and its library is loaded (None: not known)."""

    installed: bool
    loaded: bool | None


class Age(NamedTuple):
    """How many transactions ago the oldest row of a database or table was frozen; the same for multixacts."""

    name: str
    transactions: int
    multixacts: int
    table: Name | None = None


class HbaRule(NamedTuple):
    """An active line of pg_hba.conf. ``address`` is '' for local lines; ``netmask`` is '' if none is shown."""

    line: int
    type: str
    databases: tuple[str, ...]
    users: tuple[str, ...]
    address: str
    netmask: str
    method: str


NO_SESSIONS = Sessions(0, 0)
NOT_RECORDED = Recording(False, None)


@dataclass(frozen=True, slots=True)
class LiveServer:
    """A server in use, as one role sees it from one database.

    Attributes:
        version: server_version_num.
        database: its name.
        role: our role.
        since: the time at which the statistics began, at the latest.
        now: the server's clock.
        recovery: whether it is a standby.
        settings: by name, with the values of a new session of our role.
        schema: the live schema with statistics, combined with the models; None if it could not be read.
        head: the schema that the revisions build. ``at_head``: whether the live database has run all revisions;
            ``where``: if not, why not.
        unread: parts that could not be read, with the reason.
        partial: parts that could be read only in part, with the reason.
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
    sessions: Sessions = NO_SESSIONS
    recording: Recording = NOT_RECORDED
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
        """The database as the subject of a finding."""
        return LiveObject(f"database {quote(self.database)}")

    def setting(self, name: str) -> ServerSetting:
        """The setting of that name; an empty one if the server has none."""
        return self.settings.get(name, ServerSetting(name, ""))

    def configured(self, role: str, name: str) -> str | None:
        """The most specific value that ALTER ROLE and ALTER DATABASE set for a role here; None if there is none.

        The order is PostgreSQL's (docs, "Parameter Interaction via the … SQL"): role in this database, role, database.
        """
        order = ((role, self.database), (role, None), (None, self.database), (None, None))
        values = {(item.role, item.database): item.value for item in self.role_settings if item.name == name}
        return next((values[key] for key in order if key in values), None)

    def effective(self, role: str, name: str) -> str:
        """The value in a new session of the role, as text; the server's own if no other is configured."""
        value = self.configured(role, name)
        return self.setting(name).value if value is None else value


def is_zero(value: str) -> bool:
    """Whether a duration as written in settings (``0``, ``30s``, ``1.5 min``) is zero."""
    duration = _DURATION.fullmatch(value)
    return duration is None or float(duration[1]) == 0
