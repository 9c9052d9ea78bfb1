"""The choice among candidates: greedy over the whole workload, gains on a logarithmic scale, less what writes pay."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from alembic_pgpatterns.advisor.candidates import Candidate, Question
from alembic_pgpatterns.advisor.planner import CannotPlan, Plan, Planner
from alembic_pgpatterns.advisor.uses import with_limits
from alembic_pgpatterns.schema.names import Name

FLOOR = 10.0
"""Units of the planner below which a statement is quick enough: one look-up in an index."""
LEAST = 0.1
"""Orders of magnitude over the whole workload that an index must gain."""
NOTICED = 0.05
_ALIKE = 0.4
"""Orders of magnitude that one index more must gain where another one begins with the same keys."""
SAMPLES = 3
"""Sets of recorded values that a statement is planned with."""


@dataclass
class Built:
    """A candidate that stands on the server as an index. ``rows``: entries; ``pages``: its size."""

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
    """A statement's cost with some indexes, and the indexes that its plans use."""

    value: float
    used: frozenset[str]


@dataclass
class Search:
    """Costs of statements under sets of candidates, each asked of the server once."""

    planner: Planner
    questions: Sequence[Question]
    built: Mapping[str, Built]
    unplanned: dict[str, str] = field(default_factory=dict)
    _costs: dict[tuple[str, frozenset[str]], Cost] = field(default_factory=dict)
    _generic: dict[str, str] = field(default_factory=dict)

    def cost(self, question: Question, names: Iterable[str]) -> Cost:
        """The cost of a statement where these candidates are there.

        Raises:
            CannotPlan: the server refuses the statement.
        """
        names = frozenset(name for name in names if self.built[name].table in question.tables)
        key = (question.statement.fingerprint, names)
        if key not in self._costs:
            with self.planner.visible(self.built[name].oid for name in names):
                self._costs[key] = self._planned(question)
        return self._costs[key]

    def prepare(self, questions: Iterable[Question], names: Iterable[str]) -> None:
        """Plan several statements with the same candidates at once; `cost` then knows the answers."""
        groups: dict[frozenset[str], list[Question]] = {}
        names = list(names)
        for question in questions:
            concerned = frozenset(name for name in names if self.built[name].table in question.tables)
            if (question.statement.fingerprint, concerned) not in self._costs:
                groups.setdefault(concerned, []).append(question)
        for concerned, group in groups.items():
            with self.planner.visible(self.built[name].oid for name in concerned):
                for question in group:
                    self._costs[question.statement.fingerprint, concerned] = self._planned(question)

    def forget(self) -> None:
        """Sizes have changed: no cost holds any more."""
        self._costs.clear()

    def _planned(self, question: Question) -> Cost:
        plans = [*self._with_values(question)] or [self._for_any(question)]
        value = math.exp(sum(math.log(max(plan.cost, 0.01)) for plan in plans) / len(plans))
        return Cost(value, frozenset().union(*(plan.indexes for plan in plans)))

    def _with_values(self, question: Question) -> Iterable[Plan]:
        text = question.statement.text
        for sample in question.statement.values[:SAMPLES]:
            try:
                yield self.planner.plan(text, sample)
            except CannotPlan:
                self.planner.connection.execute("ROLLBACK")
                raise

    def _for_any(self, question: Question) -> Plan:
        fingerprint = question.statement.fingerprint
        if fingerprint not in self._generic:
            self._generic[fingerprint] = with_limits(question.statement.text)
        return self.planner.plan(self._generic[fingerprint], None)


def orders(before: float, after: float) -> float:
    """Orders of magnitude between two costs, of which what is quick enough counts as equally quick."""
    return math.log10(max(before, FLOOR) / max(after, FLOOR))


@dataclass
class Choice:
    """The greedy choice. ``say``: is told of progress."""

    search: Search
    most: int | None = None
    say: Callable[[str], None] = lambda what: None
    chosen: list[str] = field(default_factory=list)
    costs: dict[str, float] = field(default_factory=dict)
    before: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        """Choose, then drop what later choices made needless."""
        self.search.prepare(self.search.questions, ())
        self.costs = {item.statement.fingerprint: self._cost(item, ()) for item in self.search.questions}
        self.before = dict(self.costs)
        gains = {name: self._gain(name) for name in self._plausible()}
        while gains and (self.most is None or len(self.chosen) < self.most):
            best = max(gains, key=lambda name: gains[name] - self.search.built[name].penalty)
            if gains[best] - self.search.built[best].penalty < LEAST:
                break
            self._take(best)
            del gains[best]
            table = self.search.built[best].table
            joined = {name for item in self.search.questions if table in item.tables for name in item.tables}
            for name in gains:
                if self.search.built[name].table in joined:
                    gains[name] = self._gain(name)
        self._prune()

    def _plausible(self) -> list[str]:
        """Candidates that some plan uses when all of its table are there, or when it is there alone."""
        return [name for name, built in self.search.built.items() if self._questions(built)]

    def _take(self, name: str) -> None:
        self.chosen.append(name)
        for item in self._touched(self.search.built[name].table):
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
            if item.statement.fingerprint in built.candidate.asked
            or any(first in use.terms for use in item.uses if use.table == built.table)
        ]

    def _gain(self, name: str) -> float:
        built, total = self.search.built[name], 0.0
        questions = self._questions(built)
        self.search.prepare(questions, [*self.chosen, name])
        for item in questions:
            cost = self.search.cost(item, [*self.chosen, name])
            gain = orders(self.costs[item.statement.fingerprint], cost.value)
            if gain > NOTICED and built.name in cost.used:
                total += gain
        return total

    def _replaced(self, built: Built, others: Iterable[str]) -> bool:
        """Whether another chosen index begins with the same keys: it does the same, a little less well."""
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
