"""The choice among candidates: greedy over the workload. Gains are on a logarithmic scale, minus the cost of writes."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from alembic_pgpatterns.advisor.candidates import leads
from alembic_pgpatterns.advisor.questions import Candidate, Question
from alembic_pgpatterns.advisor.search import Built, Cost, Search, orders
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.schema.names import Name

LEAST = 0.1
"""Orders of magnitude over the whole workload that an index must gain."""
NOTICED = 0.05
SAVED = 20.0
"""Units of the planner that an index must save in one statement: a tenth of a millisecond, or five pages."""
COMPLETION = 0.1
"""How much more an index may cost if it also has the range or the order of its statements."""
WIDTH = 0.3
"""Orders of magnitude that a statement may lose by an index that has what it compares before the range, not the range
alone: nobody knows how wide ranges are in production."""
SMALLER = 0.8
"""The largest share of an index's pages that one in its place may have."""
CROWDED = 60
"""Candidates of one table from which on a statement is only tried with those made for it."""
_ALIKE = 0.4
"""Orders of magnitude that a further index must gain if another one begins with the same keys."""


@dataclass
class Choice:
    """The greedy choice. ``say``: called to show progress."""

    search: Search
    most: int | None = None
    say: Callable[[str], None] = lambda message: None
    chosen: list[str] = field(default_factory=list)
    costs: dict[str, float] = field(default_factory=dict)
    before: dict[str, float] = field(default_factory=dict)
    _taken: dict[Name, int] = field(default_factory=dict)
    _could_use: dict[str, list[Question]] = field(default_factory=dict)

    def run(self) -> None:
        """Choose, then drop what later choices made unnecessary."""
        self.search.prepare(self.search.questions, ())
        self.costs = {item.statement.fingerprint: self._cost(item, ()) for item in self.search.questions}
        self.before = dict(self.costs)
        self._choose()
        self._prune()
        self._merge()
        self._shrink()
        self._complete()

    def _choose(self) -> None:
        """Take the index that gains the most, until none gains enough.

        A gain is planned only for what could be the next: most never come so far, and planning is what takes time.
        """
        groups = self._groups()
        ranked = [(self._at_best(group), position, -1) for position, group in enumerate(groups)]
        heapq.heapify(ranked)
        while ranked and (self.most is None or len(self.chosen) < self.most):
            rank, position, chosen_then = heapq.heappop(ranked)
            group = groups[position]
            if -rank < LEAST:
                break
            if chosen_then >= self._changed(group):
                self._take(group)
                for other in {*self._sharing(groups, group), *self._beside(groups, group)}:
                    heapq.heappush(ranked, (self._at_best(groups[other]), other, -1))
                continue
            # An index gains less beside others of its table, so that an old rank is the best that it can have.
            at_best = self._at_best(group)
            exact = (self._penalty(group) - self._gain(group), position, len(self.chosen)) if at_best <= rank else None
            heapq.heappush(ranked, exact or (at_best, position, -1))

    def _at_best(self, group: tuple[str, ...]) -> float:
        """What a group loses less the most that it could gain, for which nothing has to be planned."""
        questions = (item for item in self._questions(self.search.built[group[0]]) if self._can_gain(item))
        most = (orders(self.costs[item.statement.fingerprint], self.search.least(item)) for item in questions)
        return self._penalty(group) - sum(most)

    def _sharing(self, groups: Sequence[tuple[str, ...]], taken: Sequence[str]) -> list[int]:
        """The other groups with an index of the one that was taken: that it is there anyway makes them cheaper."""
        if len(taken) == 1:
            return [number for number, group in enumerate(groups) if len(group) > 1 and taken[0] in group]
        return [number for number, group in enumerate(groups) if not set(group).isdisjoint(taken)]

    def _beside(self, groups: Sequence[tuple[str, ...]], taken: Sequence[str]) -> list[int]:
        """The groups on tables that are joined with the one that has got an index.

        They may gain more now: as long as one table of a join is read as a whole, it hardly helps to find few rows in
        the other one.
        """
        table = self.search.built[taken[0]].table
        joined = {name for item in self._touched(table) if self._can_gain(item) for name in item.tables} - {table}
        return [number for number, group in enumerate(groups) if self.search.built[group[0]].table in joined]

    def _changed(self, group: Sequence[str]) -> int:
        """How many indexes were chosen when a statement of this one's table last changed its costs."""
        return max((self._taken.get(self.search.built[name].table, 0) for name in group), default=0)

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
            self._taken.update(dict.fromkeys(item.tables, len(self.chosen)))
            self.costs[item.statement.fingerprint] = self._cost(item, self.chosen)

    def _cost(self, question: Question, names: Iterable[str]) -> float:
        return self.search.cost(question, names).value

    def _touched(self, table: Name) -> list[Question]:
        return self.search.of_table(table)

    def _of_table(self, table: Name) -> list[Built]:
        return self.search.candidates_of(table)

    def _questions(self, built: Built) -> list[Question]:
        """The statements that could use a candidate: those that ask for its first key, or for its condition.

        On a table with very many candidates those that ask for all its keys: each statement has better ones there.
        """
        if built.name not in self._could_use:
            keys = [str(key.column or key.expression) for key in built.candidate.index.keys]
            first = keys if len(self._of_table(built.table)) > CROWDED else keys[:1]
            self._could_use[built.name] = [
                item
                for item in self._touched(built.table)
                if item.statement.fingerprint in built.candidate.asked_by
                or any(use.terms.issuperset(first) for use in item.uses if use.table == built.table)
            ]
        return self._could_use[built.name]

    def _gain(self, group: Sequence[str]) -> float:
        total = 0.0
        questions = [item for item in self._questions(self.search.built[group[0]]) if self._can_gain(item)]
        names = [*self.chosen, *group]
        self.search.prepare(questions, names)
        for item in questions:
            cost = self.search.cost(item, names)
            gain = self._gain_of(group, item, self.search.cost(item, self.chosen), cost)
            saved = self.costs[item.statement.fingerprint] - cost.value
            if gain > NOTICED and saved >= SAVED and cost.used.issuperset(group):
                total += gain
        return total

    def _gain_of(self, group: Sequence[str], question: Question, before: Cost, after: Cost) -> float:
        """What a statement gains by a group: the mean of its variants, or the least of them (see `_only_sorts`)."""
        if self._only_sorts(group, question):
            return min(map(orders, before.of_variants, after.of_variants))
        return orders(before.value, after.value)

    def _can_gain(self, question: Question) -> bool:
        """Whether any further index could make a statement noticeably cheaper. Most are served by the first few."""
        now, least = self.costs[question.statement.fingerprint], self.search.least(question)
        return now - least >= SAVED and orders(now, least) > NOTICED

    def _only_sorts(self, group: Sequence[str], question: Question) -> bool:
        """Whether an index begins with the order of a statement and not with what it compares, and it has a LIMIT.

        The planner reads such an index until enough rows fit, and takes it that those lie evenly in it. So it must be
        better for all values: for the parent with the most children it is, for one with few it reads the whole table.
        """
        built = self.search.built[group[0]]
        if len(group) > 1 or built.candidate.index.where is not None:
            return False
        first = built.candidate.index.keys[0]
        uses = [use for use in question.uses if use.table == built.table]
        compared = {item.term.text for use in uses for item in (*use.equal, *use.ranges)}
        compared |= {term.text for use in uses for term in (*use.joins, *(term for row in use.rows for term in row))}
        return any(use.order and use.limit for use in uses) and (first.column or first.expression) not in compared

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

    def _users(self, *names: str) -> list[Question]:
        """The statements whose plans use one of these chosen indexes: without them no other one gets slower."""
        tables = {self.search.built[name].table for name in names}
        touched = {item.statement.fingerprint: item for table in tables for item in self._touched(table)}
        return [item for item in touched.values() if not self.search.cost(item, self.chosen).used.isdisjoint(names)]

    def _prune(self) -> None:
        for name in sorted(self.chosen, key=lambda item: -self.search.built[item].pages):
            less = [item for item in self.chosen if item != name]
            built = self.search.built[name]
            users = self._users(name)
            costs = [(item, self.search.cost(item, less), self.search.cost(item, self.chosen)) for item in users]
            after = {item.statement.fingerprint: cost.value for item, cost, _ in costs}
            loss = sum(self._gain_of([name], item, without, present) for item, without, present in costs)
            if loss < built.penalty + (_ALIKE if self._replaced(built, less) else NOTICED):
                self.chosen = less
                self.costs.update(after)

    def _merge(self) -> None:
        """Take one index instead of two where the longer of them, with the other's INCLUDE, serves both."""
        for name in list(self.chosen):
            shorter = self.search.built[name].candidate.index
            merging = (item for item in self._of_table(shorter.table) if item.candidate.merges)
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
            others = self._of_table(built.table)
            users = {item.statement.fingerprint for item in self._users(name)}
            smaller = [
                item
                for item in others
                if item.pages < SMALLER * built.pages and item.name not in self.chosen and self._serves(item, users)
            ]
            for other in sorted(smaller, key=lambda item: item.pages):
                if self._swap(name, other.name):
                    break

    def _serves(self, built: Built, fingerprints: set[str]) -> bool:
        return any(item.statement.fingerprint in fingerprints for item in self._questions(built))

    def _complete(self) -> None:
        """Add the range or the order of a statement to an index that has its equalities, where that costs little.

        How many rows an equality leaves is the least certain of all that the planner says. What bounds the rows that
        are read, whatever the values are, is worth a few bytes per entry.
        """
        for name in list(self.chosen):
            built = self.search.built[name]
            longer = [item for item in self._of_table(built.table) if self._completes(item, built)]
            for other in sorted(longer, key=lambda item: (-len(item.candidate.index.include), item.pages)):
                _, before = _added(built.candidate.index, other.candidate.index)
                if self._swap(name, other.name, WIDTH if before else NOTICED):
                    break

    def _completes(self, longer: Built, built: Built) -> bool:
        index, other = built.candidate.index, longer.candidate.index
        held = {*other.include, *(key.column for key in other.keys)}
        return (
            other.table == index.table
            and (other.method, other.where) == (index.method, index.where)
            and set(index.include) <= held
            and self._bounds(index, longer.candidate, built.candidate)
            and longer.penalty <= built.penalty + COMPLETION
        )

    def _bounds(self, index: CreateIndex, longer: Candidate, candidate: Candidate) -> bool:
        """Whether one of the statements that asked for both compares or orders by the further keys.

        Keys may come before an index for LIKE 'abc%', or for a range: how wide it is, tests do not show.
        """
        common = longer.asked_by & candidate.asked_by
        uses = [use for item in self.search.questions if item.statement.fingerprint in common for use in item.uses]
        uses = [use for use in uses if use.table == index.table]
        after, before = _added(index, longer.index)
        first = index.keys[0]
        if before and first.opclass != "text_pattern_ops":
            uses = [
                use for use in uses if str(first.column or first.expression) in {item.term.text for item in use.ranges}
            ]
        looked_up = {term.text for use in uses for term in use.joins} if before else set()
        return bool(after | before) and any(after | before <= use.bounds | looked_up for use in uses)

    def _swap(self, name: str, other: str, most: float = NOTICED) -> bool:
        """Replace one index by another if no statement gets slower."""
        return self._use([other if item == name else item for item in self.chosen], self.search.built[name].table, most)

    def _use(self, names: list[str], table: Name, most: float = NOTICED) -> bool:
        """Choose these indexes instead, which differ in those of a table, if no statement gets slower.

        ``most``: orders of magnitude that it may.
        """
        for item in self._users(*set(self.chosen).difference(names)):
            if orders(self._cost(item, names), self.costs[item.statement.fingerprint]) > most:
                return False
        self.chosen = names
        self.costs.update({item.statement.fingerprint: self._cost(item, names) for item in self._touched(table)})
        return True


def _added(index: CreateIndex, longer: CreateIndex) -> tuple[set[str], set[str]]:
    """The keys that another index has after those of this one, and those that it has before them."""
    count = len(index.keys)
    after = longer.keys[count:] if longer.keys[:count] == index.keys else ()
    before = longer.keys[:-count] if longer.keys[-count:] == index.keys else ()
    texts = [{str(key.column or key.expression) for key in keys} for keys in (after, before)]
    return texts[0], texts[1]
