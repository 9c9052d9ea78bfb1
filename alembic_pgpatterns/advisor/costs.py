"""The costs of a workload's statements on a database at some revision, at production's size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from alembic_pgpatterns.advisor.application_role import application_role, copy_of
from alembic_pgpatterns.advisor.facts import Statistics
from alembic_pgpatterns.advisor.planner import CannotPlan, Planner, nodes
from alembic_pgpatterns.advisor.scale import Relation, Scale
from alembic_pgpatterns.advisor.sizing import Sizes
from alembic_pgpatterns.advisor.statement_text import with_limits
from alembic_pgpatterns.advisor.statistics import load_columns, with_sizes
from alembic_pgpatterns.advisor.synthesise import hints_of, period_of, synthesised
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.throwaway import ThrowawayServer
from alembic_pgpatterns.workload.model import Recorded, Workload


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan of a statement: its cost in the planner's units, and the tables of which it reads every row."""

    cost: float
    scanned: frozenset[Name]


def statement_costs(
    server: Server, database: str, schema: Schema, statistics: Statistics, workload: Workload
) -> Mapping[str, Planned]:
    """The plans of a workload's statements by their fingerprints; without those that the server refuses.

    Args:
        server: on which a copy of the database is made.
        database: at some revision; nobody may be connected to it.
        schema: of the database.
        statistics: sizes of tables, with guesses for what is missing.
        workload: the statements.

    Raises:
        PgPatternsError: the copy could not be made or planned with.
    """
    hints = hints_of(workload, schema)
    statistics = synthesised(schema, with_sizes(statistics, schema), period_of(workload), hints)
    try:
        with (
            application_role(server, schema, f"{database}_costs") as role,
            copy_of(server, database, "costs") as connection,
        ):
            _set_sizes(connection, server, schema, statistics)
            role.enter(connection)
            planner = Planner(connection, role.name)
            plans = {item.fingerprint: _plan(planner, item) for item in workload.statements}
    except psycopg.Error as error:
        failure = server.failure()
        raise PgPatternsError(failure or f"the statements could not be planned: {str(error).strip()}") from error
    return {fingerprint: plan for fingerprint, plan in plans.items() if plan is not None}


def _set_sizes(
    connection: psycopg.Connection[tuple[object, ...]], server: Server, schema: Schema, statistics: Statistics
) -> None:
    sizes = Sizes(schema, statistics)
    load_columns(connection, statistics)
    relations = []
    for table in schema.tables:
        if table.kind in ("table", "materialized view"):
            relations.append(Relation(_oid(connection, table.name), sizes.pages(table.name), sizes.rows(table.name)))
            relations += [Relation(_oid(connection, item.name), *sizes.of_index(item)) for item in table.indexes]
    Scale(connection, isinstance(server, ThrowawayServer)).set(relations)


def _oid(connection: psycopg.Connection[tuple[object, ...]], name: Name) -> int:
    row = connection.execute("SELECT %s::regclass::oid::bigint", (str(name),)).fetchone()
    assert row is not None and isinstance(row[0], int)
    return row[0]


def _plan(planner: Planner, statement: Recorded) -> Planned | None:
    if statement.kind not in ("select", "update", "delete"):
        return None
    for values in (*statement.values[:1], None):
        try:
            text = with_limits(statement.text) if values is None else statement.text
            # Only with VERBOSE the plan names the schemas.
            root = planner.explain(text, values, "VERBOSE")
        except CannotPlan:
            continue
        scans = [node for node in nodes(root) if node["Node Type"] == "Seq Scan"]
        scanned = frozenset(Name(node["Schema"], node["Relation Name"]) for node in scans)
        return Planned(float(root["Total Cost"]), scanned)
    return None
