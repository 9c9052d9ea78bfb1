"""Lock all tables of a transaction at its start, in several short attempts."""

from __future__ import annotations

from collections.abc import Iterable
from string import Template

from alembic_pgpatterns.autogenerate.rewrite.rendering import SqlOp
from alembic_pgpatterns.autogenerate.rewrite.view_sql import Column, closure
from alembic_pgpatterns.schema.names import do_block

ATTEMPTS = 10

# A block with EXCEPTION is a subtransaction: when lock_timeout ends the wait, the locks that it got are released
# (PostgreSQL docs, "Explicit Locking"), so that nobody waits for us during the pause. The tables come in one order, so
# that two of these do not wait for each other.
_ATTEMPTS = Template("""
  FOR pgpatterns_attempt IN 1..$attempts LOOP
    BEGIN$views
      LOCK TABLE $tables IN ACCESS EXCLUSIVE MODE;
      EXIT;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      IF pgpatterns_attempt = $attempts THEN
        RAISE;
      END IF;
      PERFORM pg_sleep(pgpatterns_attempt / 10.0);
    END;
  END LOOP;""")
# A query locks a view before the tables that the view reads. In another order it would wait for us, and we for it.
# LOCK TABLE would lock all tables of a view too, and refuses a materialised one; a new owner that is the old one
# changes nothing and locks the view alone.
_VIEWS = Template("""
      DECLARE
        pgpatterns_lock text;
      BEGIN
        FOR pgpatterns_lock IN
          $closure
          SELECT format('ALTER TABLE %s OWNER TO %I', c.oid::regclass, pg_get_userbyid(c.relowner))
          FROM dependent JOIN pg_class c USING (oid) GROUP BY c.oid, c.relowner ORDER BY max(depth) DESC
        LOOP
          EXECUTE pgpatterns_lock;
        END LOOP;
      END;""")


def attempts(tables: Iterable[str], under_views: Iterable[Column] = ()) -> str:
    """Return PL/pgSQL that locks tables ACCESS EXCLUSIVE, and the views on columns before them.

    Args:
        tables: their quoted names.
        under_views: the columns.
    """
    columns = list(under_views)
    views = _VIEWS.substitute(closure=closure(columns)) if columns else ""
    return _ATTEMPTS.substitute(tables=", ".join(sorted(set(tables))), attempts=ATTEMPTS, views=views)


def lock_block(tables: Iterable[str], under_views: Iterable[Column] = ()) -> SqlOp:
    """Return a DO statement that locks tables ACCESS EXCLUSIVE, under the lock_timeout of the transaction.

    Args:
        tables: their quoted names.
        under_views: columns whose views are locked before.
    """
    return SqlOp(do_block(f"\nBEGIN{attempts(tables, under_views)}\nEND "))
