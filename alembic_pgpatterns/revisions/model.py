"""What a revision did to a database: facts of a run, without judgement.

Lock modes are spelled as in PostgreSQL's documentation ("Explicit Locking"), in capitals: ``ACCESS EXCLUSIVE``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from alembic_pgpatterns.revisions.alter_table import AlterAction
from alembic_pgpatterns.revisions.commands import Command
from alembic_pgpatterns.schema.model import Location, Name, Origin, Schema

MODES = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
"""Table locks from weak to strong; from SHARE on, writers wait; with ACCESS EXCLUSIVE, readers too."""


def blocks(mode: str) -> str:
    """What waits behind a lock of this mode: "reads and writes", "writes", or nothing worth a word."""
    if mode == "ACCESS EXCLUSIVE":
        return "reads and writes"
    return "writes" if is_strong(mode) else "neither reads nor writes"


def is_strong(mode: str) -> bool:
    """Whether ordinary statements of an application wait behind it."""
    return MODES.index(mode) >= MODES.index("SHARE")


def stronger(first: str, second: str) -> str:
    """The stronger of two modes."""
    return max(first, second, key=MODES.index)


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock on a relation that existed before the revision.

    ``root``: the partitioned table that the relation is a partition of, else its own name. ``by_table``: known from a
    table of ours, since the statement commits by itself and leaves no trace of its locks.
    """

    relation: Name
    mode: str
    root: Name
    by_table: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """Work that takes time with the number of rows, on a table that existed before the revision.

    ``kind``: "rewrite" of the table, "scan" to verify rows, "foreign key" rows checked against the referenced table,
    or "build" of an index. ``name``: of the constraint or index, where there is one.
    """

    kind: Literal["rewrite", "scan", "foreign key", "build"]
    table: Name
    root: Name
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as the server got it.

    ``command`` is None where PostgreSQL's parser did not understand it. ``location``: of the innermost call in the
    revision's file, which ends at ``last_line``. ``op``: Alembic's operation (``create_index``), None for SQL by a
    connection. ``transaction``: counts the run's transactions; ``transactional``: an open transaction block keeps its
    locks until it ends. ``tables``: the relations of the command by their names before the revision, None for what
    the revision made. ``locks``: newly taken by this statement; ``held``: from before, in the same transaction.
    ``tags``: of what it ran, for functions and DO blocks more than one. Timeouts in milliseconds, 0: none, None: not
    known. ``error``: SQLSTATE of a statement that failed.
    """

    sql: str
    command: Command | None
    location: Location
    last_line: int
    op: str | None = None
    transaction: int = 0
    transactional: bool = True
    tables: tuple[Name | None, ...] = ()
    locks: tuple[Lock, ...] = ()
    held: tuple[Lock, ...] = ()
    work: tuple[Work, ...] = ()
    tags: tuple[str, ...] = ()
    lock_timeout: int | None = None
    statement_timeout: int | None = None
    milliseconds: float = 0.0
    error: str | None = None

    @property
    def actions(self) -> tuple[AlterAction, ...]:
        """The parts of an ALTER TABLE."""
        return self.command.actions if self.command is not None else ()

    @property
    def changes_roles(self) -> bool:
        """Whether it creates or drops roles, which belong to the whole server; in a DO block too."""
        commands = self.command.all() if self.command is not None else ()
        return any(command.kind in ("create role", "drop role") for command in commands)

    def mode(self, root: Name) -> str | None:
        """The strongest lock on a table and its partitions while the statement ran."""
        modes = [lock.mode for lock in (*self.locks, *self.held) if lock.root == root or lock.relation == root]
        return max(modes, key=MODES.index) if modes else None

    def works(self, kind: str) -> tuple[Work, ...]:
        """Its work of one kind, each table (partitions as their root) and name once."""
        found = {(item.root, item.name if item.root == item.table else None): item for item in self.work}
        return tuple(item for item in found.values() if item.kind == kind)


@dataclass(frozen=True, slots=True)
class Downgrade:
    """What became of a revision's downgrade.

    ``declared``: it raises by itself, to say that there is no way back. ``failure``: it fails otherwise, at
    ``location``. ``differences``: between the schema before the upgrade and after the downgrade, each a sentence.
    ``again``: why the second upgrade fails, where it does.
    """

    declared: bool = False
    failure: str | None = None
    location: Location | None = None
    differences: tuple[str, ...] = ()
    again: str | None = None
    skipped: str | None = None


@dataclass(frozen=True, slots=True)
class RevisionRun:
    """One revision, run in one database.

    ``before`` and ``after`` are the schemas around its upgrade. ``rows``: of tables in production, where the user gave
    them; a table that is not named there is unknown. ``downgrade`` is None where it was not run. ``database``: the
    scratch one it ran in, named as the real one where that name was free.
    """

    revision: str
    down_revisions: tuple[str, ...]
    path: str
    statements: tuple[Statement, ...]
    before: Schema
    after: Schema
    downgrade: Downgrade | None = None
    downgrade_line: int = 1
    failure: str | None = None
    rows: tuple[tuple[Name, int], ...] = ()
    database: str = ""

    def existed(self, name: Name) -> bool:
        """Whether the table was there before the revision."""
        return self.before.table(name) is not None

    def resolve(self, schema: str, name: str) -> Name:
        """The name as an unqualified one is understood: a table that exists, else in the default schema."""
        if schema:
            return Name(schema, name)
        default = Name(self.before.default_schema, name)
        if self.existed(default):
            return default
        return next((table.name for table in self.before.tables if table.name.name == name), default)

    def is_small(self, name: Name) -> bool:
        """Whether production is known to have no more than a handful of rows in the table."""
        return any(table == name and count <= FEW_ROWS for table, count in self.rows)


FEW_ROWS = 1000
"""A table that is known to have no more rows than this is read, verified and indexed in a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What env.py does around the revisions: per call of ``context.configure``."""

    location: Location
    transaction_per_migration: bool
    opened_transaction: bool
    database: str = ""


@dataclass(frozen=True, slots=True)
class Drift:
    """What differs between the models and the head of one database; ``table`` is what it belongs to.

    ``harmless``: the head accepts all that the models write.
    """

    table: Name
    object: str
    message: str
    location: Location | None = None
    harmless: bool = False


@dataclass(frozen=True, slots=True)
class Slowed:
    """A statement of the application that became slow between the revisions in scope.

    ``tables``: of which it reads every row now. ``before``, ``after``: cost in the planner's units. ``revisions``: in
    scope. ``location``: the line that sends it, where known.
    """

    fingerprint: str
    text: str
    tables: tuple[Name, ...]
    before: float
    after: float
    revisions: tuple[str, ...]
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The project's revisions as a whole.

    ``heads``: identifier and file of each. ``runs``: of the revisions in scope. ``drifts``: None where the models are
    not known. ``uses_autocommit``: files with an ``autocommit_block()``, and the line of the first. ``slowed``:
    statements of the recorded workload.
    """

    heads: tuple[tuple[str, str], ...] = ()
    labelled: bool = False
    environments: tuple[Environment, ...] = ()
    runs: tuple[RevisionRun, ...] = ()
    drifts: tuple[Drift, ...] | None = None
    uses_autocommit: tuple[Location, ...] = ()
    slowed: tuple[Slowed, ...] = ()


@dataclass(frozen=True, slots=True)
class Spot:
    """What a finding about a revision is about: a table or another object, at a statement."""

    identifier: str
    table: Name | None
    location: Location
    last_line: int

    @property
    def origin(self) -> Origin:
        """Where it is written."""
        return Origin(self.location)


def transactions(run: RevisionRun) -> Iterator[tuple[Statement, ...]]:
    """The statements of each transaction block, in order; those outside of blocks are left out."""
    numbers = dict.fromkeys(s.transaction for s in run.statements if s.transactional)
    for number in numbers:
        yield tuple(s for s in run.statements if s.transactional and s.transaction == number)
