"""Settings of a database, of a role, or of the whole server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, register
from alembic_pgpatterns.operations.support.session import (
    emit,
    explained,
    fetch_value,
    log,
    offline,
    outside_transaction,
    run,
)
from alembic_pgpatterns.operations.support.template import Name, Part, Sql, Template, Value, as_text

if TYPE_CHECKING:
    from alembic.operations import Operations

SettingValue: TypeAlias = str | int | float | bool | list[str] | tuple[str, ...] | None

_SETTING = r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)*"
"""A pattern as text, compiled when needed: this module may be imported with Alembic, also in production."""


class _Setting(Directive):
    """A setting and its value. None as the value means RESET."""

    def __init__(self, setting: str, value: SettingValue, *, previous: SettingValue = None) -> None:
        if not re.fullmatch(_SETTING, setting):
            raise errors.PgPatternsError(f"{setting!r} is not the name of a setting (statement_timeout, app.tenant)")
        self.setting = setting
        self.value = value
        self.previous = previous

    def change(self) -> Template:
        """``SET name = value`` or ``RESET name``."""
        name = Name(*self.setting.split("."))
        if self.value is None:
            return Template("RESET {name}", name=name)
        return Template("SET {name} = {value}", name=name, value=_literals(self.value))


def _literals(value: SettingValue) -> Part:
    # Names in a list are literals each: search_path = 'a, b' is one schema of that name.
    return [Value(item) for item in value] if isinstance(value, list | tuple) else Value(value)


class AlterDatabaseSetOp(_Setting):
    """Set the default of a setting in one database, for new sessions.

    Args:
        setting: its name: ``statement_timeout``; ``app.tenant``.
        value: a string with its unit (``"30s"``, ``"64MB"``), a number in the setting's own unit, True or False; a
            list for settings that are lists (``search_path``); None resets it.
        database: the database's name; None is the database that the migration runs in.
        previous: the value that the downgrade sets; None resets it.

    Lock: none on tables. The role must own the database.
    Errors: PgPatternsError if *setting* is not a name; the server's if it refuses the value, or if the setting
    belongs to the whole server (``max_connections``: use ``op.alter_system``).
    Reversible: yes, to *previous*. Offline: the same statement.
    Source: PostgreSQL documentation, "ALTER DATABASE".
    """

    name = "alter_database_set"

    def __init__(
        self,
        setting: str,
        value: SettingValue,
        *,
        database: str | None = None,
        previous: SettingValue = None,
    ) -> None:
        super().__init__(setting, value, previous=previous)
        self.database = database

    def run(self, operations: Operations) -> None:
        """ALTER DATABASE, in a DO block with ``current_database()`` if no name is given."""
        if self.database is not None:
            statement = Template("ALTER DATABASE {name} {change}", name=Name(self.database), change=self.change())
        else:
            change = as_text(self.change())
            body = Template(
                "BEGIN EXECUTE 'ALTER DATABASE ' || quote_ident(current_database()) || {change}; END",
                change=Value(" " + change),
            )
            code = as_text(body)
            statement = Template("DO {code}", code=Value(code))
        run(operations, statement)

    def reverse(self) -> AlterDatabaseSetOp:
        """Back to *previous*."""
        return AlterDatabaseSetOp(self.setting, self.previous, database=self.database, previous=self.value)


class AlterRoleSetOp(_Setting):
    """Set the default of a setting for one role, for new sessions.

    Args:
        role: the role. All databases of the server share it.
        setting: its name.
        value: as in ``op.alter_database_set``; None resets it.
        database: only in this database; None is all of them.
        previous: the value that the downgrade sets; None resets.

    Lock: none on tables. The role that runs it needs CREATEROLE for *role*, or must be that role.
    Errors: as ``op.alter_database_set``. Reversible: yes, to *previous*. Offline: the same statement.
    Source: PostgreSQL documentation, "ALTER ROLE".
    """

    name = "alter_role_set"

    def __init__(
        self,
        role: str,
        setting: str,
        value: SettingValue,
        *,
        database: str | None = None,
        previous: SettingValue = None,
    ) -> None:
        super().__init__(setting, value, previous=previous)
        self.role = role
        self.database = database

    def run(self, operations: Operations) -> None:
        """ALTER ROLE."""
        where = Template(" IN DATABASE {name}", name=Name(self.database)) if self.database else Sql("")
        emit(
            operations,
            "ALTER ROLE {role}{where} {change}",
            role=Name(self.role),
            where=where,
            change=self.change(),
        )

    def reverse(self) -> AlterRoleSetOp:
        """Back to *previous*."""
        return AlterRoleSetOp(self.role, self.setting, self.previous, database=self.database, previous=self.value)


class AlterSystemOp(_Setting):
    """Write a setting into the server's configuration (``postgresql.auto.conf``), for every database.

    Args:
        setting: its name: ``max_connections``.
        value: as in ``op.alter_database_set``; None resets it.
        previous: the value that the downgrade sets; None resets.
        reload: whether the server reads its configuration again. Settings like ``max_connections`` still need a
            restart; the log says so.

    Runs outside a transaction: the statements before it in the revision are committed.
    Lock: none on tables. Needs a superuser, or GRANT ALTER SYSTEM ON PARAMETER (since PostgreSQL 15); most managed
    services offer neither.
    Errors: PgPatternsError if the role is not allowed to do it, or if the value is refused.
    Reversible: yes, to *previous*. Offline: the same statements between COMMIT and BEGIN.
    Source: PostgreSQL documentation, "ALTER SYSTEM".
    """

    name = "alter_system"

    def __init__(
        self, setting: str, value: SettingValue, *, previous: SettingValue = None, reload: bool = True
    ) -> None:
        super().__init__(setting, value, previous=previous)
        self.reload = reload

    def run(self, operations: Operations) -> None:
        """ALTER SYSTEM, then pg_reload_conf()."""
        way_out = (
            "ALTER SYSTEM needs a superuser, or GRANT ALTER SYSTEM ON PARAMETER; on a managed service set it in "
            "the provider's console and take this line out"
        )
        with outside_transaction(operations, self.name), explained(f"op.{self.name}({self.setting!r})", way_out):
            emit(operations, "ALTER SYSTEM {change}", change=self.change())
            if self.reload:
                emit(operations, "SELECT pg_catalog.pg_reload_conf()")
        if not offline(operations) and self._needs_restart(operations):
            log.warning("%s takes effect after a restart of PostgreSQL", self.setting)

    def _needs_restart(self, operations: Operations) -> bool:
        query = "SELECT context = 'postmaster' FROM pg_catalog.pg_settings WHERE name = :name"
        return bool(fetch_value(operations, query, name=self.setting.lower()))

    def reverse(self) -> AlterSystemOp:
        """Back to *previous*."""
        return AlterSystemOp(self.setting, self.previous, previous=self.value, reload=self.reload)


_SESSIONS = 100
"""PostgreSQL's default of max_connections."""


