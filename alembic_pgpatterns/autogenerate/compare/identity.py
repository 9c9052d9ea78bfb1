"""Identity and serial columns: options of the sequence, and conversions between the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Sequence

from alembic_pgpatterns.autogenerate.compare.forms import ColumnForm
from alembic_pgpatterns.autogenerate.compare.table_state import TableState
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp
from alembic_pgpatterns.operations.columns import ConvertIdentityToSerialOp, ConvertSerialToIdentityOp
from alembic_pgpatterns.schema.names import do_block, quote
from alembic_pgpatterns.schema.sql.sqltext import sequence_of

_LIMITS = frozenset(str(2**bits - 1) for bits in (15, 31, 63))


def is_serial(form: ColumnForm) -> bool:
    """Whether a column takes its values from its own sequence, as ``serial`` does."""
    return not form.identity and form.owned_sequence is not None and sequence_of(form.default or "") is not None


def is_counted(form: ColumnForm) -> bool:
    """Whether a column is an identity or a serial one."""
    return bool(form.identity) or is_serial(form)


def compare_identity(state: TableState, column: Any, expected: ColumnForm, actual: ColumnForm) -> None:
    """Correct the ops for an identity or serial column, in the models or in the database."""
    if not (is_counted(expected) or is_counted(actual)):
        return
    op = state.alter_op(column.name)
    if op is not None and op.modify_server_default is not False:
        op.modify_server_default = False
        op.existing_server_default = False
        state.drop_if_empty(op)
    if is_serial(actual) and (is_serial(expected) or _names_its_sequence(column, actual)):
        _take_sequence_along(state, expected, actual)
    elif expected.identity and actual.identity:
        _compare_options(state, expected, actual)
    elif expected.identity and is_serial(actual):
        _convert(state, expected, actual, to_identity=True)
    elif is_serial(expected) and actual.identity:
        _convert(state, expected, actual, to_identity=False)
    elif is_counted(expected) != is_counted(actual):
        _start_or_stop(state, expected, actual)
    if actual.identity and not expected.identity and expected.nullable:
        # Alembic ignores this too, and a column that was an identity stays NOT NULL.
        (state.alter_op(column.name) or state.new_alter_op(column.name)).modify_nullable = True


def _names_its_sequence(column: Any, actual: ColumnForm) -> bool:
    """Whether the models take a serial column's values from its sequence by name, as SQLAlchemy-Continuum's do.

    Then SQLAlchemy calls nextval() and needs the sequence; that the column has it as its default too does no harm.
    """
    name = (actual.owned_sequence or "").rpartition(".")[2]
    return isinstance(column.default, Sequence) and quote(str(column.default.name)) == name


def _take_sequence_along(state: TableState, expected: ColumnForm, actual: ColumnForm) -> None:
    """Give the sequence of a serial column the column's new type; otherwise it ends at the old type's limit."""
    op = state.alter_op(expected.name)
    if op is not None and op.modify_type is not None and expected.type != actual.type:
        alter = f"ALTER SEQUENCE {actual.owned_sequence} AS"
        state.add(AlterTableOp(state.table, f"{alter} {expected.type}", f"{alter} {actual.type}", expected.name))


def _convert(state: TableState, expected: ColumnForm, actual: ColumnForm, to_identity: bool) -> None:
    always = "a" in (expected.identity, actual.identity)
    arguments: dict[str, Any] = {"always": always, "schema": state.schema}
    to_identity_op = ConvertSerialToIdentityOp(state.name, expected.name, **arguments)
    to_serial_op = ConvertIdentityToSerialOp(state.name, expected.name, **arguments)
    first, second = (to_identity_op, to_serial_op) if to_identity else (to_serial_op, to_identity_op)
    state.add(AlterTableOp(state.table, do_block(first.body()), do_block(second.body()), expected.name))
    if to_identity:
        _compare_options(state, expected, replace(actual, identity=expected.identity))
        return
    change, undo = _clauses(expected, actual), _clauses(actual, expected)
    if change and actual.owned_sequence is not None:
        alter = f"ALTER SEQUENCE {actual.owned_sequence}"
        state.add(AlterTableOp(state.table, f"{alter} {' '.join(change)}", f"{alter} {' '.join(undo)}", expected.name))


def _compare_options(state: TableState, expected: ColumnForm, actual: ColumnForm) -> None:
    change, undo = _options(expected, actual), _options(actual, expected)
    if change:
        _move_into_limits(state, expected, actual)
        alter = f"{state.alter} ALTER COLUMN {quote(expected.name)}"
        state.add(AlterTableOp(state.table, f"{alter} {change}", f"{alter} {undo}", expected.name))


def _move_into_limits(state: TableState, expected: ColumnForm, actual: ColumnForm) -> None:
    if actual.owned_sequence is None:
        return
    statement = into_limits(actual.owned_sequence, expected.sequence or {}, actual.sequence or {})
    if statement is not None:
        state.add(AlterTableOp(state.table, statement, object_name=expected.name))


def into_limits(sequence: str, new: Mapping[str, Any], old: Mapping[str, Any]) -> str | None:
    """SQL that moves a sequence into narrower limits: PostgreSQL refuses limits without the value it stands at.

    Args:
        sequence: its quoted name.
        new: the columns of pg_sequence as they shall be.
        old: as they are.
    """
    least, most = new.get("seqmin", 1), new.get("seqmax", 2**63 - 1)
    if least <= old.get("seqmin", 1) and most >= old.get("seqmax", most):
        return None
    name = sequence.replace("'", "''")
    value = f"least(greatest(last_value, {least}), {most})"
    called = f"is_called AND last_value BETWEEN {least} AND {most}"
    return f"SELECT setval('{name}', {value}, {called}) FROM {sequence}"  # noqa: S608


def _options(new: ColumnForm, old: ColumnForm) -> str:
    """The SET clauses that turn one identity into the other."""
    clauses = [f"SET {clause}" for clause in _clauses(new, old)]
    if new.identity != old.identity:
        clauses.insert(0, f"SET GENERATED {'ALWAYS' if new.identity == 'a' else 'BY DEFAULT'}")
    return " ".join(clauses)


def _clauses(new: ColumnForm, old: ColumnForm) -> list[str]:
    return option_clauses(new.sequence, old.sequence)


def option_clauses(new: Mapping[str, Any] | None, old: Mapping[str, Any] | None) -> list[str]:
    """The options of a sequence that make one of another, as SQL.

    Args:
        new: the columns of pg_sequence as they shall be.
        old: as they are; empty for a sequence that is not there.
    """
    expected, existing = _plain(new), _plain(old)
    return [words(expected[name]) for name, words in _CLAUSES if expected.get(name) != existing.get(name)]


def _plain(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Options without a maximum that is only the type's own, which changes with the type."""
    return {name: value for name, value in (options or {}).items() if name != "seqmax" or str(value) not in _LIMITS} | (
        {"seqmax": "NO MAXVALUE"} if str((options or {}).get("seqmax")) in _LIMITS else {}
    )


