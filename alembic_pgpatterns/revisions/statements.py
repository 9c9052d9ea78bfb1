"""From a recorded run to its statements and their facts: locks, rewrites, scans, index builds, transactions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.revisions.alter_table import RelationName
from alembic_pgpatterns.revisions.called import Functions
from alembic_pgpatterns.revisions.commands import Command, SettingChange, parse
from alembic_pgpatterns.revisions.model import Lock, Statement, Work
from alembic_pgpatterns.revisions.observation import ObservedRelation, ObservedRelations
from alembic_pgpatterns.revisions.recorder import Call, Recording
from alembic_pgpatterns.revisions.serverlog import LoggedStatement, Notice, logged_statements
from alembic_pgpatterns.revisions.session import TRANSACTION_KINDS, Locked, Session, add_locks, copied
from alembic_pgpatterns.schema.model import Location, Name

Note = Notice | tuple[str, str, str]

_MODES = re.compile(r"(?<=[a-z])(?=[A-Z])")

# Locks of statements that commit by themselves and fire no event at the end (PostgreSQL docs, "Explicit Locking").
_ALONE = {
    "truncate": "ACCESS EXCLUSIVE",
    "vacuum full": "ACCESS EXCLUSIVE",
    "cluster": "ACCESS EXCLUSIVE",
    "vacuum": "SHARE UPDATE EXCLUSIVE",
    "update": "ROW EXCLUSIVE",
    "delete": "ROW EXCLUSIVE",
}
_LOCK_LEVELS = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
_COPIES = ("vacuum full", "cluster", "refresh")
"""These write the table again; the log only shows its indexes."""


@dataclass(frozen=True)
class RecordedRun:
    """Where a recorded run is in the server's log, and what existed before it.

    ``start``: where the environment's run starts in the log, in bytes. ``window``: the part of the revision.
    ``fallback``: the revision's function, for statements whose line no event reported.
    """

    recording: Recording
    log: Path
    start: int
    window: tuple[int, int]
    before: ObservedRelations
    fallback: Location
    default_schema: str
    ignored: frozenset[Name] = frozenset()


def statements(recording: RecordedRun) -> tuple[Statement, ...]:
    """The statements of the revision, in order, as the server received them."""
    return tuple(_with_copies(list(_Assembly(recording).statements()), recording))


def _with_copies(listed: list[Statement], recording: RecordedRun) -> list[Statement]:
    """Count as a rewrite: the rows of a table are copied into a new table, which then takes the old one's name.

    Alembic's ``batch_alter_table(recreate="always")`` does that.
    """
    existing = {item.name: item for item in recording.before.by_oid.values() if item.kind in ("r", "p")}
    for number, statement in enumerate(listed):
        command = statement.command
        if command is None or command.kind != "rename table" or statement.tables != (None,):
            continue
        new_table = command.relations[0]
        replaced = existing.get(Name(new_table.schema or recording.default_schema, command.new_name))
        for earlier, copy in enumerate(listed[:number]):
            named = copy.command.relations if copy.command is not None and copy.command.kind == "insert" else ()
            if replaced is not None and named[:1] == (new_table,) and replaced.name in copy.tables[1:]:
                work = Work("rewrite", replaced.name, recording.before.root(replaced))
                listed[earlier] = replace(copy, work=(*copy.work, work))
    return listed


class _Assembly:
    def __init__(self, recording: RecordedRun) -> None:
        self._recording = recording
        self._sessions: dict[int, Session] = {}
        self._count = 0
        self._functions = Functions()
        # Renamed tables keep their oid, while a new table may take the old name.
        self._names = {oid: relation.name for oid, relation in recording.before.by_oid.items()}

    def statements(self) -> Iterator[Statement]:
        """All statements sent to the backends of the run between the start and the end of the revision."""
        recording = self._recording.recording
        first, last = self._recording.window
        logged = list(logged_statements(self._recording.log, self._recording.start, last, recording.pids))
        self._demand_log(logged)
        for item in logged:
            session = self._sessions.setdefault(item.pid, Session())
            yield from self._of(item, session, looked_at=item.start >= first)

    def _demand_log(self, logged: Sequence[LoggedStatement]) -> None:
        """Demand that the log shows the last statement of each connection, if it succeeded.

        A revision's own SET is changed before it runs (`kept_log`); a driver's cursor, or a function, goes past that.

        Raises:
            PgPatternsError: it does not: what follows the statement that has turned off the log cannot be checked.
        """
        first, last = self._recording.window
        # Without an end it failed, and a statement that cannot be parsed is not logged.
        last_calls = {
            call.pid: call for call in self._recording.recording.calls if first <= call.start and 0 < call.end <= last
        }
        for call in last_calls.values():
            if call.text.strip() and not any(item.pid == call.pid and item.start >= call.start for item in logged):
                site = call.site
                place = Location(site.path, site.line) if site is not None else self._recording.fallback
                raise PgPatternsError(
                    f"{place}: the server's log does not show this statement, so it cannot be checked. The project "
                    f"sets log_statement or log_min_messages in another way than by a statement of a revision, such as "
                    "when it connects. Leave these settings as they are if the setting env says that this is a check."
                )

    def _of(self, item: LoggedStatement, session: Session, looked_at: bool) -> Iterator[Statement]:
        """The statements of one text. They are one transaction, unless one of them begins or ends a transaction."""
        if not session.in_block:
            session.begin(self._next_transaction(), in_block=False)
        call = _call(item, self._recording.recording.calls)
        parts = _parts(parse(item.sql), item, self._functions)
        for number, (command, notices) in enumerate(parts):
            monitored = call.locks if call is not None and session.in_block and number == len(parts) - 1 else {}
            part = _Part(item, call, command, notices, monitored)
            if command is not None and command.kind in TRANSACTION_KINDS:
                self._transaction(command, session)
                continue
            if looked_at:
                yield self._statement(part, session)
            else:
                session.set(part.settings(), part.noticed_settings())
            session.note_lock(command)

    def _transaction(self, command: Command, session: Session) -> None:
        """Apply BEGIN, COMMIT, SAVEPOINT and so on, which change the locks and names."""
        self._names = session.transaction_command(command, self._next_transaction, self._names)

    def _next_transaction(self) -> int:
        self._count += 1
        return self._count

    def _statement(self, part: _Part, session: Session) -> Statement:
        item, call, command = part.item, part.call, part.command
        session.set(part.settings(), part.noticed_settings())
        before = copied(session.held)
        taken = part.locked()
        new = {oid: modes - before.get(oid, set()) for oid, modes in taken.items()}
        add_locks(session.held, taken)
        site = call.site if call is not None else None
        relations = command.relations if command is not None else ()
        named = [self._recording.before.by_oid.get(self._oid(relation) or 0) for relation in relations]
        return Statement(
            sql=command.text if command is not None else item.sql,
            command=command,
            location=Location(site.path, site.line) if site is not None else self._recording.fallback,
            last_line=site.last_line if site is not None else self._recording.fallback.line,
            op=call.op if call is not None else None,
            transaction=session.transaction,
            transactional=session.in_block,
            tables=tuple(relation.name if relation is not None else None for relation in named),
            locks=(*self._locks(new), *self._documented(command, taken)),
            held=tuple(self._locks(before)),
            work=tuple(dict.fromkeys(self._work(part, session.held))),
            tags=tuple(note.tag for note in part.notes if isinstance(note, Notice) and note.event == "ended"),
            lock_timeout=session.timeouts.get("lock_timeout"),
            statement_timeout=session.timeouts.get("statement_timeout"),
            advisory_lock=session.advisory_lock,
            batched=call is not None and call.batched,
            milliseconds=call.milliseconds if call is not None else 0.0,
            error=item.error,
        )

    def _locks(self, locked: Locked) -> Iterator[Lock]:
        for oid, modes in sorted(locked.items()):
            relation = self._recording.before.by_oid.get(oid)
            if relation is None or relation.kind in ("i", "I") or relation.name in self._recording.ignored:
                continue
            for mode in sorted(map(_mode, modes)):
                yield Lock(relation.name, mode, self._recording.before.root(relation))

    def _documented(self, command: Command | None, taken: Locked) -> Iterator[Lock]:
        """The locks of a statement for which neither event nor monitor reported any, from our table."""
        if command is None or taken:
            return
        mode = "SHARE UPDATE EXCLUSIVE" if _concurrent(command) else _ALONE.get(command.kind)
        if command.kind == "lock":
            # LOCK has the mode as a number from 1 (storage/lockdefs.h).
            mode = _LOCK_LEVELS[int(command.name) - 1]
        for relation in self._named(command) if mode is not None else ():
            yield Lock(relation.name, mode or "", self._recording.before.root(relation), by_table=True)

    def _named(self, command: Command) -> Iterator[ObservedRelation]:
        """The tables that a statement names, or whose indexes it names."""
        for named in command.relations:
            relation = self._recording.before.by_oid.get(self._oid(named) or 0)
            if relation is not None and relation.kind in ("i", "I"):
                relation = self._recording.before.by_oid.get(relation.table or 0)
            if relation is not None:
                yield relation

    def _oid(self, named: RelationName) -> int | None:
        """The relation that a name means now: without a schema a temporary one, else the default schema's, else any."""
        candidates = {
            name.schema: oid
            for oid, name in self._names.items()
            if name.name == named.name and named.schema in ("", name.schema)
        }
        temporary = (oid for schema, oid in candidates.items() if schema.startswith("pg_temp"))
        in_any_schema = next(iter(candidates.values()), None)
        return next(temporary, candidates.get(self._recording.default_schema, in_any_schema))

    def _renamed(self, note: Note) -> None:
        """Note what a DDL statement renamed, created or dropped."""
        for oid, name in note.names.items() if isinstance(note, Notice) else ():
            if name is not None:
                self._names[oid] = name
            else:
                self._names.pop(oid, None)

    def _work(self, part: _Part, locked: Locked) -> Iterator[Work]:
        command = part.command
        kind = command.kind if command is not None else ""
        if command is not None and kind in _COPIES:
            yield from (self._done("rewrite", relation) for relation in self._named(command))
        if kind in (*_COPIES, "truncate"):
            return
        yield from self._rewritten(part)
        for note in part.notes:
            if isinstance(note, tuple) and note[0] != "rewrite":
                for relation in self._working(note, part, locked):
                    yield self._done(note[0], relation, note[2] or None)
            self._renamed(note)

    def _rewritten(self, part: _Part) -> Iterator[Work]:
        for note in part.notes:
            if isinstance(note, Notice) and note.event == "rewrite":
                relations = (self._recording.before.by_oid.get(oid) for oid in note.objects)
                yield from (self._done("rewrite", relation) for relation in relations if relation is not None)
        actions = part.command.actions if part.command is not None else ()
        # The table's files are copied (ATExecSetTableSpace in commands/tablecmds.c), for which no event table_rewrite
        # fires.
        if part.command is not None and any(action.kind == "set tablespace" for action in actions):
            yield from (self._done("rewrite", relation) for relation in self._named(part.command))

    def _done(self, kind: str, relation: ObservedRelation, name: str | None = None) -> Work:
        return Work(kind, relation.name, self._recording.before.root(relation), name)  # type: ignore[arg-type]

    def _working(self, note: tuple[str, str, str], part: _Part, locked: Locked) -> Iterable[ObservedRelation]:
        """The table of a log line. The line does not name the schema: it is the table of that name that is locked."""
        kind, table, _ = note
        if kind == "foreign key":
            return self._referencing(part)
        named = [self._oid(relation) for relation in part.relations() if relation.name == table]
        oids = named or [oid for oid, name in self._names.items() if name.name == table]
        tables = [self._recording.before.by_oid.get(oid or 0) for oid in oids if oid in locked or not locked]
        return [item for item in tables if item is not None and item.kind in ("r", "p", "m")][:1]

    def _referencing(self, part: _Part) -> Iterable[ObservedRelation]:
        if part.command is not None and part.command.kind == "alter table":
            return list(self._named(part.command))[:1]
        strong = {oid for oid, modes in part.locked().items() if "ShareRowExclusiveLock" in modes}
        return [
            item for oid, item in self._recording.before.by_oid.items() if oid in strong and item.kind in ("r", "p")
        ][:1]


