"""Indexes for what a btree does not find: words, elements, keys of documents, overlapping ranges, the nearest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from alembic_pgpatterns.advisor.like import is_prefix, pattern_of
from alembic_pgpatterns.advisor.predicates import SIMILAR, Comparison, TableUse, Term
from alembic_pgpatterns.advisor.questions import Candidate, Knowledge
from alembic_pgpatterns.remedies.model import CreateIndex, IndexedKey
from alembic_pgpatterns.schema.model import Table

BRIN_PAGES = 12_800
"""100 MB: BRIN pays on large tables only."""
WIDE = frozenset({"json", "jsonb", "xml", "bytea", "tsvector"})
_NETWORKS = frozenset({"inet", "cidr"})
_SHAPES = frozenset({"point", "box", "polygon", "circle", "geometry", "geography", "ltree"})
"""Types whose containment a GiST index with their default operator class finds."""


@dataclass(frozen=True)
class Searches:
    """The candidates of other methods than a plain btree, for one table in one statement.

    Attributes:
        use: what the statement asks of the table.
        table: the table.
        knowledge: of its columns.
        samples: recorded values of the statement.
        equal: the keys that the statement compares for equality.
        wheres: the condition that a partial index could have; empty: none.
    """

    use: TableUse
    table: Table
    knowledge: Knowledge
    samples: Sequence[Sequence[object]]
    equal: tuple[IndexedKey, ...] = ()
    wheres: Sequence[str] = ()

    def all(self) -> Iterator[Candidate]:
        """All of them."""
        for candidate in (*self.likes(), *self.contains(), *self._nearest()):
            yield candidate
            for where in self.wheres:
                yield replace(candidate, index=replace(candidate.index, where=where), asked_by=set(), together=set())
        yield from self._brin()

    def likes(self) -> Iterator[Candidate]:
        """For LIKE, ILIKE and regular expressions."""
        for item in self.use.likes:
            pattern = pattern_of(item.pattern, self.samples)
            if is_prefix(item.operator, item.pattern, self.samples):
                # A plain btree serves LIKE 'abc%' in the collation C only (docs, "Operator Classes and Operator
                # Families").
                key = replace(key_of(item.term), opclass="text_pattern_ops")
                yield self._index(key)
                if self.equal:
                    yield self._index(*self.equal, key)
            # With fewer letters there is no trigram to look for.
            elif pattern is None or len(pattern.strip("%_")) >= 3:
                yield self._trigrams(item.term)

    def contains(self) -> Iterator[Candidate]:
        """For operators of arrays, documents, searched texts, ranges, networks and shapes."""
        for item in self.use.contains:
            kind = self._type(item.term)
            if item.operator in SIMILAR:
                yield self._trigrams(item.term)
            elif kind.endswith(("range", "multirange")) or kind in _SHAPES:
                yield from self._gist(key_of(item.term))
            elif kind in _NETWORKS:
                yield from self._networks(item)
            elif item.operator not in ("<@", "<<", ">>", "-|-"):  # of arrays and documents, GIN finds few of them
                paths = kind == "jsonb" and item.operator in ("@>", "@?", "@@")
                yield self._index(replace(key_of(item.term), opclass="jsonb_path_ops" if paths else None), method="gin")

    def _gist(self, key: IndexedKey) -> Iterator[Candidate]:
        yield self._index(key, method="gist")
        if self.equal:
            # GiST has no operators of numbers and texts of its own (docs, "btree_gist").
            yield self._index(*self.equal, key, method="gist", extension="btree_gist")

    def _networks(self, item: Comparison) -> Iterator[Candidate]:
        # The planner makes a range of `ip <<= '10.0.0.0/8'`, for which a btree will do (network_subset_support).
        if item.operator in ("<<", "<<="):
            yield self._index(key_of(item.term))
        # inet_ops is not the default class of GiST: that is empty, for the sake of btree_gist (docs, "GiST").
        yield self._index(replace(key_of(item.term), opclass="inet_ops"), method="gist")

    def _nearest(self) -> Iterator[Candidate]:
        for term in self.use.nearest:
            if self._type(term) in ("text", "varchar", ""):
                yield self._index(replace(key_of(term), opclass="gist_trgm_ops"), method="gist", extension="pg_trgm")
            else:
                yield self._index(key_of(term), method="gist")

    def _trigrams(self, term: Term) -> Candidate:
        return self._index(replace(key_of(term), opclass="gin_trgm_ops"), method="gin", extension="pg_trgm")

    def _index(self, *keys: IndexedKey, method: str = "btree", extension: str | None = None) -> Candidate:
        has = extension is None or any(item.name == extension for item in self.knowledge.schema.extensions)
        requires = None if has else f"CREATE EXTENSION IF NOT EXISTS {extension}"
        return Candidate(CreateIndex(self.use.table, keys, method=method), requires=requires)

    def _type(self, term: Term) -> str:
        column = self.table.column(term.column) if term.column else None
        return column.type.name if column is not None and not column.type.array else ""

    def _brin(self) -> Iterator[Candidate]:
        """The planner underestimates BRIN, so a rule proposes it, for a long table in the order of the column."""
        if self.knowledge.pages(self.use.table) < BRIN_PAGES or self.use.equal:
            return
        for item in self.use.ranges:
            column = item.term.column
            if column is not None and abs(self.knowledge.correlation(self.use.table, column)) > 0.9:
                yield Candidate(CreateIndex(self.use.table, (IndexedKey(column),), method="brin"), rule=True)


def key_of(term: Term) -> IndexedKey:
    """A term as the key of an index."""
    return IndexedKey(term.column, term.expression)
