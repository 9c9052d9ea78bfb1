"""Changes of type that PostgreSQL cannot cast without help: USING and the defaults around it, found by trying."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from alembic.operations import ops
from sqlalchemy import DefaultClause, text
from sqlalchemy.types import NullType

from alembic_pgpatterns.autogenerate.compare.forms import ColumnForm
from alembic_pgpatterns.autogenerate.compare.sameness import is_constant
from alembic_pgpatterns.autogenerate.compare.scratch import accepted, constant_value, default_after, type_sql
from alembic_pgpatterns.autogenerate.compare.table_state import TableState
from alembic_pgpatterns.autogenerate.rewrite.columns import default_text
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp, Note
from alembic_pgpatterns.patterns.revisions.table_rewrite import TableRewrite
from alembic_pgpatterns.remedies.type_operations import AlterTypeOp, CastTypeOp
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.binds import escape_binds
from alembic_pgpatterns.schema.sql.lengths import longest
from alembic_pgpatterns.schema.sql.sqltext import sequence_of


def with_casts(op: ops.MigrateOperation, state: TableState) -> ops.MigrateOperation:
    """The op with what its change of type needs; the op itself if PostgreSQL needs no help."""
    if not isinstance(op, ops.AlterColumnOp) or op.modify_type is None or isinstance(op, AlterTypeOp):
        return op
    expected = state.printed.forms.columns.get(op.column_name)
    actual = state.actual.columns.get(op.column_name)
    if expected is None or actual is None or op.kw.get("postgresql_using"):
        return op
    using, using_back = _using(state, actual, expected), _using(state, expected, actual, back_from=actual)
    if isinstance(op.existing_type, NullType):
        return _as_sql(op, state, (actual, using_back), (expected, using))
    plain = not (actual.generated or expected.generated)
    has_default = plain and (actual.default is not None or expected.default is not None)
    apart = has_default and (op.modify_server_default is not False or _default_differs(state, actual, expected))
    if using is None and using_back is None and not apart:
        return op
    cast = CastTypeOp.with_both(op, using, using_back, has_default)
    if has_default and op.modify_server_default is False:
        _set_default_anew(cast, state, actual, expected)
    return cast


Cast = tuple[ColumnForm, str | None]
"""A column's form, and the USING that casts to it."""


def _as_sql(op: ops.AlterColumnOp, state: TableState, old: Cast, new: Cast) -> ops.MigrateOperation:
    """The change of a type that SQLAlchemy does not reflect, such as jsonpath, and cannot write in a downgrade."""
    alter = f"{state.alter} ALTER COLUMN {quote(str(op.column_name))} TYPE"
    change, undo = (f"{alter} {type_sql(form)}{f' USING {using}' if using else ''}" for form, using in (new, old))
    reason = f"from {old[0].type} to {new[0].type} every row is rewritten while nobody can read or write"
    note = Note(TableRewrite.name, f"{state.name}.{op.column_name}", reason)
    retyped = AlterTableOp(state.table, change, undo, str(op.column_name), note, note)
    op.existing_type, op.modify_type = op.modify_type, None
    return ops.ModifyTableOps(state.name, [retyped, *([op] if op.has_changes() else [])], schema=state.schema)


def _set_default_anew(cast: CastTypeOp, state: TableState, old: ColumnForm, new: ColumnForm) -> None:
    """Give the op the default for the new type, and the downgrade the old one, which was written for the old type."""
    column = next(c for c in state.declared.columns if c.name == old.name)
    default = column.server_default if default_text(column.server_default) is not None else _translated(state, old, new)
    if default is not None:
        # None, and not False: the way back has to drop the new default.
        cast.existing_server_default = state.reflected.columns[old.name].server_default
        cast.modify_server_default = default


def _translated(state: TableState, old: ColumnForm, new: ColumnForm) -> DefaultClause | None:
    """A default that only the database has, cast to the new type; None if it fits as it is, or no cast is known."""
    if old.default is None:
        return None
    # A literal names no type. A default that names the old type would prevent the type from being dropped.
    literal = constant_value(state.same.connection, old.type, old.default) if is_constant(old.default) else None
    value = f"({old.default})"
    casts = (f"{value}::{new.type}", f"{value}::integer::{new.type}", f"{value}::text::{new.type}")
    for default in filter(None, (literal, old.default, *casts)):
        statement = f"CREATE TEMP TABLE pgpatterns_cast ({quote(old.name)} {type_sql(new)} DEFAULT {default})"
        if accepted(state.same.connection, [statement], state.declared, state.printed.types):
            return DefaultClause(text(escape_binds(default))) if default != old.default else None
    return None


