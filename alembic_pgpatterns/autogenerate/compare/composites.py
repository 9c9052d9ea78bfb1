"""Composite types that models declare, such as CompositeType of SQLAlchemy-Utils: SQLAlchemy itself creates none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic.operations import ops
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import SQLAlchemyError

from alembic_pgpatterns.autogenerate.compare.scratch import rolled_back
from alembic_pgpatterns.autogenerate.compare.type_catalog import TypeKey, TypeUser
from alembic_pgpatterns.autogenerate.compare.types import loses_all
from alembic_pgpatterns.autogenerate.rewrite.changes import flatten
from alembic_pgpatterns.autogenerate.rewrite.inner_types import composites_of, create_composite
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, DropTypeOp, SqlOp
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.binds import escape_binds

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


@dataclass(frozen=True, slots=True)
class Composite:
    """A composite type of the database."""

    schema: str
    name: str
    fields: Mapping[str, str]
    """Types by quoted names, in order."""
    users: tuple[TypeUser, ...]
    used: bool
    """Whether a function uses it, an operator or a cast."""

    @property
    def qualified(self) -> str:
        """Its quoted name, with the schema unless that is public."""
        return quote(self.name) if self.schema == "public" else f"{quote(self.schema)}.{quote(self.name)}"


_COMPOSITES = """
    SELECT n.nspname AS schema, c.relname AS name,
           ARRAY(SELECT ARRAY[quote_ident(a.attname), format_type(a.atttypid, a.atttypmod)] FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS fields,
           coalesce((SELECT jsonb_agg(jsonb_build_object('schema', un.nspname, 'table', u.relname, 'column', a.attname,
                                                         'array', a.atttypid = t.typarray, 'default', NULL))
                     FROM pg_attribute a JOIN pg_class u ON u.oid = a.attrelid
                     JOIN pg_namespace un ON un.oid = u.relnamespace
                     WHERE a.atttypid IN (t.oid, t.typarray) AND NOT a.attisdropped), '[]') AS users,
           EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_type'::regclass
                   AND d.refobjid IN (t.oid, t.typarray)
                   AND d.classid NOT IN ('pg_class'::regclass, 'pg_type'::regclass)) AS used
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = c.reltype
    WHERE c.relkind = 'c' AND (n.oid = pg_my_temp_schema()) = :temporary
      AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid
                      AND e.deptype = 'e')
"""


def read_composites(connection: Connection, temporary: bool = False) -> dict[TypeKey, Composite]:
    """Read the composite types that belong to no extension. Takes no lock.

    Args:
        connection: to the database.
        temporary: those of this session alone.
    """
    rows = connection.execute(text(_COMPOSITES), {"temporary": temporary})
    return {
        (row.schema, row.name): Composite(
            row.schema, row.name, dict(row.fields), tuple(TypeUser(**user) for user in row.users), row.used
        )
        for row in rows
    }


def compare_composites(context: AutogenContext, upgrade_ops: ops.UpgradeOps, metadata: MetaData) -> None:
    """Add the ops for composite types around the others.

    Args:
        context: of the run.
        upgrade_ops: what the comparators wrote so far.
        metadata: the target.
    """
    connection = context.connection
    columns = [column for table in metadata.sorted_tables for column in table.columns]
    default = str(getattr(context.dialect, "default_schema_name", None) or "public")
    kinds = [kind for column in columns for kind in composites_of(column.type)]
    declared = {(kind.schema or default, str(kind.name)): kind for kind in reversed(kinds)}
    actual = read_composites(connection) if connection is not None else {}
    if connection is None or not (declared or actual):
        return
    changes = [change.up for change in flatten(upgrade_ops.ops)]
    before: list[ops.MigrateOperation] = []
    for key, kind in reversed(declared.items()):
        if key in actual:
            before += _compared(connection, kind, actual[key])
        else:
            before.append(SqlOp(create_composite(kind), f"DROP TYPE {_name(kind)}"))
    unused = [item for key, item in actual.items() if key not in declared and not item.used]
    after = [_dropped(item) for item in unused if loses_all(item.users, changes, default)]
    upgrade_ops.ops[:] = [*before, *upgrade_ops.ops, *after]


def _name(kind: Any) -> str:
    return ".".join(quote(part) for part in (kind.schema, str(kind.name)) if part)


def _compared(connection: Connection, kind: Any, actual: Composite) -> Iterator[ops.MigrateOperation]:
    """The ops that give a type the fields that the models declare. PostgreSQL changes no field that a table has."""
    expected = _fields(connection, kind)
    alter = f"ALTER TYPE {actual.qualified}"
    for name, field in expected.items():
        if name not in actual.fields:
            yield SqlOp(f"{alter} ADD ATTRIBUTE {name} {field}", f"{alter} DROP ATTRIBUTE {name}")
    for name, field in actual.fields.items() if expected else ():
        if name not in expected:
            yield SqlOp(f"{alter} DROP ATTRIBUTE {name}", f"{alter} ADD ATTRIBUTE {name} {field}")
        elif field != expected[name]:
            lines = (
                f"# pgpatterns: The models have {name} of {actual.qualified} as {expected[name]}, the database as",
                f"#   {field}. PostgreSQL cannot change that while a table has the type: create a type of another",
                "#   name, change the columns to it, and drop the old one.",
            )
            yield CommentOp(lines)


def _fields(connection: Connection, kind: Any) -> Mapping[str, str]:
    """The declared fields as PostgreSQL prints them; none if it refuses them."""
    try:
        with rolled_back(connection):
            connection.execute(text(escape_binds(create_composite(kind, schema="pg_temp"))))
            (printed,) = read_composites(connection, temporary=True).values()
    except SQLAlchemyError:
        return {}
    return printed.fields


def _dropped(item: Composite) -> SqlOp:
    return DropTypeOp(
        f"DROP TYPE {item.qualified}", f"CREATE TYPE {item.qualified} AS ({_listed(item.fields.items())})"
    )


def _listed(fields: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in fields)
