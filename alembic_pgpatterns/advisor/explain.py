"""The plans of one index's statements, without it and with it, as PostgreSQL prints them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence

from alembic_pgpatterns.advisor.choice import Choice
from alembic_pgpatterns.advisor.model import PlanPair
from alembic_pgpatterns.advisor.planner import Planner
from alembic_pgpatterns.advisor.questions import Question
from alembic_pgpatterns.errors import WrongUse
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.names import Name


def explained(
    index: str, advised: Mapping[str, str], choice: Choice, schema: Schema, oids: Mapping[Name, int]
) -> tuple[PlanPair, ...]:
    """The plans of the statements that use an index.

    Args:
        index: the index's name, with its schema or without.
        advised: the advised indexes: names, and the candidates' own.
        choice: with all chosen candidates.
        schema: whose own indexes can be explained too.
        oids: of the schema's indexes.

    Raises:
        WrongUse: there is no such index, advised or present.
    """
    candidate = advised.get(index.rpartition(".")[2])
    if candidate is not None:
        return tuple(_of_candidate(candidate, advised, choice))
    present = [item.name for table in schema.tables for item in table.indexes]
    name = next((item for item in present if index in (item.name, f"{item.schema}.{item.name}")), None)
    if name is None or name not in oids:
        near = difflib.get_close_matches(index, [*advised, *(item.name for item in present)], 3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise WrongUse(f"--explain {index}: no index of that name is advised or in the schema.{hint}")
    return tuple(_of_present(name.name, oids[name], choice))


def _of_candidate(candidate: str, advised: Mapping[str, str], choice: Choice) -> Iterator[PlanPair]:
    search, others = choice.search, [name for name in choice.chosen if name != candidate]
    names = {candidate_name: name for name, candidate_name in advised.items()}
    for question in search.questions:
        if candidate in search.cost(question, choice.chosen).used:
            with search.planner.visible(search.oids(others), question.misleading):
                before = _plan(search.planner, question, names)
            with search.planner.visible(search.oids(choice.chosen), question.misleading):
                yield PlanPair(question.statement, before, _plan(search.planner, question, names))


def _of_present(name: str, oid: int, choice: Choice) -> Iterator[PlanPair]:
    search = choice.search
    for question in search.questions:
        if name in search.cost(question, ()).used:
            after = _plan(search.planner, question, {})
            with search.planner.visible([], [oid]):
                yield PlanPair(question.statement, _plan(search.planner, question, {}), after)


def _plan(planner: Planner, question: Question, names: Mapping[str, str]) -> tuple[str, ...]:
    variant = question.variants[0]
    return tuple(_named(line, names) for line in planner.shown(variant.text, variant.values))


def _named(line: str, names: Mapping[str, str]) -> str:
    """The line with the names that the advised indexes will have."""
    words: Sequence[str] = line.split(" ")
    return " ".join(names.get(word, word) for word in words)
