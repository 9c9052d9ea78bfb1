from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Finding, ServerPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.live import Age, LiveObject, LiveServer
from alembic_pgpatterns.schema.names import quote

_DANGER = 1_500_000_000
# Half of the 32-bit numbers: the other half counts as the future (docs, "Preventing Transaction ID Wraparound
# Failures").
_LIMIT = 2_147_483_648


@dataclass(frozen=True, slots=True)
class Options:
    """Options of wraparound."""

    age: int = 500_000_000
    """Transactions, or multixacts, since the oldest row was frozen; above 1,500,000,000 it is an error."""


class Wraparound(ServerPattern):
    """A database that comes near the point where PostgreSQL stops accepting writes, because vacuum is too far behind.

    Every write transaction gets a number. There are about 2 billion numbers before old ones must be reused, and before
    that vacuum must mark old rows as "frozen". If it cannot (because of an old transaction, a replication slot that
    nobody reads, a prepared transaction, or because it is switched off), the server finally refuses every write until
    someone runs VACUUM.

    Autovacuum starts to freeze at `autovacuum_freeze_max_age`, 200 million by default. An age a little above that is
    normal. Reported: an age above `age`, and above one and a half times `autovacuum_freeze_max_age`.
    """

    severity = Severity.WARNING
    Options = Options
    not_when = "Never, but raise `age` if autovacuum_multixact_freeze_max_age is higher than 500 million on purpose."
    references = ("https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-WRAPAROUND",)

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """Every database of the server, since all of them stop together."""
        # Up to this age all is as it should be: only then autovacuum freezes a table that nothing else changes.
        usual = server.setting("autovacuum_freeze_max_age").number
        least = max(self.options.age, usual + usual // 2)
        for age in server.ages:
            oldest = max(age.transactions, age.multixacts)
            if oldest > least:
                kind = "transactions" if age.transactions >= age.multixacts else "multixacts"
                yield self.finding(
                    at=LiveObject(f"database {quote(age.name)}"),
                    message=f"the oldest unfrozen row of {age.name} is {oldest} {kind} old; the server refuses "
                    f"all writes before {_LIMIT}",
                    remedy=Advice(_advice(age, server)),
                    severity=Severity.ERROR if oldest > _DANGER else None,
                )


def _advice(age: Age, server: LiveServer) -> str:
    slots = f" Slots that nobody reads hold it back: {', '.join(server.slots)}." if server.slots else ""
    if age.name != server.database or not server.table_ages:
        return f"VACUUM (FREEZE) the oldest tables of {age.name}; end old transactions and prepared ones first.{slots}"
    tables = ", ".join(str(table.name) for table in server.table_ages[:3])
    return f"VACUUM (FREEZE) {tables}; end old transactions and prepared ones first.{slots}"
