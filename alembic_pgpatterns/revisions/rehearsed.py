"""What a revision did to made-up rows: facts of a rehearsal, without judgement."""

from __future__ import annotations

from dataclasses import dataclass

from alembic_pgpatterns.schema.model import Location, Name


@dataclass(frozen=True, slots=True)
class RowFailure:
    """A revision that runs on empty tables and fails on rows.

    ``way``: "upgrade", "downgrade" or "second upgrade". ``message``: the server's, with the row where it says one.
    """

    way: str
    message: str
    location: Location


@dataclass(frozen=True, slots=True)
class LostContent:
    """A column whose content is another one after upgrade and downgrade.

    ``rows``: in the table before, and ``kept``: how many of them have a value now. ``survives``: the column exists
    after the upgrade, too; else the upgrade drops it. ``rows_lost``: rows that are gone altogether; below zero:
    rows that came.
    """

    table: Name
    column: str
    rows: int
    before: int
    kept: int
    survives: bool
    rows_lost: int = 0


@dataclass(frozen=True, slots=True)
class RehearsedRun:
    """One revision on rows, in one database."""

    revision: str
    path: str
    upgrade_line: int
    downgrade_line: int
    database: str = ""
    failures: tuple[RowFailure, ...] = ()
    lost: tuple[LostContent, ...] = ()