def _using(state: TableState, old: ColumnForm, new: ColumnForm, back_from: ColumnForm | None = None) -> str | None:
    """The expression that casts the old values; None if none is needed, or none is known.

    Args:
        state: of the table.
        old: the column before.
        new: the column after.
        back_from: what the column was before, if this is the way back.
    """
    candidates = _candidates(old, new)
    if back_from is not None and back_from.type.endswith("[]") and old.type.startswith(_TEXTS):
        # The way there wrote the text of the array, so this is no text that becomes the only element of one.
        candidates = iter((f"{quote(old.name)}::{new.type}",))
    needed = (*_spatial(quote(old.name), old.type, new.type), *_undashed(state, old, new, back_from is not None))
    needed += tuple(_bits(old, new, back_from))
    for using in (*needed, None, *candidates):
        # Tried, and not looked up in pg_cast: extensions add casts, and a cast by text or of an array is in no list.
        words = f" USING {using}" if using is not None else ""
        statements = [
            f"CREATE TEMP TABLE pgpatterns_cast ({quote(old.name)} {type_sql(old)})",
            f"ALTER TABLE pgpatterns_cast ALTER COLUMN {quote(old.name)} TYPE {type_sql(new)}{words}",
        ]
        if accepted(state.same.connection, statements, state.declared, state.printed.types):
            return using
    return None


_BITS = re.compile(r"bit(?:\((\d+)\))?")


def _bits(old: ColumnForm, new: ColumnForm, back_from: ColumnForm | None) -> Iterator[str]:
    """The cast of bits to more bits, and back: PostgreSQL accepts none by itself, and says so with the first row."""
    before, after = _BITS.fullmatch(old.type), _BITS.fullmatch(new.type)
    if before is not None and after is not None and (int(before[1] or 1) < int(after[1] or 1) or back_from is not None):
        yield f"{quote(old.name)}::{new.type}"


_UUID_LENGTH = len("00000000-0000-0000-0000-000000000000")
_TYPE_LENGTH = re.compile(r"character(?: varying)?\((\d+)\)")


def _undashed(state: TableState, old: ColumnForm, new: ColumnForm, back: bool) -> Iterator[str]:
    """The cast of a uuid to a text that is too short for its dashes: SQLAlchemy's ``Uuid(native_uuid=False)``."""
    if old.type != "uuid" or not new.type.startswith(_TEXTS):
        return
    forms = state.actual if back else state.printed.forms
    checks = [check.definition.removeprefix("CHECK ") for check in forms.constraints.values() if check.kind == "c"]
    limits = [longest(check.removesuffix(" NOT VALID").removesuffix(" NO INHERIT"), new.name) for check in checks]
    declared = _TYPE_LENGTH.fullmatch(new.type)
    limits.append(int(declared[1]) if declared else None)
    if any(limit is not None and limit < _UUID_LENGTH for limit in limits):
        yield f"replace({quote(old.name)}::text, '-', '')::{new.type}"


def _candidates(old: ColumnForm, new: ColumnForm) -> Iterator[str]:
    name = quote(old.name)
    yield from _by_meaning(name, old.type, new.type)
    if new.type.endswith("[]") and not old.type.endswith("[]"):
        if not old.type.startswith(_TEXTS):
            # A vector of pgvector becomes a real[] only. A text would be read as the text of an array.
            yield from (f"{name}::{new.type}", f"{name}::real[]::{new.type}")
        yield f"CASE WHEN {name} IS NOT NULL THEN ARRAY[{name}]::{new.type} END"
        yield f"CASE WHEN {name} IS NOT NULL THEN ARRAY[{name}::text]::{new.type} END"
    if old.type.endswith("[]") and not new.type.endswith("[]"):
        # Of several elements none may get lost: the text of the array either fits, or PostgreSQL refuses it.
        several = f"CASE WHEN cardinality({name}) > 1 THEN {name}::text::{new.type} ELSE"
        yield f"{several} ({name})[1]::{new.type} END"
        yield f"{several} ({name})[1]::text::{new.type} END"
    yield f"{name}::{new.type}"
    # A boolean can be cast to integer, and to no other number.
    yield f"{name}::integer::{new.type}"
    yield f"{name}::text::{new.type}"