_CLAUSES: tuple[tuple[str, Any], ...] = (
    ("seqincrement", lambda value: f"INCREMENT BY {value}"),
    ("seqmin", lambda value: f"MINVALUE {value}"),
    ("seqmax", lambda value: value if value == "NO MAXVALUE" else f"MAXVALUE {value}"),
    ("seqstart", lambda value: f"START WITH {value}"),
    ("seqcache", lambda value: f"CACHE {value}"),
    ("seqcycle", lambda value: "CYCLE" if value else "NO CYCLE"),
)


def _start_or_stop(state: TableState, expected: ColumnForm, actual: ColumnForm) -> None:
    """Make a plain column an identity or serial column, or the reverse."""
    if is_counted(expected):
        form = replace(expected, unlogged_sequence=state.unlogged_sequences)
        starts, stops = _start(state, form), _stop(state, expected)
    else:
        starts, stops = _stop(state, actual), _start(state, actual)
    # One statement undoes all, since asyncpg refuses several in one call.
    undo = stops[0] if len(stops) == 1 else do_block(_body(stops))
    changes = [AlterTableOp(state.table, x, None if number else undo, expected.name) for number, x in enumerate(starts)]
    op = state.alter_op(expected.name)
    if is_counted(expected):
        state.add(*changes)
    else:
        # First of all: a type that does not count may have no default that does.
        state.modify.ops[:0] = changes
        if expected.default is not None and (op is None or op.modify_type is None):
            alter = f"{state.alter} ALTER COLUMN {quote(expected.name)}"
            default = f"{alter} SET DEFAULT {expected.default}"
            state.add(AlterTableOp(state.table, default, f"{alter} DROP DEFAULT", expected.name))
    if expected.identity and actual.nullable:
        # An identity column has to be NOT NULL already. Alembic ignores the change, since an Identity implies it
        # (_compare_nullable).
        op = op or state.new_alter_op(expected.name)
        op.modify_nullable = False
        state.remove([op])
        state.modify.ops.insert(0, op)


