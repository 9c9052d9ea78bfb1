"""Domains: make default, NOT NULL and CHECKs equal to the models."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy as shallow_copy
from typing import TYPE_CHECKING, Any

from alembic.operations import ops
from sqlalchemy.dialects.postgresql.named_types import CreateDomainType
from sqlalchemy.exc import SQLAlchemyError

from alembic_pgpatterns.autogenerate.compare.scratch import rolled_back
from alembic_pgpatterns.autogenerate.compare.type_catalog import NamedType, read_types
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, SqlOp
from alembic_pgpatterns.schema.names import quote

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


def compare_domain(context: AutogenContext, declared: Any, actual: NamedType) -> list[ops.MigrateOperation]:
    """The ops that make a domain what the models declare."""
    expected = _printed(context, declared)
    if expected is None:
        return []
    name = ".".join(quote(part) for part in (declared.schema, declared.name) if part)
    return [*_changes(f"ALTER DOMAIN {name}", name, expected, actual)]


def _printed(context: AutogenContext, declared: Any) -> NamedType | None:
    """The declared domain as PostgreSQL prints it."""
    connection = context.connection
    assert connection is not None
    # Not SQLAlchemy's copy(), which would register the type with the metadata.
    copy = shallow_copy(declared)
    copy.schema = "pg_temp"
    try:
        with rolled_back(connection):
            connection.execute(CreateDomainType(copy))
            types = read_types(connection, "n.oid = pg_my_temp_schema() AND t.typname = :name", name=str(copy.name))
    except SQLAlchemyError:
        return None
    return next(iter(types.values()), None)


def _changes(alter: str, name: str, expected: NamedType, actual: NamedType) -> Iterator[ops.MigrateOperation]:
    if expected.base != actual.base:
        lines = (
            f"# The models have {name} over {expected.base}, the database over {actual.base}. PostgreSQL cannot change",
            "# that: create a domain of another name, change the columns to it, and drop the old one.",
        )
        yield CommentOp(lines)
    if expected.default != actual.default:
        yield SqlOp(f"{alter} {_default(expected.default)}", f"{alter} {_default(actual.default)}")
    if expected.nullable != actual.nullable:
        words = {True: "DROP NOT NULL", False: "SET NOT NULL"}
        yield SqlOp(f"{alter} {words[expected.nullable]}", f"{alter} {words[actual.nullable]}")
    for constraint, definition in actual.constraints.items():
        if expected.constraints.get(constraint) != definition and definition not in expected.constraints.values():
            drop = f"{alter} DROP CONSTRAINT {quote(constraint)}"
            yield SqlOp(drop, f"{alter} ADD CONSTRAINT {quote(constraint)} {definition}")
    for constraint, definition in expected.constraints.items():
        if actual.constraints.get(constraint) != definition and definition not in actual.constraints.values():
            drop = f"{alter} DROP CONSTRAINT {quote(constraint)}"
            yield SqlOp(f"{alter} ADD CONSTRAINT {quote(constraint)} {definition}", drop)


def _default(value: str | None) -> str:
    return "DROP DEFAULT" if value is None else f"SET DEFAULT {value}"


def create_statement(name: str, item: NamedType) -> str:
    """CREATE DOMAIN of a domain as it is in the database."""
    parts = [f"CREATE DOMAIN {name} AS {item.base}"]
    parts += [f"DEFAULT {item.default}"] if item.default is not None else []
    parts += [] if item.nullable else ["NOT NULL"]
    parts += [f"CONSTRAINT {quote(key)} {definition}" for key, definition in item.constraints.items()]
    return " ".join(parts)
