"""Copy the application's MetaData so completely that ``create_all()`` of both gives the same.

``Table.to_metadata`` leaves out prefixes (UNLOGGED), events without ``propagate=True``, standalone sequences, and the
``info`` and events of the MetaData itself; other plugins declare objects there, and would drop
what they do not see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Constraint,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
)
from sqlalchemy import Sequence as SqlSequence
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.schema import conv
from sqlalchemy.sql import quoted_name
from sqlalchemy.sql.schema import RETAIN_SCHEMA
from sqlalchemy.types import SchemaType

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.remedies.naming import fit
from alembic_pgpatterns.schema.metadata.ddl_condition import is_for_postgresql
from alembic_pgpatterns.schema.names import MAX_IDENTIFIER_BYTES, stored, truncate

_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Copy:
    """The copy, and the original of each of its objects by ``id``."""

    metadata: MetaData
    originals: dict[int, Any] = field(default_factory=dict)

    def original(self, item: Any) -> Any:
        """Return the application's own object, or the item itself if it is no copy."""
        return self.originals.get(id(item), item)


def copied(metadatas: Sequence[MetaData]) -> Copy:
    """Copy one or several MetaData into one.

    Several become one because foreign keys by Column object may cross them.

    Raises:
        PgPatternsError: two of them have a table of the same name.
    """
    copy = Copy(MetaData())
    for metadata in metadatas:
        # Both act when tables, foreign keys and constraints are attached: `ForeignKey("g.id")` of a
        # `MetaData(schema="iris")` means iris.g, and `Column(unique=True)` gets its name from the convention.
        copy.metadata.schema = metadata.schema
        copy.metadata.naming_convention = metadata.naming_convention
        _copy_tables(metadata, copy)
        _copy_sequences(metadata, copy.metadata)
        copy.metadata.info.update(metadata.info)
        # SQLAlchemy 2.1: types with ``metadata=`` that no column has.
        getattr(copy.metadata, "_objects", set()).update(getattr(metadata, "_objects", ()))
        _copy_events(metadata, copy.metadata)
    _link_outside(copy, metadatas)
    return copy


def _link_outside(copy: Copy, metadatas: Sequence[MetaData]) -> None:
    """Link foreign keys by Column object to tables of other MetaData again.

    SQLAlchemy's copy has their names only, and would look for them in the copy.
    """
    for table in copy.metadata.tables.values():
        for constraint in table.foreign_key_constraints:
            original = copy.original(constraint)
            for element, other in zip(constraint.elements, getattr(original, "elements", ()), strict=False):
                column = other.__dict__.get("column")
                if column is not None and all(column.table.metadata is not item for item in metadatas):
                    setattr(element, "column", column)  # noqa: B010 (SQLAlchemy's types call it read-only)


def _copy_tables(metadata: MetaData, copy: Copy) -> None:
    for table in metadata.tables.values():
        if table.key in copy.metadata.tables:
            raise PgPatternsError(f"Two of the target metadata hold a table {table.key!r}; autogenerate needs one.")
        new = copied_table(table, copy.metadata)
        # Table.to_metadata() leaves them out: a copy would not be UNLOGGED.
        new._prefixes = table._prefixes
        _copy_events(table, new)
        copy.originals.update((id(item), other) for item, other in _pairs(table, new))
    _copy_order(metadata, copy.metadata)


def _copy_order(metadata: MetaData, target: MetaData) -> None:
    """Let tables be created after those they depend on without a foreign key.

    ``Table.to_metadata`` forgets ``add_is_dependent_on()``, and SQLAlchemy's order of tables (``sorted_tables``) does
    not know ``postgresql_inherits``: a child whose name comes first would be created before its parent.
    """
    for table in metadata.tables.values():
        names = [other.key for other in table._extra_dependencies] + list(parents_of(table))
        for name in names:
            if name in target.tables and name != table.key:
                target.tables[table.key].add_is_dependent_on(target.tables[name])


def parents_of(table: Table) -> tuple[str, ...]:
    """The names of the tables that a table inherits from. SQLAlchemy takes one name or several."""
    parents: Any = table.dialect_options["postgresql"].get("inherits") or ()
    return (parents,) if isinstance(parents, str) else tuple(map(str, parents))


def copied_table(table: Table, metadata: MetaData, schema: Any = RETAIN_SCHEMA) -> Table:
    """Copy a table, its types with their own schemas and every index with a name."""
    new = table.to_metadata(metadata, schema=schema)
    _remove_other_dialects(table, new)
    _name_indexes(new)
    named: list[Any] = [*new.indexes, *new.constraints]
    for item in named:
        if isinstance(item.name, str) and len(item.name.encode()) > MAX_IDENTIFIER_BYTES:
            _truncate(item)
    for column in table.columns:
        _keep_schema(column.type, new.c[column.key].type)
        _keep_domains(column.type, new.c[column.key].type)
    pairs = list(_matched(new.constraints, table.constraints, _constraint_key))
    for copy, original in pairs:
        # SQLAlchemy copies them in the order of a set. PostgreSQL numbers those without a name in their order.
        copy._creation_order = original._creation_order
        if isinstance(original, ExcludeConstraint):
            # SQLAlchemy's copy forgets the operator classes.
            copy.ops = original.ops
    _drop_repeated(new, pairs)
    return new


def _remove_other_dialects(table: Table, new: Table) -> None:
    """Remove what ``ddl_if()`` lets only another dialect create. Alembic and a copied index know nothing of it."""
    if not any(_is_for_others(item) for item in (*table.indexes, *table.constraints)):
        return
    pairs = [
        *_matched(new.indexes, table.indexes, _index_key),
        *_matched(new.constraints, table.constraints, _constraint_key),
    ]
    for copy, original in pairs:
        if _is_for_others(original):
            new.indexes.discard(copy)
            new.constraints.discard(copy)