def _operation(setting: str, value: SettingValue, previous: SettingValue = None) -> AlterDatabaseSetOp | AlterSystemOp:
    """For the database, except for settings that belong to the whole server."""
    kind = AlterSystemOp if setting == "max_connections" else AlterDatabaseSetOp
    return kind(setting, value, previous=previous)


class ApplyRecommendedSettingsOp(Directive):
    """Set timeouts and working memory that suit a web application as defaults of the current database.

    Args:
        memory_mb: the server's memory, in megabytes; None leaves ``work_mem`` alone.
        max_connections: highest number of sessions. It belongs to the whole server: it is written as by
            ``op.alter_system``, with the same needs, and takes effect after a restart. None leaves it alone.
        statement_timeout: longest time of a statement.
        idle_in_transaction_session_timeout: longest time that a transaction may wait for its client.
        lock_timeout: longest time that a statement may wait for a lock.
        previous: the old values by name, for the downgrade; settings that it does not name are reset.

    ``work_mem`` is a quarter of the memory divided by the sessions (*max_connections*, or 100), since each session
    may use it several times. It is at least 4 MB, PostgreSQL's own default.

    Lock: none on tables. Errors, needs: as ``op.alter_database_set``.
    Reversible: yes, to *previous*. Offline: the same statements.
    Source: PostgreSQL documentation, "Statement Behavior" and "Resource Consumption". It advises against setting
    these timeouts for the whole server, so they are set for the database.
    """

    name = "apply_recommended_settings"

    def __init__(
        self,
        *,
        memory_mb: int | None = None,
        max_connections: int | None = None,
        statement_timeout: str = "30s",
        idle_in_transaction_session_timeout: str = "60s",
        lock_timeout: str = "10s",
        previous: dict[str, SettingValue] | None = None,
    ) -> None:
        if any(number is not None and number < 1 for number in (memory_mb, max_connections)):
            raise errors.PgPatternsError("memory_mb and max_connections must be at least 1")
        self.memory_mb = memory_mb
        self.max_connections = max_connections
        self.statement_timeout = statement_timeout
        self.idle_in_transaction_session_timeout = idle_in_transaction_session_timeout
        self.lock_timeout = lock_timeout
        self.previous = previous

    def settings(self) -> Iterator[AlterDatabaseSetOp | AlterSystemOp]:
        """One operation per setting."""
        values: dict[str, SettingValue] = {
            "statement_timeout": self.statement_timeout,
            "idle_in_transaction_session_timeout": self.idle_in_transaction_session_timeout,
            "lock_timeout": self.lock_timeout,
        }
        if self.memory_mb is not None:
            share = self.memory_mb // 4 // (self.max_connections or _SESSIONS)
            values["work_mem"] = f"{max(4, share)}MB"
        if self.max_connections is not None:
            values["max_connections"] = self.max_connections
        for setting, value in values.items():
            yield _operation(setting, value, (self.previous or {}).get(setting))

    def run(self, operations: Operations) -> None:
        """ALTER DATABASE, several times."""
        for setting in self.settings():
            operations.invoke(setting)

    def reverse(self) -> ResetSettingsOp:
        """Set each back to its old value."""
        return ResetSettingsOp({each.setting: each.previous for each in self.settings()}, _reverse=self)


class ResetSettingsOp(Directive):
    """Set the current database's settings back to their old values: the reverse of the recommended settings.

    Args:
        settings: values by name; None resets the setting.

    Lock: none on tables. Errors, needs: as ``op.alter_database_set``.
    Reversible: only as the reverse of ``op.apply_recommended_settings``. Offline: the same statements.
    """

    name = "reset_settings"

    def __init__(
        self, settings: dict[str, SettingValue], *, _reverse: ApplyRecommendedSettingsOp | None = None
    ) -> None:
        self.settings = settings
        self._reverse = _reverse

    def run(self, operations: Operations) -> None:
        """ALTER DATABASE, several times."""
        for setting, value in self.settings.items():
            operations.invoke(_operation(setting, value))

    def reverse(self) -> ApplyRecommendedSettingsOp:
        """Apply the recommended settings again.

        Raises:
            PgPatternsError: it was not made as the reverse of them.
        """
        if self._reverse is None:
            raise errors.PgPatternsError("op.reset_settings does not know what it replaced; write downgrade()")
        return self._reverse


register(AlterDatabaseSetOp, AlterRoleSetOp, AlterSystemOp, ApplyRecommendedSettingsOp, ResetSettingsOp)