@dataclass(frozen=True)
class _Part:
    """One statement of the sent text, with what the server reported while it ran."""

    item: LoggedStatement
    call: Call | None
    command: Command | None
    notes: Sequence[Note]
    monitored: Locked

    def relations(self) -> Sequence[RelationName]:
        """The relations that the statement names."""
        return self.command.relations if self.command is not None else ()

    def locked(self) -> Locked:
        """All locks seen after it, by event or by monitor."""
        locked: Locked = {}
        add_locks(locked, self.monitored)
        for note in self.notes:
            if isinstance(note, Notice):
                add_locks(locked, {oid: set(modes) for oid, modes in note.locks.items()})
        return locked

    def settings(self) -> Sequence[SettingChange]:
        """The settings that the statement itself changes."""
        return self.command.settings if self.command is not None else ()

    def noticed_settings(self) -> Iterator[Mapping[str, int]]:
        """The timeouts in force as an event trigger saw them, in milliseconds."""
        return (note.settings for note in self.notes if isinstance(note, Notice))


def _call(item: LoggedStatement, calls: Sequence[Call]) -> Call | None:
    for call in reversed(calls):
        if call.pid == item.pid and call.start <= item.start:
            return call if item.start < call.end or not call.end else None
    return None


_Reported = tuple[Command | None, list[Note]]
"""A statement, and what the server reported while it ran."""


