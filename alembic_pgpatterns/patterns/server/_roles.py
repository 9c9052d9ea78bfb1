from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.remedies.model import Statements
from alembic_pgpatterns.schema.live import LiveServer, Role, is_zero
from alembic_pgpatterns.schema.names import quote


def users(server: LiveServer) -> Iterator[Role]:
    """The roles that work in this database: who owns tables, who is connected, and who looks.

    Superusers only where the configured connection is theirs: people who repair things want no limits.
    """
    for role in server.roles:
        is_ours = role.name == server.role
        if is_ours or ((role.owns or role.sessions) and not role.superuser):
            yield role


def without(server: LiveServer, setting: str) -> Iterator[Role]:
    """Those whose sessions begin with a timeout of zero, which is none."""
    return (role for role in users(server) if is_zero(server.effective(role.name, setting)))


def role_set(server: LiveServer, role: Role, setting: str, value: str) -> Statements:
    """ALTER ROLE … IN DATABASE … SET, and back to what it was."""
    alter = f"ALTER ROLE {quote(role.name)} IN DATABASE {quote(server.database)}"
    key = (role.name, server.database, setting)
    before = next((s.value for s in server.role_settings if (s.role, s.database, s.name) == key), None)
    back = f"RESET {setting}" if before is None else f"SET {setting} = '{_literal(before)}'"
    return Statements((f"{alter} SET {setting} = '{_literal(value)}'",), (f"{alter} {back}",))


def _literal(value: str) -> str:
    return value.replace("'", "''")
