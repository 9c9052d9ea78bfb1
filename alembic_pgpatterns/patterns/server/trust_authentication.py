from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, ServerPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.live import HbaRule, LiveObject, LiveServer

_LOOPBACK = ("127.", "::1", "samehost", "localhost")


class TrustAuthentication(ServerPattern):
    """A line of pg_hba.conf that lets anybody connect under any name without a password.

    With the method `trust` the server believes the user name it is given, also a superuser's. Over the network that is
    an error. On the machine itself (a socket, the loopback address) it is a warning: any program there that is broken
    into owns the database.

    pg_hba_file_rules can be read by superusers and by roles with a grant on it; for others the pattern is skipped.
    """

    severity = Severity.WARNING
    needs = ("hba",)
    not_when = "A socket that only the server's own account can reach needs no password."
    references = (
        "https://www.postgresql.org/docs/current/auth-trust.html",
        "https://www.postgresql.org/docs/current/auth-pg-hba-conf.html",
    )

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """Lines in the file's order."""
        for rule in server.hba or ():
            if rule.method == "trust" and rule.databases != ("replication",):
                yield self.finding(
                    at=LiveObject(f"pg_hba {' '.join(_words(rule))}"),
                    message=f"line {rule.line} of pg_hba.conf asks for no password: {' '.join(_words(rule))} trust",
                    remedy=Advice(
                        "Write scram-sha-256 instead of trust in that line (peer for local sockets), then: SELECT "
                        "pg_reload_conf()."
                    ),
                    severity=Severity.ERROR if _is_remote(rule) else None,
                )


def _words(rule: HbaRule) -> Iterator[str]:
    yield from (rule.type, ",".join(rule.databases), ",".join(rule.users))
    yield from (word for word in (rule.address, rule.netmask) if word)


def _is_remote(rule: HbaRule) -> bool:
    return rule.type != "local" and not rule.address.startswith(_LOOPBACK)
