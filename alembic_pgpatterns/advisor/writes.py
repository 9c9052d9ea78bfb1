"""The cost of an index for the application's writes, on the scale of its gain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from alembic_pgpatterns.advisor.sizing import index_columns
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.sql.parser import pg, postgast
from alembic_pgpatterns.workload.model import Recorded

_BASE = 0.05
_INSERT = 0.1
_UPDATE = 0.1
_SPACE = 0.3
# GIN has an entry for each element of a value, GiST looks for the best page at every level, BRIN has one entry for 128
# pages.
_METHODS = {"gin": 3.0, "gist": 2.0, "brin": 0.05}


@dataclass
class TableWrites:
    """What a workload writes to one table: whether rows are added, and which columns are changed."""

    inserts: bool = False
    updates: set[str] = field(default_factory=set)


Writes = Mapping[Name, TableWrites]


def read_writes(statements: Iterable[Recorded], default_schema: str) -> Writes:
    """What the statements of a workload write."""
    writes: dict[Name, TableWrites] = defaultdict(TableWrites)
    for statement in statements:
        if statement.kind not in ("insert", "update"):
            continue
        tree = postgast.parse(statement.text)
        for insert in postgast.find_nodes(tree, pg.InsertStmt):
            writes[_name(insert.relation, default_schema)].inserts = True
        for update in postgast.find_nodes(tree, pg.UpdateStmt):
            columns = {target.res_target.name for target in update.target_list}
            writes[_name(update.relation, default_schema)].updates |= columns
    return writes


def _name(relation: pg.RangeVar, default_schema: str) -> Name:
    return Name(relation.schemaname or default_schema, relation.relname)


def penalty(index: CreateIndex, share_of_rows: float, share_of_pages: float, writes: Writes) -> float:
    """Orders of magnitude that an index must gain to pay for its upkeep.

    An UPDATE of a column of the index can no longer be a heap-only one: it writes to every index of the table.

    Args:
        index: the definition.
        share_of_rows: of the table, that the index holds.
        share_of_pages: its pages by those of the table.
        writes: of the workload.
    """
    table = writes.get(index.table, TableWrites())
    changed = len(table.updates & set(index_columns(index)))
    work = (_BASE + _INSERT * table.inserts + _UPDATE * changed) * share_of_rows
    return work * _METHODS.get(index.method, 1.0) + _SPACE * min(share_of_pages, 1.0)
