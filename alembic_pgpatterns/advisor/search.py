"""The choice among candidates: greedy over the workload. Gains are on a logarithmic scale, minus the cost of writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from alembic_pgpatterns.advisor.candidates import leads
from alembic_pgpatterns.advisor.planner import CannotPlan, Plan, Planner
from alembic_pgpatterns.advisor.questions import Candidate, Question
from alembic_pgpatterns.advisor.variants import Variant
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.schema.names import Name

FLOOR = 10.0
"""Units of the planner below which a statement is quick enough: one look-up in an index."""
LEAST = 0.1
"""Orders of magnitude over the whole workload that an index must gain."""
NOTICED = 0.05
SAVED = 20.0
"""Units of the planner that an index must save in one statement: a tenth of a millisecond, or five pages."""
COMPLETION = 0.1
"""How much more an index may cost if it also has the range or the order of its statements."""
SMALLER = 0.8
"""The largest share of an index's pages that one in its place may have."""
_ALIKE = 0.4
"""Orders of magnitude that a further index must gain if another one begins with the same keys."""


@dataclass
class Built:
    """A candidate that exists on the server as an index. ``rows``: entries; ``pages``: its size."""

    candidate: Candidate
    name: str
    oid: int
    rows: float
    pages: int
    penalty: float = 0.0

    @property
    def table(self) -> Name:
        """Of the index."""
        return self.candidate.index.table


@dataclass(frozen=True)
class Cost:
    """A statement's cost with some indexes, and the indexes that its plans use.

    ``value``: the geometric mean of its variants' costs. ``of_variants``: each of them.
    """

    value: float
    used: frozenset[str]
    of_variants: tuple[float, ...]


@dataclass
class Search:
    """Costs of statements with sets of candidates. The server computes each one once."""

    planner: Planner
    questions: Sequence[Question]
    built: Mapping[str, Built]
    unplanned: dict[str, str] = field(default_factory=dict)
    _costs: dict[tuple[str, frozenset[str]], Cost] = field(default_factory=dict)
    _fitting: dict[str, frozenset[str]] = field(default_factory=dict)

    def cost(self, question: Question, names: Iterable[str]) -> Cost:
        """The cost of a statement if these candidates exist.

        Raises:
            CannotPlan: the server refuses the statement.
        """
        names = self._concerned(question, names)
        key = (question.statement.fingerprint, names)
        if key not in self._costs:
            with self.planner.visible(self.built[name].oid for name in names):
                self._costs[key] = self._planned(question)
        return self._costs[key]

    def prepare(self, questions: Iterable[Question], names: Iterable[str]) -> None:
        """Plan several statements with the same candidates at once, for later calls of `cost`."""
        groups: dict[frozenset[str], list[Question]] = {}
        names = list(names)
        for question in questions:
            concerned = self._concerned(question, names)
            if (question.statement.fingerprint, concerned) not in self._costs:
                groups.setdefault(concerned, []).append(question)
        for concerned, group in groups.items():
            with self.planner.visible(self.built[name].oid for name in concerned):
                for question in group:
                    self._costs[question.statement.fingerprint, concerned] = self._planned(question)

    def forget(self) -> None:
        """Forget all costs, because sizes have changed."""
        self._costs.clear()

    def _planned(self, question: Question) -> Cost:
        plans = [self._plan(variant) for variant in question.variants]
        value = math.exp(sum(math.log(max(plan.cost, 0.01)) for plan in plans) / len(plans))
        used = frozenset().union(*(plan.indexes for plan in plans))
        return Cost(value, used, tuple(plan.cost for plan in plans))

    def _plan(self, variant: Variant) -> Plan:
        try:
            return self.planner.plan(variant.text, variant.values)
        except CannotPlan:
            self.planner.connection.execute("ROLLBACK")
            raise

    def _concerned(self, question: Question, names: Iterable[str]) -> frozenset[str]:
        """Those of the candidates that the statement may be planned with."""
        key = question.statement.fingerprint
        if key not in self._fitting:
            present, tables = self.built.items(), question.tables
            self._fitting[key] = frozenset(
                name for name, item in present if item.table in tables and not question.misled_by(item.candidate)
            )
        return self._fitting[key].intersection(names)


def orders(before: float, after: float) -> float:
    """Orders of magnitude between two costs. All costs that are low enough count as equal."""
    return math.log10(max(before, FLOOR) / max(after, FLOOR))


