"""The application's models, read and created in the process that has them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy
from sqlalchemy.dialects import postgresql

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.counts import listed
from alembic_pgpatterns.processes.channel import Parent
from alembic_pgpatterns.runner.engine import with_connection
from alembic_pgpatterns.runner.failures import failure_of
from alembic_pgpatterns.runner.messages import CreateRequest, Failure, ModelsRequest, ModelsResult
from alembic_pgpatterns.schema.metadata import reader
from alembic_pgpatterns.schema.metadata.origins import all_registries, mappers_of
from alembic_pgpatterns.schema.parsed import IndexText, TypeText

UNNAMED = "env.py names no target_metadata"


class AskedParser:
    """The parent's SQL parser. Each text is sent only once."""

    def __init__(self, parent: Parent) -> None:
        """``parent``: parses the SQL."""
        self._ask = lru_cache(maxsize=None)(lambda name, text: parent.ask("parse", name, text))

    def parse_type(self, text: str) -> TypeText | None:
        """See `SqlParser`."""
        return self._ask("parse_type", text)  # type: ignore[no-any-return]

    def parse_index(self, statement: str) -> IndexText | None:
        """See `SqlParser`."""
        return self._ask("parse_index", statement)  # type: ignore[no-any-return]

    def parse_exclusion(self, statement: str) -> IndexText | None:
        """See `SqlParser`."""
        return self._ask("parse_exclusion", statement)  # type: ignore[no-any-return]

    def parse_partition(self, clause: str) -> tuple[str | None, tuple[str | None, ...]] | None:
        """See `SqlParser`."""
        return self._ask("parse_partition", clause)  # type: ignore[no-any-return]

    def column_references(self, expression: str) -> frozenset[str] | None:
        """See `SqlParser`."""
        return self._ask("column_references", expression)  # type: ignore[no-any-return]

    def sequence_of(self, default: str) -> tuple[str, ...] | None:
        """See `SqlParser`."""
        return self._ask("sequence_of", default)  # type: ignore[no-any-return]


def read_models(metadatas: Sequence[Any], dialect: Any, request: ModelsRequest, parser: AskedParser) -> ModelsResult:
    """The models' schema, or the reason why there is none.

    Raises:
        PgPatternsError: a registry in the settings cannot be imported, or is not one.
    """
    if not metadatas:
        return ModelsResult(None, UNNAMED)
    registries = load_registries(request.registries) or configured_registries(metadatas)
    try:
        schema = reader.read(
            metadatas,
            parser,
            default_schema=request.default_schema,
            target_version=request.target_version,
            registries=registries,
            dialect=dialect,
        )
    except Exception as error:
        return ModelsResult(None, f"they cannot be read: {type(error).__name__}: {error}")
    return ModelsResult(schema)


def configured_registries(metadatas: Sequence[Any]) -> list[Any]:
    """The mapper registries of the models, configured; none if that fails, as where a class is not imported.

    What listeners add to the MetaData then (a table for each version) is taken out again: Alembic does not see it.
    """
    tables = {id(metadata): {*metadata.tables} for metadata in metadatas}
    registries = [item for item in all_registries() if any(_is_of(mapper, tables) for mapper in mappers_of(item))]
    try:
        for registry in registries:
            registry.configure()
    except Exception:
        _forget_failures(registries)
        return []
    finally:
        for metadata in metadatas:
            for name in {*metadata.tables} - tables[id(metadata)]:
                metadata.remove(metadata.tables[name])
    return sorted(registries, key=lambda registry: mappers_of(registry)[0].class_.__qualname__)


def _forget_failures(registries: Sequence[Any]) -> None:
    """Let the project's own code try again, when it has imported more. SQLAlchemy keeps the error at the mapper."""
    for mapper in (mapper for registry in registries for mapper in mappers_of(registry)):
        mapper.__dict__.pop("_configure_failed", None)


def _is_of(mapper: Any, tables: Mapping[int, Any]) -> bool:
    return id(getattr(mapper.local_table, "metadata", None)) in tables


def load_registries(names: Sequence[str]) -> list[Any]:
    """The mapper registries in the settings, written as ``package.module:Base``.

    Raises:
        PgPatternsError: one cannot be imported, or is not a registry.
    """
    return [_registry(name) for name in names]


