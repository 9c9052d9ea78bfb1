from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from alembic_pgpatterns.patterns import Finding, ServerPattern, Severity
from alembic_pgpatterns.remedies.model import Advice, CreateIndex, Remedy
from alembic_pgpatterns.schema.live import LiveServer
from alembic_pgpatterns.schema.model import UNKNOWN, Check, Column, ForeignKey, Index, Key, Name, Schema, Table


class LiveDrift(ServerPattern):
    """The live database differs from the schema that the revisions build.

    An index was created manually, a revision was edited after it had run, a constraint was dropped in an emergency:
    the next migration meets a schema that no test has seen. Autogenerate runs elsewhere and does not notice.

    Compared are tables, views, columns (type, nullability, default, identity, generated), indexes (keys, predicate,
    uniqueness, validity), primary keys, unique constraints, foreign keys (target, actions, validity) and checks, in the
    live database and in a database built by the revisions up to the same heads. Names are compared too.

    Not compared: the order of columns, privileges, comments and storage, nor partitions, which are often created by a
    job. The pattern is skipped while revisions are pending, because then the two should differ.
    """

    severity = Severity.WARNING
    needs = ("schema", "revision")
    not_when = "Exclude tables that another tool manages with exclude_tables and exclude_schemas."
    references = ("https://alembic.sqlalchemy.org/en/latest/autogenerate.html",)

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """What is live only, then what is missing, then what differs; by table."""
        if server.schema is None or server.head is None:
            return
        for kind, live, head in _pairs(server.schema, server.head):
            for name in [*live, *(name for name in head if name not in live)]:
                yield from self._difference(kind, live.get(name), head.get(name))

    def _difference(self, kind: str, live: Any, head: Any) -> Iterator[Finding]:
        if head is None:
            yield self._of(live, kind, "only live", "is in the live database, but no revision creates it", _adopt(live))
        elif live is None:
            yield self._of(head, kind, "missing", "is created by a revision, but is not in the live database", _MISSING)
        elif (facts := _facts(live)) != (expected := _facts(head)):
            differing = [
                f"{aspect} is {facts[aspect]}, by the revisions {expected[aspect]}"
                for aspect in facts
                if facts[aspect] != expected[aspect]
            ]
            yield self._of(live, kind, "differs", f"differs: {'; '.join(differing)}", _DIFFERS)

    def _of(self, item: Any, kind: str, detail: str, message: str, remedy: Remedy) -> Finding:
        return self.finding(
            at=item, message=f"the {kind} {_label(item)} {message}", remedy=remedy, detail=f"{kind} {detail}"
        )


_MISSING = Advice("Was it dropped manually? Create it again, in the way its revision does.")
_DIFFERS = Advice("Write a revision that says what is right; it changes nothing where the live database is right.")

Items = dict[str, Any]


def _pairs(live: Schema, head: Schema) -> Iterator[tuple[str, Items, Items]]:
    yield "table", _tables(live), _tables(head)
    yield "view", _named(live.views), _named(head.views)
    for name, table in _tables(live).items():
        expected = head.table(table.name)
        if expected is not None and name in _tables(head):
            yield from ((kind, read(table), read(expected)) for kind, read in _PARTS.items())


def _tables(schema: Schema) -> dict[str, Table]:
    return {str(table.name): table for table in schema.tables if table.partition_of is None}


def _named(items: Any) -> Items:
    return {str(item.name): item for item in items}


def _columns(table: Table) -> Items:
    return {column.name: column for column in table.columns}


def _indexes(table: Table) -> Items:
    return {index.name.name: index for index in table.indexes if index.constraint is None}


def _keys(table: Table) -> Items:
    keys = (*table.unique_constraints, *([table.primary_key] if table.primary_key else []))
    return {key.name or key.identifier: key for key in keys}


def _foreign_keys(table: Table) -> Items:
    return {key.name or key.identifier: key for key in table.foreign_keys if not key.inherited}


def _checks(table: Table) -> Items:
    return {check.identifier: check for check in table.checks if not check.inherited}


_PARTS: dict[str, Callable[[Table], Items]] = {
    "column": _columns,
    "index": _indexes,
    "key": _keys,
    "foreign key": _foreign_keys,
    "check": _checks,
}


def _facts(item: Any) -> dict[str, object]:
    """What is compared of an object, in the words of a message; all of it spelled by PostgreSQL itself."""
    if isinstance(item, Column):
        return _column_facts(item)
    if isinstance(item, Index):
        return {"the definition": _definition(item), "valid": item.valid}
    if isinstance(item, Key):
        return {"the columns": ", ".join(item.columns), "deferrable": item.deferrable}
    if isinstance(item, ForeignKey):
        return _key_facts(item)
    if isinstance(item, Check):
        return {"the condition": item.expression, "validated": item.validated, "enforced": item.enforced}
    if isinstance(item, Table):
        return {"the kind": item.kind, "row security": item.row_security}
    return {}


def _column_facts(column: Column) -> dict[str, object]:
    return {
        "the type": column.type.display,
        "nullable": column.nullable,
        "the default": column.default,
        "identity": column.identity is not None,
        "generated": column.generated.expression if column.generated is not None else None,
    }


def _key_facts(key: ForeignKey) -> dict[str, object]:
    target = f"{key.referred_table}({', '.join(key.referred_columns)})"
    return {
        "the columns": ", ".join(key.columns),
        "the target": target,
        "ON DELETE": key.on_delete,
        "ON UPDATE": key.on_update,
        "validated": key.validated,
        "enforced": key.enforced,
    }


def _definition(index: Index) -> str:
    keys = ", ".join(f"{key}{' DESC' if key.descending else ''}" for key in index.keys)
    unique = "unique " if index.unique else ""
    include = f" INCLUDE ({', '.join(index.include)})" if index.include else ""
    where = f" WHERE {index.predicate}" if index.predicate is not None else ""
    return f"{unique}{index.method} ({keys}){include}{where}"


def _label(item: Any) -> str:
    name = item.name
    text = name.name if isinstance(name, Name) else name
    return f"{text} of {item.table.name}" if text and item.table.name != text else str(item.identifier)


def _adopt(item: Any) -> Remedy:
    if isinstance(item, Index) and item.predicate is None and all(key.column for key in item.keys):
        columns = [column for column in item.columns if column is not None]
        made = CreateIndex.on(item.table, *columns)
        plain = item.method == "btree" and not item.include and item.nulls_not_distinct is not UNKNOWN
        if plain and not any(key.descending for key in item.keys):
            return CreateIndex(made.table, made.keys, name=item.name.name, unique=item.unique)
    return Advice("Drop it, or declare it in the models and write a revision that makes it where it is not.")
