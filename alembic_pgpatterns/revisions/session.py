"""The state of one backend while its statements are read: transaction, savepoints, locks, timeouts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from alembic_pgpatterns.revisions.commands import TRANSACTION_LOCKS, Command, SettingChange
from alembic_pgpatterns.schema.names import Name

Locked = dict[int, set[str]]
"""Lock modes by the oid of the relation."""
Names = dict[int, Name]
"""The current name of each relation, by its oid."""

TRANSACTION_KINDS = frozenset(
    {"begin", "commit", "rollback", "savepoint", "release", "rollback to", "prepare transaction"}
)
TIMEOUTS = frozenset({"lock_timeout", "statement_timeout"})

_BEGINNING = ""
"""The name of a savepoint that stands for the start of the transaction."""

_VALUE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)?\s*")
# PostgreSQL docs, "Parameter Names and Values"; a timeout without a unit is in milliseconds.
_MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(slots=True)
class Session:
    """One backend. ``timeouts`` in milliseconds; None or missing: not known.

    ``advisory_lock``: its transaction has taken one that ends with it.
    """

    in_block: bool = False
    transaction: int = 0
    held: Locked = field(default_factory=dict)
    timeouts: dict[str, int | None] = field(default_factory=dict)
    advisory_lock: bool = False
    _saved: dict[str, tuple[Locked, Names]] = field(default_factory=dict)
    _before_local: dict[str, int | None] = field(default_factory=dict)

    def begin(self, number: int, in_block: bool) -> None:
        """Start another transaction. ``in_block``: it continues until COMMIT or ROLLBACK."""
        self.in_block, self.transaction, self.held = in_block, number, {}
        self.advisory_lock = False
        # SET LOCAL ends with its transaction.
        self.timeouts |= self._before_local
        self._before_local = {}

    def transaction_command(self, command: Command, number: Callable[[], int], names: Names) -> Names:
        """Apply BEGIN, COMMIT, SAVEPOINT and so on. Returns the names of the relations afterwards."""
        if command.kind == "begin":
            self.begin(number(), in_block=True)
            self._save(_BEGINNING, names)
        elif command.kind == "savepoint":
            self._save(command.name, names)
        elif command.kind == "rollback to":
            return self._restored(command.name, names)
        elif command.kind != "release":
            names = self._restored(_BEGINNING, names) if command.kind == "rollback" else names
            self.begin(number(), in_block="chain" in command.options)
            self._save(_BEGINNING, names)
        return names

    def _save(self, savepoint: str, names: Names) -> None:
        self._saved[savepoint] = copied(self.held), dict(names)

    def _restored(self, savepoint: str, names: Names) -> Names:
        """Forget the locks that were taken since the savepoint, and restore the names."""
        held, earlier = self._saved.get(savepoint, ({}, names))
        self.held = copied(held)
        return dict(earlier)

    def note_lock(self, command: Command | None) -> None:
        """Note an advisory lock that the statement takes until the transaction ends."""
        if command is not None and any(item.options & TRANSACTION_LOCKS for item in command.all()):
            self.advisory_lock = self.in_block

    def set(self, changes: Sequence[SettingChange], noticed: Iterable[Mapping[str, int]]) -> None:
        """Note the timeouts: those of the statement itself, then those that the server reported while it ran."""
        for change in changes:
            for name in TIMEOUTS if not change.name else TIMEOUTS & {change.name}:
                if change.local:
                    self._before_local.setdefault(name, self.timeouts.get(name))
                self.timeouts[name] = milliseconds(change.value)
        for settings in noticed:
            self.timeouts.update(settings)


def milliseconds(value: str | None) -> int | None:
    """A timeout in milliseconds; None for the default and for a value that is not a duration."""
    duration = _VALUE.fullmatch(value or "")
    return round(float(duration[1]) * _MILLISECONDS[duration[2] or "ms"]) if duration is not None else None


def copied(locked: Locked) -> Locked:
    """A copy, so that the original does not change."""
    return {oid: set(modes) for oid, modes in locked.items()}


def add_locks(target: Locked, more: Locked) -> None:
    """Add the modes of ``more`` to ``target``."""
    for oid, modes in more.items():
        target.setdefault(oid, set()).update(modes)
