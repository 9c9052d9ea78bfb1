"""Views, sequences, functions, extensions and privileges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Literal

from alembic_pgpatterns.schema.catalog.queries import others as sql
from alembic_pgpatterns.schema.catalog.queries.relations import NAMESPACES
from alembic_pgpatterns.schema.catalog.relations import ColumnSequences, Facts
from alembic_pgpatterns.schema.catalog.session import Session
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.others import (
    DefaultPrivilege,
    Extension,
    Function,
    Grant,
    GrantTarget,
    Namespace,
    Sequence,
    View,
)

_VOLATILITY: dict[str, Literal["immutable", "stable", "volatile"]] = {
    "i": "immutable",
    "s": "stable",
    "v": "volatile",
}
_DEFAULT_TARGETS: dict[str, GrantTarget] = {
    "r": "table",
    "S": "sequence",
    "f": "function",
    "T": "type",
    "n": "schema",
}
_TRUE = frozenset({"true", "on", "yes", "1", "t", "y"})


def read_namespaces(session: Session) -> tuple[Namespace, ...]:
    """Schemas, without the system's and those of extensions."""
    return tuple(Namespace(name, owner) for name, owner in session.rows(NAMESPACES))


def read_extensions(session: Session) -> tuple[Extension, ...]:
    """Installed extensions."""
    return tuple(Extension(*row) for row in session.rows(sql.EXTENSIONS))


def read_views(session: Session, facts: Facts) -> tuple[View, ...]:
    """Views and materialised views, with the columns that their queries read."""
    definitions = dict(session.rows(sql.VIEWS))
    reads: dict[int, set[tuple[Name, str | None]]] = defaultdict(set)
    for view, schema, relation, column in session.rows(sql.VIEW_READS):
        reads[view].add((Name(schema, relation), column))
    return tuple(
        View(
            name=relation.name,
            definition=definitions[oid],
            owner=relation.owner,
            security_invoker=_is_set(relation.options, "security_invoker"),
            security_barrier=_is_set(relation.options, "security_barrier"),
            reads=frozenset(reads[oid]),
            materialized=relation.kind == "m",
        )
        for oid, relation in facts.relations.items()
        if relation.kind in ("v", "m")
    )


def _is_set(options: tuple[str, ...], name: str) -> bool:
    values = [value.lower() for key, _, value in (option.partition("=") for option in options) if key == name]
    return bool(values) and values[0] in _TRUE


def read_sequences(session: Session, facts: Facts, last_values: bool) -> tuple[tuple[Sequence, ...], ColumnSequences]:
    """Sequences, and the columns they belong to. Sequences of tables that are left out are left out too."""
    values = dict(session.rows(sql.SEQUENCE_VALUES)) if last_values else {}
    uses: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for oid, table, number in session.rows(sql.SEQUENCE_USES):
        uses[oid].append((table, number))
    identity: dict[tuple[int, int], Name] = {}
    serial: dict[tuple[int, int], Name] = {}
    sequences = []
    for row in session.rows(sql.SEQUENCES):
        oid, dependency, owner = row[0], row[7], (row[8], row[9])
        if oid not in facts.relations or (dependency and owner[0] not in facts.relations):
            continue
        name = facts.relations[oid].name
        if dependency == "i":
            identity[owner] = name
        elif dependency == "a":
            serial.setdefault(owner, name)
        serial.update(dict.fromkeys(uses[oid], name))
        sequences.append(_sequence(facts, row, uses[oid], values.get(oid)))
    return tuple(sorted(sequences, key=lambda sequence: sequence.name)), ColumnSequences(identity, serial)


def _sequence(facts: Facts, row: Any, uses: list[tuple[int, int]], last_value: int | None) -> Sequence:
    oid, type_name, start, minimum, maximum, increment, cycle, dependency, table, number = row
    return Sequence(
        name=facts.relations[oid].name,
        type=type_name,
        start=start,
        minimum=minimum,
        maximum=maximum,
        increment=increment,
        cycle=cycle,
        internal=dependency == "i",
        owned_by=_named(facts, table, number) if dependency else None,
        used_by=frozenset(_named(facts, *use) for use in uses if use[0] in facts.relations),
        last_value=last_value,
    )


def _named(facts: Facts, table: int, number: int) -> tuple[Name, str]:
    return facts.relations[table].name, facts.column_names[table][number]


def read_functions(session: Session) -> tuple[Function, ...]:
    """Functions, procedures and aggregates."""
    return tuple(
        Function(
            name=Name(schema, name),
            arguments=arguments,
            kind=kind,
            language=language,
            volatility=_VOLATILITY[volatility],
            security_definer=definer,
            config=tuple(config or ()),
            standard_body=body,
            owner=owner,
        )
        for schema, name, arguments, kind, language, volatility, definer, config, body, owner in session.rows(
            sql.FUNCTIONS
        )
    )


def read_grants(session: Session, facts: Facts) -> Iterator[Grant]:
    """Privileges of roles other than the owner. Not on relations that are left out."""
    relations = {relation.name for relation in facts.relations.values()}
    for target, schema, name, arguments, column, grantee, grantor, privilege, grantable in session.rows(sql.GRANTS):
        object_name = Name(schema, name)
        if target not in ("table", "sequence") or object_name in relations:
            yield Grant(grantee, privilege, target, object_name, grantor, grantable, column, arguments)


def read_default_privileges(session: Session) -> tuple[DefaultPrivilege, ...]:
    """The default privileges that differ from PostgreSQL's own. Those of large objects are left out."""
    return tuple(
        DefaultPrivilege(owner, schema, _DEFAULT_TARGETS[kind], grantee, privilege)
        for owner, schema, kind, grantee, privilege in session.rows(sql.DEFAULT_PRIVILEGES)
        if kind in _DEFAULT_TARGETS
    )
