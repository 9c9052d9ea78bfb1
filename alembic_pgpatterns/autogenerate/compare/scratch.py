"""Have PostgreSQL print what the models declare: on an empty temporary table, in a savepoint that is rolled back.

No table of the application is locked more strongly than ACCESS SHARE, and nothing is left. The temporary table has the
name of the real one and comes first in the search path, so that expressions which name their table are understood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import (
    AddConstraint,
    CreateColumn,
    CreateIndex,
    CreateSchema,
    CreateTable,
    ExecutableDDLElement,
)

from alembic_pgpatterns.autogenerate.compare.forms import ColumnForm, Forms, read_forms
from alembic_pgpatterns.autogenerate.compare.type_catalog import read_types
from alembic_pgpatterns.autogenerate.rewrite.extensions import create_for
from alembic_pgpatterns.autogenerate.rewrite.inner_types import (
    composites_of,
    create_composite,
    create_statement,
    named_types_of,
)
from alembic_pgpatterns.autogenerate.rewrite.own_transaction import in_transaction
from alembic_pgpatterns.autogenerate.rewrite.rendering import DIALECT
from alembic_pgpatterns.errors import first_line
from alembic_pgpatterns.operations.support.template import Name, Sql, Template
from alembic_pgpatterns.remedies.metadata_copy import copied_table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.binds import escape_binds


@dataclass(frozen=True, slots=True)
class Printed:
    """A model's table in PostgreSQL's own form, and the parts that PostgreSQL refused."""

    forms: Forms
    refused: dict[str, str] = field(default_factory=dict)
    """Messages by the name of the column, index or constraint."""
    types: tuple[Any, ...] = ()
    """The enum and domain types of its columns."""


@contextmanager
def rolled_back(connection: Connection) -> Iterator[None]:
    """Run statements in a savepoint, and undo them."""
    with in_transaction(connection):
        savepoint = connection.begin_nested()
        try:
            yield
        finally:
            savepoint.rollback()


def print_declared(connection: Connection, table: Table, create_first: Sequence[Any] = ()) -> Printed | None:
    """Print a table as the models declare it, without its foreign keys.

    Args:
        connection: to the database, in a transaction.
        table: of the target metadata.
        create_first: sequences of the metadata that defaults may use.

    Returns:
        None if a temporary table cannot be created at all.
    """
    try:
        with rolled_back(connection):
            for item in create_first:
                _attempt(connection, lambda item=item: item.create(connection, checkfirst=True))  # type: ignore[misc]
            create_for(connection, table)
            _create_types(connection, named_types(table))
            _create_composites(connection, table)
            printed = _print(connection, _plain_copy(table))
        return replace(printed, types=tuple(named_types(table)))
    except SQLAlchemyError:
        return None


def print_texts(connection: Connection, like: Name | Table, pieces: Sequence[str]) -> list[Forms | None]:
    """Run statements, each on its own, on a temporary table like another one.

    Args:
        connection: to the database, in a transaction.
        like: the real table, or a declared one.
        pieces: statements with ``{table}`` instead of the table's name.

    Returns:
        The forms of the table with each piece; None for a piece that PostgreSQL refused.
    """
    results: list[Forms | None] = []
    try:
        with rolled_back(connection):
            name = _make_like(connection, like)
            for piece in pieces:
                results.append(_print_piece(connection, name, piece))
    except SQLAlchemyError:
        results += [None] * (len(pieces) - len(results))
    return results


def print_after(
    connection: Connection, like: Name | Table, statements: Sequence[str], types: Sequence[Any] = ()
) -> Forms | None:
    """Run statements, one after another, on a temporary table like another one.

    Args:
        connection: to the database, in a transaction.
        like: the real table, or a declared one.
        statements: with ``{table}`` in place of the table's name.
        types: enums and domains to create first, if the database does not have them.

    Returns:
        The forms of the table afterwards; None if PostgreSQL refused a statement.
    """
    try:
        with rolled_back(connection):
            _create_types(connection, types)
            name = _make_like(connection, like)
            for statement in statements:
                connection.execute(_on_scratch(name, statement))
            return read_forms(connection, f"pg_temp.{quote(name)}")
    except SQLAlchemyError:
        return None


def accepted(connection: Connection, statements: Sequence[str], declared: Table, types: Sequence[Any] = ()) -> bool:
    """Whether PostgreSQL accepts some statements, which are undone.

    Args:
        connection: to the database, in a transaction.
        statements: SQL that touches nothing but temporary tables.
        declared: a table of the models, whose extensions are created first, if the database does not have them.
        types: enums and domains to create first in the same way.
    """
    try:
        with rolled_back(connection):
            create_for(connection, declared)
            _create_types(connection, types)
            for statement in statements:
                connection.execute(text(escape_binds(statement)))
    except SQLAlchemyError:
        return False
    return True


def default_after(
    connection: Connection, statements: Sequence[str], table: str, types: Sequence[Any] = ()
) -> str | None:
    """The default of a temporary table's only column after some statements, which are undone.

    Args:
        connection: to the database, in a transaction.
        statements: SQL that touches nothing but temporary tables.
        table: the name of the temporary table.
        types: enums and domains to create first, if the database does not have them.

    Returns:
        None if PostgreSQL refuses a statement, or there is no default.
    """
    try:
        with rolled_back(connection):
            _create_types(connection, types)
            for statement in statements:
                connection.execute(text(escape_binds(statement)))
            forms = read_forms(connection, f"pg_temp.{quote(table)}")
    except SQLAlchemyError:
        return None
    return next(iter(forms.columns.values())).default if forms is not None else None


def same_value(connection: Connection, first: str, second: str) -> bool:
    """Whether two literals, maybe with casts, have the same text: ``7`` and ``'7'::bigint``, but not ``7.0``."""
    statement = Template("SELECT ({first})::text = ({second})::text", first=Sql(first), second=Sql(second))
    try:
        with rolled_back(connection):
            return bool(connection.scalar(text(escape_binds(str(statement.compile(dialect=DIALECT))))))
    except SQLAlchemyError:
        return False


def constant_value(connection: Connection, kind: str, expression: str) -> str | None:
    """The value of a constant expression as a literal without a type, or None."""
    statement = Template("SELECT quote_literal(({value})::{kind}::text)", value=Sql(expression), kind=Sql(kind))
    try:
        with rolled_back(connection):
            value = connection.scalar(text(escape_binds(str(statement.compile(dialect=DIALECT)))))
    except SQLAlchemyError:
        return None
    return str(value) if value is not None else None


def create_empty(connection: Connection, table: Table) -> None:
    """Create a table without its foreign keys, and the types, extensions and schema that it needs, as far as possible.

    Only for a savepoint that is undone.
    """
    _prepare(connection, table, named_types(table))
    _run(connection, CreateTable(table, include_foreign_key_constraints=[]))


def add_bare_columns(connection: Connection, table: Table, columns: Sequence[Column[Any]]) -> None:
    """Add columns to a table, as far as possible, with the types that they need. Takes ACCESS EXCLUSIVE on it.

    Only for a savepoint that is undone.
    """
    _prepare(connection, table, [kind for column in columns for kind in named_types_of(column.type)])
    name = Name(*(part for part in (table.schema, str(table.name)) if part))
    for column in columns:
        bare = Sql(str(CreateColumn(column).compile(dialect=DIALECT)).strip())
        _run(connection, Template("ALTER TABLE {name} ADD COLUMN {bare}", name=name, bare=bare))


def _prepare(connection: Connection, table: Table, types: Sequence[Any]) -> None:
    create_for(connection, table)
    if table.schema:
        _run(connection, CreateSchema(table.schema, if_not_exists=True))
    _create_types(connection, types)
    _create_composites(connection, table)


def _create_composites(connection: Connection, table: Table) -> None:
    """Create the composite types that the database does not have."""
    for kind in [kind for column in table.columns for kind in composites_of(column.type)]:
        statement = text(escape_binds(create_composite(kind)))
        _attempt(connection, lambda statement=statement: connection.execute(statement))  # type: ignore[misc]


def _create_types(connection: Connection, types: Sequence[Any]) -> None:
    """Create types that the database does not have, and those whose labels are not the declared ones.

    An added label cannot be used in the transaction that adds it, so a new type gets the name of the old one.
    """
    existing = read_types(connection) if types else {}
    default = str(connection.dialect.default_schema_name)
    for number, item in enumerate(types):
        present = existing.get((item.schema or default, str(item.name)))
        labels = tuple(getattr(item, "enums", ()))
        if present is not None and (present.kind == "e") == bool(labels) and present.labels == labels:
            continue
        if item.schema:
            _attempt(connection, lambda s=item.schema: connection.execute(CreateSchema(s, if_not_exists=True)))  # type: ignore[misc]
        name = ".".join(quote(part) for part in (item.schema, item.name) if part)
        rename = f"ALTER TYPE {name} RENAME TO pgpatterns_old_{number}"
        statements = [*((rename,) if present is not None else ()), create_statement(item)]
        _attempt(connection, lambda s=statements: [connection.execute(text(escape_binds(x))) for x in s])  # type: ignore[misc]


def type_sql(form: ColumnForm) -> str:
    """A column's type as SQL, with its collation."""
    return f"{form.type} COLLATE {form.collation}" if form.collation else form.type


