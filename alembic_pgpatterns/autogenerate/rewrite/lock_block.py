"""Lock all tables of a transaction at its start, in several short attempts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from string import Template

from alembic_pgpatterns.autogenerate.rewrite.rendering import SqlOp
from alembic_pgpatterns.autogenerate.rewrite.view_sql import Column, closure
from alembic_pgpatterns.schema.names import do_block

ATTEMPTS = 50

# A block with EXCEPTION is a subtransaction: when lock_timeout ends the wait, the locks that it got are released
# (PostgreSQL docs, "Explicit Locking"), so that nobody waits for us during the pause. Whoever has a lock that we want
# may wait for one that we have. After deadlock_timeout (1 s by default) PostgreSQL would end that statement, so from
# the first lock on we wait for less than that in all.
# While we wait, everybody who wants one of the tables waits behind us. So the first attempts are short: without long
# transactions one of them succeeds, and only with such transactions is it worth while to wait longer.
_ATTEMPTS = Template("""
  FOR pgpatterns_attempt IN 1..$attempts LOOP
    DECLARE
      pgpatterns_limit text := current_setting('lock_timeout');
    BEGIN$views
      PERFORM set_config('lock_timeout', least(nullif(setting::int, 0), 25 * pgpatterns_attempt)::text, true)
        FROM pg_settings WHERE name = 'lock_timeout';
$locks
      PERFORM set_config('lock_timeout', pgpatterns_limit, true);
      EXIT;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      IF pgpatterns_attempt = $attempts THEN
        RAISE;
      END IF;
      PERFORM pg_sleep(random() * pgpatterns_attempt / 10.0);
    END;
  END LOOP;""")
_IN_ALL = 800
"""Milliseconds."""
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


def attempts(tables: Collection[str], under_views: Iterable[Column] = (), written: Collection[str] = ()) -> str:
    """Return PL/pgSQL that locks tables ACCESS EXCLUSIVE, and the views on columns before them.

    Args:
        tables: their quoted names, in the order of the locks.
        under_views: the columns.
        written: quoted names of tables of which only writers have to wait.
    """
    columns = list(under_views)
    views = _VIEWS.substitute(closure=closure(columns)) if columns else ""
    modes = dict.fromkeys(written, "SHARE ROW EXCLUSIVE") | dict.fromkeys(tables, "ACCESS EXCLUSIVE")
    ordered = sorted(dict.fromkeys((*tables, *written)), key=lambda table: modes[table])
    first, *others = ordered
    locks = [f"      LOCK TABLE {first} IN {modes[first]} MODE;"]
    if others:
        limit = f"least({_IN_ALL // len(others)}, 25 * pgpatterns_attempt)::text"
        locks += [f"      PERFORM set_config('lock_timeout', {limit}, true);"]
    for mode, group in groupby(others, key=lambda table: modes[table]):
        locks += [f"      LOCK TABLE {', '.join(group)} IN {mode} MODE;"]
    return _ATTEMPTS.substitute(locks="\n".join(locks), attempts=ATTEMPTS, views=views)


def in_attempts(statements: Iterable[str], tables: Collection[str] = (), written: Collection[str] = ()) -> SqlOp:
    """Return a DO statement that locks tables in short attempts, and then runs statements in the same transaction.

    Args:
        statements: DDL, each of which needs a lock on one of the tables for a moment.
        tables: quoted names of those that are locked ACCESS EXCLUSIVE, in the order of the locks.
        written: of those that are locked SHARE ROW EXCLUSIVE: readers do not wait.
    """
    lines = "\n".join(f"  {statement};" for statement in statements)
    return SqlOp(do_block(f"\nBEGIN{attempts(tables, written=written)}\n{lines}\nEND "))


def together(statements: Iterable[str]) -> list[str]:
    """Return statements with neighbours joined in one DO statement: every trip to the server lengthens the locks.

    If one fails, the server's message has its text ("SQL statement ...").

    Args:
        statements: DDL or DO statements. A value that is not needed is computed with PERFORM, next to a statement.
    """
    result: list[str] = []
    for is_block, group in groupby(statements, key=lambda statement: statement.startswith("DO ")):
        members = list(group)
        lines = "\n".join(f"  {statement};" for statement in members)
        result += members if is_block or len(members) == 1 else [do_block(f"\nBEGIN\n{lines}\nEND ")]
    return result


def in_order(orders: Iterable[Sequence[str]]) -> list[str]:
    """Return all names so that each order holds, as far as they do not contradict each other."""
    sequences = [list(dict.fromkeys(order)) for order in orders]
    result: list[str] = []
    while any(sequences):
        heads = [sequence[0] for sequence in sequences if sequence]
        free = (head for head in heads if not any(head in sequence[1:] for sequence in sequences))
        chosen = next(free, heads[0])
        result.append(chosen)
        sequences = [[name for name in sequence if name != chosen] for sequence in sequences]
    return result


def lock_block(tables: Collection[str], under_views: Iterable[Column] = (), written: Collection[str] = ()) -> SqlOp:
    """Return a DO statement that locks tables ACCESS EXCLUSIVE. No attempt waits longer than lock_timeout for a table.

    Args:
        tables: their quoted names.
        under_views: columns whose views are locked before.
        written: quoted names of tables that are locked SHARE ROW EXCLUSIVE.
    """
    return SqlOp(do_block(f"\nBEGIN{attempts(tables, under_views, written)}\nEND "))