def _registry(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        base = getattr(importlib.import_module(module), attribute or "Base")
    except (ImportError, AttributeError, ValueError) as error:
        raise PgPatternsError(f"registries: {name!r} cannot be imported: {error}") from error
    registry = getattr(base, "registry", base)
    if not hasattr(registry, "mappers"):
        raise PgPatternsError(f"registries: {name!r} is not a declarative base or registry of SQLAlchemy.")
    return registry


def create(metadatas: Sequence[Any], request: CreateRequest, driver: str) -> Failure | None:
    """Create the models' tables in a database and commit. Returns the failure if that fails.

    Args:
        metadatas: the models.
        request: where, and what to do first.
        driver: the application's.
    """

    def run(connection: Any) -> None:
        # SQLAlchemy raises IdentifierError for some names of more than 63 characters. PostgreSQL cuts them, and so may
        # we: the pattern overlong-identifier reports the names, which it cannot if the run ends here.
        connection.dialect.validate_identifier = lambda ident: None
        for statement in request.before:
            connection.exec_driver_sql(statement)
        _set_search_path(connection, request.search_path)
        for metadata in metadatas:
            names = sorted({table.schema for table in metadata.tables.values() if table.schema})
            names = names if request.schemas else []
            for name in names:
                quoted = connection.dialect.identifier_preparer.quote_schema(name)
                connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {quoted}")
            create_enums(metadata, connection)
            demand_plain_texts(metadata, connection.dialect)
            metadata.create_all(connection)
        connection.commit()

    try:
        with_connection(request.server, run, driver)
    # The last two come from custom types and DDL of the models that work with another dialect only.
    except (sqlalchemy.exc.SQLAlchemyError, PgPatternsError, AttributeError, TypeError) as error:
        return failure_of(error, "")
    return None


def create_enums(metadata: Any, connection: Any) -> None:
    """Create the enums of PostgreSQL, some of which `create_all` leaves out.

    It does so for ``create_type=False``, and for a column that has been moved to another table, as SQLModel does with
    ``sa_column`` of a class that others inherit from (SQLAlchemy 1.4: its events stay with the first table).

    Raises:
        PgPatternsError: an enum has no name, so that PostgreSQL cannot create it; the message has the columns.
    """
    unnamed = []
    for table in metadata.tables.values():
        for column in table.columns:
            kind = column.type.impl if isinstance(column.type, sqlalchemy.TypeDecorator) else column.type
            kind = getattr(kind, "item_type", kind)  # that of an array
            if isinstance(kind, sqlalchemy.Enum) and kind.native_enum and not kind.name:
                unnamed.append(f"{table.fullname}.{column.name}")
            elif isinstance(kind, postgresql.ENUM):
                schema = kind.schema or metadata.schema
                postgresql.ENUM(*kind.enums, name=kind.name, schema=schema).create(connection, checkfirst=True)
    if unnamed:
        raise PgPatternsError(f"an enum of PostgreSQL needs a name, as in Enum(…, name=…): {', '.join(unnamed)}")


def demand_plain_texts(metadata: Any, dialect: Any) -> None:
    """Raise PgPatternsError if a column is ``Text(140)``: PostgreSQL's error names neither column nor way out."""
    columns = [column for table in metadata.tables.values() for column in table.columns]
    wrong = [
        f"{column.table.fullname}.{column.name}"
        for column in columns
        if isinstance(column.type, sqlalchemy.Text) and column.type.compile(dialect).startswith("TEXT(")
    ]
    if wrong:
        raise PgPatternsError(
            "PostgreSQL's text takes no length, so these columns cannot be created as the models have them. Write "
            f"Text, or String(length): {listed(wrong, 4)}"
        )


@dataclass(frozen=True)
class Session:
    """A connection to open: the server's parameters, the application's driver, and the search_path of env.py."""

    server: Mapping[str, str]
    driver: str
    search_path: str | None

    def run(self, task: Callable[[Any], Any]) -> Any:
        """The result of a task that gets the connection."""

        def on_path(connection: Any) -> Any:
            _set_search_path(connection, self.search_path)
            return task(connection)

        return with_connection(self.server, on_path, self.driver)


def _set_search_path(connection: Any, search_path: str | None) -> None:
    """Look for tables without a schema where env.py's own session does."""
    if search_path is None:
        return
    connection.execute(sqlalchemy.text("SELECT set_config('search_path', :path, false)"), {"path": search_path})
    # SQLAlchemy asks only once, when an engine connects for the first time (DefaultDialect.initialize).
    connection.dialect.default_schema_name = connection.execute(sqlalchemy.text("SELECT current_schema()")).scalar()


def missing_declarations(
    metadatas: Sequence[Any], server: Mapping[str, str], driver: str, search_path: str | None
) -> list[tuple[str | None, str, str]]:
    """Schema, table and operation of declarations of this package in the models (such as policies) that a database
    lacks.

    Only models that import this package can have them, so nothing is searched unless it is installed: the comparators
    need more packages than this process can count on.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database did not answer.
    """
    if "alembic_pgpatterns.declare" not in sys.modules:
        return []
    comparators = importlib.import_module("alembic_pgpatterns.operations.missing_declarations")

    def run(connection: Any) -> list[tuple[str | None, str, str]]:
        _set_search_path(connection, search_path)
        return list(comparators.missing_declarations(connection, metadatas))

    return with_connection(server, run, driver)  # type: ignore[no-any-return]
