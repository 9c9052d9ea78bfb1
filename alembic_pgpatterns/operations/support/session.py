"""The connection of the running migration: statements, queries, transactions, timeouts, errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from alembic.operations.batch import BatchOperationsImpl
from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.support.template import Part, Sql, Template, Value

if TYPE_CHECKING:
    from alembic.operations import Operations
    from sqlalchemy import ClauseElement
    from sqlalchemy.engine import Connection

log = logging.getLogger("alembic.pgpatterns")

TIMEOUTS = ("lock_timeout", "statement_timeout", "transaction_timeout")
"""The settings that would stop a long statement; transaction_timeout is new in PostgreSQL 17."""


def emit(operations: Operations, template: str, **parts: Part) -> None:
    """Run one statement, or write it when offline. Inside ``batch_alter_table`` it takes its turn."""
    run(operations, Template(template, **parts))


def run(operations: Operations, statement: Any) -> None:
    """The same for a complete statement."""
    if isinstance(operations.impl, BatchOperationsImpl):
        if operations.impl.recreate == "always":
            raise errors.PgPatternsError(
                'batch_alter_table(recreate="always") makes a new table, which has no row security, policies or '
                "storage parameters yet: use the directive on op, after the block"
            )
        operations.impl.batch.append(("execute", (statement,), {}))
    else:
        operations.migration_context.impl.execute(statement)


def write(operations: Operations, statement: ClauseElement) -> None:
    """Write a statement with its values as literals, also if env.py does not set ``literal_binds``; offline only."""
    impl = operations.migration_context.impl
    compiled = statement.compile(dialect=impl.dialect, compile_kwargs={"literal_binds": True})
    impl.static_output(f"{compiled}{impl.command_terminator}")


def offline(operations: Operations) -> bool:
    """Whether SQL is written (``--sql``) rather than run."""
    return operations.migration_context.as_sql


def online_only(operations: Operations, directive: str, reason: str) -> None:
    """Refuse to write SQL for a directive that must look at the database first.

    Raises:
        PgPatternsError: the migration is being written as SQL.
    """
    if offline(operations):
        raise errors.PgPatternsError(
            f"op.{directive} cannot be written as SQL (--sql): it {reason}. "
            "Run this revision against the database, or write its statements with op.execute()"
        )


def connection(operations: Operations) -> Connection:
    """The live connection."""
    bind = operations.migration_context.connection
    assert bind is not None
    return bind


def fetch(operations: Operations, query: str, **parameters: Any) -> Sequence[Row[Any]]:
    """The rows of a query with bound parameters; online only."""
    return connection(operations).execute(text(query), parameters).all()


def fetch_value(operations: Operations, query: str, **parameters: Any) -> Any:
    """The first column of the first row, or None."""
    return connection(operations).execute(text(query), parameters).scalar()


def sqlstate(error: BaseException) -> str | None:
    """The five-character SQLSTATE, whichever driver raised it."""
    original = getattr(error, "orig", None)
    # psycopg 3 and asyncpg have the first, psycopg2 the second.
    for attribute in ("sqlstate", "pgcode"):
        code = getattr(original, attribute, None)
        if code is not None:
            return str(code)
    return None


def server_message(error: DBAPIError) -> str:
    """The server's message, on one line."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is None:
        # SQLAlchemy's asyncpg adapter wraps the driver's error and adds its class's name
        diagnosis = getattr(error.orig, "__cause__", None)
    primary = getattr(diagnosis, "message_primary", None) or getattr(diagnosis, "message", None)
    detail = getattr(diagnosis, "message_detail", None) or getattr(diagnosis, "detail", None)
    return "; ".join(str(part) for part in (primary or error.orig, detail) if part)


@contextmanager
def explained(failure: str, way_out: str) -> Iterator[None]:
    """Turn a server's error into one that says what failed and what to do.

    Raises:
        PgPatternsError: the server refused.
    """
    try:
        yield
    except DBAPIError as error:
        raise errors.PgPatternsError(f"{failure}: {server_message(error).rstrip('.')}. {way_out}") from error


