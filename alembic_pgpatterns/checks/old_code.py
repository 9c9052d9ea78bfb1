"""Whether the code of the release before still works after each new revision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from alembic_pgpatterns.checks.needed import NOT_NULL, demands
from alembic_pgpatterns.checks.old_code_place import place as line_of
from alembic_pgpatterns.checks.old_release import OldRelease
from alembic_pgpatterns.checks.old_rows import WithRows, old_rows
from alembic_pgpatterns.checks.old_statements import KINDS, described, refused_statements
from alembic_pgpatterns.checks.old_tries import Refusal
from alembic_pgpatterns.controller.env_run import Databases, run_env
from alembic_pgpatterns.controller.head_schema import CachedRun, server_at
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.rehearsal.rows.model import Unfilled
from alembic_pgpatterns.revisions.contract import is_contract
from alembic_pgpatterns.revisions.model import Broken, RevisionRun
from alembic_pgpatterns.revisions.plpgsql import columns_of_new
from alembic_pgpatterns.runner.messages import Steps
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Column, Location, Name, Schema, Table
from alembic_pgpatterns.server.protocol import Server


@dataclass(frozen=True)
class Trouble:
    """One thing that the old code can no longer do. ``key``: the same before and after a revision.

    ``names``: those in the statement that fails, if it is a recorded one. ``with_new_rows``, ``some_rows``: as for
    Broken.
    """

    key: tuple[Name, str, str]
    message: str
    location: Location | None
    names: frozenset[str] | None = None
    with_new_rows: bool = False
    some_rows: bool = False

    def explains(self, other: Trouble) -> bool:
        """Whether a recorded statement fails because of this."""
        if self.with_new_rows or self.names is not None or other.names is None or self.key[0].name not in other.names:
            return False
        return self.key[1] == "table" or self.key[2] in other.names


OLD = "the old models"
"""In messages; the finding names the release."""


@dataclass(frozen=True)
class OldCodeTried:
    """What breaks. ``with_rows``: how many tables were tried with rows. ``unfilled``: those that got none, and why."""

    broken: tuple[Broken, ...]
    with_rows: int = 0
    unfilled: tuple[Unfilled, ...] = ()


def broken_by(
    run: CachedRun, scope: Sequence[Revision], release: OldRelease, traced: Sequence[RevisionRun]
) -> OldCodeTried:
    """What the old release's models can no longer do after each of the revisions.

    Per table of the models a SELECT, INSERT, UPDATE and DELETE is prepared on the server, before the first revision and
    after each, and so is each statement that was recorded with the release. Those for tables that a revision changes
    are executed with made-up rows, too. What did not work before is not the revision's doing.

    Args:
        run: of the project as it is now.
        scope: the new revisions, in order.
        release: the old one.
        traced: what the revisions did, which shows the lines.

    Raises:
        PgPatternsError: no server could be started, or a revision fails.
    """
    names = [item.revision for item in run.project.revisions]
    run.progress.say(f"asking what the models of {release.name} need")
    result: list[Broken] = []
    with server_at(run, names[: names.index(scope[0].revision)]) as at:
        run_env(at.run, Steps("until", scope[0].parents), at.databases)
        models = _models_by_database(at.databases, release)
        with old_rows(at.run.server, models) as rows:
            tries = {name: _Tries(models[name], release, WithRows.of(item)) for name, item in rows.items()}
            before = _troubles(at.run.server, tries)
            for item in scope:
                run_env(at.run, Steps("up", (item.revision,)), at.databases)
                after = _troubles(at.run.server, tries)
                if not is_contract(item.path):
                    new = [trouble for key, trouble in after.items() if key not in before]
                    causes = [trouble for trouble in new if not any(other.explains(trouble) for other in new)]
                    result += [_broken(trouble, item, release, traced) for trouble in causes]
                before = after
            return _tried(result, [item.with_rows for item in tries.values()])


def _tried(broken: list[Broken], tried: Sequence[WithRows]) -> OldCodeTried:
    unfilled = tuple(unfilled for item in tried for unfilled in item.rows.unfilled.values())
    return OldCodeTried(tuple(broken), sum(len(item.tried) for item in tried), unfilled)


def _models_by_database(databases: Databases, release: OldRelease) -> dict[str, Schema]:
    result: dict[str, Schema] = {}
    for origin, models in release.models.items():
        database = databases.by_origin.get(origin) if origin is not None else databases.environment
        if database is None:
            database = next(iter(databases.names), None)
        if database is None:
            raise PgPatternsError("env.py connects to no database, so the old code could not be tried.")
        before = result[database].tables if database in result else ()
        result[database] = replace(models, tables=(*before, *models.tables))
    return result


def _broken(trouble: Trouble, revision: Revision, release: OldRelease, traced: Sequence[RevisionRun]) -> Broken:
    table, kind, name = trouble.key
    label = kind.removeprefix("label ") if kind.startswith("label ") else ""
    place = line_of(revision, traced, table, [word for word in (name, label) if word])
    part = f"{kind} {name}".strip()
    return Broken(
        table,
        part,
        trouble.message,
        revision.revision,
        place,
        release.name,
        trouble.location,
        trouble.with_new_rows,
        trouble.some_rows,
    )


Filled = tuple[Name, frozenset[str] | None]
"""A table, and the columns that a trigger of it may set; None: any."""

Troubles = dict[tuple[Name, str, str], Trouble]


Trigger = tuple[str, str, str, str]
"""Schema, table, name, and the statement that creates its function."""


@dataclass
class _Tries:
    """What is tried in one database. ``triggers``: those of before the new revisions."""

    models: Schema
    release: OldRelease
    with_rows: WithRows
    triggers: frozenset[Trigger] | None = None

    def troubles(self, connection: Any) -> Iterator[Trouble]:
        """What the old code cannot do now."""
        schema = catalog.read(connection)
        triggers = frozenset(tuple(row) for row in connection.execute(_TRIGGERS))
        self.triggers = triggers if self.triggers is None else self.triggers
        filled = [(Name(new[0], new[1]), columns_of_new(new[3])) for new in triggers - self.triggers]
        troubles = list(_in_database(connection, schema, self.models, filled))
        yield from troubles
        broken = {trouble.key[0] for trouble in troubles if not trouble.with_new_rows}
        sound = [table for table in self.models.tables if table.name not in broken]
        refused = self.with_rows.refused(connection, schema, sound)
        yield from (_with_rows(refusal, self.models) for refusal in refused)
        yield from self._recorded(connection, schema, {(item.table, item.reason) for item in refused})

    def _recorded(self, connection: Any, schema: Schema, reported: set[tuple[Name, str]]) -> Iterator[Trouble]:
        """``reported``: tables and what refuses their rows."""
        workload = self.release.workload
        refused = {item.fingerprint: item for item in refused_statements(connection, workload, DEFAULT_SCHEMA)}
        for item in refused.values():
            message = f"a statement of the old code fails: {item.answer} ({item.text})"
            yield Trouble((item.table, "statement", item.fingerprint), message, item.location, item.names)
        sound = [item for item in workload.statements if item.kind in KINDS and item.fingerprint not in refused]
        for values in self.with_rows.statements(connection, schema, sound, DEFAULT_SCHEMA):
            item = described(values.statement, values.answer, DEFAULT_SCHEMA)
            if (item.table, values.reason) not in reported:
                how = "for some values that were accepted before" if values.by_values else "with rows"
                message = f"a statement of the old code fails {how}: {item.answer} ({item.text})"
                key = (item.table, "statement", f"{item.fingerprint} {values.reason}")
                yield Trouble(key, message, item.location, item.names, some_rows=values.by_values)


DEFAULT_SCHEMA = "public"


def _troubles(server: Server, tries: Mapping[str, _Tries]) -> Troubles:
    result: Troubles = {}
    for database, item in tries.items():
        with server.connect(database) as connection:
            result |= {trouble.key: trouble for trouble in item.troubles(connection)}
    return result


def _with_rows(refusal: Refusal, models: Schema) -> Trouble:
    commands = " and ".join(refusal.commands)
    fails = "fails for some rows" if len(refusal.commands) == 1 else "fail for some rows"
    how = f"{fails} that were accepted before" if refusal.by_values else fails.partition(" for")[0]
    values = f" ({refusal.values})" if refusal.values else ""
    table = models.table(refusal.table)
    return Trouble(
        (refusal.table, "rows", refusal.reason),
        f"{commands} of {refusal.table} by {OLD} {how}: {refusal.answer}{values}",
        table.origin.location if table is not None else None,
        some_rows=refusal.by_values,
    )


# Row triggers BEFORE INSERT that run: pg_trigger.tgtype has the bits 1 for ROW, 2 for BEFORE and 4 for INSERT.
_TRIGGERS = """
    SELECT n.nspname, c.relname, t.tgname, pg_catalog.pg_get_functiondef(t.tgfoid)
    FROM pg_catalog.pg_trigger t
    JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 7 = 7
"""


def _in_database(connection: Any, schema: Schema, models: Schema, filled: list[Filled]) -> Iterator[Trouble]:
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
