"""What statements cost with sets of candidate indexes. The server plans each statement with each set once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from alembic_pgpatterns.advisor.planner import CannotPlan, Plan, Planner
from alembic_pgpatterns.advisor.questions import Candidate, Question
from alembic_pgpatterns.advisor.scale import Relation
from alembic_pgpatterns.advisor.variants import Variant
from alembic_pgpatterns.schema.names import Name

FLOOR = 10.0
"""Units of the planner below which a statement is quick enough: one look-up in an index."""


@dataclass
class Built:
    """A candidate that exists on the server as an index. ``rows``: entries; ``pages``: its size.

    ``parts``: on a partitioned table, the names and oids of the indexes on its partitions.
    """

    candidate: Candidate
    name: str
    oid: int
    rows: float
    pages: int
    penalty: float = 0.0
    parts: Mapping[str, int] = field(default_factory=dict)

    @property
    def oids(self) -> list[int]:
        """Of all that the planner looks at for this index."""
        return [self.oid, *self.parts.values()]

    def relations(self, scale: float = 1.0) -> list[Relation]:
        """What has a file, with the size that it has at so many times the rows."""
        oids = list(self.parts.values()) or [self.oid]
        pages, rows = math.ceil(self.pages * scale / len(oids)), self.rows * scale / len(oids)
        return [Relation(oid, max(1, pages), rows) for oid in oids]

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
    _least: dict[str, float] = field(default_factory=dict)
    _of_table: dict[Name, list[Question]] = field(default_factory=dict)
    _candidates: dict[Name, list[Built]] = field(default_factory=dict)
    _owners: dict[str, str] = field(default_factory=dict)

    def least(self, question: Question) -> float:
        """The cost of a statement if all candidates exist: no choice of them makes it cheaper."""
        key = question.statement.fingerprint
        if key not in self._least:
            self._least[key] = self.cost(question, self.built).value
        return self._least[key]

    def cost(self, question: Question, names: Iterable[str]) -> Cost:
        """The cost of a statement if these candidates exist.

        Raises:
            CannotPlan: the server refuses the statement.
        """
        names = self._concerned(question, names)
        key = (question.statement.fingerprint, names)
        if key not in self._costs:
            with self.planner.visible(self.oids(names), question.misleading):
                self._costs[key] = self._planned(question)
        return self._costs[key]

    def prepare(self, questions: Iterable[Question], names: Iterable[str]) -> None:
        """Plan several statements with the same candidates at once, for later calls of `cost`."""
        groups: dict[tuple[frozenset[str], frozenset[int]], list[Question]] = {}
        names = list(names)
        for question in questions:
            concerned = self._concerned(question, names)
            if (question.statement.fingerprint, concerned) not in self._costs:
                groups.setdefault((concerned, question.misleading), []).append(question)
        for (concerned, misleading), group in groups.items():
            with self.planner.visible(self.oids(concerned), misleading):
                for question in group:
                    self._costs[question.statement.fingerprint, concerned] = self._planned(question)

    def oids(self, names: Iterable[str]) -> list[int]:
        """The oids of candidates."""
        return [oid for name in names for oid in self.built[name].oids]

    def of_table(self, table: Name) -> list[Question]:
        """The statements that read a table."""
        if not self._of_table:
            for question in self.questions:
                for name in question.tables:
                    self._of_table.setdefault(name, []).append(question)
        return self._of_table.get(table, [])

    def candidates_of(self, table: Name) -> list[Built]:
        """The candidates on a table."""
        if not self._candidates:
            for item in self.built.values():
                self._candidates.setdefault(item.table, []).append(item)
        return self._candidates.get(table, [])

    def forget(self) -> None:
        """Forget all costs, because sizes have changed."""
        self._costs.clear()

    def _planned(self, question: Question) -> Cost:
        plans = [self._plan(variant) for variant in question.variants]
        value = math.exp(sum(math.log(max(plan.cost, 0.01)) for plan in plans) / len(plans))
        if not self._owners:
            self._owners = {part: item.name for item in self.built.values() for part in item.parts}
        used = frozenset(self._owners.get(name, name) for plan in plans for name in plan.indexes)
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
            present = (item for table in question.tables for item in self.candidates_of(table))
            self._fitting[key] = frozenset(item.name for item in present if not question.misled_by(item.candidate))
        return self._fitting[key].intersection(names)


def orders(before: float, after: float) -> float:
    """Orders of magnitude between two costs. All costs that are low enough count as equal."""
    return math.log10(max(before, FLOOR) / max(after, FLOOR))
