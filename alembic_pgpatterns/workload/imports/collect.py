"""Counts statements from a stream. Memory grows with their shapes, not with their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.schema.sql.parser import pg, postgast
from alembic_pgpatterns.workload.model import SAMPLES, Recorded, Site, Usage, Workload
from alembic_pgpatterns.workload.text import read

_CACHED = 1024
"""How many texts are remembered, since a log repeats the same ones."""
_LONGEST = 100_000
"""A statement with more characters loads data, and is not a query."""
_KINDS = frozenset({"select", "insert", "update", "delete"})


@dataclass
class _Shape:
    recorded: Recorded
    calls: int = 0
    milliseconds: float = 0.0
    timed: int = 0
    samples: dict[str, tuple[object, ...]] = field(default_factory=dict)
    sites: dict[Site, int] = field(default_factory=dict)


class Collected:
    """Counts statements by shape. ``source``: of the workload."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._shapes: dict[str, _Shape] = {}
        self.unread = 0

    def add(
        self,
        text: str,
        values: Sequence[object] | None = None,
        *,
        calls: int = 1,
        milliseconds: float | None = None,
        site: Site | None = None,
    ) -> None:
        """Count a statement.

        Args:
            text: with ``$n``, or with constants, which become parameters and their values.
            values: of the parameters; None: not known.
            calls: how often it ran.
            milliseconds: of one call.
            site: where it is written.
        """
        recorded = _recorded_of(text) if len(text) <= _LONGEST else None
        if recorded is None:
            self.unread += 1
            return
        if recorded.kind not in _KINDS:
            return
        shape = self._shapes.setdefault(recorded.fingerprint, _Shape(recorded))
        shape.calls += calls
        if milliseconds is not None:
            shape.milliseconds += milliseconds * calls
            shape.timed += calls
        # Another text of the same shape may have its parameters in another order.
        if len(shape.samples) < SAMPLES and shape.recorded.text == recorded.text:
            sample = tuple(values) if values is not None else _constants(text, recorded)
            if sample is not None:
                shape.samples.setdefault(repr(sample), sample)
        if site is not None:
            shape.sites[site] = shape.sites.get(site, 0) + calls

    def script(self, text: str, path: Path) -> None:
        """Count the statements of a file of SQL, each at its line."""
        position = 0
        try:
            parts = postgast.split(text)
        except postgast.PgQueryError:
            self.unread += 1
            return
        for part in parts:
            # The parser gives the texts of the statements without their places.
            position = max(text.find(part, position), 0)
            line = text.count("\n", 0, position + len(part) - len(part.lstrip())) + 1
            self.add(part, site=Site(str(path), line, path.stem))
            position += len(part)

    def workload(self, path: Path) -> Workload:
        """The counted statements.

        Raises:
            PgPatternsError: there was no statement at all.
        """
        if not self._shapes:
            raise PgPatternsError(f"{path}: it contains no statement. {_EXPECTED[self._source]}")
        notes = (f"{path}: {counted(self.unread, 'statements')} could not be parsed",) if self.unread else ()
        return Workload(tuple(map(_statement, self._shapes.values())), self._source, notes=notes)


_EXPECTED = {
    "sql": "Expected files of SQL with SELECT, INSERT, UPDATE or DELETE.",
    "log": "Let the server write statements into it: log_min_duration_statement = 0, or auto_explain.",
    "pg_stat_statements": "A CSV with the columns query and calls is expected.",
}


def _statement(shape: _Shape) -> Recorded:
    usages = tuple(Usage(site, calls) for site, calls in shape.sites.items()) or (Usage(None, shape.calls),)
    mean = shape.milliseconds / shape.timed if shape.timed else None
    return replace(
        shape.recorded, calls=shape.calls, values=tuple(shape.samples.values()), milliseconds=mean, usages=usages
    )


def _recorded_of(text: str) -> Recorded | None:
    """The statement with its constants as parameters; None if it cannot be parsed.

    Clients without parameters send a new text each time. Only the C library looks at each one: the tree in Python
    takes twenty times as long, and is the same for all texts that differ in their constants.
    """
    try:
        return _read(text if "$" in text else str(postgast.normalize(text)))
    except postgast.PgQueryError:
        return None


@lru_cache(maxsize=_CACHED)
def _read(text: str) -> Recorded | None:
    text = _normalized(text).strip().rstrip(";")
    reading = read(text)
    return Recorded(reading.fingerprint, text, reading.kind, tables=reading.writes) if reading is not None else None


def _normalized(text: str) -> str:
    """With parameters instead of constants; unchanged if it has parameters."""
    has_parameters = any(postgast.find_nodes(postgast.parse(text), pg.ParamRef))
    return text if has_parameters else str(postgast.normalize(text))


def _constants(text: str, recorded: Recorded) -> tuple[object, ...] | None:
    """The values that became the parameters of the recorded statement; None if it had parameters."""
    tree = postgast.parse(text)
    if any(postgast.find_nodes(tree, pg.ParamRef)):
        return None
    values = _values(tree)
    return values if len(values) == _parameters(recorded.text) else None


def _parameters(text: str) -> int:
    return max((item.number for item in postgast.find_nodes(postgast.parse(text), pg.ParamRef)), default=0)


def _values(tree: Any) -> tuple[object, ...]:
    """The constants in the order of the text, in which the parser numbers them."""
    constants = sorted(postgast.find_nodes(tree, pg.A_Const), key=lambda item: item.location)
    return tuple(map(_value, constants))


def _value(constant: Any) -> object:
    kind = constant.WhichOneof("val")
    if kind == "ival":
        return int(constant.ival.ival)
    if kind == "boolval":
        return bool(constant.boolval.boolval)
    return {"sval": constant.sval.sval, "fval": constant.fval.fval, "bsval": constant.bsval.bsval}.get(str(kind))