_OUTSIDE = "pgpatterns_outside_transaction"
"""A key in the context's options, because offline there is no connection to ask."""


@contextmanager
def outside_transaction(operations: Operations, directive: str) -> Iterator[None]:
    """Run each statement of the block in a transaction of its own, as ``autocommit_block()`` does.

    The statements before it in the revision are committed. If the connection is in autocommit already (the caller's
    own block), nothing changes. Offline, ``COMMIT`` and ``BEGIN`` are written around the block.

    Raises:
        PgPatternsError: env.py, or a savepoint, holds a transaction that Alembic did not begin.
    """
    context = operations.migration_context
    if _is_outside(operations):
        yield
        return
    if not offline(operations) and connection(operations).in_nested_transaction():
        raise errors.PgPatternsError(
            f"op.{directive} commits, so it cannot run inside a savepoint (op.lock_attempts, begin_nested). "
            "Move it out of the block"
        )
    with ExitStack() as stack:
        reason = stack.enter_context(_first_error_wins())
        try:
            stack.enter_context(context.autocommit_block())
        # autocommit_block() asserts that the transaction is Alembic's (1.20). Under python -O the next line fails
        # instead.
        except (AssertionError, AttributeError) as error:
            raise errors.PgPatternsError(_foreign_transaction(directive)) from error
        context.opts[_OUTSIDE] = True
        stack.callback(context.opts.pop, _OUTSIDE)
        with reason:
            yield


class _Reason:
    """Remembers the error that left a block."""

    error: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.error = error


@contextmanager
def _first_error_wins() -> Iterator[_Reason]:
    """On a lost connection, leaving ``autocommit_block()`` fails too, and that error would hide the first one."""
    reason = _Reason()
    try:
        yield reason
    except SQLAlchemyError as error:
        if reason.error is None or reason.error is error:
            raise
        raise reason.error from reason.error.__cause__


def _is_outside(operations: Operations) -> bool:
    if offline(operations):
        return _OUTSIDE in operations.migration_context.opts
    return in_autocommit(connection(operations))


def _foreign_transaction(directive: str) -> str:
    return (
        f"op.{directive} must run outside a transaction, but env.py began one without Alembic. "
        "Usual causes: `with engine.begin() as connection`, or a statement executed on the connection before "
        "context.configure(). Use `with engine.connect() as connection` and let `context.begin_transaction()` "
        "begin it; after statements of your own, call `connection.commit()` before context.configure()"
    )


def in_autocommit(bind: Connection) -> bool:
    """Whether each statement is its own transaction on this connection."""
    return bind.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


@contextmanager
def without_timeouts(operations: Operations) -> Iterator[None]:
    """Run the block with lock, statement and transaction timeouts set to 0, then restore them.

    A CONCURRENTLY build waits for every old snapshot, also for unrelated work: a timeout that is right for other DDL
    would stop it and leave an INVALID index. The old values are kept in settings of this package on the server, so that
    the same statements work offline too.
    """
    _copy_settings(operations, "'pgpatterns.' || name", "current_setting(name)")
    _copy_settings(operations, "name", "'0'")
    try:
        yield
    except BaseException:
        # the session may be lost; then its own error must be raised, not the one of this restore
        with suppress(SQLAlchemyError):
            _restore_timeouts(operations)
        raise
    _restore_timeouts(operations)


def _restore_timeouts(operations: Operations) -> None:
    _copy_settings(operations, "name", "current_setting('pgpatterns.' || name)")


def _copy_settings(operations: Operations, to: str, source: str) -> None:
    emit(
        operations,
        "SELECT set_config({to}, {source}, false) FROM pg_catalog.pg_settings WHERE name IN ({names})",
        to=Sql(to),
        source=Sql(source),
        names=[Value(name) for name in TIMEOUTS],
    )
