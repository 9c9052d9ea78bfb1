"""The differences between two schemas that were read from databases, object by object, in words.

Left out are differences that an upgrade and downgrade may make without harm: the order of columns, whether a constraint
is validated, owners, and the names of unnamed constraints.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from alembic_pgpatterns.schema.model import (
    Check,
    Column,
    Exclusion,
    ForeignKey,
    Index,
    Key,
    Name,
    Policy,
    Schema,
    Sequence,
    Table,
)
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.printed import one_spelling


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that differs.

    ``kind``: "missing" in the second schema, "extra" there, or "changed": its ``aspect`` from ``first`` to ``second``.
    ``name``: the object's own, where it has one.
    """

    kind: Literal["missing", "extra", "changed"]
    object_type: str
    object: str
    table: Name
    aspect: str = ""
    first: str = ""
    second: str = ""
    name: str | None = field(default=None, compare=False)

    @property
    def only_adds_labels(self) -> bool:
        """Whether an enum only has labels more. PostgreSQL cannot drop one (docs, "ALTER TYPE")."""
        first, second = ({*filter(None, text.split(", "))} for text in (self.first, self.second))
        return self.aspect == "enum values" and first <= second

    def __str__(self) -> str:
        if self.kind == "changed":
            after, before = self.second or "none", self.first or "none"
            return f"{self.object_type} {self.object}: {self.aspect} is {after}, was {before}"
        return f"{self.object_type} {self.object} is {'missing' if self.kind == 'missing' else 'left behind'}"


Facts = dict[str, str]
_SQL = ("expression", "predicate", "default", "generation", "USING", "WITH CHECK", "definition")
"""The aspects that PostgreSQL prints as SQL: equal ones can be printed in two ways."""
CONSTRAINTS = ("primary key", "key", "foreign key", "check", "exclusion")
"""The kinds of objects that are constraints."""


def differences(first: Schema, second: Schema) -> tuple[Difference, ...]:
    """What is missing, extra or changed in the second schema, compared with the first."""
    return tuple(_differences(first, second))


def _differences(first: Schema, second: Schema) -> Iterator[Difference]:
    left, right = ({table.name: table for table in schema.tables} for schema in (first, second))
    yield from _members("table", left, right, lambda name: name, lambda table: {})
    for name, table in left.items():
        if name in right:
            yield from table_differences(table, right[name])
    for kind, attribute, facts in _OTHERS:
        before, after = ({item.name: item for item in getattr(schema, attribute)} for schema in (first, second))
        yield from _members(kind, before, after, lambda name: name, facts)
    yield from _enums(first, second)


def table_differences(first: Table, second: Table) -> Iterator[Difference]:
    """The differences between two states of a table."""
    yield from _compared("table", str(first.name), first.name, _table(first), _table(second))
    for kind, members, facts in _PARTS:
        before, after = (_by_key(members(table)) for table in (first, second))
        yield from _members(kind, before, after, lambda key: first.name, facts)


def nameless_constraints(table: Table) -> dict[str, tuple[tuple[str, str], ...]]:
    """The constraints of a table by label, each with all that it demands: equal ones differ in their name only."""
    return {
        label_of(item): (
            ("kind", kind),
            *((name, fact) for name, fact in facts(item).items() if name != "comment"),
        )
        for kind, members, facts in _PARTS
        if kind in CONSTRAINTS
        for item in members(table)
    }


def _by_key(items: Iterable[Any]) -> dict[Hashable, Any]:
    return {getattr(item, "name", None) or item.identifier: item for item in items}


def _members(
    kind: str,
    first: Mapping[Any, Any],
    second: Mapping[Any, Any],
    table: Callable[[Any], Name],
    facts: Callable[[Any], Facts],
) -> Iterator[Difference]:
    for key, item in first.items():
        if key not in second:
            yield Difference("missing", kind, label_of(item), table(key), name=_own_name(item))
        else:
            for changed in _compared(kind, label_of(item), table(key), facts(item), facts(second[key])):
                yield replace(changed, name=_own_name(item))
    for key, item in second.items():
        if key not in first:
            yield Difference("extra", kind, label_of(item), table(key), name=_own_name(item))


