"""Two-valued columns that are no booleans: how they are recognised, and the change to boolean that loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns._columns import Obstacles, checked_columns
from alembic_pgpatterns.patterns._words import words
from alembic_pgpatterns.remedies.model import Advice, Remedy, Statements
from alembic_pgpatterns.schema.model import UNKNOWN, Check, Column, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.values import allowed, constant, required
from alembic_pgpatterns.schema.sql.values import columns as columns_in

PAIRS = {"y": "n", "yes": "no", "t": "f", "true": "false", "1": "0", "on": "off"}
"""What stands for true, in lower case, and what for false beside it."""

FLAG_VALUES = frozenset(PAIRS) | frozenset(PAIRS.values())


@dataclass(frozen=True, slots=True)
class TwoValued:
    """A CHECK that lets two values through, and which of them means true."""

    check: Check
    true: str
    false: str


@dataclass(frozen=True, slots=True)
class Restriction:
    """What the checks of a column allow: ``two`` where it is a pair of flags; ``other`` where it is anything else."""

    two: TwoValued | None = None
    other: bool = False


def restrictions(table: Table) -> dict[str, Restriction]:
    """By column, what its CHECK constraints say about the values; columns without one are left out."""
    by_column: dict[str, Restriction] = {}
    for check in table.checks:
        values = allowed(check.expression) if isinstance(check.expression, str) else None
        if values is not None and not check.inherited:
            two = _pair(check, values[1])
            by_column[values[0]] = Restriction(two, other=two is None)
    return by_column


def restricted_columns(schema: Schema) -> Iterator[tuple[Table, Column, Restriction]]:
    """The columns that patterns check, each with the values that its CHECK constraints allow."""
    checks: dict[str, Restriction] = {}
    seen: Table | None = None
    for table, column in checked_columns(schema):
        if table is not seen:
            seen, checks = table, restrictions(table)
        yield table, column, checks.get(column.name, Restriction())


def _pair(check: Check, values: frozenset[str]) -> TwoValued | None:
    true = next((value for value in sorted(values) if value.lower() in PAIRS), None)
    if len(values) != 2 or true is None:
        return None
    false = next(iter(values - {true}))
    return TwoValued(check, true, false) if PAIRS[true.lower()] == false.lower() else None


def is_named_flag(name: str, prefixes: tuple[str, ...]) -> bool:
    """Whether the first of several words of the name is one of the prefixes."""
    name_words = words(name)
    return len(name_words) > 1 and name_words[0] in prefixes


def is_key_member(table: Table, name: str) -> bool:
    """Whether a primary or foreign key uses the column, which then is more than a flag."""
    primary = table.primary_key is not None and name in table.primary_key.columns
    return primary or any(name in key.columns for key in table.foreign_keys)


def default_constant(column: Column) -> str | None:
    """The constant that is the server's default; None where there is none, or it is computed."""
    return constant(column.default) if isinstance(column.default, str) else None


def to_boolean(table: Table, column: Column, two: TwoValued | None, obstacles: Obstacles, text: bool) -> Remedy:
    """Statements where a valid CHECK proves that nothing is lost, else a description."""
    reason = _why_by_hand(table, column, two) or obstacles.of(column) or obstacles.around(column)
    if two is None or reason is not None:
        return Advice(f"Write the change to boolean in a revision yourself (USING …), because {reason}.")
    name, check, old = quote(column.name), quote(two.check.name or ""), column.type.display
    alter = f"ALTER TABLE {table.name}"
    true, false = (_literal(value) if text else value for value in (two.true, two.false))
    default = default_constant(column)
    up = [f"{alter} DROP CONSTRAINT {check}", f"{alter} ALTER COLUMN {name} TYPE boolean USING {name} = {true}"]
    down = [
        # NULL is neither, and stays NULL.
        f"{alter} ALTER COLUMN {name} TYPE {old} USING CASE WHEN {name} THEN {true} WHEN NOT {name} THEN {false} END",
        f"{alter} ADD CONSTRAINT {check} CHECK ({two.check.expression})",
    ]
    if default is not None:
        drop = f"{alter} ALTER COLUMN {name} DROP DEFAULT"
        # ALTER TYPE would have to cast the default too, and text has no assignment cast to boolean.
        up = [drop, *up, f"{alter} ALTER COLUMN {name} SET DEFAULT {str(default == two.true).lower()}"]
        down = [drop, *down, f"{alter} ALTER COLUMN {name} SET DEFAULT {true if default == two.true else false}"]
    return Statements(up=tuple(up), down=tuple(down), model=f"Column({column.name!r}, Boolean)")


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _why_by_hand(table: Table, column: Column, two: TwoValued | None) -> str | None:
    if two is None:
        return "no CHECK proves that it holds nothing but two values"
    if column.nullable and column.name not in required_columns(table):
        return "as a boolean that allows null it would have three values: make it NOT NULL first, or decide that it may"
    if two.check.name is None or not (two.check.validated and two.check.enforced):
        return "its CHECK has no name or is not validated"
    if column.default is not None and default_constant(column) not in (two.true, two.false):
        return f"its default is {column.default}"
    return _used_elsewhere(table, column, two.check)


def required_columns(table: Table) -> frozenset[str]:
    """The columns that a CHECK keeps from being null."""
    texts = (check.expression for check in table.checks if isinstance(check.expression, str) and check.enforced)
    return frozenset().union(*map(required, texts))


def _used_elsewhere(table: Table, column: Column, check_of_flag: Check) -> str | None:
    for check in table.checks:
        unknown = check.expression is UNKNOWN or column.name in columns_in(check.expression)
        if check is not check_of_flag and check.not_null_column is None and unknown:
            return f"the constraint {check.identifier} may read it"
    for index in table.indexes:
        texts = [key.expression for key in index.keys] + [index.predicate]
        if any(text is UNKNOWN or (text is not None and column.name in columns_in(text)) for text in texts):
            return f"the index {index.name} may read it in an expression"
    return None