def _make_like(connection: Connection, like: Name | Table) -> str:
    if isinstance(like, Table):
        bare = _plain_copy(like)
        bare.constraints.clear()
        connection.execute(CreateTable(bare))
        return str(like.name)
    scratch = Name("pg_temp", like.path[-1])
    # LIKE copies names, types and NOT NULL only: defaults and CHECKs could call functions of the application.
    connection.execute(Template("CREATE TEMP TABLE {scratch} (LIKE {real})", scratch=scratch, real=like))
    return str(like.path[-1])


def _print_piece(connection: Connection, name: str, piece: str) -> Forms | None:
    try:
        with rolled_back(connection):
            connection.execute(_on_scratch(name, piece))
            return read_forms(connection, f"pg_temp.{quote(name)}")
    except SQLAlchemyError:
        return None


def _on_scratch(name: str, piece: str) -> Template:
    before, after = piece.split("{table}", 1)
    return Template("{before}{table}{after}", before=Sql(before), table=Name("pg_temp", name), after=Sql(after))


def named_types(table: Table) -> list[Any]:
    """The enum and domain types of a table's columns, as PostgreSQL's own types."""
    return [kind for column in table.columns for kind in named_types_of(column.type)]


def _plain_copy(table: Table) -> Table:
    """A temporary table like the declared one, without foreign keys, partitioning, inheritance and tablespace."""
    metadata = MetaData(naming_convention=table.metadata.naming_convention)
    copy = copied_table(table, metadata, schema=None)
    # A temporary table locks nothing that others use, and nobody sees it. It may not reference a permanent table, so
    # foreign keys are left out.
    copy._prefixes = ["TEMPORARY"]
    for name in ("partition_by", "inherits", "tablespace", "using", "on_commit"):
        if copy.kwargs.get(f"postgresql_{name}") is not None:
            copy.dialect_options["postgresql"][name] = None
    copy.constraints -= {item for item in copy.constraints if isinstance(item, ForeignKeyConstraint)}
    for column in copy.columns:
        if column.foreign_keys and column.autoincrement is not True:
            # Without its foreign key a primary key would become a serial one.
            column.autoincrement = False
        column.foreign_keys = set()
    for index in copy.indexes:
        index.dialect_options["postgresql"]["concurrently"] = False
        index.dialect_options["postgresql"]["tablespace"] = None
    return copy


