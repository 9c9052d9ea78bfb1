"""Indexes, from pg_index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from alembic_pgpatterns.schema.catalog.queries import indexes as sql
from alembic_pgpatterns.schema.catalog.relations import Facts
from alembic_pgpatterns.schema.catalog.session import Session
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.origin import UNKNOWN
from alembic_pgpatterns.schema.parts import ConstraintKind, Index, IndexKey

_DESCENDING, _NULLS_FIRST = 1, 2
"""INDOPTION_DESC, INDOPTION_NULLS_FIRST (catalog/pg_index.h)."""

_CONSTRAINT_KINDS: dict[str, ConstraintKind] = {"p": "primary key", "u": "unique", "x": "exclusion"}


@dataclass(frozen=True, slots=True)
class OperatorClass:
    """A row of pg_opclass, with its family's name. ``converts``: the stored type differs from the indexed one."""

    method: str
    name: Name
    default: bool
    input_type: int
    converts: bool
    family: Name


class OperatorClasses:
    """All operator classes, and the default of each type."""

    def __init__(self, session: Session) -> None:
        self.by_oid: dict[int, OperatorClass] = {}
        self._default_for: dict[tuple[str, int], int] = {}
        for row in session.rows(sql.OPERATOR_CLASSES):
            oid, method, schema, name, default, input_type, converts, family_schema, family = row
            self.by_oid[oid] = OperatorClass(
                method, Name(schema, name), default, input_type, converts, Name(family_schema, family)
            )
            if default:
                self._default_for[method, input_type] = oid

    def is_default(self, oid: int, type_oid: int) -> bool:
        """Whether a CREATE INDEX that names no class takes this one for the type (GetDefaultOpClass)."""
        opclass = self.by_oid[oid]
        exact = self._default_for.get((opclass.method, type_oid))
        # varchar has no class of its own and uses text's. citext has one, so text_ops is not its default.
        return exact == oid if exact is not None else opclass.default


def read_indexes(
    session: Session, facts: Facts, statistics: dict[int, tuple[int | None, int | None]]
) -> dict[int, tuple[Index, ...]]:
    """Indexes by the oid of their table, sorted by name."""
    classes = OperatorClasses(session)
    rows = [row for row in session.rows(sql.INDEXES) if row[1] in facts.relations]
    names = {row[0]: Name(row[2], row[3]) for row in rows}
    by_table: dict[int, list[Index]] = defaultdict(list)
    for row in rows:
        by_table[row[1]].append(_index(facts, classes, names, row, statistics))
    return {oid: tuple(indexes) for oid, indexes in by_table.items()}


def _index(
    facts: Facts,
    classes: OperatorClasses,
    names: dict[int, Name],
    row: Any,
    statistics: dict[int, tuple[int | None, int | None]],
) -> Index:
    oid, table, _, _, method, key_count, attributes, *_ = row
    predicate, unique, nulls, valid, ready, building, constraint, kind, identity, clustered, options = row[13:]
    # indkey has the key columns first, then those of INCLUDE (docs, pg_index, indnkeyatts).
    included = attributes.split()[key_count:]
    scans, size = statistics.get(oid, (None, None))
    return Index(
        name=names[oid],
        table=facts.relations[table].name,
        method=method,
        keys=tuple(_keys(facts, classes, row)),
        include=tuple(facts.column_names[table][int(number)] for number in included),
        predicate=predicate,
        unique=unique,
        nulls_not_distinct=nulls,
        valid=valid,
        ready=ready,
        building=building,
        constraint=constraint,
        constraint_kind=_CONSTRAINT_KINDS[kind] if kind else None,
        replica_identity=identity,
        clustered=clustered,
        parent=next((names[parent] for parent in facts.parents.get(oid, ()) if parent in names), None),
        options=tuple(options or ()),
        comment=facts.comment(oid),
        scans=scans,
        size=size,
    )


def _keys(facts: Facts, classes: OperatorClasses, row: Any) -> Iterator[IndexKey]:
    _, table, _, _, _, count, attributes, opclasses, collations, options, texts, type_oids, modifiers, *_ = row
    types = facts.types
    listed = zip(attributes.split(), opclasses.split(), collations.split(), options.split(), strict=False)
    for position, (number, opclass, collation, option) in enumerate(listed):
        if position == count:
            return
        if number == "0":
            column, expression = None, _unwrapped(texts[position])
            type_oid, modifier, type_collation = type_oids[position], modifiers[position], int(collation)
        else:
            column, expression = facts.column_names[table][int(number)], None
            type_oid, modifier, type_collation = facts.column_types[table][int(number)]
        operator_class = classes.by_oid[int(opclass)]
        # Then the index's own column has the stored type (GIN: the element type), not the expression's.
        hidden = expression is not None and operator_class.converts
        yield IndexKey(
            column=column,
            expression=expression,
            type=UNKNOWN if hidden else types.data_type(type_oid, modifier, type_collation),
            opclass=operator_class.name,
            opclass_default=operator_class.default
            if hidden
            else classes.is_default(int(opclass), types.base_of(type_oid)),
            opfamily=operator_class.family,
            collation=types.collations.get(int(collation)),
            descending=bool(int(option) & _DESCENDING),
            nulls_first=bool(int(option) & _NULLS_FIRST),
        )


def _unwrapped(text: str) -> str:
    """pg_get_indexdef puts one pair of parentheses around everything except a plain function call."""
    return text[1:-1] if text.startswith("(") else text
