"""The old code's statements with rows: made on a copy of the database as it was before the new revisions.

They fail after a revision, and did not before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import sql

from alembic_pgpatterns.checks.old_executed import RefusedValues, refused_values
from alembic_pgpatterns.checks.old_tries import Refusal, Refusals, Retyped, TableRows, refusals
from alembic_pgpatterns.controller.scratch_databases import SCRATCH, disconnect
from alembic_pgpatterns.rehearsal.rows.fill import fill
from alembic_pgpatterns.rehearsal.rows.merged import merged
from alembic_pgpatterns.rehearsal.rows.model import ColumnShape, Request, Unfilled
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import UNKNOWN, Check, Column, Name, Schema, Table
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.workload.model import Recorded
from alembic_pgpatterns.workload.text import relations

ROWS = 30
"""Rows per table."""
SHAPE = ColumnShape(null_frac=0.2, distinct=6.0)
"""So few distinct values that also pairs of columns have duplicates, which a new unique rule refuses."""
TEXTS = ("text", "varchar", "bpchar", "citext")

_TRIGGERS = """
    SELECT n.nspname, c.relname, t.tgname, pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled::text,
           pg_catalog.pg_get_functiondef(t.tgfoid)
    FROM pg_catalog.pg_trigger t
    JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal
"""
State = tuple[Table | None, frozenset[tuple[str, ...]]]
"""A table, and its triggers with their functions."""


@dataclass
class OldRows:
    """The rows of one database. ``copy``: its copy, of before the new revisions. ``models``: of the old release.

    Tables are filled when they are asked for, since most revisions change few of them.
    """

    server: Server
    copy: str
    models: Schema
    schema: Schema
    unfilled: dict[Name, Unfilled] = field(default_factory=dict)
    _made: dict[Name, TableRows] = field(default_factory=dict)

    def of(self, tables: Iterable[Name]) -> Mapping[Name, TableRows]:
        """The rows of these tables and of those that they refer to.

        Takes ROW EXCLUSIVE on the tables of the copy.
        """
        names = self._with_referenced(tables)
        missing = [name for name in names if name not in self._made]
        if missing:
            schema = _as_written(self.schema, self.models, names)
            shapes = {(table.name, column.name): SHAPE for table in schema.tables for column in table.columns}
            with self.server.connect(self.copy) as connection:
                filled = fill(connection, schema, Request(others=ROWS, shapes=shapes))
            self.unfilled |= {item.table: item for item in filled.unfilled}
            with self.server.connect(self.copy) as connection:
                self._made |= {name: _read(connection, self.schema, name) for name in missing}
        return {name: self._made[name] for name in names}

    def _with_referenced(self, names: Iterable[Name]) -> list[Name]:
        closure: dict[Name, None] = {}
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            table = self.schema.table(name)
            if table is not None and name not in closure:
                closure[name] = None
                waiting += [key.referred_table for key in table.foreign_keys]
        return list(closure)


@dataclass
class WithRows:
    """The tries in one database, revision by revision. ``first``: the state of each table before the new revisions."""

    rows: OldRows
    first: dict[Name, State]
    _results: dict[Name, tuple[object, list[Refusal]]] = field(default_factory=dict)
    tried: set[Name] = field(default_factory=set)

    @classmethod
    def of(cls, rows: OldRows) -> WithRows:
        """Of rows; the copy is still as it was."""
        with rows.server.connect(rows.copy) as connection:
            return cls(rows, _states(connection, rows.schema))

    def refused(self, connection: Any, schema: Schema, tables: Iterable[Table]) -> list[Refusal]:
        """What fails now of the statements for tables of the old models.

        Args:
            connection: psycopg's, in autocommit mode, to the database after a revision.
            schema: of that database.
            tables: those that the old code can still use, as far as that shows without rows.
        """
        states = _states(connection, schema)
        chosen = {
            table.name: table
            for table in tables
            if self._is_concerned(table.name, states) and not self._is_written_otherwise(table, schema)
        }
        # What a trigger does to other tables may fail because of those.
        everything = frozenset(states.items()) if any(states[name][1] for name in chosen) else None
        keys = {name: everything or states[name] for name in chosen}
        new = {name: table for name, table in chosen.items() if self._results.get(name, (None,))[0] != keys[name]}
        if new:
            refused = self._compared(connection, schema, new)
            for name in new:
                self._results[name] = (keys[name], [item for item in refused.values() if item.table == name])
        return [item for name in chosen for item in self._results[name][1]]

    def statements(
        self, connection: Any, schema: Schema, statements: Iterable[Recorded], default_schema: str
    ) -> list[RefusedValues]:
        """What fails now of recorded statements for tables that are not as they were.

        Args:
            connection, schema: as for `refused`.
            statements: those that can be prepared.
            default_schema: of tables without a schema.
        """
        states = _states(connection, schema)
        names = {
            item: [Name(schema or default_schema, table) for schema, table in relations(item.text)[0]]
            for item in statements
        }
        chosen = [item for item in names if any(self._is_concerned(name, states) for name in names[item])]
        if not chosen:
            return []
        made = self.rows.of({name for item in chosen for name in names[item]})
        now = refused_values(connection, made, schema, chosen)
        if not now:
            return []
        with self.rows.server.connect(self.rows.copy) as copy:
            before = refused_values(copy, made, self.rows.schema, chosen)
        return [item for key, item in now.items() if key not in before]

    def _is_concerned(self, name: Name, states: Mapping[Name, State]) -> bool:
        """Whether a table, or what its triggers may use, is not as it was."""
        if name not in self.first or name not in states:
            return False
        return states[name] != self.first[name] or (bool(states[name][1]) and states != self.first)

    def _is_written_otherwise(self, table: Table, schema: Schema) -> bool:
        """Whether a column that gets another type now had another one than the old models say.

        The values are made for the type that it had. What the old code writes there is of another type, which may be
        the new one.
        """
        first, now = self.first[table.name][0], schema.table(table.name)
        pairs = ((column, first.column(column.name)) for column in table.columns) if first is not None else ()
        return any(
            old is not None and _kind(old) != _kind(column) and new is not None and _kind(new) != _kind(old)
            for column, old in pairs
            for new in (now.column(column.name) if now is not None else None,)
        )

    def _compared(self, connection: Any, schema: Schema, tables: Mapping[Name, Table]) -> Refusals:
        made = self.rows.of(tables)
        self.tried |= {name for name in tables if made[name].rows}
        retyped = _retyped(self.rows.schema, schema, tables)
        now = refusals(connection, made, schema, tables, retyped)
        if not now:
            return now
        with self.rows.server.connect(self.rows.copy) as copy:
            before = refusals(copy, made, self.rows.schema, tables, retyped)
        return {key: item for key, item in now.items() if key not in before}


def _kind(column: Column) -> tuple[str, bool]:
    """The type without what limits it; all texts are the same."""
    kind = column.type
    return ("text" if kind.name in TEXTS or kind.labels else kind.name, kind.array)


@contextmanager
def old_rows(server: Server, databases: Mapping[str, Schema]) -> Iterator[dict[str, OldRows]]:
    """Copies of databases, which are dropped at the end.

    Args:
        server: where they are.
        databases: the names, with the old release's models of each.
    """
    result: dict[str, OldRows] = {}
    try:
        for number, (name, models) in enumerate(databases.items()):
            disconnect(server, name)
            copy = server.create_database(f"{SCRATCH}_before_{number}", template=name)
            with server.connect(copy) as connection:
                result[name] = OldRows(server, copy, models, catalog.read(connection))
        yield result
    finally:
        for item in result.values():
            server.drop_database(item.copy)


def _as_written(schema: Schema, models: Schema, names: Iterable[Name]) -> Schema:
    """Tables with the rules that the old code keeps by itself: those that only its models have."""
    chosen = set(names)
    both = merged(schema, models)
    tables = (_of_models(table, models.table(table.name)) for table in both.tables if table.name in chosen)
    return replace(both, tables=tuple(tables))


def _of_models(table: Table, model: Table | None) -> Table:
    if model is None:
        return table
    pairs = [(column, model.column(column.name)) for column in table.columns]
    modelled = [(column, other) for column, other in pairs if other is not None]
    columns = tuple(replace(c, nullable=False) if o and _never_null(o) else c for c, o in pairs)
    rules = [text for column, other in modelled for text in _rules(column, other)]
    checks = tuple(Check(table.name, f"models {number}", text) for number, text in enumerate(rules))
    return replace(table, columns=columns, checks=(*table.checks, *checks))


def _never_null(column: Column) -> bool:
    """Whether the old code gives it a value where nobody sets one."""
    return not column.nullable or any(
        value is not None and value is not UNKNOWN for value in (column.default, column.python_default)
    )


def _rules(column: Column, model: Column) -> Iterator[str]:
    """What the type in the models allows, where that of the database allows more."""
    if column.type.name not in TEXTS or column.type.array or column.type.domains or model.type.array:
        return
    if model.type.labels:
        labels = sql.SQL(", ").join(map(sql.Literal, model.type.labels))
        yield sql.SQL("{} IN ({})").format(sql.Identifier(column.name), labels).as_string(None)
    elif model.type.length is not None and (column.type.length is None or column.type.length > model.type.length):
        rule = sql.SQL("char_length({}) <= {}")
        yield rule.format(sql.Identifier(column.name), sql.Literal(model.type.length)).as_string(None)


def _read(connection: Any, schema: Schema, name: Name) -> TableRows:
    table = schema.table(name)
    columns = tuple(c for c in table.columns if c.generated is None) if table is not None else ()
    listed = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column.name)) for column in columns)
    query = sql.SQL("SELECT {} FROM {} LIMIT {}").format(listed, sql.Identifier(name.schema, name.name), ROWS)
    try:
        return TableRows(columns, tuple(connection.execute(query).fetchall()))
    except psycopg.Error:
        return TableRows(columns, ())


def _states(connection: Any, schema: Schema) -> dict[Name, State]:
    triggers: dict[Name, set[tuple[str, ...]]] = {}
    for namespace, table, *facts in connection.execute(_TRIGGERS):
        triggers.setdefault(Name(namespace, table), set()).add(tuple(facts))
    return {
        table.name: (replace(table, statistics=None), frozenset(triggers.get(table.name, ())))
        for table in schema.tables
    }


def _retyped(before: Schema, after: Schema, tables: Iterable[Name]) -> Retyped:
    result: dict[Name, tuple[str, ...]] = {}
    for name in tables:
        old, new = before.table(name), after.table(name)
        pairs = [(c, new.column(c.name)) for c in old.columns] if old is not None and new is not None else []
        result[name] = tuple(c.name for c, n in pairs if n is not None and n.type.same_storage != c.type.same_storage)
    return result
