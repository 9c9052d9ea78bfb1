"""Sequences that no ``serial`` or identity column owns: created, altered, and dropped with their last use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy as shallow_copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic.operations import ops
from sqlalchemy import Connection, MetaData, Sequence, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateSequence

from alembic_pgpatterns.autogenerate.compare.identity import into_limits, option_clauses
from alembic_pgpatterns.autogenerate.compare.scratch import rolled_back
from alembic_pgpatterns.autogenerate.compare.type_catalog import TypeKey, TypeUser
from alembic_pgpatterns.autogenerate.rewrite.rendering import DIALECT, DropTypeOp, SqlOp
from alembic_pgpatterns.schema.names import quote

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


@dataclass(frozen=True, slots=True)
class SequenceForm:
    """A sequence as the catalog has it."""

    schema: str
    name: str
    type: str
    options: Mapping[str, Any]
    owned: bool
    """Whether a column owns it, as ``serial`` and identity make it."""
    users: tuple[TypeUser, ...]
    """The columns whose default takes its values."""


_SEQUENCES = """
    SELECT n.nspname AS schema, c.relname AS name, format_type(s.seqtypid, NULL) AS type,
           to_jsonb(s) - 'seqrelid' - 'seqtypid' AS options,
           EXISTS (SELECT FROM pg_depend o WHERE o.classid = 'pg_class'::regclass AND o.objid = c.oid
                   AND o.deptype IN ('a', 'i', 'e')) AS owned,
           coalesce((SELECT jsonb_agg(jsonb_build_object('schema', tn.nspname, 'table', t.relname, 'column', a.attname,
                                'array', false, 'default', NULL))
                     FROM pg_depend d JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
                     JOIN pg_class t ON t.oid = f.adrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
                     JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
                     WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid), '[]') AS users
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND {condition}
"""


def read_sequences(connection: Connection, condition: str = "true") -> dict[TypeKey, SequenceForm]:
    """Read the sequences. Takes no lock.

    Args:
        connection: to the database.
        condition: SQL on ``c`` (pg_class) and ``n`` (pg_namespace).
    """
    rows = connection.execute(text(_SEQUENCES.format(condition=condition))).mappings()
    forms = [SequenceForm(**{**row, "users": tuple(TypeUser(**user) for user in row["users"])}) for row in rows]
    return {(form.schema, form.name): form for form in forms}


KEY = "pgpatterns_sequences"
"""The migration context's option that holds the sequences of a run."""


def existing_sequences(context: AutogenContext) -> dict[TypeKey, SequenceForm]:
    """Return the sequences of the database, read once per run.

    It is called before temporary tables are created: the rows that these leave in the catalog when they are rolled
    back make PostgreSQL take a hundred times as long for this query.
    """
    options = context.migration_context.opts
    if KEY not in options:
        assert context.connection is not None
        options[KEY] = read_sequences(context.connection)
    result: dict[TypeKey, SequenceForm] = options[KEY]
    return result


def created_or_altered(context: AutogenContext, metadata: MetaData, default_schema: str) -> Iterator[SqlOp]:
    """The ops that make the sequences what the models declare. ``optional`` ones are not for PostgreSQL."""
    connection = context.connection
    assert connection is not None
    actual = existing_sequences(context)
    for sequence in metadata._sequences.values():
        existing = actual.get((sequence.schema or default_schema, str(sequence.name)))
        name = ".".join(quote(part) for part in (sequence.schema, sequence.name) if part)
        if sequence.optional:
            continue
        if existing is None:
            yield SqlOp(str(CreateSequence(sequence).compile(dialect=DIALECT)).strip(), f"DROP SEQUENCE {name}")
        elif not existing.owned and (expected := _printed(connection, sequence)) is not None:
            yield from _altered(name, expected, existing)


def _printed(connection: Connection, sequence: Sequence) -> SequenceForm | None:
    """The declared sequence as PostgreSQL stores it; None if it refuses it."""
    # Not SQLAlchemy's copy(), which would register the sequence with the metadata.
    copy = shallow_copy(sequence)
    copy.schema = "pg_temp"
    try:
        with rolled_back(connection):
            connection.execute(CreateSequence(copy))
            forms = read_sequences(connection, "n.oid = pg_my_temp_schema()")
    except SQLAlchemyError:
        return None
    return next((form for form in forms.values() if form.name == str(sequence.name)), None)


def _altered(name: str, expected: SequenceForm, actual: SequenceForm) -> Iterator[SqlOp]:
    change, undo = _clauses(expected, actual), _clauses(actual, expected)
    if not change:
        return
    statement = into_limits(name, expected.options, actual.options)
    if statement is not None:
        yield SqlOp(statement)
    yield SqlOp(f"ALTER SEQUENCE {name} {' '.join(change)}", f"ALTER SEQUENCE {name} {' '.join(undo)}")


def _clauses(new: SequenceForm, old: SequenceForm) -> list[str]:
    kind = [f"AS {new.type}"] if new.type != old.type else []
    return kind + option_clauses(new.options, old.options)


def dropped(
    context: AutogenContext, metadata: MetaData, changes: Iterable[ops.MigrateOperation], default_schema: str
) -> Iterator[SqlOp]:
    """Drop the sequences that the models do not declare any more, and whose last use the revision takes away."""
    declared = {(s.schema or default_schema, str(s.name)) for s in metadata._sequences.values()}
    without_default = set(_without_default(changes, default_schema))
    for key, form in existing_sequences(context).items():
        users = [{(u.schema, u.table, u.column), (u.schema, u.table, None)} for u in form.users]
        if key in declared or form.owned or not users or not all(without_default & user for user in users):
            continue
        name = ".".join(quote(part) for part in key if part != default_schema)
        clauses = [f"AS {form.type}", *option_clauses(form.options, {})]
        yield DropTypeOp(f"DROP SEQUENCE {name}", f"CREATE SEQUENCE {name} {' '.join(clauses)}")


def _without_default(
    changes: Iterable[ops.MigrateOperation], default_schema: str
) -> Iterator[tuple[str, str, str | None]]:
    """The tables and columns that the revision drops, and the columns that get another default."""
    for op in changes:
        schema = getattr(op, "schema", None) or default_schema
        if isinstance(op, ops.DropTableOp):
            yield (schema, op.table_name, None)
        elif isinstance(op, ops.DropColumnOp) or (
            isinstance(op, ops.AlterColumnOp) and op.modify_server_default is not False
        ):
            yield (schema, op.table_name, str(op.column_name))
