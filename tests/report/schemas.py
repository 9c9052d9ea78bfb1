"""Schemas and reports for pictures: of any size, with names as hard as they can be."""

from __future__ import annotations

import random

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.patterns.indexes.unindexed_foreign_key import UnindexedForeignKey
from alembic_pgpatterns.patterns.types.varchar_length import VarcharLength
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.schema.model import Column, DataType, ForeignKey, Key, Name, Schema, Table

HARD = (
    'a|b`c``d"e%f,g:h\n<i>&\x07é*_#',
    "</script><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "}} ;; %% x",
    "\u202eevitcaer",
    "日本",
    "```",
    "1x",
    "[q]",
    "#quot; #35;",
    "a\\b",
    "end",
)


def table(name: Name, parents: list[Name], columns: int = 3, column_name: str = "column") -> Table:
    """A table with a key, a foreign key per parent, and further columns."""
    number = DataType("int8", display="bigint")
    keys = tuple(ForeignKey(name, None, (f"parent_{place}",), parent, ("id",)) for place, parent in enumerate(parents))
    names = ["id", *(key.columns[0] for key in keys), *(f"{column_name} {place}" for place in range(columns))]
    return Table(
        name,
        columns=tuple(Column(name, column, number, False, place) for place, column in enumerate(names, 1)),
        primary_key=Key(name, None, ("id",), True),
        foreign_keys=keys,
    )


def findings_of(tables: list[Table]) -> tuple[Finding, ...]:
    """One per foreign key, and one on the last column of every second table."""
    keys = [
        UnindexedForeignKey().finding(key, f"no index of {item.name}", CreateIndex.on(item.name, key.columns[0]))
        for item in tables
        for key in item.foreign_keys
    ]
    columns = [VarcharLength().finding(item.columns[-1], f"{item.name} is limited") for item in tables[::2]]
    return (*keys, *columns)


def report_of(tables: list[Table]) -> Report:
    return Report(
        findings=findings_of(tables),
        accepted=findings_of(tables)[:1],
        stale=("varchar-length public.gone.x",),
        skipped=(Skipped("server <b>", "needs a live one"),),
        hints=("Do `this`.",),
        facts={"revisions": 3, "tables": len(tables), "server": "PostgreSQL 18"},
        schemas=(("", Schema("database", tuple(tables))),),
    )


def many(count: int, seed: int = 4) -> list[Table]:
    """Tables that reference earlier ones mostly, later ones and themselves at times."""
    chance = random.Random(seed)
    names = [Name("public", f"table_{number}") for number in range(count)]
    return [
        table(
            name,
            [chance.choice(names if chance.random() < 0.2 else names[: place // 3 + 1]) for _ in range(links)],
            chance.randint(0, 14),
        )
        for place, name in enumerate(names)
        if (links := chance.choice((0, 0, 1, 1, 2, 3))) is not None
    ]


def hard() -> list[Table]:
    """Tables, schemas and columns with the hard names, all pointing at the first."""
    names = [Name(text, text) for text in HARD]
    return [table(name, [names[0]], 6, name.name) for name in names]
