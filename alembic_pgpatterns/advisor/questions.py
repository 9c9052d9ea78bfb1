"""What is proposed and for what: a candidate, a statement that asks for it, and what is known of the columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from alembic_pgpatterns.advisor.like import is_prefix
from alembic_pgpatterns.advisor.predicates import TableUse, Term
from alembic_pgpatterns.advisor.variants import Variant
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.workload.model import Recorded

_CODE_POINTS = frozenset({"C", "POSIX", "ucs_basic"})
"""Collations in which a plain btree serves LIKE 'abc%' (docs, "Operator Classes and Operator Families")."""


@dataclass
class Candidate:
    """An index to try.

    ``asked_by``: fingerprints of the statements it is proposed for. ``rule``: chosen by a rule, not by cost.
    ``merges``: it has the INCLUDE of a shorter index, and is tried in the place of two.
    ``together``: groups of indexes with this one that serve an OR together, but not alone.
    """

    index: CreateIndex
    asked_by: set[str] = field(default_factory=set)
    rule: bool = False
    merges: bool = False
    requires: str | None = None
    together: set[tuple[CreateIndex, ...]] = field(default_factory=set)


@dataclass(frozen=True)
class Question:
    """One statement of the workload: its use of each table, and how it is planned.

    ``misleading``: indexes of the schema that serve it on the scratch server alone, by their oids.
    """

    statement: Recorded
    uses: tuple[TableUse, ...]
    variants: tuple[Variant, ...] = ()
    misleading: frozenset[int] = frozenset()

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
        prefixes = (term for use in uses for term in prefixes_of(use, self.statement))
        return skips or any((term.column, term.expression) in plain for term in prefixes)


def prefixes_of(use: TableUse, statement: Recorded) -> Iterator[Term]:
    """What a statement compares with the beginning of a text."""
    for like in use.likes:
        if is_prefix(like.operator, like.pattern, statement.values):
            yield like.term


def misleading_indexes(statement: Recorded, uses: Iterable[TableUse], schema: Schema) -> Iterator[Name]:
    """The indexes of the schema that serve LIKE 'abc%' of a statement only where texts are sorted by code points."""
    for use in uses:
        table = schema.table(use.table)
        columns = {term.column for term in prefixes_of(use, statement)} - {item.term.column for item in use.equal}
        for index in table.indexes if table is not None else ():
            key = index.keys[0]
            plain = key.opclass_default is True and getattr(key.collation, "name", None) not in _CODE_POINTS
            if index.method == "btree" and plain and key.column is not None and key.column in columns:
                yield index.name


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