def _own_name(item: Any) -> str | None:
    name = getattr(item, "name", None)
    return name.name if isinstance(name, Name) else name


def label_of(item: Any) -> str:
    """How a difference calls an object: keys by table and name, all others by their identifier."""
    named = isinstance(item, (Key, ForeignKey)) and item.name
    return f"{item.table}.{item.name}" if named else str(item.identifier)


def _compared(kind: str, label: str, table: Name, first: Facts, second: Facts) -> Iterator[Difference]:
    for aspect, value in first.items():
        if aspect == "collation" and first["type"] != second["type"]:
            continue  # it changes with the type
        if not _same(aspect, value, second.get(aspect, "")):
            yield Difference("changed", kind, label, table, aspect, value, second.get(aspect, ""))


def _same(aspect: str, first: str, second: str) -> bool:
    return first == second or (aspect in _SQL and one_spelling(first) == one_spelling(second))


def _table(table: Table) -> Facts:
    return {
        "kind": table.kind,
        "persistence": table.persistence,
        "row security": _yes(table.row_security),
        "forced row security": _yes(table.force_row_security),
        "partition": str(table.partition_of or ""),
        "comment": table.comment or "",
        "storage parameters": ", ".join(sorted(table.options)) if isinstance(table.options, tuple) else "",
    }


def _column(column: Column) -> Facts:
    return {
        "type": column.type.display,
        "collation": str(column.type.collation or ""),
        "nullability": "NULL" if column.nullable else "NOT NULL",
        "default": str(column.default or ""),
        "identity": "" if column.identity is None else "always" if column.identity.always else "by default",
        "generation": "" if column.generated is None else str(column.generated.expression),
        "comment": column.comment or "",
    }


def _index(index: Index) -> Facts:
    keys = ", ".join(_key_text(key) for key in index.keys)
    return {
        "definition": f"{index.method} ({keys})",
        "INCLUDE": ", ".join(index.include),
        "predicate": str(index.predicate or ""),
        "uniqueness": "unique" if index.unique else "not unique",
        "NULLS NOT DISTINCT": _yes(index.nulls_not_distinct),
        "storage parameters": ", ".join(index.options) if isinstance(index.options, tuple) else "",
    }


def _key_text(key: Any) -> str:
    parts = [str(key), str(key.opclass) if key.opclass_default is not True else "", _collation(key)]
    parts += ["DESC" if key.descending else "", "NULLS FIRST" if key.nulls_first != key.descending else ""]
    return " ".join(part for part in parts if part)


def _collation(key: Any) -> str:
    collation = key.collation
    plain = not isinstance(collation, Name) or collation.name == "default"
    return "" if plain else f"COLLATE {collation}"


def _key(key: Key) -> Facts:
    return {
        "columns": ", ".join(key.columns),
        "deferrability": _deferral(key),
        "NULLS NOT DISTINCT": _yes(key.nulls_not_distinct),
        "INCLUDE": ", ".join(key.include),
        "WITHOUT OVERLAPS": _yes(key.temporal),
        "comment": key.comment or "",
    }


def _foreign_key(key: ForeignKey) -> Facts:
    return {
        "columns": ", ".join(key.columns),
        "reference": f"{key.referred_table}({', '.join(key.referred_columns)})",
        "ON DELETE": key.on_delete,
        "ON UPDATE": key.on_update,
        "MATCH": "FULL" if key.match_full else "",
        "deferrability": _deferral(key),
        "comment": key.comment or "",
    }


def _deferral(key: Key | ForeignKey) -> str:
    if not key.deferrable:
        return ""
    return "initially deferred" if key.initially_deferred else "deferrable"


def _check(check: Check) -> Facts:
    return {"expression": str(check.expression), "comment": check.comment or ""}


def _exclusion(exclusion: Exclusion) -> Facts:
    return {"definition": str(exclusion.definition), "comment": exclusion.comment or ""}


