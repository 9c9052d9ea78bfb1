"""Which conditions of a statement no index of its table serves, told from the statement and the schema alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from alembic_pgpatterns.patterns import Finding, Severity, StatementPattern
from alembic_pgpatterns.patterns._growth import LARGE, likely_grows, rows_of
from alembic_pgpatterns.patterns._words import words
from alembic_pgpatterns.patterns.indexes._soft_deletion import SoftDeletionOptions, deletion_marks
from alembic_pgpatterns.patterns.statements._places import at_usage, shown, usages
from alembic_pgpatterns.patterns.statements._trees import column_of, conditions, parameter, tree, unwrapped
from alembic_pgpatterns.remedies.model import CreateIndex, IndexedKey
from alembic_pgpatterns.schema.model import Index, Schema, Table
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.sql.parser import IS_NULL, pg
from alembic_pgpatterns.schema.sql.values import columns as columns_in
from alembic_pgpatterns.workload.model import Recorded, Site, Usage, Workload

GENERAL = 3
"""Tables that one line of the source asks from which it is a base class's, written for all of them."""
SMALL = 1_000
"""Rows below which PostgreSQL reads the whole table anyway."""
SEARCHED = 50_000
"""The same for what only GIN serves: its upkeep costs three times as much, so that `pgadvise` would not advise it."""
_KINDS = frozenset({
    "status", "state", "kind", "type", "category", "scope", "mode", "format", "extension", "level", "role", "stage",
})  # fmt: skip
"""Last words of the names of columns that divide the rows into a few large groups."""
_INTEGERS = frozenset({"int2", "int4", "int8"})
_RANGE = frozenset({"<", "<=", ">", ">="})
_CONTAINS = frozenset({"@>", "&&", "@@", "?", "?|", "?&"})
_WIDE = frozenset({"json", "jsonb", "xml", "bytea", "tsvector"})


@dataclass(frozen=True)
class NeededIndex:
    """What a statement asks of its one table."""

    table: Table
    equal: tuple[str, ...]
    ranges: tuple[str, ...]
    contains: tuple[str, ...]
    order: tuple[IndexedKey, ...]
    alive: str | None = None
    """The condition for rows that are not marked as deleted, if it asks for them alone."""
    constant: frozenset[str] = frozenset()
    """Columns of ``equal`` that are compared with a constant of the program: it knows the few values there are."""
    deletes: bool = False

    @property
    def index(self) -> CreateIndex | None:
        """The index that would serve it: equality first, then order or range; GIN for containment alone.

        None where only flags and enums are compared: an index on them alone leaves too many rows.
        """
        plain = sorted((name for name in self.equal if self._is_plain(name)), key=self._has_few_values)
        if plain and not (self.ranges or self.order) and all(map(self._has_few_labels, plain)):
            return None
        # A flag beside other columns makes the index longer, and the search hardly shorter.
        plain = [name for name in plain if not self._is_flag(name)]
        if not plain and not self.ranges and self.contains:
            return CreateIndex(self.table.name, (IndexedKey(self.contains[0]),), method="gin", where=self.alive)
        rest = self.order or tuple(IndexedKey(name) for name in self.ranges[:1])
        keys = (*(IndexedKey(name) for name in plain), *(key for key in rest if key.column not in plain))
        return CreateIndex(self.table.name, keys, where=self.alive) if keys else None

    def _is_plain(self, name: str) -> bool:
        column = self.table.column(name)
        return column is not None and not column.type.array and column.type.name not in _WIDE

    def _is_flag(self, name: str) -> bool:
        column = self.table.column(name)
        return column is not None and column.type.name == "bool"

    def _has_few_labels(self, name: str) -> bool:
        column = self.table.column(name)
        return self._is_flag(name) or (column is not None and bool(column.type.labels))

    def _has_few_values(self, name: str) -> bool:
        """Flags and kinds tell rows apart badly: they come last."""
        return self._has_few_labels(name) or words(name)[-1:] in {(word,) for word in _KINDS} or self._is_year(name)

    def _is_year(self, name: str) -> bool:
        """Whether the rows of a whole year have one value."""
        column = self.table.column(name)
        return column is not None and column.type.name in _INTEGERS and "year" in words(name)

    @property
    def is_selective(self) -> bool:
        """Whether it asks for few of the rows: not for all of one kind."""
        plain = [name for name in self.equal if not (self._has_few_values(name) or name in self.constant)]
        if self.deletes and self.ranges and not plain:
            return False  # what is old is cleared away now and then, and each INSERT would pay for its index
        # What lies in a range, alone and without a limit, may be one row or nearly all.
        spans = [name for name in self.ranges if not self._is_year(name) and (self.equal or self.order)]
        return bool(plain or spans or self.order or self.contains)

    def is_served(self) -> bool:
        """Whether an index begins with a column that is compared, or holds one that is searched within.

        The index of a foreign key, which unindexed-foreign-key asks for, finds few rows; that helps as much as a longer
        one, unless rows are wanted in an order or from a range. Two foreign keys leave hardly any rows to sort.
        """
        linked = {key.columns for key in self.table.foreign_keys if set(key.columns) <= set(self.equal)}
        primary = set(self.table.primary_key.columns) if self.table.primary_key is not None else set()
        sorts = any(key.column not in primary for key in self.order)
        if len(linked) > 1 or (linked and not self.ranges and not sorts):
            return True
        compared = {*self.equal, *self.ranges} or {str(key.column) for key in self.order}
        return any(_serves(index, compared, set(self.contains)) for index in self.table.indexes)

    @property
    def is_read_in_order(self) -> bool:
        """Whether an index begins with what the first rows are ordered by: they are soon found among many others."""
        first = self.order[0].column if self.order else None
        begins = {
            index.columns[0] for index in self.table.indexes if index.valid and index.keys and not index.predicate
        }
        if self.table.primary_key is not None:
            begins.add(self.table.primary_key.columns[0])
        return first is not None and first in begins