@dataclass
class Choice:
    """The greedy choice. ``say``: called to show progress."""

    search: Search
    most: int | None = None
    say: Callable[[str], None] = lambda message: None
    chosen: list[str] = field(default_factory=list)
    costs: dict[str, float] = field(default_factory=dict)
    before: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        """Choose, then drop what later choices made unnecessary."""
        self.search.prepare(self.search.questions, ())
        self.costs = {item.statement.fingerprint: self._cost(item, ()) for item in self.search.questions}
        self.before = dict(self.costs)
        gains = {group: self._gain(group) for group in self._groups()}
        stale: set[tuple[str, ...]] = set()
        while gains and (self.most is None or len(self.chosen) < self.most):
            best = max(gains, key=lambda group: gains[group] - self._penalty(group))
            if gains[best] - self._penalty(best) < LEAST:
                break
            if best in stale:  # an index gains less beside others, so that the old gain is the most that it can be
                gains[best] = self._gain(best)
                stale.remove(best)
                continue
            self._take(best)
            del gains[best]
            table = self.search.built[best[0]].table
            joined = {name for item in self.search.questions if table in item.tables for name in item.tables}
            stale |= {group for group in gains if self.search.built[group[0]].table in joined}
        self._prune()
        self._merge()
        self._shrink()
        self._complete()

    def _groups(self) -> list[tuple[str, ...]]:
        """What can be chosen in one step: each candidate that a statement could use, and those of an OR together."""
        names = {built.candidate.index: name for name, built in self.search.built.items()}
        present = self.search.built.items()
        alone = [(name,) for name, item in present if not item.candidate.merges and self._questions(item)]
        groups: dict[tuple[str, ...], None] = dict.fromkeys(alone)
        for built in self.search.built.values():
            for together in sorted(built.candidate.together, key=str):
                missing = tuple(dict.fromkeys(names[index] for index in together if index in names))
                groups[missing] = None
        return list(groups)

    def _penalty(self, group: Iterable[str]) -> float:
        return sum(self.search.built[name].penalty for name in group if name not in self.chosen)

    def _take(self, group: Sequence[str]) -> None:
        self.chosen += [name for name in group if name not in self.chosen]
        for item in self._touched(self.search.built[group[0]].table):
            self.costs[item.statement.fingerprint] = self._cost(item, self.chosen)

    def _cost(self, question: Question, names: Iterable[str]) -> float:
        return self.search.cost(question, names).value

    def _touched(self, table: Name) -> list[Question]:
        return [item for item in self.search.questions if table in item.tables]

    def _questions(self, built: Built) -> list[Question]:
        """The statements that could use a candidate: those that ask for its first key, or for its condition."""
        index = built.candidate.index
        first = index.keys[0].column or index.keys[0].expression
        return [
            item
            for item in self._touched(built.table)
            if item.statement.fingerprint in built.candidate.asked_by
            or any(first in use.terms for use in item.uses if use.table == built.table)
        ]

    def _gain(self, group: Sequence[str]) -> float:
        total = 0.0
        questions = self._questions(self.search.built[group[0]])
        names = [*self.chosen, *group]
        self.search.prepare(questions, names)
        for item in questions:
            cost = self.search.cost(item, names)
            gain = orders(self.costs[item.statement.fingerprint], cost.value)
            if self._only_sorts(group, item):
                before = self.search.cost(item, self.chosen)
                gain = min(map(orders, before.of_variants, cost.of_variants))
            saved = self.costs[item.statement.fingerprint] - cost.value
            if gain > NOTICED and saved >= SAVED and cost.used.issuperset(group):
                total += gain
        return total

    def _only_sorts(self, group: Sequence[str], question: Question) -> bool:
        """Whether an index has nothing of what a statement compares, only its order, and the statement has a LIMIT.

        The planner reads such an index until enough rows fit, and takes it that those lie evenly in it. So it must be
        better for all values: for the parent with the most children it is, for one with few it reads the whole table.
        """
        built = self.search.built[group[0]]
        if len(group) > 1 or built.candidate.index.where is not None:
            return False
        keys = {key.column or key.expression for key in built.candidate.index.keys}
        uses = [use for use in question.uses if use.table == built.table]
        compared = {item.term.text for use in uses for item in (*use.equal, *use.ranges)}
        compared |= {term.text for use in uses for term in (*use.joins, *(term for row in use.rows for term in row))}
        return any(use.order and use.limit for use in uses) and not keys & compared

    def _replaced(self, built: Built, others: Iterable[str]) -> bool:
        """Whether another chosen index begins with the same keys: it does the same, only a little worse."""
        index = built.candidate.index
        indexes = (self.search.built[name].candidate.index for name in others)
        return any(
            other.table == index.table
            and other.method == index.method
            and other.where == index.where
            and other.keys[: len(index.keys)] == index.keys
            and set(index.include) <= {*other.include, *(key.column for key in other.keys)}
            for other in indexes
        )

    def _prune(self) -> None:
        for name in sorted(self.chosen, key=lambda item: -self.search.built[item].pages):
            less = [item for item in self.chosen if item != name]
            built = self.search.built[name]
            touched = self._touched(built.table)
            after = {item.statement.fingerprint: self._cost(item, less) for item in touched}
            loss = sum(orders(cost, self.costs[key]) for key, cost in after.items())
            if loss < built.penalty + (_ALIKE if self._replaced(built, less) else NOTICED):
                self.chosen = less
                self.costs.update(after)

    def _merge(self) -> None:
        """Take one index instead of two where the longer of them, with the other's INCLUDE, serves both."""
        for name in list(self.chosen):
            shorter = self.search.built[name].candidate.index
            merging = (item for item in self.search.built.values() if item.candidate.merges)
            for item in merging if shorter.include else ():
                index = item.candidate.index
                longer = [other for other in self.chosen if self._has_keys(other, index) and other != name]
                if leads(shorter, index) and set(shorter.include) <= set(index.include) and longer:
                    without = [other for other in self.chosen if other not in (name, longer[0])]
                    if self._use([*without, item.name], item.table):
                        break

    def _has_keys(self, name: str, index: CreateIndex) -> bool:
        other = self.search.built[name].candidate.index
        return leads(other, index) and len(other.keys) == len(index.keys)

    def _shrink(self) -> None:
        """Take a much smaller index instead where it now does the same: partial, or without INCLUDE.

        What an early choice had for several statements a later one may do better for all but one of them.
        """
        for name in sorted(self.chosen, key=lambda item: -self.search.built[item].pages):
            built = self.search.built[name]
            others = (item for item in self.search.built.values() if item.table == built.table)
            smaller = [item for item in others if item.pages < SMALLER * built.pages and item.name not in self.chosen]
            for other in sorted(smaller, key=lambda item: item.pages):
                if self._swap(name, other.name):
                    break

    def _complete(self) -> None:
        """Add the range or the order of a statement to an index that has its equalities, where that costs little.

        How many rows an equality leaves is the least certain of all that the planner says. What bounds the rows that
        are read, whatever the values are, is worth a few bytes per entry.
        """
        for name in list(self.chosen):
            longer = [item for item in self.search.built.values() if self._completes(item, self.search.built[name])]
            for other in sorted(longer, key=lambda item: (-len(item.candidate.index.include), item.pages)):
                if self._swap(name, other.name):
                    break

    def _completes(self, longer: Built, built: Built) -> bool:
        index, other = built.candidate.index, longer.candidate.index
        held = {*other.include, *(key.column for key in other.keys)}
        return (
            other.table == index.table
            and (other.method, other.where) == (index.method, index.where)
            and set(index.include) <= held
            and self._bounds(_added(index, other), longer.candidate, built.candidate)
            and longer.penalty <= built.penalty + COMPLETION
        )

    def _bounds(self, added: Iterable[str], longer: Candidate, candidate: Candidate) -> bool:
        """Whether one of the statements that asked for both compares or orders by the further keys."""
        added, common = set(added), longer.asked_by & candidate.asked_by
        uses = (use for item in self.search.questions if item.statement.fingerprint in common for use in item.uses)
        return bool(added) and any(use.table == longer.index.table and added <= use.bounds for use in uses)

    def _swap(self, name: str, other: str) -> bool:
        """Replace one index by another if no statement gets slower."""
        return self._use([other if item == name else item for item in self.chosen], self.search.built[name].table)

    def _use(self, names: list[str], table: Name) -> bool:
        """Choose these indexes instead, which differ in those of a table, if no statement gets slower."""
        touched = self._touched(table)
        after = {item.statement.fingerprint: self._cost(item, names) for item in touched}
        if any(orders(cost, self.costs[key]) > NOTICED for key, cost in after.items()):
            return False
        self.chosen = names
        self.costs.update(after)
        return True


def _added(index: CreateIndex, longer: CreateIndex) -> list[str]:
    """The keys that another index has after those of this one; or before them where this one is of LIKE 'abc%'."""
    count = len(index.keys)
    after, before = longer.keys[count:], longer.keys[:-count]
    if longer.keys[:count] == index.keys:
        keys = after
    elif longer.keys[-count:] == index.keys and index.keys[0].opclass == "text_pattern_ops":
        keys = before
    else:
        keys = ()
    return [str(key.column or key.expression) for key in keys]
