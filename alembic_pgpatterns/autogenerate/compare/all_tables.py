"""All tables of a run at once: what the database has, and what PostgreSQL prints of the models.

Table by table, both take about twenty statements each. Nothing changes in the database while autogenerate compares, so
they can be read together. A table that is not as simple as most, or that PostgreSQL refuses, is left to `scratch`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import Connection, MetaData, Table, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from alembic_pgpatterns.autogenerate.compare.forms import Forms, read_all_forms
from alembic_pgpatterns.autogenerate.compare.scratch import Printed, named_types, print_declared, rolled_back
from alembic_pgpatterns.autogenerate.compare.type_catalog import NamedType, read_types
from alembic_pgpatterns.autogenerate.rewrite.extensions import extensions_of
from alembic_pgpatterns.autogenerate.rewrite.inner_types import composites_of

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

KEY = "pgpatterns_all_tables"
"""The migration context's option that holds the tables of a run."""
CHUNK = 25
"""Tables per savepoint. Each of its relations takes a lock until the end, and max_locks_per_transaction limits them."""

_OIDS = """
    SELECT n.nspname AS schema, c.relname AS name, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN unnest(CAST(:schemas AS text[]), CAST(:names AS text[])) AS u (schema, name)
      ON u.schema = n.nspname AND u.name = c.relname
"""
_TEMPORARY = """
    SELECT relname AS name, oid FROM pg_class
    WHERE relnamespace = pg_my_temp_schema() AND relname = ANY (CAST(:names AS text[]))
"""
_WITHOUT = ("partition_by", "inherits", "tablespace", "using", "on_commit")
"""Options of a table that a temporary one cannot have, or that would tie it to a permanent one."""


@dataclass
class AllTables:
    """The tables of the target metadata that the database has."""

    connection: Connection
    metadata: MetaData
    default_schema: str
    actual: dict[tuple[str, str], Forms] = field(default_factory=dict)
    printed: dict[int, Printed] = field(default_factory=dict)
    waiting: list[Table] = field(default_factory=list)

    def __post_init__(self) -> None:
        tables = [table for table in self.metadata.tables.values() if not getattr(table, "is_view", False)]
        names = {(str(table.schema or self.default_schema), str(table.name)): table for table in tables}
        values = {"schemas": [key[0] for key in names], "names": [key[1] for key in names]}
        oids = {row.oid: (row.schema, row.name) for row in self.connection.execute(text(_OIDS), values)}
        self.actual = {oids[oid]: forms for oid, forms in read_all_forms(self.connection, list(oids)).items()}
        present = [table for key, table in names.items() if key in self.actual]
        types = read_types(self.connection) if any(named_types(table) for table in present) else {}
        called = {name for _, name in types}
        self.waiting = [table for table in present if str(table.name) not in called and self._is_simple(table, types)]

    def _is_simple(self, table: Table, types: dict[tuple[str, str], NamedType]) -> bool:
        """Whether PostgreSQL has all that the table needs, so that nothing but the table is created."""
        for item in named_types(table):
            existing = types.get((item.schema or self.default_schema, str(item.name)))
            labels = getattr(item, "enums", None)
            if existing is None or (existing.kind == "e") != (labels is not None):
                return False
            if labels is not None and existing.labels != tuple(labels):
                return False
        if any(composites_of(column.type) for column in table.columns):
            return False
        return not any(extensions_of(table)) and not self.metadata._sequences

    def print_declared(self, table: Table) -> Printed | None:
        """Return a table as the models declare it; None if a temporary table cannot be created at all."""
        while id(table) not in self.printed and table in self.waiting:
            self._print_chunk()
        if id(table) in self.printed:
            return self.printed[id(table)]
        return print_declared(self.connection, table, list(table.metadata._sequences.values()))

    def _print_chunk(self) -> None:
        chunk: list[Table] = []
        names: set[str] = set()
        for table in list(self.waiting):
            if len(chunk) < CHUNK and str(table.name) not in names:
                names.add(str(table.name))
                chunk.append(table)
        members = {id(table) for table in chunk}
        self.waiting = [table for table in self.waiting if id(table) not in members]
        try:
            with rolled_back(self.connection):
                forms = _created(self.connection, chunk)
        except SQLAlchemyError:
            # One of them is refused: `scratch` finds out which, and which part of it.
            return
        for table in chunk:
            self.printed[id(table)] = Printed(forms[str(table.name)], types=tuple(named_types(table)))


def all_tables(context: AutogenContext) -> AllTables:
    """Return the tables of a run, read at its first table.

    Args:
        context: of the run, on a connection.
    """
    options = context.migration_context.opts
    result = options.get(KEY)
    if not isinstance(result, AllTables) or result.metadata is not context.metadata:
        assert context.connection is not None and isinstance(context.metadata, MetaData)
        default = str(getattr(context.dialect, "default_schema_name", None) or "public")
        result = options[KEY] = AllTables(context.connection, context.metadata, default)
    return result


def _created(connection: Connection, tables: Sequence[Table]) -> dict[str, Forms]:
    with ExitStack() as stack:
        for table in tables:
            stack.enter_context(_as_temporary(table))
            # Without foreign keys: a temporary table may not reference a permanent one.
            connection.execute(CreateTable(table, include_foreign_key_constraints=[]))
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                connection.execute(CreateIndex(index))
    names = {row.oid: row.name for row in connection.execute(text(_TEMPORARY), {"names": [t.name for t in tables]})}
    return {names[oid]: forms for oid, forms in read_all_forms(connection, list(names)).items()}


@contextmanager
def _as_temporary(table: Table) -> Iterator[None]:
    """Let a table of the target be created as a temporary one: to copy it first takes longer than to create it."""
    items = [(table.dialect_options["postgresql"], name) for name in _WITHOUT]
    for index in table.indexes:
        items += [(index.dialect_options["postgresql"], name) for name in ("concurrently", "tablespace")]
    # Only what is set: the option of an index that is None after this would be written into the revision. SQLAlchemy
    # before 2.0.26 has no option "using".
    before = [(values, name, values[name]) for values, name in items if values.get(name)]
    schema, prefixes = table.schema, table._prefixes
    try:
        table.schema, table._prefixes = None, ["TEMPORARY"]
        for values, name, _ in before:
            values[name] = False if name == "concurrently" else None
        yield
    finally:
        table.schema, table._prefixes = schema, prefixes
        for values, name, value in before:
            values[name] = value
