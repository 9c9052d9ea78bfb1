"""Runs of revisions written by hand, for tests of what a pattern decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alembic_pgpatterns.patterns import Finding, registry
from alembic_pgpatterns.revisions.commands import parse
from alembic_pgpatterns.revisions.model import Lock, RevisionRun, Statement, Work
from alembic_pgpatterns.schema.model import Column, DataType, Location, Name, Schema, Table, View
from tests.patterns.handmade import column, table

BOOK, AUTHOR, NEW, CHILD = (Name("public", name) for name in ("book", "author", "fresh", "book_2026"))
OTHER = Name("other", "Shelf")
SHARE, EXCLUSIVE, LIGHT = "SHARE", "ACCESS EXCLUSIVE", "SHARE UPDATE EXCLUSIVE"
KEY_LOCK = "SHARE ROW EXCLUSIVE"


def of(name: Name, *columns: Column, **facts: Any) -> Table:
    return table(*(replace(item, table=name) for item in columns), name=name, **facts)


def text(name: str, length: int | None = None, kind: str = "varchar") -> Column:
    kind_of = DataType(kind, modifier=(length,), display=f"{kind}({length})") if length else kind
    return column(name, kind_of)


BOOKS = (
    of(BOOK, column("id"), text("title"), text("code", 9), column("pages", "int4"), column("Kind", "text")),
    of(AUTHOR, column("id")),
    of(OTHER, column("id")),
)
TITLES = View(Name("public", "titles"), "SELECT 1", "app", False, False, frozenset())
BEFORE = Schema("database", BOOKS, server_version=18, views=(TITLES,))


def step(sql: str, *tables: Name | None, **facts: Any) -> Statement:
    """A statement as the tracer would describe it. ``locks``, ``held``: pairs of mode and table; ``work``: as Work."""
    commands = parse(sql)
    for name in ("locks", "held"):
        facts[name] = tuple(Lock(at, mode, at) for mode, at in facts.get(name, ()))
    facts["work"] = tuple(Work(kind, at, at, *more) for kind, at, *more in facts.get("work", ()))
    number = facts.pop("line", 10)
    known = commands[0] if commands else None
    return Statement(sql, known, Location("r1.py", number), number, tables=tables, **facts)


def run(*statements: Statement, after: Schema = BEFORE, **facts: Any) -> RevisionRun:
    return RevisionRun("r1", ("r0",), "r1.py", statements, facts.pop("before", BEFORE), after, **facts)


def found(pattern: str, what: Any) -> list[Finding]:
    cls: Any = registry()[pattern]
    return list(cls().detect(what))