_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_TEXTS = ("text", "character", "citext")
_TIMES = ("timestamp", "date", "interval")


def _by_meaning(name: str, old: str, new: str) -> Iterator[str]:
    """Casts of values that PostgreSQL would read from their text, which fails or gives something else."""
    if new in ("json", "jsonb") and (old.endswith("[]") or not old.startswith(("json", "text", "character"))):
        yield f"to_{new}({name})"
    if old in ("json", "jsonb") and new.rpartition(".")[2] == "hstore":
        yield f"hstore({_members(name, 'key')}, {_members(name, 'value')})"
    yield from _by_bytes(name, old, new)
    if old.startswith(_TIMES) and new.startswith(_NUMBERS):
        yield f"extract(epoch FROM {name})::{new}"
    if old.startswith(_NUMBERS) and new == "interval":
        yield f"make_interval(secs => {name})"
    if old.startswith(_NUMBERS) and new.startswith(("timestamp", "date")):
        seconds = f"to_timestamp({name})"
        yield seconds if new.endswith("with time zone") else f"({seconds} AT TIME ZONE 'UTC')::{new}"


def _members(name: str, part: str) -> str:
    """The keys or the values of a JSON document as text[].

    A USING may have no subquery, so a function that fills a record does it: any record with a text[], such as
    pg_class with its reloptions.
    """
    members = f"jsonb_path_query_array({name}::jsonb, 'strict $.keyvalue().{part}')"
    return f"(jsonb_populate_record(NULL::pg_class, jsonb_build_object('reloptions', {members}))).reloptions"


def _by_bytes(name: str, old: str, new: str) -> Iterator[str]:
    """Casts of bytea, whose text is hexadecimal digits and not what the bytes mean."""
    if new == "bytea":
        yield from (f"convert_to({name}, 'UTF8')",) if old.startswith(_TEXTS) else ()
        yield from (f"uuid_send({name})",) if old == "uuid" else ()
    if old == "bytea":
        yield from (f"convert_from({name}, 'UTF8')::{new}",) if new.startswith(_TEXTS) else ()
        yield from (f"encode({name}, 'hex')::uuid",) if new == "uuid" else ()


_SPATIAL = re.compile(r"(?P<kind>geometry|geography)\((?P<shape>\w+),?(?P<srid>\d*)\)")


def _spatial(name: str, old: str, new: str) -> Iterator[str]:
    """Casts between PostGIS's types, which PostgreSQL accepts without help and refuses with the first row."""
    before, after = _SPATIAL.fullmatch(old), _SPATIAL.fullmatch(new)
    if before is None or after is None:
        return
    value = name
    if before["srid"] and after["srid"] and before["srid"] != after["srid"]:
        value = f"ST_Transform({value}::geometry, {after['srid']})"
    multi = [match["shape"].startswith("Multi") for match in (before, after)]
    if multi[0] != multi[1] and after["shape"] != "Geometry":
        single = f"CASE WHEN ST_NumGeometries({value}::geometry) = 1 THEN ST_GeometryN({value}::geometry, 1) "
        value = f"ST_Multi({value}::geometry)" if multi[1] else f"{single}ELSE {value}::geometry END"
    if value != name:
        yield f"({value})::{new}"


def _default_differs(state: TableState, old: ColumnForm, new: ColumnForm) -> bool:
    """Whether PostgreSQL cannot cast one of the defaults by itself, or makes another one of it than is declared."""
    pairs: tuple[tuple[Any, Any], ...] = ((old, new), (new, old))
    for first, second in pairs:
        if first.default is None or sequence_of(first.default) is not None:
            continue
        statements = [
            f"CREATE TEMP TABLE pgpatterns_cast ({quote(old.name)} {type_sql(first)} DEFAULT {first.default})",
            f"ALTER TABLE pgpatterns_cast ALTER COLUMN {quote(old.name)} TYPE {type_sql(second)}",
        ]
        result = default_after(state.same.connection, statements, "pgpatterns_cast", state.printed.types)
        if result is None or (second.default is not None and result != second.default):
            return True
    return False
