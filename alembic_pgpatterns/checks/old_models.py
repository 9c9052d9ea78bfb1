"""What the models of the release before need of a schema, as far as that shows without rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from alembic_pgpatterns.checks.needed import NOT_NULL, demands
from alembic_pgpatterns.schema.model import Column, Location, Name, Schema, Table


@dataclass(frozen=True)
class Trouble:
    """One thing that the old code can no longer do. ``key``: the same before and after a revision.

    ``names``: those in the statement that fails, if it is a recorded one. ``with_new_rows``, ``some_rows``,
    ``imagined``: as for Broken.
    """

    key: tuple[Name, str, str]
    message: str
    location: Location | None
    names: frozenset[str] | None = None
    with_new_rows: bool = False
    some_rows: bool = False
    imagined: bool = False

    def explains(self, other: Trouble) -> bool:
        """Whether a recorded statement fails because of this."""
        if self.with_new_rows or self.names is not None or other.names is None or self.key[0].name not in other.names:
            return False
        return self.key[1] == "table" or self.key[2] in other.names


OLD = "the old models"
"""In messages; the finding names the release."""


Filled = tuple[Name, frozenset[str] | None]
"""A table, and the columns that a trigger of it may set; None: any."""


def in_database(connection: Any, schema: Schema, models: Schema, filled: list[Filled]) -> Iterator[Trouble]:
    """What the models need and a schema does not have.

    Args:
        connection: psycopg's, in autocommit mode.
        schema: of the database.
        models: of the release before.
        filled: tables whose columns a new trigger may set.
    """
    for table in models.tables:
        name = table.name
        actual = schema.table(name)
        if actual is None and _view(schema, name):
            continue
        if actual is None:
            yield Trouble((name, "table", ""), f"{name} is gone: {OLD} still use it", table.origin.location)
            continue
        # A trigger that is new, or does something else now, may give new columns their values.
        columns = [names for of_table, names in filled if of_table == name]
        described = [
            *_missing_columns(table, actual),
            *_required(table, actual, columns),
            *_types(connection, table, actual),
            *_labels(connection, table, actual),
        ]
        yield from described
        yield from _nulls(table, actual)
        if not described:
            yield from _refused(connection, table, actual)


def _view(schema: Schema, name: Name) -> bool:
    """A class may be mapped to a view; what can be written there is the view's own matter."""
    return any(view.name == name for view in schema.views)


def _missing_columns(table: Table, actual: Table) -> Iterator[Trouble]:
    for column in table.columns:
        if actual.column(column.name) is None:
            key = (actual.name, "column", column.name)
            yield Trouble(key, f"{actual.name}.{column.name} is gone: {OLD} still use it", _place(column, table))


def _nulls(table: Table, actual: Table) -> Iterator[Trouble]:
    """Columns that may be NULL, and for the old models never are."""
    for column in table.columns:
        now = actual.column(column.name)
        if now is not None and now.nullable and not column.nullable:
            message = f"{actual.name}.{column.name} may be NULL now: for {OLD} it always has a value"
            yield Trouble((actual.name, "null", column.name), message, _place(column, table), with_new_rows=True)


def _required(table: Table, actual: Table, filled: list[frozenset[str] | None]) -> Iterator[Trouble]:
    """Columns that a row needs and the old code does not know."""
    for column in actual.columns:
        if any(names is None or column.name in names for names in filled):
            continue
        needed = demands(actual, column) if table.column(column.name) is None else ()
        if needed:
            key = (actual.name, "required", column.name)
            yield Trouble(key, f"{actual.name}.{column.name} {_REFUSED[needed[0] == NOT_NULL]}", table.origin.location)


_REFUSED = {
    True: f"is NOT NULL without a default: {OLD} do not know it, so INSERT fails",
    False: f"must not be NULL, by a CHECK, and has no default: {OLD} do not know it, so INSERT fails, and UPDATE of "
    "a row that has no value yet",
}


def _place(column: Column, table: Table) -> Location | None:
    return column.origin.location or table.origin.location


# What a value of one type may be assigned to (PostgreSQL docs, "CREATE CAST"): by an implicit or assignment cast, and
# any type to a string type.
_ASSIGNABLE = """
    SELECT a.atttypid = t.oid OR k.typcategory = 'S'
        OR EXISTS (SELECT FROM pg_catalog.pg_cast c
                   WHERE c.castsource = t.oid AND c.casttarget = a.atttypid AND c.castcontext IN ('i', 'a'))
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type k ON k.oid = a.atttypid
    JOIN pg_catalog.pg_type t ON t.oid = pg_catalog.to_regtype(%s)
    WHERE a.attrelid = pg_catalog.to_regclass(%s) AND a.attname = %s
"""


