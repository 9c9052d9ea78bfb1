"""Passwords that a database holds as they are: a copy of its files would hold them too."""

from __future__ import annotations

from collections.abc import Iterable

from alembic_pgpatterns.output.secrets import without_passwords
from alembic_pgpatterns.server.protocol import Server

# Passwords of roles are not among them: PostgreSQL stores a SCRAM verifier.
_TEXTS = """
SELECT array_to_string(umoptions, ' ') FROM pg_catalog.pg_user_mapping
UNION ALL SELECT array_to_string(srvoptions, ' ') FROM pg_catalog.pg_foreign_server
UNION ALL SELECT subconninfo FROM pg_catalog.pg_subscription
UNION ALL SELECT prosrc FROM pg_catalog.pg_proc WHERE oid >= 16384 AND prosrc ILIKE '%password%'
"""


def holds_passwords(server: Server, databases: Iterable[str]) -> bool:
    """Whether a user mapping, a foreign server, a subscription or a function in one of the databases has one."""
    for name in databases:
        with server.connect(name) as connection:
            texts = [text for (text,) in connection.execute(_TEXTS) if text]
        if any(without_passwords(text) != text for text in texts):
            return True
    return False
