"""Fill the tables of a database with rows that satisfy its schema, table by table, by statements on the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from alembic_pgpatterns.rehearsal.rows.both_types import for_both_types
from alembic_pgpatterns.rehearsal.rows.facts import Facts
from alembic_pgpatterns.rehearsal.rows.fill_triggers import filling_new_columns
from alembic_pgpatterns.rehearsal.rows.keys import arrange, unique_keys
from alembic_pgpatterns.rehearsal.rows.limits import NO_LIMIT, Limit, constants, domain_condition, limits
from alembic_pgpatterns.rehearsal.rows.model import Filled, Request, Unfillable, Unfilled
from alembic_pgpatterns.rehearsal.rows.order import Order, key_id, nullable, order_of
from alembic_pgpatterns.rehearsal.rows.references import Reference, references
from alembic_pgpatterns.rehearsal.rows.tables import TablePlan
from alembic_pgpatterns.rehearsal.rows.trials import Condition, satisfy
from alembic_pgpatterns.rehearsal.rows.values import PLAIN, ColumnPlan, Values
from alembic_pgpatterns.schema.model import Column, ForeignKey, Name, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.expressions import parse
from alembic_pgpatterns.schema.sql.sqltext import column_references

CHUNK = 250_000
"""Rows per statement."""
PASSES = 6
"""How often rows that a key refused are tried again with other values."""

Tell = Callable[[Name, int, int], None]
"""Called at each step with the table, its present rows, and its final rows. May raise to stop."""


def fill(connection: Any, schema: Schema, request: Request, tell: Tell | None = None) -> Filled:
    """Fill all tables of a scratch database.

    Takes ROW EXCLUSIVE on each table. Foreign keys and triggers do not run if the role may switch them off. The
    rows satisfy the keys by construction.

    Args:
        connection: psycopg's, in autocommit mode.
        schema: as the catalog has it.
        request: how many rows.
        tell: called at each step.
    """
    began = time.monotonic()
    facts = Facts.read(connection)
    filler = _Filler(connection, schema, facts, request, tell or (lambda table, done, total: None))
    _prepare_session(connection, request.triggers)
    with filling_new_columns(connection):
        filler.run()
    return Filled(filler.rows, tuple(filler.unfilled), time.monotonic() - began)


def _prepare_session(connection: Any, triggers: bool) -> None:
    for statement in (
        "SET synchronous_commit = off",
        "SET work_mem = '128MB'",
        "SET client_min_messages = warning",
        # Off, a policy that would hide rows is an error instead (docs, "Row Security Policies"), so no count is wrong.
        "SET row_security = off",
        # Only a superuser may switch off foreign keys and triggers, and PostgreSQL switches off both or none. For other
        # roles they run, and it takes longer.
        f"SET session_replication_role = {'origin' if triggers else 'replica'}",
    ):
        try:
            connection.execute(statement)
        except psycopg.Error:
            continue


class _Filler:
    """One filling of one database."""

    def __init__(self, connection: Any, schema: Schema, facts: Facts, request: Request, tell: Tell) -> None:
        self._connection = connection
        self._schema = schema
        self._facts = facts
        self._request = request
        self._tell = tell
        self._values = Values(facts)
        self._order: Order = order_of(schema)
        self._wishes = self._wishes_of(self._order.tables)
        self.rows: dict[Name, int] = {}
        self.unfilled: list[Unfilled] = []

    def run(self) -> None:
        """Fill tables in order, then the foreign keys of circles, then what is computed from tables."""
        tables = [table for table in self._order.tables if table.kind in ("table", "partitioned", "foreign")]
        for table in tables:
            self._table(table)
        for table in tables:
            if self.rows.get(table.name):
                self._late_keys(table)
                self._sequences(table)
        for table in self._schema.tables:
            if table.kind == "materialized view":
                self._refresh(table)
        # As a database in use has them: statistics and a visibility map, without which no plan is an index-only scan.
        self._connection.execute("VACUUM (ANALYZE)")

    def _table(self, table: Table) -> None:
        existing = self._count(table.name)
        self.rows[table.name] = existing
        target = self._request.target_rows(table.name)
        if existing >= target or (existing and self._request.keep_filled):
            return
        try:
            if table.kind == "foreign":
                raise Unfillable("it is a foreign table")
            self._fill(table, target, existing)
        except Unfillable as error:
            self._unfilled(table, str(error))
        except psycopg.Error as error:
            self._unfilled(table, _message(error))

    def _unfilled(self, table: Table, reason: str) -> None:
        self.rows[table.name] = self._count(table.name)
        if not self.rows[table.name]:
            self.unfilled.append(Unfilled(table.name, reason))

    def _fill(self, table: Table, target: int, existing: int) -> None:
        itself = [key for key in _keys(table) if key.referred_table == table.name]
        slices = self._slices(table)
        share, low = -(-(target - existing) // len(slices)), existing
        for conditions in slices:
            if itself and not existing:
                # The first rows refer to no row, the others to the first ones.
                low = self._rows(table, low, max(1, share // 10), conditions, with_self=False)
                self._late_keys(table, only_self=True)
                existing = 1
            low = self._rows(table, low, low + share, conditions, with_self=True)
        self.rows[table.name] = self._count(table.name)

    def _slices(self, table: Table) -> Sequence[Sequence[Condition]]:
        """Conditions of the leaf partitions, each of which gets its part; for other tables one without conditions."""
        if table.kind != "partitioned":
            return [()]
        leaves = self._facts.leaves.get(table.name, [])
        if not leaves and table.name not in self._facts.defaults:
            raise Unfillable("it has no partition that accepts rows")
        # Rows spread over hash partitions by themselves, whatever their values are.
        if not leaves or all(_by_hash(condition) for condition in leaves):
            return [()]
        return [(Condition(f"a partition of {table.name.name}", condition),) for condition in leaves]

    def _rows(self, table: Table, low: int, goal: int, extra: Sequence[Condition], with_self: bool) -> int:
        """Insert until the table has its part. Returns the number after the last row."""
        plan = self._plan(table, max(goal - low, 1), extra, with_self)
        target = low + plan.arrangement.rows if not low else max(low + plan.arrangement.rows, 0)
        high, done = low, 0
        aim = min(target - low, plan.arrangement.rows)
        for _ in range(PASSES):
            while done < aim:
                last = high + min(CHUNK, aim - done) - 1
                done += self._insert(plan, high, last)
                high = last + 1
                self._tell(table.name, done, aim)
                if plan.arrangement.conflicts and high - low >= 2 * aim:
                    break
            if done >= aim or not plan.arrangement.conflicts:
                break
            plan.seed += 1
        if not done:
            raise Unfillable(f"every row was refused by a key: {_named_keys(table)}")
        return high

    def _insert(self, plan: TablePlan, low: int, high: int) -> int:
        statement = plan.insert(self._values, low, high)
        try:
            return int(self._connection.execute(statement).rowcount)
        # A key that arrange() could not plan for: again, and what it refuses is left out.
        except (psycopg.errors.UniqueViolation, psycopg.errors.ExclusionViolation):
            if plan.arrangement.conflicts:
                raise
            plan.arrangement.conflicts = True
            return self._insert(plan, low, high)

    def _plan(self, table: Table, rows: int, extra: Sequence[Condition], with_self: bool) -> TablePlan:
        conditions = [*self._conditions(table), *extra]
        limits_of = limits(item.expression for item in conditions)
        keys = [key for key in _keys(table) if self._is_ready(key, with_self)]
        waiting = [key for key in _keys(table) if key not in keys]
        refs = references(self._connection, table, keys, [(item.columns, item.expression) for item in conditions])
        by_column = {name: item for item in refs for name in item.columns}
        late = frozenset(name for key in waiting for name in key.columns) - set(by_column)
        columns = tuple(column for column in table.columns if column.generated is None)
        like = self._request.like
        drafts = (ColumnPlan(c, self._limit(table, c, limits_of), like=like.get((table.name, c.name))) for c in columns)
        plans = {plan.column.name: for_both_types(self._connection, self._values, plan) for plan in drafts}
        unique = unique_keys(table)
        capacities = {name: self._values.capacity(plan) for name, plan in plans.items()}
        arrangement = arrange(unique, rows, lambda name: capacities.get(name), by_column)
        arrangement.conflicts |= bool(self.rows.get(table.name))
        for name in (name for name, capacity in capacities.items() if capacity == 0 and name not in by_column):
            about = next((item.name for item in conditions if name in item.columns), "its type")
            raise Unfillable(f"no value of {name} satisfies {about}")
        if not arrangement.rows:
            raise Unfillable(f"its keys leave no room for a row: {_named_keys(table)}")
        for name, json_keys in _json_keys(table).items():
            plans[name] = replace(plans[name], json_keys=json_keys)
        for name in arrangement.unique & set(plans):
            plans[name] = replace(plans[name], unique=True)
        plan = TablePlan(table, columns, plans, refs, arrangement, late=late, seed=self._request.seed)
        _leave_out_unknown(self._connection, plan, self._values)
        plan.shapes = {c.name: shape for c in columns if (shape := self._request.shapes.get((table.name, c.name)))}
        together = {name for key in unique if key.nulls_not_distinct for name in key.columns}
        plan.nulls = {c.name: share for c in columns if (share := self._null_share(table, c, together, limits_of)) > 0}
        satisfy(self._connection, plan, self._values, conditions)
        return plan

    def _limit(self, table: Table, column: Column, limits_of: Mapping[str, Limit]) -> Limit:
        """What the table requires of a column, or else the tables that refer to it."""
        limit = limits_of.get(column.name, NO_LIMIT)
        wishes = self._wishes.get((table.name, column.name), ())
        free = limit.choices is None and column.type.kind == "base" and not column.type.array
        return replace(limit, choices=tuple(wishes)) if wishes and free else limit

    def _wishes_of(self, tables: Iterable[Table]) -> dict[tuple[Name, str], dict[Any, None]]:
        """Constants in conditions on referring columns, by the column that they refer to."""
        wishes: dict[tuple[Name, str], dict[Any, None]] = {}
        for table in tables:
            limits_of = limits(item.expression for item in self._conditions(table))
            for key in _keys(table):
                for column, referred in zip(key.columns, key.referred_columns, strict=True):
                    for choice in limits_of.get(column, NO_LIMIT).choices or ():
                        wishes.setdefault((key.referred_table, referred), {})[choice] = None
        return wishes

    def _is_ready(self, key: ForeignKey, with_self: bool) -> bool:
        if key.referred_table == key.table:
            return with_self
        return key_id(key) not in self._order.late

    def _null_share(self, table: Table, column: Column, together: Iterable[str], limits_of: dict[str, Any]) -> float:
        limit = limits_of.get(column.name, NO_LIMIT)
        if not column.nullable or column.type.domain_not_null or column.name in together or limit.not_null:
            return 0.0
        shape = self._request.shapes.get((table.name, column.name))
        return shape.null_frac if shape is not None else self._request.null_frac

    def _conditions(self, table: Table) -> list[Condition]:
        checks = (check for check in table.checks if check.not_null_column is None and check.enforced)
        result = [Condition(f"check {c.name}", c.expression) for c in checks if isinstance(c.expression, str)]
        for column in table.columns:
            if column.generated is not None and not column.nullable:
                about = f"NOT NULL of the generated column {column.name}"
                result.append(Condition(about, f"{quote(column.name)} IS NOT NULL"))
            for domain in column.type.domains if not column.type.array and column.generated is None else ():
                for name, expression in self._facts.domains.get(domain, ()):
                    condition = domain_condition(expression, column.name)
                    result += [Condition(f"check {name} of domain {domain.name}", condition)] if condition else []
        return result

    def _late_keys(self, table: Table, only_self: bool = False) -> None:
        """Set the columns of foreign keys to tables that are filled later, and to the table itself."""
        for key in _keys(table):
            to_itself = key.referred_table == table.name
            if to_itself == only_self and (to_itself or key_id(key) in self._order.late):
                self._set_late(table, key)

    def _set_late(self, table: Table, key: ForeignKey) -> None:
        if key.referred_table == table.name and nullable(table, key):
            return
        try:
            for reference in references(self._connection, table, [key]):
                if reference.size:
                    self._connection.execute(_update(table, reference))
        except (Unfillable, psycopg.Error) as error:
            if not nullable(table, key):
                reason = _message(error) if isinstance(error, psycopg.Error) else str(error)
                self._connection.execute(sql.SQL("DELETE FROM {}").format(_name(table.name)))
                self.rows[table.name] = 0
                self.unfilled.append(Unfilled(table.name, reason))

    def _sequences(self, table: Table) -> None:
        """Let sequences continue after the highest value."""
        for column in table.columns:
            sequence = column.identity.sequence if column.identity is not None else column.sequence
            if isinstance(sequence, Name):
                # setval() refuses what is below MINVALUE.
                query = sql.SQL("SELECT setval({}::regclass, greatest(max({}), 1)::bigint) FROM {}")
                quoted = sql.Identifier(sequence.schema, sequence.name).as_string(self._connection)
                try:
                    self._connection.execute(
                        query.format(sql.Literal(quoted), sql.Identifier(column.name), _name(table.name))
                    )
                except psycopg.Error:
                    continue

    def _refresh(self, table: Table) -> None:
        try:
            self._connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(_name(table.name)))
            self.rows[table.name] = self._count(table.name)
        except psycopg.Error as error:
            self.unfilled.append(Unfilled(table.name, _message(error)))

    def _count(self, name: Name) -> int:
        try:
            return int(self._connection.execute(sql.SQL("SELECT count(*) FROM {}").format(_name(name))).fetchone()[0])
        except psycopg.Error:
            return 0


def _keys(table: Table) -> list[ForeignKey]:
    return [key for key in table.foreign_keys if key.enforced]


def _leave_out_unknown(connection: Any, plan: TablePlan, values: Values) -> None:
    """Leave columns NULL if this server cannot make a value of their type.

    Raises:
        Unfillable: one of them is NOT NULL.
    """
    for column in plan.columns:
        if column.type.name in PLAIN and column.name not in plan.by_column:
            expression = values.expression(plan.plans[column.name], sql.SQL("1::bigint"))
            try:
                connection.execute(sql.SQL("SELECT {}").format(expression))
            except psycopg.Error as error:
                if not column.nullable:
                    raise Unfillable(f"{column.name}: {_message(error)}") from error
                plan.late |= {column.name}


def _json_keys(table: Table) -> dict[str, tuple[str, ...]]:
    """The keys that generated columns read from documents, by the column of the document."""
    result: dict[str, tuple[str, ...]] = {}
    documents = {column.name for column in table.columns if column.type.name in ("json", "jsonb")}
    for column in table.columns:
        if column.generated is not None and isinstance(column.generated.expression, str):
            texts = tuple(v for v in constants(column.generated.expression) if isinstance(v, str))
            for name in (column_references(column.generated.expression) or frozenset()) & documents:
                result[name] = (*result.get(name, ()), *texts)
    return result


def _name(name: Name) -> sql.Identifier:
    return sql.Identifier(name.schema, name.name)


def _named_keys(table: Table) -> str:
    return ", ".join(index.name.name for index in table.indexes if index.unique) or "none"


def _message(error: psycopg.Error) -> str:
    """The server's message, with the name of the constraint."""
    message = error.diag.message_primary or str(error)
    return f"{message} ({error.diag.message_detail})" if error.diag.message_detail else message


def _by_hash(condition: str) -> bool:
    # The bound of a hash partition is a call of satisfies_hash_partition().
    node = parse(condition)
    return node is not None and node.WhichOneof("node") == "func_call"


def _update(table: Table, reference: Reference) -> sql.Composed:
    """Let each row refer to one of the rows that it may refer to."""
    pick = sql.SQL("(v.number % {})").format(sql.Literal(reference.size))
    names = [sql.Identifier(name) for name in reference.columns]
    values = [reference.value(name, pick) for name in reference.columns]
    return sql.SQL(
        # By place, since a table may have no key; and by part, since each partition counts its places on its own.
        "UPDATE {t} AS target SET {assigned} FROM (SELECT ctid AS place, tableoid AS part, row_number() OVER () - 1 AS "
        "number FROM {t}) v{join} WHERE target.ctid = v.place AND target.tableoid = v.part"
    ).format(
        t=_name(table.name),
        assigned=sql.SQL(", ").join(
            sql.SQL("{} = {}").format(name, value) for name, value in zip(names, values, strict=True)
        ),
        join=reference.join(pick),
    )