def _policy(policy: Policy) -> Facts:
    return {
        "command": policy.command,
        "kind": "permissive" if policy.permissive else "restrictive",
        "roles": ", ".join(policy.roles),
        "USING": policy.using or "",
        "WITH CHECK": policy.check or "",
    }


def _sequence(sequence: Sequence) -> Facts:
    return {
        "type": sequence.type,
        "increment": str(sequence.increment),
        "start": str(sequence.start),
        "limits": f"{sequence.minimum} to {sequence.maximum}",
        "CYCLE": _yes(sequence.cycle),
    }


def _yes(value: object) -> str:
    return "yes" if value is True else ""


def _checks(table: Table) -> tuple[Check, ...]:
    # PostgreSQL 18 has named constraints for NOT NULL. The column's nullability is compared already.
    return tuple(check for check in table.checks if check.not_null_column is None and not check.inherited)


_PARTS: tuple[tuple[str, Callable[[Table], Iterable[Any]], Callable[[Any], Facts]], ...] = (
    ("column", lambda table: table.columns, _column),
    ("primary key", lambda table: (table.primary_key,) if table.primary_key else (), _key),
    ("key", lambda table: table.unique_constraints, _key),
    ("foreign key", lambda table: (key for key in table.foreign_keys if not key.inherited), _foreign_key),
    ("check", _checks, _check),
    ("exclusion", lambda table: table.exclusions, _exclusion),
    ("index", lambda table: (index for index in table.indexes if index.constraint is None), _index),
    ("policy", lambda table: table.policies, _policy),
)
_OTHERS: tuple[tuple[str, str, Callable[[Any], Facts]], ...] = (
    ("view", "views", lambda view: {"definition": view.definition}),
    ("sequence", "sequences", _sequence),
)


def sequence_differences(first: Schema, second: Schema) -> Iterator[Difference]:
    """What differs of the sequences of the first schema: standalone ones, and those of identity columns."""
    by_name = {item.name: item for item in second.sequences}
    by_owner = {item.owned_by: item for item in second.sequences if item.internal}
    for item in first.sequences:
        if item.owned_by is None:
            other = by_name.get(item.name)
            if other is None:
                yield Difference("missing", "sequence", str(item.name), item.name)
            else:
                yield from _compared("sequence", str(item.name), item.name, _sequence(item), _sequence(other))
        elif item.internal and item.owned_by in by_owner:
            label = f"{item.owned_by[0]}.{quote(item.owned_by[1])}"
            facts, others = (_sequence(sequence) for sequence in (item, by_owner[item.owned_by]))
            for difference in _compared("column", label, item.owned_by[0], facts, others):
                if difference.aspect not in ("type", "limits") or facts["type"] == others["type"]:
                    yield replace(difference, aspect=f"{difference.aspect} of its identity")


def label_differences(first: Schema, second: Schema) -> Iterator[Difference]:
    """The enums of the first schema that have other labels, or another order of them, in the second."""
    others = {name: labels for name, _, labels in _enum_types(second)}
    for name, table, labels in {item[0]: item for item in _enum_types(first)}.values():
        if others.get(name, labels) != labels:
            yield Difference("changed", "enum", str(name), table, "labels", ", ".join(labels), ", ".join(others[name]))


def _enum_types(schema: Schema) -> Iterator[tuple[Name, Name, tuple[str, ...]]]:
    """Name of the type, a table that has it, and the labels."""
    for table in schema.tables:
        for column in table.columns:
            if column.type.kind == "enum":
                yield Name(column.type.schema, column.type.name), table.name, column.type.labels


def _enums(first: Schema, second: Schema) -> Iterator[Difference]:
    """The values of enums, by the columns that use them."""
    labels = {column.identifier: column.type.labels for table in second.tables for column in table.columns}
    for table in first.tables:
        for column in table.columns:
            other = labels.get(column.identifier, column.type.labels)
            if column.type.kind == "enum" and set(other) != set(column.type.labels):
                before, after = ", ".join(column.type.labels), ", ".join(other)
                yield Difference("changed", "column", column.identifier, table.name, "enum values", before, after)
