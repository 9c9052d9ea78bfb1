"""Plans of statements on a scratch database, with some of the candidate indexes visible and the others not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

PlanNode = dict[str, Any]


class CannotPlan(Exception):
    """A statement that the server does not plan, with the server's message."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan: its total cost in the planner's units, the indexes it uses, and its tree from EXPLAIN."""

    cost: float
    indexes: frozenset[str]
    root: PlanNode


def nodes(root: PlanNode) -> Iterator[PlanNode]:
    """All nodes of a plan, from the top down."""
    yield root
    for child in root.get("Plans", ()):
        yield from nodes(child)


class Planner:
    """Plans statements over one connection, which must be in autocommit mode.

    ``role``: whose policies of row-level security and rights the plans have; None: those of the connection's user.
    """

    def __init__(self, connection: psycopg.Connection[Any], role: str | None = None) -> None:
        self.connection = connection
        self.plans = 0
        self._role = role
        self._version = connection.info.server_version

    def explain(self, text: str, values: Sequence[object] | None, *options: str) -> PlanNode:
        """The plan's tree.

        Args:
            text: SQL with ``$n``.
            values: of the parameters, as JSON has them; None: the plan must hold for any values.
            options: of EXPLAIN.

        Raises:
            CannotPlan: the server refuses.
        """
        self.plans += 1
        with self._as_role():
            return self._explained(text, values, options)

    def _explained(self, text: str, values: Sequence[object] | None, options: Sequence[str]) -> PlanNode:
        # EXPLAIN (GENERIC_PLAN) is new in PostgreSQL 16.
        if values is None and self._version < 160000:
            return self._generic_before_16(text, options)
        words = ["FORMAT JSON", *options, *(["GENERIC_PLAN"] if values is None else [])]
        command = f"EXPLAIN ({', '.join(words)}) {text}"
        if values is None:
            return self._tree(self.connection.pgconn.exec_(command.encode()))
        # Without their types: the server infers them from the statement, as it does for the application.
        bound = [as_text(value) for value in values]
        return self._tree(self.connection.pgconn.exec_params(command.encode(), bound))

    def shown(self, text: str, values: Sequence[object] | None) -> list[str]:
        """The plan in EXPLAIN's text format, by lines. Arguments and errors: see `explain`."""
        run = self.connection.pgconn
        with self._as_role():
            if values is None:
                result = run.exec_(f"EXPLAIN (GENERIC_PLAN) {text}".encode())
            else:
                result = run.exec_params(f"EXPLAIN {text}".encode(), [as_text(value) for value in values])
        if result.status != psycopg.pq.ExecStatus.TUPLES_OK:
            raise CannotPlan(result.error_message.decode("utf-8", "replace").strip())
        return [(result.get_value(row, 0) or b"").decode() for row in range(result.ntuples)]

    @contextmanager
    def _as_role(self) -> Iterator[None]:
        """A context in which the role is set. Only plans need it: candidates are made visible by the superuser."""
        if self._role is None:
            yield
            return
        run = self.connection.pgconn.exec_
        run(sql.SQL("SET ROLE {}").format(sql.Identifier(self._role)).as_bytes(self.connection))
        try:
            yield
        finally:
            # Where the statement has ended the transaction, its ROLLBACK takes the role back too.
            run(b"RESET ROLE")

    def _generic_before_16(self, text: str, options: Sequence[str]) -> PlanNode:
        """PREPARE and EXPLAIN EXECUTE, with nulls for all parameters: a generic plan does not use them."""
        run = self.connection.pgconn.exec_
        prepared = run(f"SET plan_cache_mode = force_generic_plan; PREPARE pgpatterns AS {text}".encode())
        if prepared.status not in (psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK):
            raise CannotPlan(prepared.error_message.decode("utf-8", "replace").strip())
        try:
            row = self.connection.execute(
                "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'pgpatterns'"
            ).fetchone()
            count = row[0] if row else 0
            arguments = f"({', '.join(['NULL'] * count)})" if count else ""
            words = ", ".join(["FORMAT JSON", *options])
            return self._tree(run(f"EXPLAIN ({words}) EXECUTE pgpatterns{arguments}".encode()))
        finally:
            run(b"DEALLOCATE pgpatterns; RESET plan_cache_mode")

    def _tree(self, result: Any) -> PlanNode:
        if result.status != psycopg.pq.ExecStatus.TUPLES_OK:
            raise CannotPlan(result.error_message.decode("utf-8", "replace").strip())
        document = json.loads(result.get_value(0, 0))
        tree: PlanNode = document[0]["Plan"]
        return tree

    def plan(self, text: str, values: Sequence[object] | None) -> Plan:
        """A plan with its cost.

        Raises:
            CannotPlan: the server refuses.
        """
        root = self.explain(text, values)
        used = frozenset(node["Index Name"] for node in nodes(root) if "Index Name" in node)
        return Plan(float(root["Total Cost"]), used, root)

    @contextmanager
    def visible(self, indexes: Iterable[int], hidden: Iterable[int] = ()) -> Iterator[None]:
        """A context in which plans may use these candidates, by their oids, and not these other indexes.

        Outside all candidates are invalid.
        """
        shown, others = list(indexes), list(hidden)
        if not shown and not others:
            yield
            return
        update = sql.SQL(
            "BEGIN; UPDATE pg_catalog.pg_index SET indisvalid = indexrelid = ANY({}) WHERE indexrelid = ANY({})"
        )
        try:
            # One message instead of two.
            self._send(update.format(sql.Literal(shown), sql.Literal([*shown, *others])))
            yield
        finally:
            self._send(sql.SQL("ROLLBACK"))

    def _send(self, command: sql.Composable) -> None:
        """Run a command that gives no rows. The driver's own way to do so costs more than the server needs for it."""
        result = self.connection.pgconn.exec_(command.as_bytes(self.connection))
        if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
            raise psycopg.errors.lookup("XX000")(result.error_message.decode("utf-8", "replace"))

    @contextmanager
    def settings(self, values: Mapping[str, str]) -> Iterator[None]:
        """A context with these settings of the planner."""
        self.connection.execute("BEGIN")
        try:
            for name, value in values.items():
                self.connection.execute("SELECT set_config(%s, %s, true)", (name, value))
            yield
        finally:
            self.connection.execute("ROLLBACK")


def as_text(value: object) -> bytes | None:
    """A value as PostgreSQL's text form of a parameter."""
    if value is None:
        return None
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, list | tuple):
        return _array(value).encode()
    if isinstance(value, dict):
        return json.dumps(value).encode()
    return str(value).encode()


def _array(items: Sequence[object]) -> str:
    return "{" + ",".join(map(_item, items)) + "}"


def _item(item: object) -> str:
    if isinstance(item, list | tuple):
        return _array(item)
    text = as_text(item)
    if text is None:
        return "NULL"
    escaped = text.decode().replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
