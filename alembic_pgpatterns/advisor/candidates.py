"""Indexes that may serve a workload. They are tried, not yet chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from alembic_pgpatterns.advisor.predicates import Comparison, Order, TableUse, Term
from alembic_pgpatterns.advisor.questions import Candidate, Knowledge, Question
from alembic_pgpatterns.advisor.searches import WIDE, Searches, key_of
from alembic_pgpatterns.remedies.model import CreateIndex, IndexedKey
from alembic_pgpatterns.schema.model import Column, Index, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.expressions import text_literal
from alembic_pgpatterns.workload.literals import is_literal

INCLUDED = 3
"""The most columns of INCLUDE."""
INCLUDED_BYTES = 48
LARGEST_SHARE = 0.5
"""The largest share of the rows in a partial index."""
FEW_VALUES = 20
"""Different values of a column by which a partial index may be told from another."""
_TEXTS = frozenset({"text", "varchar", "bpchar", "citext"})

Key = IndexedKey


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
    """Where candidates differ only in INCLUDE, or in keys that one has behind the other's: one that has all of it."""
    listed = list(proposed)
    including = [item for item in listed if item.index.include]
    groups: dict[CreateIndex, list[Candidate]] = {}
    for candidate in listed:
        bare = replace(candidate.index, include=())
        groups.setdefault(bare, []).extend(item for item in including if leads(item.index, bare))
    for index, group in groups.items():
        named = {key.column for key in index.keys}
        include = tuple(sorted({column for item in group for column in item.index.include} - named))
        widths = sum(knowledge.width(index.table, column) for column in include)
        if include and len(include) <= INCLUDED + 1 and widths <= INCLUDED_BYTES + 16:
            merges = any(len(item.index.keys) < len(index.keys) for item in group)
            asked_by = set().union(*(item.asked_by for item in group))
            yield Candidate(replace(index, include=include), asked_by, merges=merges)


