"""Relations and their columns, from pg_class and pg_attribute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from alembic_pgpatterns.schema.catalog.bookkeeping import is_bookkeeping
from alembic_pgpatterns.schema.catalog.queries import relations as sql
from alembic_pgpatterns.schema.catalog.session import Session
from alembic_pgpatterns.schema.catalog.types import Types
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.origin import UNKNOWN
from alembic_pgpatterns.schema.parts import Column, ColumnStatistics, Generated, Identity

TABLE_KINDS = ("r", "p", "f", "m")


@dataclass(frozen=True, slots=True)
class Relation:
    """A row of pg_class: a table of any kind, a view, a sequence."""

    oid: int
    name: Name
    kind: str
    persistence: str
    owner: str
    row_security: bool
    force_row_security: bool
    replica_identity: str
    options: tuple[str, ...]
    partition: bool
    strategy: str | None
    partition_attributes: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Shared by the parts of the catalog reader. ``names`` also has relations that are left out of ``relations``."""

    relations: dict[int, Relation]
    names: dict[int, Name]
    attributes: dict[int, list[Any]]
    column_names: dict[int, dict[int, str]]
    column_types: dict[int, dict[int, tuple[int, int, int]]]
    types: Types
    comments: dict[tuple[bool, int, int], str]
    parents: dict[int, list[int]]

    def comment(self, oid: int, column: int = 0) -> str | None:
        """The comment of a relation or its column."""
        return self.comments.get((False, oid, column))

    def constraint_comment(self, oid: int) -> str | None:
        """The comment of a constraint."""
        return self.comments.get((True, oid, 0))


def read_facts(session: Session, version_tables: Collection[Name]) -> Facts:
    """Relations and columns, without the tables of migration tools."""
    attributes: dict[int, list[Any]] = defaultdict(list)
    for row in session.rows(sql.COLUMNS):
        attributes[row[0]].append(row)
    relations, names = {}, {}
    for row in session.rows(sql.RELATIONS):
        relation = _relation(row)
        names[relation.oid] = relation.name
        columns = [attribute[2] for attribute in attributes.get(relation.oid, ())]
        if not is_bookkeeping(relation.name, columns, version_tables):
            relations[relation.oid] = relation
    parents: dict[int, list[int]] = defaultdict(list)
    for child, parent in session.rows(sql.PARENTS):
        parents[child].append(parent)
    return Facts(
        relations=relations,
        names=names,
        attributes=attributes,
        column_names={oid: {row[1]: row[2] for row in rows} for oid, rows in attributes.items()},
        column_types={oid: {row[1]: (row[3], row[4], row[5]) for row in rows} for oid, rows in attributes.items()},
        types=Types(session),
        comments={(of_key, oid, column): text for of_key, oid, column, text in session.rows(sql.COMMENTS)},
        parents=parents,
    )


def _relation(row: Any) -> Relation:
    oid, schema, name, kind, persistence, owner, rls, force, identity, options, partition, strategy, attributes = row
    return Relation(
        oid,
        Name(schema, name),
        kind,
        persistence,
        owner,
        rls,
        force,
        identity,
        tuple(options or ()),
        partition,
        strategy,
        attributes,
    )


@dataclass(frozen=True, slots=True)
class ColumnSequences:
    """Sequences by (table oid, column number): of identity columns, and those whose nextval is a default."""

    identity: dict[tuple[int, int], Name]
    serial: dict[tuple[int, int], Name]


def read_columns(
    facts: Facts, oid: int, sequences: ColumnSequences, statistics: dict[tuple[str, str, str], ColumnStatistics]
) -> tuple[Column, ...]:
    """The columns of a table in order. The positions have no gaps for dropped columns."""
    table = facts.relations[oid].name
    return tuple(
        replace(_column(facts, table, row, sequences, statistics), position=position)
        for position, row in enumerate(facts.attributes.get(oid, ()), 1)
    )


def _column(
    facts: Facts,
    table: Name,
    row: Any,
    sequences: ColumnSequences,
    statistics: dict[tuple[str, str, str], ColumnStatistics],
) -> Column:
    oid, number, name, type_oid, modifier, collation, not_null, identity, generated, expression = row
    return Column(
        table=table,
        name=name,
        type=facts.types.data_type(type_oid, modifier, collation),
        nullable=not not_null,
        default=None if generated else expression,
        # A partition uses the identity sequence of its root table (PostgreSQL 17).
        identity=Identity(identity == "a", sequences.identity.get((oid, number), UNKNOWN)) if identity else None,
        generated=Generated(expression, stored=generated == "s") if generated else None,
        sequence=sequences.serial.get((oid, number)),
        comment=facts.comment(oid, number),
        statistics=statistics.get((table.schema, table.name, name)) if statistics else None,
    )
