"""Lock all tables of a transaction at its start, in several short attempts."""

from __future__ import annotations

from collections.abc import Iterable
from string import Template

from alembic_pgpatterns.autogenerate.rewrite.rendering import SqlOp
from alembic_pgpatterns.schema.names import do_block

ATTEMPTS = 10

# A block with EXCEPTION is a subtransaction: when lock_timeout ends the wait, the locks that it got are released
# (PostgreSQL docs, "Explicit Locking"), so that nobody waits for us during the pause. The tables come in one order, so
# that two of these do not wait for each other.
_BODY = Template("""
BEGIN
  FOR pgpatterns_attempt IN 1..$attempts LOOP
    BEGIN
      LOCK TABLE $tables IN ACCESS EXCLUSIVE MODE;
      EXIT;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      IF pgpatterns_attempt = $attempts THEN
        RAISE;
      END IF;
      PERFORM pg_sleep(pgpatterns_attempt / 10.0);
    END;
  END LOOP;
END """)


def lock_block(tables: Iterable[str]) -> SqlOp:
    """Return a DO statement that locks tables ACCESS EXCLUSIVE, under the lock_timeout of the transaction.

    Args:
        tables: their quoted names.
    """
    names = ", ".join(sorted(set(tables)))
    return SqlOp(do_block(_BODY.substitute(tables=names, attempts=ATTEMPTS)))