def _is_for_others(item: Any) -> bool:
    nothing: Any = None
    compiler = _dialect.ddl_compiler(_dialect, nothing)
    if getattr(item, "_ddl_if", None) is not None:
        return not is_for_postgresql(item, compiler)
    # What ddl_if() replaced; applications still use it. Types have rules of their own, which Alembic respects.
    rule = None if getattr(item, "_type_bound", False) else getattr(item, "_create_rule", None)
    return rule is not None and not rule(compiler)


def _drop_repeated(new: Table, pairs: Iterable[tuple[Any, Any]]) -> None:
    """Keep one of several equal unique constraints, with the first name: PostgreSQL's transformIndexConstraints.

    ``Column(unique=True)`` beside a ``UniqueConstraint`` on the same column is the usual case.
    """
    first_copies: dict[Any, Any] = {}
    for copy, original in sorted(pairs, key=lambda pair: int(pair[1]._creation_order)):
        if isinstance(original, UniqueConstraint):
            options = repr(sorted(original.dialect_options["postgresql"].items()))
            key = (tuple(original.columns.keys()), original.deferrable, original.initially, options)
            first = first_copies.setdefault(key, copy)
            first.name = copy.name if first.name is None else first.name
            if first is not copy:
                new.constraints.discard(copy)


def _truncate(item: Any) -> None:
    """Give an index or constraint the name that PostgreSQL makes of it.

    SQLAlchemy counts characters, not bytes, and refuses a longer name that no convention has made
    (``Dialect.validate_identifier``).
    """
    name = stored(item.name)
    if len(name.encode()) > MAX_IDENTIFIER_BYTES:
        item.name = conv(truncate(name))


def _name_indexes(table: Table) -> None:
    """Name an index that has no name: ``index=True`` under a naming convention without "ix", which never converges."""
    for index in table.indexes:
        if index.name is None:
            columns = (getattr(key, "name", None) or "expr" for key in index.expressions)
            index.name = quoted_name(fit("_".join(("ix", table.name, *columns))), None)


def _keep_schema(old: Any, new: Any) -> None:
    """Undo that ``to_metadata`` moves an Enum without a schema into its table's: ``create_all()`` does not."""
    if isinstance(new, SchemaType) and hasattr(old, "schema"):
        new.schema = old.schema
    for old_inner, new_inner in _inner(old, new):
        _keep_schema(old_inner, new_inner)


_DOMAIN: Any = getattr(postgresql, "DOMAIN", ())
"""SQLAlchemy has it from 2.0 on."""
_OF_DOMAINS = ("collation", "default", "constraint_name", "not_null", "check", "create_type")


def _keep_domains(old: Any, new: Any) -> None:
    """Give copied domains what SQLAlchemy before 2.0.45 leaves out of the copy of a type."""
    if isinstance(old, _DOMAIN) and isinstance(new, _DOMAIN):
        for name in _OF_DOMAINS:
            setattr(new, name, getattr(old, name))
    for old_inner, new_inner in _inner(old, new):
        _keep_domains(old_inner, new_inner)


def _inner(old: Any, new: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the type inside an array or a TypeDecorator, and its copy."""
    for name in ("item_type", "impl"):
        if hasattr(old, name) and hasattr(new, name):
            yield getattr(old, name), getattr(new, name)


def _copy_sequences(metadata: MetaData, target: MetaData) -> None:
    for sequence in metadata._sequences.values():
        if sequence.column is None and sequence._key not in target._sequences:
            _attach(sequence, target)


def _attach(sequence: SqlSequence, target: MetaData) -> None:
    new = sequence._copy()
    new.info = sequence.info
    new._set_metadata(target)


def _copy_events(source: Any, target: Any) -> None:
    # The public way copies only listeners with propagate=True, and few have it.
    target.dispatch._update(source.dispatch, only_propagate=False)


def _pairs(table: Table, new: Table) -> Iterator[tuple[Any, Any]]:
    """Yield each object of the copy with its original."""
    yield new, table
    yield from ((new.c[column.key], column) for column in table.columns if column.key in new.c)
    yield from _matched(new.constraints, table.constraints, _constraint_key)
    yield from _matched(new.indexes, table.indexes, _index_key)


def _matched(new: Iterable[Any], old: Iterable[Any], key: Any) -> Iterator[tuple[Any, Any]]:
    candidates_by_key: dict[Any, list[Any]] = {}
    for item in old:
        candidates_by_key.setdefault(key(item), []).append(item)
    for item in new:
        if candidates := candidates_by_key.get(key(item)):
            yield item, candidates.pop(0)


def _constraint_key(constraint: Constraint) -> tuple[str, str, str, str]:
    columns = ",".join(str(column.key) for column in getattr(constraint, "columns", ()))
    rest = ""
    if isinstance(constraint, CheckConstraint):
        rest = _text(constraint.sqltext)
    elif isinstance(constraint, ForeignKeyConstraint):
        # Without the schema, which a copy may write out.
        rest = str([element._get_colspec().split(".")[-2:] for element in constraint.elements])
    return type(constraint).__name__, str(constraint.name), columns, rest


def _index_key(index: Index) -> tuple[str, str]:
    return str(index.name), ",".join(map(_text, index.expressions))


def _text(expression: Any) -> str:
    """An expression as PostgreSQL's dialect writes it: the application's own elements may know no other."""
    return str(expression.compile(dialect=_dialect))