def _types(connection: Any, table: Table, actual: Table) -> Iterator[Trouble]:
    for column in table.columns:
        now = actual.column(column.name)
        if now is None or now.type.same_storage == column.type.same_storage or column.type.kind != "base":
            continue
        row = connection.execute(_ASSIGNABLE, (column.type.display, str(actual.name), column.name)).fetchone()
        if row is not None and row[0] is False:
            message = f"{actual.name}.{column.name} is {now.type.display}: {OLD} write {column.type.display}"
            yield Trouble((actual.name, "type", column.name), message, _place(column, table))


def _labels(connection: Any, table: Table, actual: Table) -> Iterator[Trouble]:
    """Labels of the old models' enums that a column no longer takes: as an enum, by its length or by a CHECK."""
    for column in table.columns:
        now = actual.column(column.name)
        for label in column.type.labels if now is not None else ():
            if now is not None and not _takes(connection, actual, now, label):
                message = f"{now.identifier} takes no {label!r}, which {OLD} write"
                yield Trouble((actual.name, f"label {label}", column.name), message, _place(column, table))


def _takes(connection: Any, table: Table, column: Column, label: str) -> bool:
    kind = column.type
    if kind.labels:
        return label in kind.labels
    if kind.length is not None and len(label) > kind.length:
        return False
    conditions = [
        sql.SQL(check.expression)
        for check in table.checks
        if check.enforced and check.columns == (column.name,) and isinstance(check.expression, str)
    ]
    if not conditions or kind.array or kind.name not in ("text", "varchar", "bpchar"):
        return True
    row = sql.SQL("SELECT {}::text AS {}").format(sql.Literal(label), sql.Identifier(column.name))
    # The server judges. It refuses a row only for a condition that is false, and not for one that is null.
    query = sql.SQL("SELECT coalesce(({}), true) FROM ({}) AS one").format(sql.SQL(") AND (").join(conditions), row)
    return bool(connection.execute(query).fetchone()[0])


def _refused(connection: Any, table: Table, actual: Table) -> Iterator[Trouble]:
    """What the server says to the statements that the old code sends, if it refuses one."""
    for command, statement in _statements(table, actual.name):
        try:
            with connection.transaction(force_rollback=True):
                # PREPARE looks the names and types up and runs nothing: no row is needed, and no trigger starts.
                connection.execute(sql.SQL("PREPARE pgpatterns_old AS {}").format(statement))
                connection.execute("DEALLOCATE pgpatterns_old")
        except psycopg.Error as error:
            answer = error.diag.message_primary or str(error)
            yield Trouble(
                (actual.name, command, ""),
                f"{command} of {actual.name} by {OLD} fails: {answer}",
                table.origin.location,
            )


def _statements(table: Table, name: Name) -> Iterator[tuple[str, sql.Composable]]:
    target = sql.Identifier(name.schema, name.name)
    columns = [sql.Identifier(column.name) for column in table.columns]
    written = [column for column in table.columns if column.generated is None and column.identity is None]
    keys = table.primary_key.columns if table.primary_key is not None else ()
    yield "SELECT", sql.SQL("SELECT {} FROM {}").format(_listed(columns) if columns else sql.SQL("1"), target)
    if written:
        values = [sql.SQL(f"${number}") for number in range(1, len(written) + 1)]
        names = [sql.Identifier(column.name) for column in written]
        yield "INSERT", sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(target, _listed(names), _listed(values))
    if keys:
        where = [sql.SQL("{} = ${}").format(sql.Identifier(key), sql.SQL(str(n))) for n, key in enumerate(keys, 1)]
        condition = sql.SQL(" AND ").join(where)
        yield "DELETE", sql.SQL("DELETE FROM {} WHERE {}").format(target, condition)
        others = [column.name for column in written if column.name not in keys]
        changes = [
            sql.SQL("{} = ${}").format(sql.Identifier(other), sql.SQL(str(n)))
            for n, other in enumerate(others, len(keys) + 1)
        ]
        if changes:
            yield "UPDATE", sql.SQL("UPDATE {} SET {} WHERE {}").format(target, _listed(changes), condition)


def _listed(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)
