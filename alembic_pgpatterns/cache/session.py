"""What can only be seen while the history runs: the files that revisions read, and how env.py sets its session up."""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from alembic_pgpatterns.cache.contents import digest

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

_SESSION = "SELECT name, setting FROM pg_catalog.pg_settings WHERE source IN ('session', 'client') ORDER BY name"
_OPTIONS = (
    "version_table",
    "version_table_schema",
    "version_table_pk",
    "transaction_per_migration",
    "transactional_ddl",
)
_OF_DRIVERS = frozenset({"application_name"})


def watched(steps: Sequence[Any], read: set[str]) -> list[Any]:
    """Alembic's steps, each of which adds to ``read`` the files that its revision opens for reading."""
    for step in steps:
        step.migration_fn = _recording(step.migration_fn, read)
    return list(steps)


def _recording(function: Callable[..., Any], read: set[str]) -> Callable[..., Any]:
    def recorded(*arguments: Any, **keywords: Any) -> Any:
        with _opened(read):
            return function(*arguments, **keywords)

    return recorded


@contextmanager
def _opened(read: set[str]) -> Iterator[None]:
    stock = io.open

    def opened(file: Any, mode: str = "r", *arguments: Any, **keywords: Any) -> Any:
        if isinstance(file, (str, os.PathLike)) and not set(mode) & set("wax+"):
            read.add(str(Path(os.fsdecode(file)).absolute()))
        return stock(file, mode, *arguments, **keywords)

    builtins.open = io.open = opened
    try:
        yield
    finally:
        builtins.open = io.open = stock


def session(context: MigrationContext) -> str:
    """The digest of what env.py told Alembic, and of what it set for its session (search_path, role, timeouts).

    Empty where it cannot be asked. Outside of a transaction the question leaves none behind.
    """
    connection = context.connection
    if connection is None:
        return ""
    outside = not connection.in_transaction()
    try:
        rows = connection.exec_driver_sql(_SESSION).all()
    except SQLAlchemyError:
        return ""
    finally:
        if outside:
            connection.rollback()
    settings = [tuple(row) for row in rows if row[0] not in _OF_DRIVERS]
    return digest([settings, sorted(_told(context))])


def _told(context: MigrationContext) -> Iterator[tuple[str, str]]:
    """What of ``context.configure`` touches revisions; they take the naming convention from the models."""
    for name in _OPTIONS:
        yield (name, str(context.opts.get(name)))
    metadata = context.opts.get("target_metadata")
    for one in metadata if isinstance(metadata, (list, tuple)) else [metadata]:
        convention = getattr(one, "naming_convention", None) or {}
        yield ("naming_convention", str(sorted((str(key), str(value)) for key, value in convention.items())))