def _parts(commands: Sequence[Command], item: LoggedStatement, functions: Functions) -> list[_Reported]:
    """The statements of one text with the server's notes, each behind those that functions and DO blocks ran for it."""
    return [part for sent in _sent(commands, item) for part in _with_inner(*sent, functions)]


def _with_inner(command: Command | None, notes: Sequence[Note], functions: Functions) -> Iterator[_Reported]:
    """The commands that a statement ran by functions, and then the statement itself.

    Only DDL fires events. What changes rows is taken from the functions' text.
    """
    waiting: list[Note] = []
    for note in notes:
        waiting.append(note)
        inner = parse(note.inner) if isinstance(note, Notice) and note.inner is not None else ()
        if inner:
            yield inner[0], waiting
            waiting = []
    if command is not None:
        functions.note(command)
        yield from ((change, []) for change in functions.changes(command))
    yield command, waiting


def _sent(commands: Sequence[Command], item: LoggedStatement) -> list[_Reported]:
    """The server's notes, assigned to the statements of one text; each event names the kind of statement that ended."""
    if len(commands) < 2:
        return [(commands[0] if commands else None, list(item.notices))]
    parts: list[tuple[Command | None, list[Note]]] = [(command, []) for command in commands]
    current, waiting = 0, list[Note]()
    for note in item.notices:
        waiting.append(note)
        # What a function runs has a tag of its own, which says nothing about the statements of the text.
        if isinstance(note, Notice) and note.event == "ended" and note.inner is None:
            verb = note.tag.split()[0]
            current = next((n for n in range(current, len(commands)) if commands[n].verb == verb), current)
            parts[current][1].extend(waiting)
            waiting, current = [], min(current + 1, len(commands) - 1)
    parts[current][1].extend(waiting)
    return parts


def _concurrent(command: Command) -> bool:
    return command.concurrently or any(action.concurrently for action in command.actions)


def _mode(mode: str) -> str:
    """The documented spelling: SHARE ROW EXCLUSIVE for ``ShareRowExclusiveLock``."""
    return _MODES.sub(" ", mode.removesuffix("Lock")).upper()
