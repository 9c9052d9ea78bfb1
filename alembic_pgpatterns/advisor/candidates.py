"""Indexes that may serve a workload. They are tried, not yet chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alembic_pgpatterns.advisor.predicates import Comparison, Order, TableUse, Term, is_prefix, pattern_of
from alembic_pgpatterns.advisor.variants import Variant
from alembic_pgpatterns.remedies.model import CreateIndex, IndexedKey
from alembic_pgpatterns.schema.model import Column, Index, Schema, Table
from alembic_pgpatterns.schema.names import Name, quote
from alembic_pgpatterns.schema.sql.expressions import text_literal
from alembic_pgpatterns.workload.literals import is_literal
from alembic_pgpatterns.workload.model import Recorded

INCLUDED = 3
"""The most columns of INCLUDE."""
INCLUDED_BYTES = 48
LARGEST_SHARE = 0.5
"""The largest share of the rows in a partial index."""
FEW_VALUES = 20
"""Different values of a column by which a partial index may be told from another."""
BRIN_PAGES = 12_800
"""100 MB: BRIN pays on large tables only."""
_WIDE = frozenset({"json", "jsonb", "xml", "bytea", "tsvector"})
_TEXTS = frozenset({"text", "varchar", "bpchar", "citext"})

Key = IndexedKey


@dataclass
class Candidate:
    """An index to try.

    ``asked_by``: fingerprints of the statements it is proposed for. ``rule``: chosen by a rule, not by cost.
    ``together``: groups of indexes with this one that serve an OR together, but not alone.
    """

    index: CreateIndex
    asked_by: set[str] = field(default_factory=set)
    rule: bool = False
    requires: str | None = None
    together: set[tuple[CreateIndex, ...]] = field(default_factory=set)


@dataclass(frozen=True)
class Question:
    """One statement of the workload: its use of each table, and how it is planned."""

    statement: Recorded
    uses: tuple[TableUse, ...]
    variants: tuple[Variant, ...] = ()

    tables: frozenset[Name] = field(init=False)
    """The tables that it reads."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", frozenset(use.table for use in self.uses))

    def misled_by(self, candidate: Candidate) -> bool:
        """Whether the scratch server uses an index for this statement that production may not use.

        The scratch server sorts by code points (C). In other collations only text_pattern_ops serves LIKE 'abc%'.
        And PostgreSQL 18 skips the first key where the statement does not ask for it, which older ones cannot.
        """
        index = candidate.index
        if index.method != "btree":
            return False
        uses = [use for use in self.uses if use.table == index.table]
        first = str(index.keys[0].column or index.keys[0].expression)
        skips = self.statement.fingerprint not in candidate.asked_by and all(first not in use.terms for use in uses)
        plain = {(key.column, key.expression) for key in index.keys if key.opclass is None}
        prefixes = [like.term for use in uses for like in use.likes if is_prefix(like, self.statement.values)]
        return skips or any((term.column, term.expression) in plain for term in prefixes)


@dataclass(frozen=True)
class Knowledge:
    """What the choice of candidates asks about columns.

    ``distinct``: different values of a column. ``share``: of the rows for which a condition on a table is true.
    ``correlation``: of a column with the order of the rows. ``pages`` of a table. ``from_production``: the workload
    is, so that a value that never changes will not.
    """

    schema: Schema
    distinct: Callable[[Name, str], float]
    width: Callable[[Name, str], int]
    share: Callable[[Name, str], float]
    correlation: Callable[[Name, str], float]
    pages: Callable[[Name], int]
    from_production: bool = False


def candidates(questions: Sequence[Question], knowledge: Knowledge) -> list[Candidate]:
    """All indexes that are worth trying for a workload, each once."""
    shared = Counter(
        (use.table, item.term) for question in questions for use in question.uses for item in set(use.equal)
    )
    result: dict[CreateIndex, Candidate] = {}
    for question in questions:
        for use in question.uses:
            table = knowledge.schema.table(use.table)
            if table is None:
                continue
            for candidate in _Proposals(question, use, table, knowledge, shared).all():
                present = result.setdefault(candidate.index, candidate)
                present.asked_by.add(question.statement.fingerprint)
                present.together |= candidate.together
    for candidate in list(_united(result.values(), knowledge)):
        result.setdefault(candidate.index, candidate)
    return [item for item in result.values() if not _exists(item.index, knowledge.schema.table(item.index.table))]