def _serves(index: Index, compared: set[str], contains: set[str]) -> bool:
    if not index.valid or not index.keys:
        return False
    if index.method in ("gin", "gist"):
        return bool(set(index.columns) & contains) or any(key.column is None for key in index.keys)
    if isinstance(index.predicate, str) and columns_in(index.predicate) <= compared:
        return True  # it holds the rows of that condition alone, which is as good as a first column
    return index.columns[0] in compared or index.columns[0] is None


def needed_index(statement: Recorded, schema: Schema) -> NeededIndex | None:
    """What a statement of one table asks; None for any other, or where it has no condition."""
    node = tree(statement.text)
    kind = node.WhichOneof("node")
    if kind not in ("select_stmt", "update_stmt", "delete_stmt"):
        return None
    body = getattr(node, kind)
    relation = body.relation if kind != "select_stmt" else _only_relation(body)
    if (
        relation is None
        or (kind == "update_stmt" and body.from_clause)
        or (kind == "delete_stmt" and body.using_clause)
    ):
        return None
    table = schema.table(Name(relation.schemaname or schema.default_schema, relation.relname))
    if table is None:
        return None
    return replace(_needed_index(body, table, kind == "select_stmt"), deletes=kind == "delete_stmt")


def _only_relation(select: Any) -> Any | None:
    items = list(select.from_clause)
    return items[0].range_var if len(items) == 1 and items[0].WhichOneof("node") == "range_var" else None


def _needed_index(body: Any, table: Table, is_select: bool) -> NeededIndex:
    equal: dict[str, None] = {}
    ranges: dict[str, None] = {}
    contains: dict[str, None] = {}
    constant: set[str] = set()
    for part in conditions(body):
        if part.WhichOneof("node") != "a_expr":
            continue
        column, operator = _compared(part.a_expr, table)
        if column is None:
            continue
        if operator == "=":
            equal[column] = None
            if _is_constant(part.a_expr):
                constant.add(column)
        elif operator in _RANGE or part.a_expr.kind == pg.AEXPR_BETWEEN:
            ranges[column] = None
        elif operator in _CONTAINS:
            contains[column] = None
    ordered = is_select and body.HasField("limit_count") and not body.group_clause
    order = _order(body, table) if ordered else ()
    alive = _alive(body, table)
    return NeededIndex(table, tuple(equal), tuple(ranges), tuple(contains), order, alive, frozenset(constant))


def _is_constant(expression: Any) -> bool:
    return any(unwrapped(side).WhichOneof("node") == "a_const" for side in (expression.lexpr, expression.rexpr))


