"""What a revision did to a database: only facts of a run, no judgement.

Lock modes are in capitals, as in PostgreSQL's documentation ("Explicit Locking"): ``ACCESS EXCLUSIVE``.
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
"""Table locks from weak to strong. From SHARE on, writers wait; at ACCESS EXCLUSIVE readers wait too."""


def blocks(mode: str) -> str:
    """What waits for a lock of this mode: "reads and writes", "writes" or "neither reads nor writes"."""
    if mode == "ACCESS EXCLUSIVE":
        return "reads and writes"
    return "writes" if is_strong(mode) else "neither reads nor writes"


def is_strong(mode: str) -> bool:
    """Whether an application's ordinary statements wait for it."""
    return MODES.index(mode) >= MODES.index("SHARE")


def stronger(first: str, second: str) -> str:
    """The stronger of two modes."""
    return max(first, second, key=MODES.index)


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock on a relation that existed before the revision.

    ``root``: the partitioned table of a partition, else the relation's own name. ``by_table``: taken from our table of
    locks, because the statement commits by itself and leaves no trace of its locks.
    """

    relation: Name
    mode: str
    root: Name
    by_table: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """Work whose time grows with the number of rows, on a table that existed before the revision.

    ``kind``: "rewrite" of the table, "scan" to check rows, "foreign key" to check rows against the referenced table, or
    "build" of an index. ``name``: of the constraint or index, if there is one.
    """

    kind: Literal["rewrite", "scan", "foreign key", "build"]
    table: Name
    root: Name
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as the server received it.

    ``command`` is None if PostgreSQL's parser did not understand it. ``location``: of the innermost call in the
    revision's file; it ends at ``last_line``. ``op``: Alembic's operation (``create_index``), None for SQL by a
    connection. ``transaction``: number of the transaction in the run. ``transactional``: a transaction block is open
    and keeps its locks until it ends. ``tables``: the relations of the command with their names before the revision,
    None for those that the revision created. ``locks``: newly taken by this statement. ``held``: taken earlier in the
    same transaction. ``tags``: of the commands that it ran. DDL that a function or a DO block runs is a statement of
    its own, in front of the one that was sent; an UPDATE or DELETE too, if the revision itself creates the function.
    Timeouts are in milliseconds; 0: no timeout, None: not known. ``advisory_lock``: env.py or an earlier statement has
    taken one that ends with the transaction. ``batched``: sent at the end of a ``batch_alter_table`` block.
    ``error``: SQLSTATE of a failed statement.
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
    advisory_lock: bool = False
    batched: bool = False
    milliseconds: float = 0.0
    error: str | None = None

    @property
    def actions(self) -> tuple[AlterAction, ...]:
        """The parts of an ALTER TABLE."""
        return self.command.actions if self.command is not None else ()

    @property
    def changes_roles(self) -> bool:
        """Whether it creates or drops roles, which belong to the whole server; also inside a DO block."""
        commands = self.command.all() if self.command is not None else ()
        return any(command.kind in ("create role", "drop role") for command in commands)

    def mode(self, root: Name) -> str | None:
        """The strongest lock that it held on a table and its partitions."""
        modes = [lock.mode for lock in (*self.locks, *self.held) if lock.root == root or lock.relation == root]
        return max(modes, key=MODES.index) if modes else None

    def works(self, kind: str) -> tuple[Work, ...]:
        """Its work of one kind, once per name and table (partitions count as their root)."""
        work = {(item.root, item.name if item.root == item.table else None): item for item in self.work}
        return tuple(item for item in work.values() if item.kind == kind)


@dataclass(frozen=True, slots=True)
class Downgrade:
    """The result of a revision's downgrade.

    ``declared``: it raises on purpose, because it cannot go back. ``failure``: it fails otherwise, at ``location``.
    ``differences``: between the schema before the upgrade and after the downgrade, one sentence each.
    ``again``: why the second upgrade fails, if it does.
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

    ``before`` and ``after`` are the schemas around its upgrade. ``rows``: numbers of rows in production, if the user
    gave them; they are not known for other tables. ``downgrade`` is None if it was not run. ``database``: the scratch
    database that it ran in; it has the real one's name if that was free. ``portable``: the project's revisions
    may run on SQLite, too.
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
    portable: bool = False

    def existed(self, name: Name) -> bool:
        """Whether the table existed before the revision."""
        return self.before.table(name) is not None

    def resolve(self, schema: str, name: str) -> Name:
        """The full name of a name without a schema: an existing table, else one of the default schema."""
        if schema:
            return Name(schema, name)
        default = Name(self.before.default_schema, name)
        if self.existed(default):
            return default
        return next((table.name for table in self.before.tables if table.name.name == name), default)

    def is_small(self, name: Name) -> bool:
        """Whether production is known to have only a few rows in the table."""
        return any(table == name and count <= FEW_ROWS for table, count in self.rows)


