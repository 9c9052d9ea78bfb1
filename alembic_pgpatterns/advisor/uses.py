"""How a statement uses each table: conditions from the server's plan, the rest from the parse tree.

The plan has names, views, CTEs and policies resolved. It is made with every index and every clever join off, so that
all conditions stand in it as filters. What it does not show (the columns fetched, LIMIT, FOR UPDATE) the tree does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alembic_pgpatterns.advisor.partitions import alias_of_root
from alembic_pgpatterns.advisor.planner import Planner, PlanNode, nodes
from alembic_pgpatterns.advisor.predicates import Order, TableUse, Term, read_condition, read_order
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.sql.parser import pg, postgast

# Nested loops over whole tables are what is left: there each condition stands as a filter at its own table, in the form
# that the planner gave it.
PLAIN_PLANS = dict.fromkeys(
    (
        "enable_indexscan",
        "enable_bitmapscan",
        "enable_indexonlyscan",
        "enable_hashjoin",
        "enable_mergejoin",
        "enable_material",
        "enable_memoize",
        "enable_hashagg",
        "enable_incremental_sort",
        "enable_presorted_aggregate",
    ),
    "off",
) | {"max_parallel_workers_per_gather": "0"}
_CONDITIONS = ("Filter", "Join Filter", "Index Cond", "Recheck Cond", "One-Time Filter")


def read_uses(planner: Planner, text: str, roots: Mapping[Name, Name]) -> list[TableUse]:
    """How the statement uses each table; a partition counts as the table that it belongs to (``roots``).

    Raises:
        CannotPlan: the server refuses the statement.
    """
    settings = {name: value for name, value in PLAIN_PLANS.items() if _has(planner, name)}
    with planner.settings(settings):
        root = planner.explain(text, None, "VERBOSE")
    uses = _from_plan(root, roots)
    _from_tree(text, uses)
    return list(uses.values())


def _has(planner: Planner, setting: str) -> bool:
    newer = {"enable_presorted_aggregate": 160000, "enable_memoize": 140000, "enable_incremental_sort": 130000}
    return planner.connection.info.server_version >= newer.get(setting, 0)


def _from_plan(root: PlanNode, roots: Mapping[Name, Name]) -> dict[str, TableUse]:
    uses: dict[str, TableUse] = {}
    listed = []
    for node in nodes(root):
        # ModifyTable names the table that is changed; a scan below it is what reads it.
        if "Relation Name" not in node or node["Node Type"] == "ModifyTable" or _is_first(node, uses, roots):
            listed.append(node)
    for node in listed:
        for condition in _CONDITIONS:
            if condition in node:
                read_condition(node[condition], uses)
    for node in listed:
        if node["Node Type"] == "Sort":
            for key in node["Sort Key"]:
                read_order(key, uses)
            break  # the outermost one is the statement's, inner ones belong to aggregates
    return {use.alias: use for use in uses.values()}


def _is_first(node: PlanNode, uses: dict[str, TableUse], roots: Mapping[Name, Name]) -> bool:
    """Note the table that a node reads, and whether it is no further partition: all are asked for the same."""
    name, alias = Name(node["Schema"], node["Relation Name"]), node["Alias"]
    if name not in roots:
        uses.setdefault(alias, TableUse(name, alias))
        return True
    shown = alias_of_root(alias)
    is_first = shown not in uses
    use = uses.setdefault(shown, TableUse(roots[name], shown))
    uses.setdefault(alias, use)  # its conditions name the partition, those above it the table
    return is_first


def _from_tree(text: str, uses: dict[str, TableUse]) -> None:
    tree = postgast.parse(text).stmts[0].stmt
    starred = any(postgast.find_nodes(tree, pg.A_Star))
    for reference in postgast.find_nodes(tree, pg.ColumnRef):
        names = [part.string.sval for part in reference.fields if part.WhichOneof("node") == "string"]
        for use in uses.values():
            if names and (len(names) == 1 or names[-2] in (use.alias, use.table.name)):
                use.fetched.add(names[-1])
    _least_or_largest(tree, uses)
    select = tree.select_stmt if tree.WhichOneof("node") == "select_stmt" else None
    for use in uses.values():
        use.star = starred or select is None
        use.limit = select is not None and select.HasField("limit_count")
        use.locks = any(postgast.find_nodes(tree, pg.LockingClause))


def _least_or_largest(tree: Any, uses: dict[str, TableUse]) -> None:
    """``SELECT max(at) …``: the last entry of an index in that order, so the statement asks for the order."""
    select = tree.select_stmt
    calls = [target.res_target.val.func_call for target in select.target_list]
    names = [call.funcname[-1].string.sval if call.funcname else "" for call in calls]
    if not names or not set(names) <= {"min", "max"} or select.group_clause or len(uses) != 1:
        return
    use = next(iter(uses.values()))
    for call in calls:
        columns = list(postgast.find_nodes(call, pg.ColumnRef))
        if len(columns) == 1 and not use.order:
            use.order.append(Order(Term(column=columns[0].fields[-1].string.sval), False, False))