def _body(statements: list[str]) -> str:
    """The statements as the body of a DO block, where PL/pgSQL has PERFORM for a SELECT without a target."""
    calls = [f"PERFORM {item.removeprefix('SELECT ')}" if item.startswith("SELECT ") else item for item in statements]
    return "\nBEGIN\n" + "\n".join(f"  {item};" for item in calls) + "\nEND "


def _start(state: TableState, form: ColumnForm) -> list[str]:
    column, alter = quote(form.name), f"{state.alter} ALTER COLUMN {quote(form.name)}"
    if form.identity:
        kind = "ALWAYS" if form.identity == "a" else "BY DEFAULT"
        options = " ".join(words(_plain(form.sequence)[name]) for name, words in _CLAUSES)
        first = [f"{alter} ADD GENERATED {kind} AS IDENTITY ({options})"]
    else:
        sequence = _sequence(state, form)
        first = [
            f"{create_words(form)} {sequence} AS {form.type} OWNED BY {state.qualified}.{column}",
            f"{alter} SET DEFAULT nextval('{sequence.replace(chr(39), chr(39) * 2)}')",
        ]
    return [*first, _continued(state, form)]


def create_words(form: ColumnForm) -> str:
    """CREATE SEQUENCE, for the sequence of a column."""
    return "CREATE UNLOGGED SEQUENCE" if form.unlogged_sequence else "CREATE SEQUENCE"


def _continued(state: TableState, form: ColumnForm) -> str:
    """The statement that lets the sequence of a column go on after its values, where they are in its limits."""
    options = form.sequence or {}
    first, least, most = options.get("seqstart", 1), options.get("seqmin", 1), options.get("seqmax", 2**63 - 1)
    column, name = quote(form.name), state.qualified.replace("'", "''")
    last, limits = f"max({column})", (first, most)
    if options.get("seqincrement", 1) < 0:
        last, limits = f"min({column})", (least, first)
    literal = form.name.replace("'", "''")
    # Names that are quoted above, in a statement that is written into a file.
    rows = f"FROM {state.qualified} HAVING {last} BETWEEN {limits[0]} AND {limits[1]}"
    return f"SELECT setval(pg_get_serial_sequence('{name}', '{literal}'), {last}) {rows}"


def _stop(state: TableState, form: ColumnForm) -> list[str]:
    alter = f"{state.alter} ALTER COLUMN {quote(form.name)}"
    if form.identity:
        return [f"{alter} DROP IDENTITY"]
    return [f"{alter} DROP DEFAULT", f"DROP SEQUENCE {_sequence(state, form)}"]


def _sequence(state: TableState, form: ColumnForm) -> str:
    name = (form.owned_sequence or "").rpartition(".")[2]
    return f"{quote(state.schema)}.{name}" if state.schema else name