FEW_ROWS = 1000
"""A table that is known to have at most this many rows is read, checked and indexed in a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Environment:
    """How env.py configures the runs: one entry per call of ``context.configure``."""

    location: Location
    transaction_per_migration: bool
    opened_transaction: bool
    database: str = ""


@dataclass(frozen=True, slots=True)
class Drift:
    """A difference between the models and one database at head. ``table``: the table that it belongs to.

    ``harmless``: the database accepts everything that the models write. ``restated``: missing-primary-key says it of
    the head. ``remedy``: what to do, if it is not that
    autogenerate writes the missing revision. ``side``: "models" or "head", if only that one has the object. ``values``:
    what differs, without the object's name.
    """

    table: Name
    object: str
    message: str
    location: Location | None = None
    harmless: bool = False
    remedy: str | None = None
    side: Literal["models", "head", ""] = ""
    values: str = ""
    restated: bool = False


@dataclass(frozen=True, slots=True)
class Slowed:
    """A statement of the application that became slow because of the revisions in scope.

    ``tables``: those of which it now reads every row. ``before``, ``after``: cost in the planner's units.
    ``revisions``: those in scope. ``location``: the line that sends it, if known.
    """

    fingerprint: str
    text: str
    tables: tuple[Name, ...]
    before: float
    after: float
    revisions: tuple[str, ...]
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """What a revision takes from the code of the release before.

    ``part``: which part of the table, the same in every run. ``location``: the revision. ``release``: the old one, for
    people. ``model``: the line in its models. ``with_new_rows``: it takes nothing until new code writes such rows.
    ``some_rows``: it depends on the values that the old code writes. ``imagined``: such values are made up alone, and
    break a new rule that the old models say nothing of.
    """

    table: Name
    part: str
    message: str
    revision: str
    location: Location
    release: str
    model: Location | None = None
    with_new_rows: bool = False
    some_rows: bool = False
    imagined: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """The project's revisions as a whole.

    ``heads``: identifier and file of each. ``runs``: of the revisions in scope. ``drifts``: None if the models are not
    known. ``uses_autocommit``: files with an ``autocommit_block()``, and the line of the first. ``slowed``:
    statements of the recorded workload. ``broken``: what the release before needs and no longer has.
    """

    heads: tuple[tuple[str, str], ...] = ()
    labelled: bool = False
    environments: tuple[Environment, ...] = ()
    runs: tuple[RevisionRun, ...] = ()
    drifts: tuple[Drift, ...] | None = None
    uses_autocommit: tuple[Location, ...] = ()
    slowed: tuple[Slowed, ...] = ()
    broken: tuple[Broken, ...] = ()


@dataclass(frozen=True, slots=True)
class Spot:
    """The subject of a finding about a revision: a table or another object, and the statement."""

    identifier: str
    table: Name | None
    location: Location
    last_line: int

    @property
    def origin(self) -> Origin:
        """The line where it is written."""
        return Origin(self.location)


def transactions(run: RevisionRun) -> Iterator[tuple[Statement, ...]]:
    """The statements of each transaction block, in order. Statements outside of blocks are left out."""
    numbers = dict.fromkeys(s.transaction for s in run.statements if s.transactional)
    for number in numbers:
        yield tuple(s for s in run.statements if s.transactional and s.transaction == number)
