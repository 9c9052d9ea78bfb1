"""Traces of revisions, cached for the next run: plain values, and no code."""

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
from alembic_pgpatterns.output.files import read_regular
from alembic_pgpatterns.revisions.model import Environment, RevisionRun
from alembic_pgpatterns.revisions.passwords import without_passwords_of
from alembic_pgpatterns.runner.messages import Dependencies
from alembic_pgpatterns.schema.model import Schema, Table
from alembic_pgpatterns.server import cluster

_OWN_MODULES = ("alembic_pgpatterns.schema.", "alembic_pgpatterns.revisions.")
_MOST_FILES = 8


@dataclass(frozen=True)
class Traces:
    """The runs of revisions, by the digest of the history up to each, in order; and how env.py configures them.

    ``sessions``: by database, how env.py set up its session. ``lasting``: files that the revisions depend on.
    """

    runs: Mapping[str, tuple[RevisionRun, ...]]
    environments: tuple[Environment, ...] = ()
    sessions: Mapping[str, str] = field(default_factory=dict)
    lasting: frozenset[str] = frozenset()


NO_TRACES = Traces({})


def load(path: Path) -> Traces | None:
    """The traces in a file, if they are still valid; None otherwise."""
    try:
        content = zlib.decompress(read_regular(path))
        (files, variables, lasting), environments, sessions, runs = _Values(io.BytesIO(content)).load()
        if not hold(Dependencies(files, variables), {}):
            return None
        os.utime(path)
    except Exception:  # with any problem in the file the revisions are traced again
        return None
    return Traces(runs, environments, sessions, frozenset(lasting))


def keep(path: Path, traces: Traces, depends_on: Dependencies) -> None:
    """Write them into the file. If that is not possible, the next run traces the revisions again."""
    tables: dict[Table, Table] = {}
    secrets: set[str] = set()
    runs = {chain: tuple(_to_keep(run, tables, secrets) for run in several) for chain, several in traces.runs.items()}
    dependencies = (dict(depends_on.files), dict(depends_on.variables), sorted(depends_on.lasting))
    buffer = io.BytesIO()
    try:
        # Pickle and not JSON, since it stores an object that occurs many times only once; tables do. Reading is
        # restricted below.
        _Writer(buffer, protocol=5).dump((dependencies, traces.environments, dict(traces.sessions), runs))
    except (pickle.PicklingError, TypeError, AttributeError):
        return  # a value has a class of the project's own code, such as a subclass of str
    if any(secret.encode() in buffer.getvalue() for secret in secrets):
        return  # a password is also in a schema, in the body of a rule, say
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="new-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            # Level 1 is the quickest.
            file.write(zlib.compress(buffer.getvalue(), 1))
        Path(name).replace(path)
        for old in cluster.unused(path.parent.iterdir(), keep_newest=_MOST_FILES):
            old.unlink(missing_ok=True)


def _to_keep(run: RevisionRun, tables: dict[Table, Table], secrets: set[str]) -> RevisionRun:
    """The run without passwords, which are added to the secrets, and with equal tables stored once."""
    result, passwords = without_passwords_of(run)
    secrets |= passwords
    return _shared(result, tables)


def _shared(run: RevisionRun, tables: dict[Table, Table]) -> RevisionRun:
    """The run with equal tables stored once: most revisions leave most tables unchanged."""
    return replace(run, before=_sharing(run.before, tables), after=_sharing(run.after, tables))


def _sharing(schema: Schema, tables: dict[Table, Table]) -> Schema:
    shared: Sequence[Table] = [tables.setdefault(table, table) for table in schema.tables]
    return replace(schema, tables=tuple(shared))


class _Writer(pickle.Pickler):
    """Writes enum members by their value: Python 3.11.0 to 3.11.3 would write a call of getattr."""

    def reducer_override(self, value: Any) -> Any:
        """How to make the value again when reading."""
        return (type(value), (value.value,)) if isinstance(value, enum.Enum) else NotImplemented


class _Values(pickle.Unpickler):
    """Makes only values of our own classes (Python docs, pickle, "Restricting Globals")."""

    def find_class(self, module: str, name: str) -> Any:
        """The class; a file that names any other class was not written here."""
        class_ = super().find_class(module, name) if module.startswith(_OWN_MODULES) and "." not in name else None
        is_value = isinstance(class_, type) and (is_dataclass(class_) or issubclass(class_, enum.Enum))
        if is_value and class_.__module__ == module:
            return class_
        raise pickle.UnpicklingError(f"{module}.{name} is not a value of a trace")