def _united(proposed: Iterable[Candidate], knowledge: Knowledge) -> Iterator[Candidate]:
    """Where several candidates differ only in INCLUDE: one with the columns of all of them."""
    groups: dict[CreateIndex, list[Candidate]] = {}
    for candidate in proposed:
        if candidate.index.include:
            groups.setdefault(replace(candidate.index, include=()), []).append(candidate)
    for index, group in groups.items():
        include = tuple(sorted({column for item in group for column in item.index.include}))
        widths = sum(knowledge.width(index.table, column) for column in include)
        if len(group) > 1 and len(include) <= INCLUDED + 1 and widths <= INCLUDED_BYTES + 16:
            yield Candidate(replace(index, include=include), set().union(*(item.asked_by for item in group)))


class _Proposals:
    """The candidates of one table in one statement."""

    def __init__(
        self, question: Question, use: TableUse, table: Table, knowledge: Knowledge, shared: Mapping[Any, int]
    ) -> None:
        self._question = question
        self._statement = question.statement
        self._use = use
        self._table = table
        self._knowledge = knowledge
        self._shared = shared

    def all(self) -> Iterator[Candidate]:
        """All of them."""
        for where, columns in self._predicates():
            for keys in self._key_lists(columns):
                yield from self._with_include(keys, where, columns)
        yield from self._likes()
        yield from self._contains()
        yield from self._brin()
        for branches in self._use.alternatives:
            yield from self._of_or(branches)

    def _of_or(self, branches: Sequence[TableUse]) -> Iterator[Candidate]:
        """An index per branch; all of them serve the OR together."""
        of_branches = [self._of_branch(branch) for branch in branches]
        for group in zip(*of_branches, strict=False):
            together = tuple(candidate.index for candidate in group)
            for candidate in group:
                candidate.together.add(together)
                yield candidate

    def _of_branch(self, branch: TableUse) -> list[Candidate]:
        """An index for one branch of an OR; one with the conditions beside the OR before it where that can be."""
        inner = _Proposals(self._question, branch, self._table, self._knowledge, self._shared)
        terms = [item.term for item in (*branch.equal, *branch.ranges[:1]) if self._allowed(item.term)]
        keys = tuple(_without_repetition(map(_key, terms)))
        if not keys:
            searches = [*inner._likes(), *inner._contains()][:1]
            return searches * 2
        beside = [item.term for item in self._use.equal if self._allowed(item.term)]
        longer = tuple(_without_repetition((*map(_key, sorted(dict.fromkeys(beside), key=self._rank)), *keys)))
        return [Candidate(CreateIndex(self._use.table, columns)) for columns in (keys, longer)]

    def _predicates(self) -> Iterator[tuple[str | None, frozenset[str]]]:
        """WHERE clauses of partial indexes with their columns, and no clause."""
        yield None, frozenset()
        use = self._use
        parts = dict.fromkeys(use.constants)
        columns = set(use.constant_columns)
        for item in use.equal:
            text = self._constant_value(item)
            if text is not None and item.term.column is not None:
                parts[text] = None
                columns.add(item.term.column)
        if not parts:
            return
        where = " AND ".join(parts)
        if self._knowledge.share(use.table, where) <= LARGEST_SHARE:
            yield where, frozenset(columns)
        for part in parts if len(parts) > 1 else ():
            named = frozenset(column for column in columns if column in part)
            if self._knowledge.share(use.table, part) <= LARGEST_SHARE:
                yield part, named

    def _constant_value(self, item: Comparison) -> str | None:
        """``status = 'pending'``, in the statement or as the one value of all calls, of a column with few values."""
        number = item.parameter
        column = self._table.column(item.term.column) if item.term.column else None
        if column is None or item.operator != "=" or not self._few_values(column):
            return None
        if item.condition is not None:
            return item.condition
        values = [sample[number - 1] for sample in self._statement.values if number and len(sample) >= number]
        if number is None or not values or isinstance(values[0], list) or values[0] is None:
            return None
        value = values[0]
        if any(other != value for other in values) or not self._is_fixed(number, value):
            return None
        if column.type.name == "bool":
            return quote(column.name) if value in (True, "true", "t") else f"NOT {quote(column.name)}"
        return f"{quote(column.name)} = {text_literal(str(value))}"

    def _is_fixed(self, number: int, value: object) -> bool:
        """Whether a parameter always has this value: by the source, or by many calls in production.

        Calls in tests do not show it.
        """
        literal = is_literal(self._statement, value)
        if literal is not None:
            return literal
        return self._knowledge.from_production and number - 1 in self._statement.constant

    def _few_values(self, column: Column) -> bool:
        if column.type.name == "bool" or column.type.labels:
            return True
        few = self._knowledge.distinct(self._table.name, column.name) <= FEW_VALUES
        return few and (column.type.name in _TEXTS or column.type.name in ("int2", "int4"))

    def _key_lists(self, fixed: frozenset[str]) -> Iterator[tuple[Key, ...]]:
        use = self._use
        equal = [item.term for item in use.equal if item.term.column not in fixed and self._allowed(item.term)]
        equal = sorted(dict.fromkeys(equal), key=self._rank)
        keys = tuple(map(_key, equal))
        ranges = [item.term for item in use.ranges if item.term not in equal and self._allowed(item.term)]
        order = self._order(equal, fixed)
        for term in dict.fromkeys(ranges):
            yield (*keys, _key(term))
        for row in use.rows:
            yield (*keys, *map(_key, row))
        if order:
            yield (*keys, *order)
            firsts = [term for term in dict.fromkeys(ranges) if term.text not in {key.column for key in order}]
            yield from ((*keys, *order, _key(term)) for term in firsts[:1])
        yield keys
        for number in range(1, len(keys)):
            yield keys[:number]
            if order:
                yield (*keys[:number], *order)
        yield from self._joined(keys, order)

    def _joined(self, keys: tuple[Key, ...], order: tuple[Key, ...]) -> Iterator[tuple[Key, ...]]:
        for term in dict.fromkeys(self._use.joins):
            key = _key(term)
            yield (key,)
            yield (*keys, key)
            yield (key, *keys)
            if order:
                yield (key, *keys, *order)
            for ranged in dict.fromkeys(item.term for item in self._use.ranges[:1] if self._allowed(item.term)):
                yield (key, *keys, _key(ranged))
                yield (*keys, _key(ranged), key)

    def _rank(self, term: Term) -> tuple[int, float]:
        distinct = self._knowledge.distinct(self._use.table, term.column) if term.column else 1e9
        return -self._shared.get((self._use.table, term), 0), -distinct

    def _order(self, equal: Sequence[Term], fixed: frozenset[str]) -> tuple[Key, ...]:
        """ORDER BY as keys; where all descend in the usual way an ascending index is read backwards."""
        order = [item for item in self._use.order if item.term not in equal and item.term.column not in fixed]
        if not order or any(not item.term.text or not self._allowed(item.term) for item in order):
            return ()
        if all(item.descending and item.nulls_first for item in order):
            return tuple(_key(item.term) for item in order)
        return tuple(_ordered(item) for item in order)

    def _allowed(self, term: Term) -> bool:
        if term.column is None:
            # With a parameter or a sub-query in it no index can hold it.
            return bool(term.expression) and "$" not in str(term.expression) and "SubPlan" not in str(term.expression)
        column = self._table.column(term.column)
        return column is not None and not column.type.array and column.type.name not in _WIDE

    def _with_include(self, keys: tuple[Key, ...], where: str | None, fixed: frozenset[str]) -> Iterator[Candidate]:
        keys = tuple(_without_repetition(keys))
        if not keys and where is not None and self._table.primary_key is not None:
            keys = tuple(Key(column) for column in self._table.primary_key.columns)
        if not keys:
            return
        index = CreateIndex(self._use.table, keys, where=where)
        yield Candidate(index)
        include = self._include(index, fixed)
        if include:
            yield Candidate(replace(index, include=include))

    def _include(self, index: CreateIndex, fixed: frozenset[str]) -> tuple[str, ...]:
        use = self._use
        named = {key.column for key in index.keys}
        needed = sorted(use.fetched - named - fixed)
        columns = [self._table.column(name) for name in needed]
        present = [column for column in columns if column is not None]
        # Who locks a row goes to the table anyway.
        if use.star or use.locks or not 0 < len(present) <= INCLUDED or self._names_one_row(index):
            return ()
        if len(present) + len(named) >= len(self._table.columns):
            return ()  # it would be a second copy of the table
        if any(column.type.array or column.type.name in _WIDE for column in present):
            return ()
        widths = sum(self._knowledge.width(use.table, column.name) for column in present)
        return tuple(column.name for column in present) if widths <= INCLUDED_BYTES else ()

    def _names_one_row(self, index: CreateIndex) -> bool:
        """Whether the keys begin with those of a unique index, which already finds the row."""
        columns = [key.column for key in index.keys]
        unique = (present.columns for present in self._table.indexes if present.unique and present.predicate is None)
        return any(list(names) == columns[: len(names)] for names in unique)

    def _likes(self) -> Iterator[Candidate]:
        for item in self._use.likes:
            pattern = pattern_of(item, self._statement.values)
            if is_prefix(item, self._statement.values):
                # A plain btree serves LIKE 'abc%' in the collation C only (docs, "Operator Classes and Operator
                # Families").
                key = replace(_key(item.term), opclass="text_pattern_ops")
                equal = tuple(_key(term.term) for term in self._use.equal if self._allowed(term.term))
                yield Candidate(CreateIndex(self._use.table, (key,)))
                if equal:
                    yield Candidate(CreateIndex(self._use.table, (*equal, key)))
            # With fewer letters there is no trigram to look for.
            elif pattern is None or len(pattern.strip("%_")) >= 3:
                key = replace(_key(item.term), opclass="gin_trgm_ops")
                has = any(extension.name == "pg_trgm" for extension in self._knowledge.schema.extensions)
                requires = None if has else "CREATE EXTENSION IF NOT EXISTS pg_trgm"
                yield Candidate(CreateIndex(self._use.table, (key,), method="gin"), requires=requires)

    def _contains(self) -> Iterator[Candidate]:
        for item in self._use.contains:
            column = self._table.column(item.term.column) if item.term.column else None
            name = column.type.name if column is not None else ""
            if item.operator == "<@" or (column is not None and name.endswith("range")):
                continue
            paths = name == "jsonb" and item.operator in ("@>", "@?", "@@")
            yield Candidate(
                CreateIndex(
                    self._use.table,
                    (replace(_key(item.term), opclass="jsonb_path_ops" if paths else None),),
                    method="gin",
                )
            )

    def _brin(self) -> Iterator[Candidate]:
        """The planner underestimates BRIN, so a rule proposes it, for a long table in the order of the column."""
        if self._knowledge.pages(self._use.table) < BRIN_PAGES or self._use.equal:
            return
        for item in self._use.ranges:
            column = item.term.column
            if column is not None and abs(self._knowledge.correlation(self._use.table, column)) > 0.9:
                yield Candidate(CreateIndex(self._use.table, (Key(column),), method="brin"), rule=True)


def _key(term: Term) -> Key:
    return Key(term.column, term.expression)


def _ordered(order: Order) -> Key:
    first = order.nulls_first if order.nulls_first != order.descending else None
    return Key(order.term.column, order.term.expression, descending=order.descending, nulls_first=first)


def _without_repetition(keys: Iterable[Key]) -> Iterator[Key]:
    seen: set[tuple[str | None, str | None]] = set()
    for key in keys:
        if (key.column, key.expression) not in seen:
            seen.add((key.column, key.expression))
            yield key


def _exists(index: CreateIndex, table: Table | None) -> bool:
    """Whether an index of the table begins with the same keys and has as many columns."""
    return table is not None and any(_serves(present, index) for present in table.indexes)


def _serves(present: Index, index: CreateIndex) -> bool:
    if present.method != index.method or present.predicate is not None or not present.valid:
        return False
    if any(not key.plain or key.opclass for key in index.keys):
        return False
    columns = tuple(key.column for key in index.keys)
    ascending = not any(key.descending for key in present.keys)
    held = {*present.columns, *present.include}
    return ascending and present.columns[: len(columns)] == columns and set(index.include) <= held
