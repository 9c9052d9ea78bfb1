"""What a revision did to made-up rows: only facts of a rehearsal, no judgement."""

from __future__ import annotations

from dataclasses import dataclass

from alembic_pgpatterns.schema.model import Location, Name


@dataclass(frozen=True, slots=True)
class RowFailure:
    """A revision that runs on empty tables and fails on rows.

    ``way``: "upgrade", "downgrade" or "second upgrade". ``message``: the server's, with the row if it names one.
    """

    way: str
    message: str
    location: Location


@dataclass(frozen=True, slots=True)
class LostContent:
    """A column whose content differs after upgrade and downgrade.

    ``rows``: in the table before. ``remaining``: how many of them have a value now. ``survives``: whether the column
    exists after the upgrade; if not, the upgrade drops it. ``rows_lost``: rows that no longer exist; negative: rows
    that were added.
    """

    table: Name
    column: str
    rows: int
    before: int
    remaining: int
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
