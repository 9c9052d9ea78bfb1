"""How much an advised index depends on the assumed sizes: the rows from which it pays, and its gain at other sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from alembic_pgpatterns.advisor.model import Benefit
from alembic_pgpatterns.advisor.questions import Question
from alembic_pgpatterns.advisor.scale import Relation, Scale
from alembic_pgpatterns.advisor.search import Search
from alembic_pgpatterns.advisor.sizing import Sizes

SCALES = (0.1, 1.0, 10.0)
STEPS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0001)
"""Shares of the rows at which the break-even is searched."""
SAVING = 200.0
"""Units of the planner that an index must save in one query to be noticed: about a millisecond."""


@dataclass
class Robustness:
    """Plans the statements of chosen indexes at other sizes. ``present``: the indexes other than candidates."""

    search: Search
    scale: Scale
    sizes: Sizes
    present: Callable[[], list[Relation]]
    chosen: Sequence[str]
    benefits: Mapping[str, tuple[Benefit, ...]]

    def break_even(self) -> dict[str, int]:
        """Rows of each index's table from which it saves a noticeable part of its best query."""
        rows: dict[str, int] = {}
        best = {name: self._question(self.benefits[name][0]) for name in self.chosen}
        open_ = dict.fromkeys(self.chosen)
        for step in STEPS:
            if not open_:
                break
            self._resize(step)
            self.search.prepare([best[name] for name in open_], ())
            for name in list(open_):
                if self._saving(name, best[name]) < SAVING:
                    del open_[name]
                else:
                    rows[name] = max(1, round(self.sizes.rows(self.search.built[name].table) * step))
        self._resize(1.0)
        return rows

    def factors(self) -> dict[str, dict[str, float]]:
        """How many times cheaper the statements of each index are at a tenth, at all and at ten times the rows."""
        result: dict[str, dict[str, float]] = {name: {} for name in self.chosen}
        for scale in SCALES:
            self._resize(scale)
            concerned = [self._question(item) for name in self.chosen for item in self.benefits[name]]
            for names in ((), self.chosen):
                self.search.prepare(concerned, names)
            for name in self.chosen:
                factors = [self._factor(self._question(item)) for item in self.benefits[name]]
                mean = math.exp(sum(map(math.log, factors)) / len(factors))
                result[name][f"{scale:g}"] = round(mean, 1)
        self._resize(1.0)
        return result

    def _question(self, benefit: Benefit) -> Question:
        return next(item for item in self.search.questions if item.statement is benefit.statement)

    def _saving(self, name: str, question: Question) -> float:
        """The saving of this index alone, without that of the other ones."""
        return self.search.cost(question, ()).value - self.search.cost(question, [name]).value

    def _factor(self, question: Question) -> float:
        before, after = self.search.cost(question, ()).value, self.search.cost(question, self.chosen).value
        return max(before, 0.01) / max(after, 0.01)

    def _resize(self, scale: float) -> None:
        self.search.forget()
        present = (
            Relation(item.oid, max(1, math.ceil(item.pages * scale)), item.rows * scale) for item in self.present()
        )
        candidates = (part for name in self.chosen for part in self.search.built[name].relations(scale))
        self.scale.set([*present, *candidates])
