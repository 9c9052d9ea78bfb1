"""Partitioned tables: statements name the parent, rows and indexes are in its partitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from alembic_pgpatterns.advisor.facts import ASSUMED, TableSize
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.names import Name


def roots_of(schema: Schema) -> Mapping[Name, Name]:
    """The partitioned table that each partition with rows belongs to, through partitions of partitions."""
    tables = {table.name: table for table in schema.tables}
    roots: dict[Name, Name] = {}
    for table in schema.tables:
        parent = table.partition_of
        while parent is not None and parent in tables:
            roots[table.name] = parent
            parent = tables[parent].partition_of
    return {name: root for name, root in roots.items() if tables[name].kind != "partitioned"}


def with_partitions(sizes: Mapping[Name, TableSize], schema: Schema) -> Mapping[Name, TableSize]:
    """The sizes with those of partitions and their parents, where one of the two is known.

    A number for the parent is for all partitions together, and is taken to be the same in each.
    """
    result = dict(sizes)
    groups: dict[Name, list[Name]] = {}
    for leaf, root in roots_of(schema).items():
        groups.setdefault(root, []).append(leaf)
    for root, leaves in groups.items():
        measured = [result[leaf] for leaf in leaves if leaf in result and result[leaf].source != ASSUMED]
        total = result.get(root)
        if measured and (total is None or total.source in (ASSUMED, "export")):
            result[root] = TableSize(sum(size.rows for size in measured), source=measured[0].source)
        elif total is not None:
            each = TableSize(total.rows / len(leaves), source=total.source)
            result |= {leaf: result.get(leaf, each) for leaf in leaves}
    return result


def alias_of_root(alias: str) -> str:
    """The alias of a partitioned table from that of one of its partitions: EXPLAIN numbers them, e_1, e_2 and so on."""
    head, _, number = alias.rpartition("_")
    return head if head and number.isdigit() else alias


def index_parts(connection: psycopg.Connection[Any], index: int) -> dict[str, int]:
    """The indexes on partitions below one on a partitioned table: names and oids; empty for an index on a table."""
    rows = connection.execute(
        "SELECT c.relname, c.oid::bigint FROM pg_catalog.pg_partition_tree(%s::oid::regclass) t "
        "JOIN pg_catalog.pg_class c ON c.oid = t.relid WHERE t.isleaf AND c.relkind = 'i' AND c.oid <> %s::oid",
        (index, index),
    ).fetchall()
    return dict(rows)
