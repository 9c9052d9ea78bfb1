"""Extensions that the models need: for a type, an operator class, or an index method on a type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from alembic.operations import ops
from sqlalchemy import Column, Connection, Index, Table, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.exc import CompileError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex

from alembic_pgpatterns.autogenerate.rewrite.rendering import DIALECT, SqlOp
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.binds import escape_binds
from alembic_pgpatterns.schema.sql.sqltext import parse_index, parse_type

_TYPES = {
    "citext": ("citext",),
    "cube": ("cube",),
    "hll": ("hll",),
    "hstore": ("hstore",),
    "intarray": ("query_int",),
    "ip4r": ("ip4", "ip4r", "ip6", "ip6r", "ipaddress", "iprange"),
    "isn": ("ean13", "isbn", "isbn13", "ismn", "ismn13", "issn", "issn13", "upc"),
    "ltree": ("ltree", "lquery", "ltxtquery"),
    "postgis": ("geometry", "geography", "box2d", "box3d"),
    "postgis_raster": ("raster",),
    "seg": ("seg",),
    "vector": ("vector", "halfvec", "sparsevec"),
}
"""Types by the extension that has them (PostgreSQL's docs, appendix F, and the extensions' own)."""
_CLASSES = {
    "pg_trgm": ("gin_trgm_ops", "gist_trgm_ops"),
    "intarray": ("gin__int_ops", "gist__int_ops", "gist__intbig_ops"),
    "vector": tuple(
        f"{kind}_{distance}_ops"
        for kind, distances in {
            "vector": ("l2", "ip", "cosine", "l1"),
            "halfvec": ("l2", "ip", "cosine", "l1"),
            "sparsevec": ("l2", "ip", "cosine", "l1"),
            "bit": ("hamming", "jaccard"),
        }.items()
        for distance in distances
    ),
}
_METHODS = {"hnsw": "vector", "ivfflat": "vector", "bloom": "bloom", "rum": "rum"}
_OF_SCALARS = {"gist": "btree_gist", "gin": "btree_gin"}
"""What gives an index method operator classes for plain values."""
_NUMBERS = ("int2", "int4", "int8", "float4", "float8", "numeric", "money", "oid")
_TEXTS = ("text", "varchar", "bpchar", "bytea", "uuid", "macaddr", "bool")
_TIMES = ("date", "time", "timetz", "timestamp", "timestamptz", "interval")
_SCALARS = frozenset((*_NUMBERS, *_TEXTS, *_TIMES))
_BY_TYPE = {kind: extension for extension, kinds in _TYPES.items() for kind in kinds}
_BY_CLASS = {name: extension for extension, names in _CLASSES.items() for name in names}


def create_missing(
    connection: Connection, changes: Iterable[ops.MigrateOperation], tables: Iterable[Table]
) -> list[SqlOp]:
    """The ops that create the extensions that a revision needs and the database does not have.

    Args:
        connection: to the database.
        changes: the revision's ops, without containers.
        tables: of the target metadata.
    """
    by_name = {(table.schema, str(table.name)): table for table in tables}
    touched = {(getattr(op, "schema", None), str(getattr(op, "table_name", ""))) for op in changes}
    needed = {name for key in touched if key in by_name for name in extensions_of(by_name[key])}
    return [
        SqlOp(f"CREATE EXTENSION IF NOT EXISTS {quote(name)}", f"DROP EXTENSION IF EXISTS {quote(name)}")
        for name in sorted(needed - _installed(connection, needed))
    ]


def create_for(connection: Connection, table: Table) -> None:
    """Create the extensions that a table needs, as far as the server and the role allow it."""
    needed = set(extensions_of(table))
    for name in sorted(needed - _installed(connection, needed)):
        savepoint = connection.begin_nested()
        try:
            connection.execute(text(escape_binds(f"CREATE EXTENSION IF NOT EXISTS {quote(name)}")))
            savepoint.commit()
        except SQLAlchemyError:
            savepoint.rollback()


def _installed(connection: Connection, needed: Iterable[str]) -> set[str]:
    if not needed:
        return set()
    return set(connection.scalars(text("SELECT extname FROM pg_extension")))


def extensions_of(table: Table) -> Iterator[str]:
    """The extensions that the columns, indexes and EXCLUDE constraints of a table need."""
    for column in table.columns:
        yield from _of((_BY_TYPE.get(_type_name(column)),))
    for index in table.indexes:
        options = index.dialect_options["postgresql"]
        yield from _of_index(options["using"], options["ops"], _columns(index))
        yield from _of(_BY_CLASS.get(name) for name in _written_classes(index))
    for item in table.constraints:
        if isinstance(item, ExcludeConstraint):
            plain = [column for column, _, operator in item._render_exprs if operator == "="]
            yield from _of_index(item.using, item.ops, [column for column in plain if isinstance(column, Column)])


def extensions_of_index(method: str, classes: Iterable[str], plain_types: Iterable[str]) -> Iterator[str]:
    """The extensions that an index needs.

    Args:
        method: such as ``gin``.
        classes: the operator classes that it names.
        plain_types: PostgreSQL's names of the types of its columns without such a class.
    """
    yield from _of((_METHODS.get(method), *(_BY_CLASS.get(name) for name in classes)))
    if method in _OF_SCALARS and _SCALARS.intersection(plain_types):
        yield _OF_SCALARS[method]


def _columns(index: Index) -> list[Column[Any]]:
    return [item for item in index.expressions if isinstance(item, Column)]


def _written_classes(index: Index) -> Iterator[str]:
    """The operator classes that stand in the SQL of its expressions: ``text("lower(name) gin_trgm_ops")``."""
    if all(isinstance(item, Column) for item in index.expressions):
        return
    try:
        parsed = parse_index(str(CreateIndex(index).compile(dialect=DIALECT)))
    except CompileError:
        return
    yield from (key.opclass[-1] for key in (parsed.keys if parsed is not None else ()) if key.opclass)


def _of_index(using: Any, classes: Any, columns: Iterable[Column[Any]]) -> Iterator[str]:
    named = classes or {}
    plain = (_type_name(column) for column in columns if column.key not in named)
    return extensions_of_index(str(using or "btree").lower(), map(str, named.values()), plain)


def _of(extensions: Iterable[str | None]) -> Iterator[str]:
    return (name for name in extensions if name is not None)


def _type_name(column: Column[Any]) -> str:
    """PostgreSQL's name of a column's type, without schema and modifiers; empty if SQLAlchemy cannot say it."""
    try:
        parsed = parse_type(str(column.type.compile(dialect=DIALECT)))
    except (CompileError, NotImplementedError):
        return ""
    return parsed.names[-1] if parsed is not None and not (parsed.array and parsed.names[-1] in _SCALARS) else ""