def _alive(body: Any, table: Table) -> str | None:
    """The condition by which a statement leaves out deleted rows, as a partial index would have it."""
    for mark in deletion_marks(table, SoftDeletionOptions().columns):
        for part in conditions(body):
            column, operator = _compared(part.a_expr, table) if part.WhichOneof("node") == "a_expr" else (None, "")
            if column == mark.column and operator == "=" and mark.literal == _literal(part.a_expr.rexpr):
                return mark.alive
            if part.WhichOneof("node") == "null_test" and part.null_test.nulltesttype == IS_NULL:
                tested = column_of(part.null_test.arg)
                if tested is not None and tested[1] == mark.column and mark.literal is None:
                    return mark.alive
    return None


def _literal(node: Any) -> str:
    value = unwrapped(node)
    if value.WhichOneof("node") != "a_const" or value.a_const.WhichOneof("val") != "boolval":
        return ""
    return "true" if value.a_const.boolval.boolval else "false"


def _compared(expression: Any, table: Table) -> tuple[str | None, str]:
    """The column that a value is compared with, and the operator; no column where both sides are columns."""
    operator = expression.name[-1].string.sval if expression.name else ""
    left, right = column_of(expression.lexpr), column_of(expression.rexpr)
    column = left or right
    if (left and right) or column is None or table.column(column[1]) is None:
        return None, operator
    other = expression.rexpr if left else expression.lexpr
    is_value = parameter(other) is not None or unwrapped(other).WhichOneof("node") in (
        "a_const",
        "list",
        "a_array_expr",
    )
    calls = unwrapped(other).WhichOneof("node") in ("func_call", "sqlvalue_function", "a_expr")
    return (column[1] if is_value or calls else None), operator


def _order(select: Any, table: Table) -> tuple[IndexedKey, ...]:
    keys = [(column_of(item.sort_by.node), item.sort_by.sortby_dir == pg.SORTBY_DESC) for item in select.sort_clause]
    if any(column is None or table.column(column[1]) is None for column, _ in keys):
        return ()
    down = all(descending for _, descending in keys)  # then an ascending index is read backwards
    return tuple(IndexedKey(column[1], descending=descending and not down) for column, descending in keys if column)


def unserved_statements(pattern: StatementPattern, workload: Workload, schema: Schema) -> Iterator[Finding]:
    """The findings for statements that no index serves, in the workload's order; each index once."""
    seen: set[str] = set()
    sent = [
        (statement, usage, needed_index(statement, schema))
        for statement, usage in usages(workload)
        if usage.reason is None
    ]
    tables: dict[Site | None, set[Name]] = defaultdict(set)
    for _, usage, needed in sent:
        tables[usage.site] |= {needed.table.name} if needed is not None else set()
    for statement, usage, needed in sent:
        finding = _unserved(pattern, statement, usage, needed, schema)
        if finding is not None and finding.fingerprint not in seen:
            seen.add(finding.fingerprint)
            # A line of a base class that could ask any of its models: that it asks this one, nothing shows.
            general = pattern.of_source and len(tables[usage.site]) >= GENERAL
            yield finding.but(guess=finding.guess or general)


def _unserved(
    pattern: StatementPattern, statement: Recorded, usage: Usage, needed: NeededIndex | None, schema: Schema
) -> Finding | None:
    """The finding for a statement that no index serves, with the index that would."""
    index = needed.index if needed is not None else None
    if needed is None or index is None or needed.is_served() or needed.table.partition_of is not None:
        return None
    rows = rows_of(needed.table)
    if rows is not None and rows < (SEARCHED if index.method == "gin" else SMALL):
        return None
    columns = ", ".join(str(key.column) for key in index.keys)
    size = f"all {rows:,.0f} rows" if rows is not None else "the whole table"
    message = f"no index of {needed.table.name.name} serves {columns}: {size} are read for {shown(statement)}"
    finding = at_usage(pattern, f"{needed.table.name}({columns})", usage, message.replace("table are", "table is"), "")
    severity = Severity.WARNING if rows is not None and rows >= LARGE else pattern.severity
    # The source does not say how many rows there are, nor how often it asks; a recording shows at least the latter.
    grows = rows is not None or likely_grows(schema, needed.table)
    guess = pattern.of_source and not (needed.is_selective and grows and not needed.is_read_in_order)
    return finding.but(severity=severity, remedy=index, table=needed.table.name, guess=guess)
