from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns.indexes._shape import (
    PRIMARY_KEY,
    Shape,
    base_shape,
    definition,
    indexed_tables,
    key_shapes,
    rule_of,
    usable,
)
from alembic_pgpatterns.remedies.model import Advice, DropIndex, Remedy
from alembic_pgpatterns.schema.model import UNKNOWN, Index, Name, Schema, Table

Referred = frozenset[tuple[Name, frozenset[str]]]


class DuplicateIndex(SchemaPattern):
    """An index that is an exact copy of another index on the same table.

    PostgreSQL writes both with every INSERT and with most UPDATEs, and vacuums both; queries use only one.

    Everything is equal: access method, key columns or expressions, operator classes, collations, order (DESC, NULLS
    FIRST), predicate, INCLUDE, uniqueness, DEFERRABLE and NULLS NOT DISTINCT. A plain copy of the index behind a
    primary key or a unique constraint, or of a unique index, is reported too. The reported index is the one to drop: an
    index that backs a constraint or is the replica identity stays. Materialised views are checked too.

    Not reported: invalid indexes, indexes that are being built, exclusion constraints, and an index whose keys are only
    the beginning of another's (`redundant-index`).
    """

    severity = Severity.WARNING
    action = Action.REPORT
    not_when = "Keep both for the hours in which one replaces the other, for instance while its fillfactor is changed."
    references = (
        "https://www.postgresql.org/docs/current/indexes-intro.html",
        "https://www.postgresql.org/docs/current/sql-createindex.html",
    )
    bad = """
        CREATE TABLE account (id bigint PRIMARY KEY, email text UNIQUE);
        CREATE INDEX account_email ON account (email);
    """
    good = """
        CREATE TABLE account (id bigint PRIMARY KEY, email text UNIQUE);
        CREATE INDEX account_email_lower ON account (lower(email));
    """
    bad_models = """
from sqlalchemy import BigInteger, Column, Index, MetaData, Table, Text, UniqueConstraint

metadata = MetaData()
Table(
    "account",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("email", Text),
    UniqueConstraint("email", name="account_email_key"),
    Index("account_email", "email"),
)
"""
    good_models = bad_models.replace('    Index("account_email", "email"),\n', "")

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """For every set of equal indexes, all but the one to keep."""
        referred = frozenset(
            (key.referred_table, frozenset(key.referred_columns))
            for table in schema.tables
            for key in table.foreign_keys
        )
        for table in indexed_tables(schema):
            for index, original in _copies(table):
                # Operators of an exclusion constraint are not compared: two of them on equal keys may be two rules.
                if index.parent is None and index.constraint_kind != "exclusion":
                    yield self.finding(
                        at=index,
                        message=f"{index.name} is equal to {original.name}, {_role(original)}",
                        remedy=_remedy(table, index, original, referred),
                        # Who writes index=True beside primary_key=True does so in every table.
                        cause=PRIMARY_KEY if original.constraint_kind == PRIMARY_KEY else "",
                    )


def _copies(table: Table) -> Iterator[tuple[Index, Index]]:
    """Each superfluous index, with the one that stays."""
    groups: dict[Shape, list[Index]] = defaultdict(list)
    for index in table.indexes:
        shape = _shape(index)
        if shape is not None:
            groups[shape].append(index)
    for group in groups.values():
        if len(group) > 1:
            yield from _pairs(table, sorted(group, key=_rank))


def _pairs(table: Table, ranked: list[Index]) -> Iterator[tuple[Index, Index]]:
    """A plain index may be a copy of any; a unique one only of one that keeps the same rule."""
    for position, index in enumerate(ranked):
        equal = (other for other in ranked[:position] if not index.unique or _same_rule(table, index, other))
        original = next(equal, None)
        if original is not None:
            yield index, original


def _same_rule(table: Table, index: Index, other: Index) -> bool:
    """Whether nulls are treated alike, and both are checked at the same time."""
    return (
        other.unique
        and _deferrable(table, index) == _deferrable(table, other)
        and UNKNOWN not in (index.nulls_not_distinct, other.nulls_not_distinct)
        and index.nulls_not_distinct == other.nulls_not_distinct
    )


def _deferrable(table: Table, index: Index) -> bool:
    rule = table.primary_key if index.constraint_kind == PRIMARY_KEY else rule_of(table, index)
    return rule is not None and rule.deferrable


def _shape(index: Index) -> Shape | None:
    base, keys = base_shape(index), key_shapes(index)
    if not usable(index) or base is None or keys is None:
        return None
    return (base, keys, frozenset(index.include))


def _rank(index: Index) -> tuple[bool | str, ...]:
    """The one to keep comes first."""
    return (
        # What other things depend on stays: a rule, a replica identity, the index of a parent, the order of CLUSTER.
        not index.unique,
        index.constraint is None,
        index.constraint_kind != PRIMARY_KEY,
        not index.replica_identity,
        index.parent is None,
        not index.clustered,
        index.name.name,
    )


def _role(index: Index) -> str:
    if index.constraint_kind is not None:
        return f"which backs a {index.constraint_kind}" + (" constraint" if "key" not in index.constraint_kind else "")
    return "which is unique" if index.unique else "and as good for every query"


def _remedy(table: Table, index: Index, original: Index, referred: Referred) -> Remedy:
    recreate = definition(index, table)
    if index.constraint is not None:
        return Advice(f"Drop the constraint {index.constraint}, unless a foreign key or ON CONFLICT names it.")
    if index.replica_identity:
        return Advice(f"Make {original.name} the replica identity, then drop {index.name}.")
    if index.unique and (table.name, frozenset(index.columns)) in referred:
        return Advice(f"A foreign key may depend on {index.name}: drop and add it, then drop the index.")
    if recreate is None:
        return Advice(f"Drop {index.name}.")
    return DropIndex(index.name, table.name, recreate)
