"""From a recorded run to its statements with their facts: locks, rewrites, scans, index builds, transactions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from alembic_pgpatterns.revisions.commands import Command, parse
from alembic_pgpatterns.revisions.commands import Relation as Named
from alembic_pgpatterns.revisions.model import Lock, Statement, Work
from alembic_pgpatterns.revisions.observation import Relation, Relations
from alembic_pgpatterns.revisions.recorder import Call, Recorder
from alembic_pgpatterns.revisions.serverlog import Noted, Told, told
from alembic_pgpatterns.schema.model import Location, Name

Locked = dict[int, set[str]]
Names = dict[int, Name]
Note = Noted | tuple[str, str, str]

_BEGIN = re.compile(r"^\s*(?:BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
_END = re.compile(r"^\s*(?:COMMIT|END|ABORT|ROLLBACK)\b(?!\s+(?:WORK\s+|TRANSACTION\s+)?TO\b)", re.IGNORECASE)
_UNDO = re.compile(r"^\s*(?:ABORT|ROLLBACK)\b", re.IGNORECASE)
_SAVEPOINT = re.compile(r"^\s*SAVEPOINT\s+(\S+?)\s*;?\s*$", re.IGNORECASE)
_BACK = re.compile(r"^\s*ROLLBACK\s+(?:WORK\s+|TRANSACTION\s+)?TO\s+(?:SAVEPOINT\s+)?(\S+?)\s*;?\s*$", re.IGNORECASE)
_TIMEOUT = re.compile(
    r"\b(lock_timeout|statement_timeout)\b\s*(?:=|\bTO\b)\s*'?\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)?\b", re.IGNORECASE
)
_MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_MODES = re.compile(r"(?<=[a-z])(?=[A-Z])")

# Locks of statements that commit by themselves and fire no event at their end (PostgreSQL docs, "Explicit Locking").
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
"""They write the table anew; of that the log only shows the indexes."""


@dataclass(slots=True)
class _Session:
    """What is known of a backend as its statements go by."""

    block: bool = False
    transaction: int = 0
    held: Locked = field(default_factory=dict)
    saved: dict[str, tuple[Locked, Names]] = field(default_factory=dict)
    timeouts: dict[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """Where a recorded run is to be found, and what there was before it.

    ``start``: of the environment's run in the server's log, in bytes; ``window``: of the revision within it.
    ``fallback``: the revision's function, for statements that no event told the line of.
    """

    recorder: Recorder
    log: Path
    start: int
    window: tuple[int, int]
    before: Relations
    fallback: Location
    default_schema: str
    ignored: frozenset[Name] = frozenset()


def statements(run: Run) -> tuple[Statement, ...]:
    """The statements of the revision, in order, as the server got them."""
    return tuple(_with_copies(list(_Assembly(run).statements()), run))


def _with_copies(found: list[Statement], run: Run) -> list[Statement]:
    """A table whose rows go into another that takes its name is written anew, if not by a statement of that kind.

    Alembic's ``batch_alter_table(recreate="always")`` does so.
    """
    existing = {item.name: item for item in run.before.by_oid.values() if item.kind in ("r", "p")}
    for number, statement in enumerate(found):
        command = statement.command
        if command is None or command.kind != "rename table" or statement.tables != (None,):
            continue
        made = command.relations[0]
        replaced = existing.get(Name(made.schema or run.default_schema, command.new_name))
        for earlier, copy in enumerate(found[:number]):
            named = copy.command.relations if copy.command is not None and copy.command.kind == "insert" else ()
            if replaced is not None and named[:1] == (made,) and replaced.name in copy.tables[1:]:
                work = Work("rewrite", replaced.name, run.before.root(replaced))
                found[earlier] = replace(copy, work=(*copy.work, work))
    return found


class _Assembly:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._sessions: dict[int, _Session] = {}
        self._count = 0
        # Renamed tables keep their oid, and new ones may take their names.
        self._names = {oid: relation.name for oid, relation in run.before.by_oid.items()}

    def statements(self) -> Iterator[Statement]:
        recorder = self._run.recorder
        first, last = self._run.window
        for item in told(self._run.log, self._run.start, last, frozenset(recorder.pids)):
            session = self._sessions.setdefault(item.pid, _Session())
            if _BEGIN.match(item.sql):
                self._begin(session, block=True)
                self._save(session, "")
            elif _END.match(item.sql):
                self._end(session, item.sql)
            elif not self._savepoint(session, item.sql) and item.start >= first:
                yield from self._of(item, session)
            elif item.start < first:
                _settings(session, item.noted, item.sql)

    def _begin(self, session: _Session, block: bool) -> None:
        self._count += 1
        session.block, session.transaction, session.held = block, self._count, {}

    def _end(self, session: _Session, sql: str) -> None:
        if _UNDO.match(sql):
            self._restore(session, "")
        self._begin(session, block=False)

    def _savepoint(self, session: _Session, sql: str) -> bool:
        """Locks that were taken since a savepoint go when it is rolled back to, and names come back."""
        made, back = _SAVEPOINT.match(sql), _BACK.match(sql)
        if made is not None:
            self._save(session, made[1])
        elif back is not None:
            self._restore(session, back[1])
        return made is not None or back is not None

    def _save(self, session: _Session, savepoint: str) -> None:
        session.saved[savepoint] = {oid: set(modes) for oid, modes in session.held.items()}, dict(self._names)

    def _restore(self, session: _Session, savepoint: str) -> None:
        held, names = session.saved.get(savepoint, ({}, self._names))
        session.held, self._names = {oid: set(modes) for oid, modes in held.items()}, dict(names)

    def _of(self, item: Told, session: _Session) -> Iterator[Statement]:
        if not session.block:
            self._begin(session, block=False)
        call = _call(item, self._run.recorder.calls)
        pieces = _pieces(parse(item.sql), item)
        for number, (command, notes) in enumerate(pieces):
            monitored = call.locks if call is not None and session.block and number == len(pieces) - 1 else {}
            yield self._statement(_Piece(item, call, command, notes, monitored), session)

    def _statement(self, piece: _Piece, session: _Session) -> Statement:
        item, call, command = piece.item, piece.call, piece.command
        _settings(session, piece.notes, item.sql)
        before = {oid: set(modes) for oid, modes in session.held.items()}
        taken = piece.locked()
        new = {oid: modes - before.get(oid, set()) for oid, modes in taken.items()}
        _add(session.held, taken)
        site = call.site if call is not None else None
        relations = command.relations if command is not None else ()
        meant = [self._run.before.by_oid.get(self._oid(relation) or 0) for relation in relations]
        return Statement(
            sql=command.text if command is not None else item.sql,
            command=command,
            location=Location(site.path, site.line) if site is not None else self._run.fallback,
            last_line=site.last_line if site is not None else self._run.fallback.line,
            op=call.op if call is not None else None,
            transaction=session.transaction,
            transactional=session.block,
            tables=tuple(relation.name if relation is not None else None for relation in meant),
            locks=(*self._locks(new), *self._known(command, taken)),
            held=tuple(self._locks(before)),
            work=tuple(dict.fromkeys(self._work(piece, session.held))),
            tags=tuple(note.tag for note in piece.notes if isinstance(note, Noted) and note.event == "ended"),
            lock_timeout=session.timeouts.get("lock_timeout"),
            statement_timeout=session.timeouts.get("statement_timeout"),
            milliseconds=call.milliseconds if call is not None else 0.0,
            error=item.error,
        )

    def _locks(self, locked: Locked) -> Iterator[Lock]:
        for oid, modes in sorted(locked.items()):
            relation = self._run.before.by_oid.get(oid)
            if relation is None or relation.kind in ("i", "I") or relation.name in self._run.ignored:
                continue
            for mode in sorted(map(_mode, modes)):
                yield Lock(relation.name, mode, self._run.before.root(relation))

    def _known(self, command: Command | None, taken: Locked) -> Iterator[Lock]:
        """The locks of a statement that nobody saw."""
        if command is None or taken:
            return
        mode = "SHARE UPDATE EXCLUSIVE" if _concurrent(command) else _ALONE.get(command.kind)
        if command.kind == "lock":
            mode = _LOCK_LEVELS[int(command.name) - 1]
        for relation in self._named(command) if mode is not None else ():
            yield Lock(relation.name, mode or "", self._run.before.root(relation), by_table=True)

    def _named(self, command: Command) -> Iterator[Relation]:
        """The tables that a statement names, or those of the indexes it names."""
        for named in command.relations:
            found = self._run.before.by_oid.get(self._oid(named) or 0)
            if found is not None and found.kind in ("i", "I"):
                found = self._run.before.by_oid.get(found.table or 0)
            if found is not None:
                yield found

    def _oid(self, named: Named) -> int | None:
        """What a name means now: without a schema a temporary table, else the default schema's, else any."""
        found = {
            name.schema: oid
            for oid, name in self._names.items()
            if name.name == named.name and named.schema in ("", name.schema)
        }
        temporary = (oid for schema, oid in found.items() if schema.startswith("pg_temp"))
        return next(temporary, found.get(self._run.default_schema, next(iter(found.values()), None)))

    def _renamed(self, note: Note) -> None:
        """What is called otherwise, made or gone, after a statement of DDL."""
        for oid, name in note.names.items() if isinstance(note, Noted) else ():
            if name is not None:
                self._names[oid] = name
            else:
                self._names.pop(oid, None)

    def _work(self, piece: _Piece, locked: Locked) -> Iterator[Work]:
        command = piece.command
        kind = command.kind if command is not None else ""
        if command is not None and kind in _COPIES:
            yield from (self._done("rewrite", relation) for relation in self._named(command))
        if kind in (*_COPIES, "truncate"):
            return
        yield from self._rewritten(piece)
        for note in piece.notes:
            if isinstance(note, tuple) and note[0] != "rewrite":
                for relation in self._working(note, piece, locked):
                    yield self._done(note[0], relation, note[2] or None)
            self._renamed(note)

    def _rewritten(self, piece: _Piece) -> Iterator[Work]:
        for note in piece.notes:
            if isinstance(note, Noted) and note.event == "rewrite":
                found = (self._run.before.by_oid.get(oid) for oid in note.objects)
                yield from (self._done("rewrite", relation) for relation in found if relation is not None)
        changes = piece.command.changes if piece.command is not None else ()
        if piece.command is not None and any(change.kind == "set tablespace" for change in changes):
            yield from (self._done("rewrite", relation) for relation in self._named(piece.command))

    def _done(self, kind: str, relation: Relation, name: str | None = None) -> Work:
        return Work(kind, relation.name, self._run.before.root(relation), name)  # type: ignore[arg-type]

    def _working(self, note: tuple[str, str, str], piece: _Piece, locked: Locked) -> Iterable[Relation]:
        """The table of a log line, which does not say its schema: the one of that name that is locked."""
        kind, table, _ = note
        if kind == "foreign key":
            return self._referencing(piece)
        meant = [self._oid(relation) for relation in piece.relations() if relation.name == table]
        oids = meant or [oid for oid, name in self._names.items() if name.name == table]
        tables = [self._run.before.by_oid.get(oid or 0) for oid in oids if oid in locked or not locked]
        return [item for item in tables if item is not None and item.kind in ("r", "p", "m")][:1]

    def _referencing(self, piece: _Piece) -> Iterable[Relation]:
        if piece.command is not None and piece.command.kind == "alter table":
            return list(self._named(piece.command))[:1]
        strong = {oid for oid, modes in piece.locked().items() if "ShareRowExclusiveLock" in modes}
        return [item for oid, item in self._run.before.by_oid.items() if oid in strong and item.kind in ("r", "p")][:1]


