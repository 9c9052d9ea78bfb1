"""What a diagram shows of a schema: boxes for tables, and links for foreign keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.schema.model import Column, ForeignKey, Name, Schema, Table

OTHERS = 4
"""Further columns that a box shows beside keys and columns with findings; the rest is a count."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line in a box: a column, its type, and the worst finding on it; None if there is none."""

    name: str
    type: str
    key: str = ""
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """One table. ``hidden``: how many columns are not shown. ``findings``: on the table and all that belongs to it."""

    table: Name
    rows: tuple[Row, ...]
    hidden: int = 0
    findings: int = 0
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A foreign key from a box to another, or to itself; ``column``: the first one, where the line begins."""

    child: Name
    parent: Name
    column: str


@dataclass(frozen=True, slots=True)
class Diagram:
    """The boxes in the schema's order, and the links between them."""

    boxes: tuple[Box, ...]
    links: tuple[Link, ...]


def diagram(schema: Schema, findings: Sequence[Finding], only: Iterable[Name] | None = None) -> Diagram:
    """The diagram of a schema.

    Args:
        schema: its tables are shown, its partitions are not.
        findings: of the report, shown on the tables that they are about.
        only: the tables to show; None shows all.
    """
    chosen = None if only is None else set(only)
    tables = [table for table in schema.checked_tables() if chosen is None or table.name in chosen]
    names = {table.name for table in tables}
    on: dict[Name | None, list[Finding]] = {}
    for finding in findings:
        on.setdefault(finding.table, []).append(finding)
    return Diagram(
        tuple(_box(table, on.get(table.name, ())) for table in tables),
        tuple(
            Link(table.name, key.referred_table, key.columns[0])
            for table in tables
            for key in table.foreign_keys
            if key.referred_table in names and not key.inherited
        ),
    )


def _box(table: Table, findings: Sequence[Finding]) -> Box:
    rows = [_row(table, column, findings) for column in table.columns]
    others = [row for row in rows if not row.key and row.severity is None][OTHERS:]
    shown = tuple(row for row in rows if row not in others)
    worst = max((finding.severity for finding in findings), default=None)
    return Box(table.name, shown, len(rows) - len(shown), len(findings), worst)


def _row(table: Table, column: Column, findings: Sequence[Finding]) -> Row:
    severities = [finding.severity for finding in findings if _is_on(finding, column)]
    return Row(
        column.name,
        _short(column.type.display or column.type.name),
        _key(table, column.name),
        max(severities, default=None),
    )


_SHORT = {
    "character varying": "varchar",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "time without time zone": "time",
    "time with time zone": "timetz",
    "double precision": "float8",
}


def _short(type_: str) -> str:
    """PostgreSQL's short spelling of a type."""
    for long, short in _SHORT.items():
        head, _, tail = long.partition(" ")
        inside = re.fullmatch(rf"{head}(\(\d+\))? {tail}(.*)", type_)
        if inside:
            return f"{short}{inside[1] or ''}{inside[2]}"
    return type_


def _key(table: Table, column: str) -> str:
    primary = table.primary_key is not None and column in table.primary_key.columns
    foreign = any(column in key.columns for key in table.foreign_keys)
    return " ".join(word for word, holds in (("PK", primary), ("FK", foreign)) if holds)


def _is_on(finding: Finding, column: Column) -> bool:
    """Whether a finding is about this column, or about a foreign key that it is part of."""
    at = finding.at
    if isinstance(at, ForeignKey):
        return column.name in at.columns
    return isinstance(at, Column) and at.name == column.name