def _print(connection: Connection, copy: Table) -> Printed:
    refused: dict[str, str] = {}
    if _attempt(connection, lambda: connection.execute(CreateTable(copy))) is not None:
        refused = _create_piece_by_piece(connection, copy)
    for index in sorted(copy.indexes, key=lambda index: str(index.name)):
        message = _run(connection, CreateIndex(index))
        if message is not None:
            refused[str(index.name)] = message
    forms = read_forms(connection, f"pg_temp.{quote(str(copy.name))}")
    return Printed(forms or Forms(), refused)


def _create_piece_by_piece(connection: Connection, copy: Table) -> dict[str, str]:
    """Create the accepted parts of a table that PostgreSQL refuses as a whole. Returns its messages for the others."""
    refused: dict[str, str] = {}
    accepted_columns: list[Any] = []
    # Generated columns last: they may use any of the others.
    for column in sorted(copy.columns, key=lambda column: column.computed is not None):
        columns = [*accepted_columns, column]
        message = _attempt(connection, lambda columns=columns: _undone(connection, _create(copy, columns)))  # type: ignore[misc]
        if message is None:
            accepted_columns.append(column)
        else:
            refused[str(column.name)] = message
    connection.execute(_create(copy, accepted_columns))
    for constraint in copy.constraints:
        if isinstance(constraint, PrimaryKeyConstraint) and {*constraint.columns.keys()} <= {
            c.key for c in accepted_columns
        }:
            continue  # created with its columns, or there is none
        refusal = _run(connection, AddConstraint(constraint))
        if refusal is not None:
            refused[str(constraint.name)] = refusal
    return refused


def _create(copy: Table, columns: Sequence[Any]) -> CreateTable:
    """A temporary table of some columns, without constraints but the primary key, which makes a column serial."""
    bare = Table(copy.name, MetaData(), *(column._copy() for column in columns), prefixes=["TEMPORARY"])
    bare.constraints.clear()
    bare.primary_key.name = copy.primary_key.name
    return CreateTable(bare)


def _undone(connection: Connection, statement: ExecutableDDLElement) -> None:
    with rolled_back(connection):
        connection.execute(statement)


def _run(connection: Connection, statement: ExecutableDDLElement) -> str | None:
    return _attempt(connection, lambda: connection.execute(statement))


def _attempt(connection: Connection, action: Callable[[], object]) -> str | None:
    """Do something in a savepoint of its own; PostgreSQL's message if it refuses."""
    savepoint = connection.begin_nested()
    try:
        action()
    except SQLAlchemyError as error:
        savepoint.rollback()
        return first_line(getattr(error, "orig", None) or error)
    savepoint.commit()
    return None