@dataclass(frozen=True)
class _Piece:
    """One statement of the text that was sent, with what the server said while it ran."""

    item: Told
    call: Call | None
    command: Command | None
    notes: Sequence[Note]
    monitored: Locked

    def relations(self) -> Sequence[Named]:
        """What the statement names."""
        return self.command.relations if self.command is not None else ()

    def locked(self) -> Locked:
        """All locks seen after it, by event or by monitor."""
        found: Locked = {}
        _add(found, self.monitored)
        for note in self.notes:
            if isinstance(note, Noted):
                _add(found, {oid: set(modes) for oid, modes in note.locks.items()})
        return found


def _add(target: Locked, more: Locked) -> None:
    for oid, modes in more.items():
        target.setdefault(oid, set()).update(modes)


def _call(item: Told, calls: Sequence[Call]) -> Call | None:
    for call in reversed(calls):
        if call.pid == item.pid and call.start <= item.start:
            return call if item.start < call.end or not call.end else None
    return None


def _pieces(commands: Sequence[Command], item: Told) -> list[tuple[Command | None, list[Note]]]:
    """What the server noted, given to the statements of one text; each event says which kind of statement ended."""
    if len(commands) < 2:
        return [(commands[0] if commands else None, list(item.noted))]
    pieces: list[tuple[Command | None, list[Note]]] = [(command, []) for command in commands]
    current, waiting = 0, list[Note]()
    for note in item.noted:
        waiting.append(note)
        if isinstance(note, Noted) and note.event == "ended":
            verb = note.tag.split()[0]
            current = next((n for n in range(current, len(commands)) if commands[n].verb == verb), current)
            pieces[current][1].extend(waiting)
            waiting, current = [], min(current + 1, len(commands) - 1)
    pieces[current][1].extend(waiting)
    return pieces


def _settings(session: _Session, notes: Iterable[Note], sql: str) -> None:
    for name, value, unit in _TIMEOUT.findall(sql):
        session.timeouts[name.lower()] = round(float(value) * _MILLISECONDS[unit.lower() or "ms"])
    for note in notes:
        if isinstance(note, Noted):
            session.timeouts.update(note.settings)


def _concurrent(command: Command) -> bool:
    return command.concurrently or any(change.concurrently for change in command.changes)


def _mode(mode: str) -> str:
    """``ShareRowExclusiveLock`` as SHARE ROW EXCLUSIVE."""
    return _MODES.sub(" ", mode.removesuffix("Lock")).upper()
