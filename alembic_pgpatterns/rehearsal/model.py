"""What a rehearsal measured, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.rehearsal.rows.model import Unfilled
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.revisions.rehearsed import RehearsedRun
from alembic_pgpatterns.schema.model import Location, Name


@dataclass(frozen=True, slots=True)
class Wait:
    """How long one statement of a kind took, in seconds. ``usual``: the median before the revision.

    ``error``: of one statement that the server refused.
    """

    longest: float
    usual: float
    count: int = 0
    error: str | None = None

    @property
    def waited(self) -> float:
        """How much the revision delayed the slowest statement."""
        return max(0.0, self.longest - self.usual)


@dataclass(frozen=True, slots=True)
class StatementTime:
    """A statement of the revision, or all that one line ran: ``count`` of them, in a loop.

    ``rows``: how many it changed; None if it changes none. ``predicted``: seconds at production's size, None if it did
    not run at each size.
    """

    location: Location
    seconds: float
    rows: int | None
    sql: str
    predicted: float | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of a revision on rows, under load.

    ``rows``: per table. ``reads`` and ``writes``: per table. The bytes: of WAL, and the growth of the
    database with temporary files.
    """

    rows: dict[Name, int]
    reads: dict[Name, Wait]
    writes: dict[Name, Wait]
    statements: tuple[StatementTime, ...]
    seconds: float
    wal_bytes: int
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """The wait with another number of rows. ``low`` and ``high``: its range. ``growth``: in words."""

    rows: int
    read_wait: float
    write_wait: float
    low: float
    high: float
    growth: str


@dataclass(frozen=True, slots=True)
class TableResult:
    """The waits on one table at the largest size, in seconds."""

    table: Name
    rows: int
    read_wait: float
    write_wait: float
    predicted: Prediction | None = None


@dataclass(frozen=True, slots=True)
class RevisionResult:
    """One revision in one database. ``sizes``: rows of the largest table in each measured run."""

    revision: str
    path: str
    database: str
    tables: tuple[TableResult, ...] = ()
    statements: tuple[StatementTime, ...] = ()
    wal_bytes: int = 0
    disk_bytes: int = 0
    sizes: tuple[int, ...] = ()
    seconds: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The result of ``alembic pgrehearse``.

    ``unrehearsed``: the unfilled tables that a revision touches. ``runs``: the revisions on empty tables.
    """

    revisions: tuple[RevisionResult, ...] = ()
    unfilled: tuple[Unfilled, ...] = ()
    findings: tuple[Finding, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unrehearsed: tuple[Skipped, ...] = ()
    runs: tuple[RevisionRun, ...] = ()
    facts: dict[str, object] = field(default_factory=dict)


@dataclass
class Gathered:
    """What a rehearsal collects."""

    results: list[RevisionResult] = field(default_factory=list)
    rehearsed: list[RehearsedRun] = field(default_factory=list)
    unfilled: dict[Name, Unfilled] = field(default_factory=dict)
    unrehearsed: dict[str, Skipped] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    runs: list[RevisionRun] = field(default_factory=list)
    server: str = ""
