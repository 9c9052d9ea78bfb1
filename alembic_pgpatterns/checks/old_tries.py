"""The old code's statements, executed with rows in a transaction that is rolled back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from alembic_pgpatterns.checks.old_values import Row, Values, identifier, listed
from alembic_pgpatterns.schema.model import Column, Name, Schema, Table

UPDATED = 10
"""How many rows of a table are updated one by one."""
SECONDS = 10
"""The longest that one statement may take: a new trigger may not end."""
LONG = 1000
"""Characters in a text without a limit, where the column's new type has one."""
DEPENDS_ON_VALUES = ("22", "23", "P0")
"""Classes of SQLSTATE that say something of values: data exceptions, violated constraints, and RAISE of a trigger."""
RULES = (
    psycopg.errors.CheckViolation,
    psycopg.errors.UniqueViolation,
    psycopg.errors.ExclusionViolation,
    psycopg.errors.RaiseException,
)
"""What a row breaks of which types, NOT NULL and the models' own limits say nothing."""
IGNORED = "ignored"
OF_TRIGGERS = {IGNORED, "P0001"}
"""Reasons that concern every row, where no row is accepted: a trigger that returns NULL, and RAISE."""
SHOWN = 60


@dataclass(frozen=True)
class TableRows:
    """Rows of a table. ``columns``: as they were before the new revisions, without generated ones."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass
class Refusal:
    """Statements that the server refuses with rows.

    ``reason``: the constraint, else the column or the SQLSTATE. ``answer``: what the server says. ``commands``: of the
    statements. ``by_values``: other rows may be accepted. ``values``: of a refused row, for people. ``by_rule``: a new
    rule about values refuses it. ``declared``: a row that the old models declare, such as one with a default.
    """

    table: Name
    reason: str
    answer: str
    commands: dict[str, None] = field(default_factory=dict)
    by_values: bool = True
    values: str = ""
    by_rule: bool = False
    declared: bool = False

    @property
    def imagined(self) -> bool:
        """Whether only made-up values break a new rule, which the old code may keep though its models do not say so."""
        return self.by_values and self.by_rule and not self.declared


Refusals = dict[tuple[Name, str], Refusal]
Retyped = Mapping[Name, Sequence[str]]
"""Names of columns by table."""


def refusals(
    connection: Any, made: Mapping[Name, TableRows], schema: Schema, tables: Mapping[Name, Table], retyped: Retyped
) -> Refusals:
    """What the server refuses of the statements that the old code sends with these rows. Nothing is changed.

    Args:
        connection: psycopg's, in autocommit mode, to the database after a revision, or to the copy of before it.
        made: rows of the old code, with those that they refer to.
        schema: of that database.
        tables: those of the old models that are tried, by name.
        retyped: columns of which the limits of the old type are tried.
    """
    result: Refusals = {}
    with in_place(connection, made, schema) as is_possible:
        for name, table in tables.items() if is_possible else ():
            actual = schema.table(name)
            if actual is not None and name in made and made[name].rows:
                values = Values(connection)
                _Tries(connection, values, schema, table, actual, made[name], retyped.get(name, ()), result).run()
    return result


@contextmanager
def in_place(connection: Any, made: Mapping[Name, TableRows], schema: Schema) -> Iterator[bool]:
    """A transaction in which the tables have these rows and no others; False if the role may not make them."""
    with connection.transaction(force_rollback=True):
        connection.execute(f"SET LOCAL statement_timeout = '{SECONDS}s'")
        try:
            with connection.transaction():
                without_triggers(connection, True)
        except psycopg.Error:
            yield False
            return
        present = {name: table for name, table in made.items() if schema.table(name) is not None}
        for name in present:
            empty(connection, name)
        late = [name for name, table in present.items() if not _filled(connection, schema, name, table)]
        without_triggers(connection, False)
        for name in late:
            # A column that is new may get its value by a trigger alone.
            _filled(connection, schema, name, present[name])
        yield True


def without_triggers(connection: Any, off: bool) -> None:
    """Switch triggers and foreign keys off, or on again, for this transaction."""
    connection.execute(f"SET LOCAL session_replication_role = {'replica' if off else 'origin'}")


def empty(connection: Any, name: Name) -> None:
    """Delete all rows, if that is possible."""
    attempt(connection, sql.SQL("DELETE FROM {}").format(identifier(name)))


def _filled(connection: Any, schema: Schema, name: Name, made: TableRows) -> bool:
    table = schema.table(name)
    now = {column.name: column for column in table.columns if column.generated is None} if table is not None else {}
    places = [place for place, column in enumerate(made.columns) if column.name in now]
    if not made.rows or not places:
        return True
    rows = [tuple(row[place] for place in places) for row in made.rows]
    columns = [made.columns[place] for place in places]
    values = Values(connection)

    def fails(some: Sequence[Row]) -> bool:
        statement = values.insert(name, columns, some, "OVERRIDING SYSTEM VALUE")
        return isinstance(attempt(connection, statement), psycopg.Error)

    if not fails(rows):
        return True
    refused = [row for row in rows if fails([row])]  # each is tried: what is accepted stays
    return not refused


def attempt(connection: Any, statement: sql.Composable, keep: bool = True) -> int | psycopg.Error:
    """Execute a statement in a savepoint: the number of its rows, or the error. ``keep``: what it changed stays."""
    try:
        with connection.transaction(force_rollback=not keep):
            return int(connection.execute(statement).rowcount)
    except psycopg.Error as error:
        return error


@dataclass
class _Tries:
    """The statements for one table."""

    connection: Any
    values: Values
    schema: Schema
    table: Table
    actual: Table
    made: TableRows
    retyped: Sequence[str]
    result: Refusals

    def run(self) -> None:
        """Read, write, change and delete; each begins with all rows in place."""
        names = [column.name for column in self.table.columns]
        self._try("SELECT", sql.SQL("SELECT {} FROM {}").format(listed(names), identifier(self.actual.name)), None)
        for columns in self._inserted():
            with self.connection.transaction(force_rollback=True):
                self._insert(columns)
        keys = self._keys()
        if keys:
            with self.connection.transaction(force_rollback=True):
                self._update(keys)
        with self.connection.transaction(force_rollback=True):
            without_triggers(self.connection, True)
            for table in self.schema.tables:
                if any(key.referred_table == self.actual.name for key in table.foreign_keys):
                    empty(self.connection, table.name)
            without_triggers(self.connection, False)
            self._try("DELETE", sql.SQL("DELETE FROM {}").format(identifier(self.actual.name)), None)

    def _inserted(self) -> Iterator[list[int]]:
        """Which columns an INSERT names: all, and those for which the server has no value."""
        places = [n for n, c in enumerate(self.made.columns) if self.table.column(c.name) is not None]
        every = [n for n in places if self.made.columns[n].identity is None]
        needed = [n for n in every if not self._left_to_server(self.made.columns[n])]
        yield every
        if needed and needed != every:
            yield needed

    def _left_to_server(self, column: Column) -> bool:
        """Whether SQLAlchemy leaves a column out of an INSERT where nobody sets its value."""
        model, key = self.table.column(column.name), self.table.primary_key
        if model is None or column.default is None:
            return False
        return model.default is not None or (key is not None and column.name in key.columns)

    def _insert(self, places: list[int]) -> None:
        without_triggers(self.connection, True)
        empty(self.connection, self.actual.name)
        without_triggers(self.connection, False)
        columns = [self.made.columns[n] for n in places]
        rows = [tuple(row[n] for n in places) for row in self.made.rows]
        together = attempt(self.connection, self.values.insert(self.actual.name, columns, rows))
        if together != len(rows):
            self._one_by_one(columns, rows)

    def _one_by_one(self, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        names = [column.name for column in columns]
        answers = {
            self._try(
                "INSERT", self.values.insert(self.actual.name, columns, [row]), dict(zip(names, row, strict=True))
            )
            for row in rows
        }
        if len(answers) == 1 and answers <= OF_TRIGGERS:
            for reason in answers:
                self.result[self.actual.name, reason].by_values = False

    def _update(self, keys: Sequence[str]) -> None:
        """Each row gets the values of the next one, as far as no rule says that they are its own."""
        unique = {*keys, *(name for index in self.actual.indexes if index.unique for name in index.columns)}
        free = [n for n, c in enumerate(self.made.columns) if c.name not in unique and self.table.column(c.name)]
        count = len(self.made.rows)
        for number, row in enumerate(self.made.rows[:UPDATED]):
            next_row = self.made.rows[(number + 1) % count]
            changes = {n: next_row[n] for n in free}
            if changes:
                self._changed(keys, row, changes)
        first = self.made.rows[0]
        for place, extreme in self._extremes():
            # If a short one is refused, too, then not for its length.
            short = attempt(self.connection, self._statement(keys, first, {place: extreme[:1]}), keep=False)
            self._changed(keys, first, {place: extreme}, declared=isinstance(short, int))

    def _changed(
        self, keys: Sequence[str], row: Row, changes: Mapping[int, str | None], declared: bool = False
    ) -> None:
        row_changes = {self.made.columns[n].name: text for n, text in changes.items()}
        self._try("UPDATE", self._statement(keys, row, changes), row_changes, False, declared)

    def _statement(self, keys: Sequence[str], row: Row, changes: Mapping[int, str | None]) -> sql.Composable:
        columns = self.made.columns
        assigned = {columns[n].name: self.values.typed(columns[n], text) for n, text in changes.items()}
        where = {c.name: self.values.typed(c, text) for c, text in zip(columns, row, strict=True) if c.name in keys}
        parts = (identifier(self.actual.name), _equal(assigned, ", "), _equal(where, " AND "))
        return sql.SQL("UPDATE {} SET {} WHERE {}").format(*parts)

    def _extremes(self) -> Iterator[tuple[int, str]]:
        """The longest text and the largest number of each column that has another type after the revision.

        Of a column with a CHECK, too, the longest text that the models say.
        """
        checked = {name for check in self.actual.checks if isinstance(check.columns, tuple) for name in check.columns}
        for place, column in enumerate(self.made.columns):
            model = self.table.column(column.name)
            limited = model is not None and model.type.length is not None and column.name in checked
            if (
                (column.name in self.retyped or limited)
                and model is not None
                and not column.type.array
                and not model.type.labels
            ):
                text = _longest(column, model)
                if text is not None:
                    yield place, text

    def _keys(self) -> tuple[str, ...]:
        key = self.table.primary_key
        names = {column.name for column in self.made.columns}
        return key.columns if key is not None and set(key.columns) <= names else ()

    def _try(
        self,
        command: str,
        statement: sql.Composable,
        row: Mapping[str, str | None] | None,
        keep: bool = True,
        declared: bool = False,
    ) -> str:
        """Execute one statement; the reason of a refusal, or an empty one."""
        answer = attempt(self.connection, statement, keep)
        if isinstance(answer, int):
            if answer or command != "INSERT":
                return ""
            return self._add(command, IGNORED, "it changes no row, and says nothing", True, "")
        # A made-up row refers to rows of which a new foreign key knows nothing.
        if isinstance(answer, psycopg.errors.ForeignKeyViolation):
            return ""
        by_values = (answer.sqlstate or "")[:2] in DEPENDS_ON_VALUES and not self._left_out(answer, row)
        values = self._shown(answer, row) if row is not None and by_values else ""
        reason = self._add(command, reason_of(answer), answer.diag.message_primary or str(answer), by_values, values)
        refusal = self.result[self.actual.name, reason]
        refusal.by_rule |= isinstance(answer, RULES) and not self._is_about_null(answer, row or {})
        refusal.declared |= declared or self._is_default(answer, row or {})
        return reason

    def _is_about_null(self, error: psycopg.Error, row: Mapping[str, str | None]) -> bool:
        """Whether a CHECK may refuse NULL, which the models allow, and no value."""
        return isinstance(error, psycopg.errors.CheckViolation) and any(
            name in row and row[name] is None for name in self._concerned(error)
        )

    def _is_default(self, error: psycopg.Error, row: Mapping[str, str | None]) -> bool:
        """Whether a CHECK refuses what the server itself writes in a column that the statement leaves out."""
        concerned = self._concerned(error) if isinstance(error, psycopg.errors.CheckViolation) else set()
        return bool(concerned) and bool(row) and not concerned & set(row)

    def _left_out(self, error: psycopg.Error, row: Mapping[str, str | None] | None) -> bool:
        """Whether a value is missing that the statement does not write, whatever the row is."""
        name, table = error.diag.column_name, error.diag.table_name
        return name is not None and (table != self.actual.name.name or name not in (row or ()))

    def _shown(self, error: psycopg.Error, row: Mapping[str, str | None]) -> str:
        if isinstance(error, psycopg.errors.UniqueViolation):
            return error.diag.message_detail or ""
        names = self._concerned(error)
        shown = [f"{name} = {_short(row[name])}" for name in row if name in names or len(row) == 1]
        return ", ".join(shown)

    def _concerned(self, error: psycopg.Error) -> set[str]:
        for check in self.actual.checks:
            if check.name == error.diag.constraint_name and isinstance(check.columns, tuple):
                return set(check.columns)
        return set()

    def _add(self, command: str, reason: str, answer: str, by_values: bool, values: str) -> str:
        refusal = self.result.setdefault((self.actual.name, reason), Refusal(self.actual.name, reason, answer))
        refusal.commands[command] = None
        refusal.by_values &= by_values
        refusal.values = refusal.values or values
        return reason


def reason_of(error: psycopg.Error) -> str:
    """What refuses, the same for each row."""
    return error.diag.constraint_name or error.diag.column_name or error.sqlstate or "unknown"


def _short(text: str | None) -> str:
    if text is None:
        return "NULL"
    return repr(text) if len(text) <= SHOWN else f"{text[:20]!r}… of {len(text)} characters"


def _longest(column: Column, model: Column) -> str | None:
    kind = column.type
    if kind.name in ("text", "varchar", "bpchar"):
        lengths = [length for length in (kind.length, model.type.length) if length is not None]
        return "x" * min(lengths, default=LONG)
    if kind.name in _LARGEST:
        return str(_LARGEST[kind.name])
    if kind.name == "numeric" and kind.modifier:
        precision, *scale = kind.modifier
        return "9" * max(precision - sum(scale), 1)
    return None


_LARGEST = {"int2": 2**15 - 1, "int4": 2**31 - 1, "int8": 2**63 - 1}


def _equal(values: Mapping[str, sql.Composable], between: str) -> sql.Composable:
    pairs = [sql.SQL("{} = {}").format(sql.Identifier(name), value) for name, value in values.items()]
    return sql.SQL(between).join(pairs)