def leads(index: CreateIndex, longer: CreateIndex) -> bool:
    """Whether an index begins with all keys of another one."""
    same = (index.table, index.method, index.where) == (longer.table, longer.method, longer.where)
    return same and longer.keys[: len(index.keys)] == index.keys


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
        yield from self._searches(self._wheres()).all()
        for branches in self._use.alternatives:
            yield from self._of_or(branches)

    def _searches(self, wheres: Sequence[str] = (), use: TableUse | None = None) -> Searches:
        terms = (item.term for item in self._use.equal)
        equal = tuple(_without_repetition(key_of(term) for term in terms if self._allowed(term)))
        return Searches(use or self._use, self._table, self._knowledge, self._statement.values, equal, wheres)

    def _wheres(self) -> list[str]:
        """The strictest clause of a partial index, if there is one."""
        return [where for where, _ in self._predicates() if where is not None][:1]

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
        terms = [item.term for item in (*branch.equal, *branch.ranges[:1]) if self._allowed(item.term)]
        keys = tuple(_without_repetition(map(key_of, terms)))
        if not keys:
            searches = self._searches(use=branch)
            return [*searches.likes(), *searches.contains()][:1] * 2
        beside = [item.term for item in self._use.equal if self._allowed(item.term)]
        longer = tuple(_without_repetition((*map(key_of, sorted(dict.fromkeys(beside), key=self._rank)), *keys)))
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
        if item.is_list:
            return self._constant_list(item, column)
        values = [sample[number - 1] for sample in self._statement.values if number and len(sample) >= number]
        if number is None or not values or isinstance(values[0], list) or values[0] is None:
            return None
        value = values[0]
        if any(other != value for other in values) or not self._is_fixed(number, value, column.name):
            return None
        if column.type.name == "bool":
            return quote(column.name) if value in (True, "true", "t") else f"NOT {quote(column.name)}"
        return f"{quote(column.name)} = {text_literal(str(value))}"

    def _constant_list(self, item: Comparison, column: Column) -> str | None:
        """``status IN ('new', 'open')``, if all calls send this list and the source has it."""
        lists = [_sent(sample, item) for sample in self._statement.values]
        first = lists[0] if lists else []
        if not 0 < len(first) <= FEW_VALUES or any(other != first for other in lists):
            return None
        numbers = item.elements if len(item.elements) == len(first) else (item.parameter or 0,) * len(first)
        if not all(map(self._is_fixed, numbers, first, [column.name] * len(first))):
            return None
        texts = [text_literal(str(value)) for value in dict.fromkeys(first)]
        return f"{quote(column.name)} IN ({', '.join(texts)})"

    def _is_fixed(self, number: int, value: object, column: str) -> bool:
        """Whether a parameter always has this value: by the source, or by many calls in production.

        Calls in tests do not show it.
        """
        literal = is_literal(self._statement, value, column)
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
        keys = tuple(map(key_of, equal))
        lists = {item.term for item in use.equal if item.is_list}
        single = tuple(key_of(term) for term in equal if term not in lists)
        listed = tuple(key_of(term) for term in equal if term in lists)
        ranges = [item.term for item in use.ranges if item.term not in equal and self._allowed(item.term)]
        order = self._order(equal, fixed)
        for term in dict.fromkeys(ranges):
            yield (*keys, key_of(term))
        for row in use.rows:
            yield (*keys, *map(key_of, row))
        if order:
            yield (*keys, *order)
            firsts = [term for term in dict.fromkeys(ranges) if term.text not in {key.column for key in order}]
            yield from ((*keys, *order, key_of(term)) for term in firsts[:1])
        if listed:
            # An index gives no order behind a column of which several values are asked (docs, "Indexes and ORDER BY").
            for ordered in filter(None, (order, tuple(map(key_of, dict.fromkeys(ranges[:1]))))):
                yield (*single, *ordered)
                yield (*single, *ordered, *listed)
        yield keys
        for number in range(1, len(keys)):
            yield keys[:number]
            if order:
                yield (*keys[:number], *order)
        yield from self._joined(keys, order)

    def _joined(self, keys: tuple[Key, ...], order: tuple[Key, ...]) -> Iterator[tuple[Key, ...]]:
        for term in dict.fromkeys(self._use.joins):
            key = key_of(term)
            yield (key,)
            yield (*keys, key)
            yield (key, *keys)
            if order:
                yield (key, *keys, *order)
            for ranged in dict.fromkeys(item.term for item in self._use.ranges[:1] if self._allowed(item.term)):
                yield (key, *keys, key_of(ranged))
                yield (*keys, key_of(ranged), key)

    def _rank(self, term: Term) -> tuple[int, float]:
        distinct = self._knowledge.distinct(self._use.table, term.column) if term.column else 1e9
        return -self._shared.get((self._use.table, term), 0), -distinct

    def _order(self, equal: Sequence[Term], fixed: frozenset[str]) -> tuple[Key, ...]:
        """ORDER BY as keys; where all descend in the usual way an ascending index is read backwards."""
        order = [item for item in self._use.order if item.term not in equal and item.term.column not in fixed]
        if not order or any(not item.term.text or not self._allowed(item.term) for item in order):
            return ()
        if all(item.descending and item.nulls_first for item in order):
            return tuple(key_of(item.term) for item in order)
        return tuple(_ordered(item) for item in order)

    def _allowed(self, term: Term) -> bool:
        if term.column is None:
            # With a parameter or a sub-query in it no index can hold it.
            return bool(term.expression) and "$" not in str(term.expression) and "SubPlan" not in str(term.expression)
        column = self._table.column(term.column)
        return column is not None and not column.type.array and column.type.name not in WIDE

    def _with_include(self, keys: tuple[Key, ...], where: str | None, fixed: frozenset[str]) -> Iterator[Candidate]:
        keys = tuple(_without_repetition(keys))
        if not keys and where is not None and self._table.primary_key is not None:
            keys = tuple(Key(column) for column in self._table.primary_key.columns)
        if not keys:
            return
        index = CreateIndex(self._use.table, keys, where=where)
        if where is None and self._names_one_row(index):
            return
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
        if any(column.type.array or column.type.name in WIDE for column in present):
            return ()
        widths = sum(self._knowledge.width(use.table, column.name) for column in present)
        return tuple(column.name for column in present) if widths <= INCLUDED_BYTES else ()

    def _names_one_row(self, index: CreateIndex) -> bool:
        """Whether the keys begin with those of a unique index, which already finds the row."""
        columns = [key.column for key in index.keys]
        unique = (present.columns for present in self._table.indexes if present.unique and present.predicate is None)
        return any(list(names) == columns[: len(names)] for names in unique)


def _sent(sample: Sequence[object], item: Comparison) -> list[object]:
    """The elements of a list in one call."""
    values = [sample[number - 1] for number in item.elements if len(sample) >= number]
    return list(values[0]) if len(values) == 1 and isinstance(values[0], list) else values


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
