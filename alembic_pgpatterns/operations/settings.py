"""Settings of a database, of a role, of the server."""

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
"""Compiled when it is needed: this module is imported with Alembic, also in production."""


class _Setting(Directive):
    """A setting and its value; None as value means RESET."""

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
    return [Value(item) for item in value] if isinstance(value, list | tuple) else Value(value)


class AlterDatabaseSetOp(_Setting):
    """Give a setting a default in one database, for sessions that begin from then on.

    Args:
        setting: its name: ``statement_timeout``; ``app.tenant``.
        value: a string with its unit (``"30s"``, ``"64MB"``), a number in the setting's own unit, a truth
            value; a list for settings that are lists (``search_path``); None resets it.
        database: the database's name; None is the one the migration runs in.
        previous: the value to put back on the way down; None resets.

    Lock: none on tables. Needs to own the database.
    Errors: PgPatternsError where *setting* is no name; the server's on a value it does not take, and on
    settings which only the server as a whole has (``max_connections``: ``op.alter_system``).
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
        """ALTER DATABASE, by way of ``current_database()`` where no name is given."""
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
    """Give a setting a default for one role, for sessions that begin from then on.

    Args:
        role: the role, which every database of the server shares.
        setting: its name.
        value: as in ``op.alter_database_set``; None resets it.
        database: only in this database; None is in all of them.
        previous: the value to put back on the way down; None resets.

    Lock: none on tables. Needs CREATEROLE over the role, or to be it.
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
    """Write a setting into the server's own configuration (``postgresql.auto.conf``), for every database.

    Args:
        setting: its name: ``max_connections``.
        value: as in ``op.alter_database_set``; None resets it.
        previous: the value to put back on the way down; None resets.
        reload: let the server read its configuration again. Settings like ``max_connections`` need a restart
            all the same; the log says so.

    Runs outside a transaction: what the revision did before is committed.
    Lock: none on tables. Needs a superuser, or GRANT ALTER SYSTEM ON PARAMETER (PostgreSQL 15); managed
    services mostly offer neither.
    Errors: PgPatternsError, saying so, where the role may not or the value is refused.
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
            log.warning("%s takes effect when PostgreSQL is restarted", self.setting)

    def _needs_restart(self, operations: Operations) -> bool:
        query = "SELECT context = 'postmaster' FROM pg_catalog.pg_settings WHERE name = :name"
        return bool(fetch_value(operations, query, name=self.setting.lower()))

    def reverse(self) -> AlterSystemOp:
        """Back to *previous*."""
        return AlterSystemOp(self.setting, self.previous, previous=self.value, reload=self.reload)


_SESSIONS = 100
"""PostgreSQL's default of max_connections."""


def _operation(setting: str, value: SettingValue, previous: SettingValue = None) -> AlterDatabaseSetOp | AlterSystemOp:
    """For the database, but for what only the server as a whole has."""
    kind = AlterSystemOp if setting == "max_connections" else AlterDatabaseSetOp
    return kind(setting, value, previous=previous)


class ApplyRecommendedSettingsOp(Directive):
    """Give the current database the timeouts and the working memory that suit a web application.

    Args:
        memory_mb: the server's memory, in megabytes; None leaves ``work_mem`` alone.
        max_connections: sessions at a time. It is the server's own: written as by ``op.alter_system``, with all
            that says, and in force after a restart. None leaves it alone.
        statement_timeout: the longest a statement may run.
        idle_in_transaction_session_timeout: the longest a transaction may wait for its client.
        lock_timeout: the longest a statement may wait for a lock.
        previous: what was there, by name, for the way down; settings it does not name are reset.

    ``work_mem`` is a quarter of the memory over the sessions (*max_connections*, or 100), each of which may use it
    several times over, and at least 4 MB, PostgreSQL's own default.

    Lock: none on tables. Errors, needs: as ``op.alter_database_set``.
    Reversible: yes, to *previous*. Offline: the same statements.
    Source: PostgreSQL documentation, "Statement Behavior" and "Resource Consumption"; it advises against
    these timeouts for the whole server, hence the database.
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
            raise errors.PgPatternsError("memory_mb and max_connections are counted from 1")
        self.memory_mb = memory_mb
        self.max_connections = max_connections
        self.statement_timeout = statement_timeout
        self.idle_in_transaction_session_timeout = idle_in_transaction_session_timeout
        self.lock_timeout = lock_timeout
        self.previous = previous

    def settings(self) -> Iterator[AlterDatabaseSetOp | AlterSystemOp]:
        """One operation a setting."""
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
        """Each back to what it was."""
        return ResetSettingsOp({each.setting: each.previous for each in self.settings()}, _reverse=self)


class ResetSettingsOp(Directive):
    """Put settings of the current database back to what they were: the way down of recommended settings.

    Args:
        settings: values by name; None resets.

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
        """The recommended ones again.

        Raises:
            PgPatternsError: it was not made from them.
        """
        if self._reverse is None:
            raise errors.PgPatternsError("op.reset_settings does not know what it replaced; write its downgrade")
        return self._reverse


register(AlterDatabaseSetOp, AlterRoleSetOp, AlterSystemOp, ApplyRecommendedSettingsOp, ResetSettingsOp)
