"""What revisions were seen to do, kept for the next run: plain values, and nothing that could run."""

from __future__ import annotations

import contextlib
import enum
import io
import os
import pickle
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any

from alembic_pgpatterns.controller.cache.dependencies import hold
from alembic_pgpatterns.revisions.model import Environment, RevisionRun
from alembic_pgpatterns.runner.messages import Dependencies
from alembic_pgpatterns.schema.model import Schema, Table
from alembic_pgpatterns.server import cluster

_OURS = ("alembic_pgpatterns.schema.", "alembic_pgpatterns.revisions.")
_KEPT = 8


@dataclass(frozen=True)
class Traces:
    """The runs of revisions, by the digest of the history up to each, in order; and what env.py does around them.

    ``sessions``: by database, how it set itself up. ``lasting``: files that the revisions depend on.
    """

    runs: Mapping[str, tuple[RevisionRun, ...]]
    environments: tuple[Environment, ...] = ()
    sessions: Mapping[str, str] = field(default_factory=dict)
    lasting: frozenset[str] = frozenset()


NO_TRACES = Traces({})


def load(path: Path) -> Traces | None:
    """What was kept in a file, where it still holds; None: nothing is."""
    try:
        content = zlib.decompress(path.read_bytes())
        (files, variables, lasting), environments, sessions, runs = _Values(io.BytesIO(content)).load()
        if not hold(Dependencies(files, variables), {}):
            return None
        os.utime(path)
    except Exception:  # whatever is wrong with the file, the revisions are traced again
        return None
    return Traces(runs, environments, sessions, frozenset(lasting))


def keep(path: Path, traces: Traces, known: Dependencies) -> None:
    """Keep them in a file, in place of what was there; where that cannot be done, so be it."""
    tables: dict[Table, Table] = {}
    runs = {chain: tuple(_shared(run, tables) for run in several) for chain, several in traces.runs.items()}
    dependencies = (dict(known.files), dict(known.variables), sorted(known.lasting))
    buffer = io.BytesIO()
    try:
        _Writer(buffer, protocol=5).dump((dependencies, traces.environments, dict(traces.sessions), runs))
    except (pickle.PicklingError, TypeError, AttributeError):
        return  # a value of a class that the project's own code made, such as an identifier that is a kind of str
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="new-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(zlib.compress(buffer.getvalue(), 1))
        Path(name).replace(path)
        for old in cluster.unused(path.parent.iterdir(), keep_newest=_KEPT):
            old.unlink(missing_ok=True)


def _shared(run: RevisionRun, tables: dict[Table, Table]) -> RevisionRun:
    """The run with each table once: most revisions leave most tables as they were."""
    return replace(run, before=_sharing(run.before, tables), after=_sharing(run.after, tables))


def _sharing(schema: Schema, tables: dict[Table, Table]) -> Schema:
    found: Sequence[Table] = [tables.setdefault(table, table) for table in schema.tables]
    return replace(schema, tables=tuple(found))


class _Writer(pickle.Pickler):
    """Writes members of an enum by their value; Python 3.11.0 to 3.11.3 writes a call of getattr."""

    def reducer_override(self, value: Any) -> Any:
        """How to make the value again."""
        return (type(value), (value.value,)) if isinstance(value, enum.Enum) else NotImplemented


class _Values(pickle.Unpickler):
    """Makes values of our own models and nothing else (Python docs, pickle, "Restricting Globals")."""

    def find_class(self, module: str, name: str) -> Any:
        """The class; a file that names anything else is not ours."""
        found = super().find_class(module, name) if module.startswith(_OURS) and "." not in name else None
        is_value = isinstance(found, type) and (is_dataclass(found) or issubclass(found, enum.Enum))
        if is_value and found.__module__ == module:
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no value of a trace")
