"""Plugins in a process of their own: the command starts it and asks it; here are stand-ins for the plugins' patterns.

A plugin is code of the project. What it imports may connect, start threads or end its process, so the command imports
none of it. The process stands behind the fences, and may connect to nothing at all. Facts go there pickled; what comes
back is plain data.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import enum
import functools
import io
import itertools
import os
import pickle
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.patterns._base import Basis, Finding, Fold, Needs, Pattern, ServerPattern
from alembic_pgpatterns.patterns._described import Described, DescribedOption, finding_of, plain_value, type_of
from alembic_pgpatterns.patterns._levels import Action, Severity
from alembic_pgpatterns.patterns._wrong import PatternFailed
from alembic_pgpatterns.processes import traceback_text
from alembic_pgpatterns.processes.channel import Closed
from alembic_pgpatterns.processes.codec import CodecError
from alembic_pgpatterns.processes.supervised import Overdue, SupervisedProcess
from alembic_pgpatterns.processes.supervisor import ChildEnds

_ENUMS: dict[str, type[enum.Enum]] = {
    "severity": Severity,
    "action": Action,
    "basis": Basis,
    "fold": Fold,
    "needs": Needs,
}
_ENTRY = "alembic_pgpatterns.patterns._hosted:serve"
"""The main function of the process. By name: the command itself needs none of its modules."""
_numbers = itertools.count()


def _main(ends: ChildEnds) -> None:
    pkgutil.resolve_name(_ENTRY)(ends)


class PluginHost:
    """The process of the plugins of one command."""

    def __init__(self, owner: object, seconds: float) -> None:
        """Start it, as a fork of this process. No thread may run here.

        Args:
            owner: whose plugins it has.
            seconds: how long one request may take.
        """
        if not hasattr(os, "fork"):
            raise PgPatternsError(
                "patterns of your own (the setting `plugins`) run in a fork, which this system does not have: leave "
                "them out here."
            )
        self.seconds = seconds
        """Seconds that one request may take."""
        self.owner = owner
        """Whose plugins it has."""
        self._process = SupervisedProcess(_main)
        self._facts: tuple[Any, ...] | None = None
        atexit.register(self._process.close)

    def load(self, module: str, named_by: str, folders: Sequence[Path]) -> list[type[Pattern]]:
        """Stand-ins for the patterns of a plugin, by name.

        Args:
            module: dotted name of a module or package.
            named_by: the setting or entry point that names it, for messages.
            folders: searched before the rest of sys.path.

        Raises:
            PgPatternsError: it cannot be imported, defines no pattern, or one of its patterns is not complete.
        """
        places = [str(folder.absolute()) for folder in folders]
        patterns = self._ask(f"{named_by}: {module}", "load", module, named_by, places)
        return [_stand_in(self, item) for item in patterns]

    def ask_pattern(self, request: str, pattern: Pattern, facts: tuple[Any, ...]) -> Any:
        """Let a pattern look at facts.

        Args:
            request: "detect" or "cannot_tell".
            pattern: a stand-in's instance.
            facts: the arguments.

        Raises:
            PatternFailed: it failed.
            PgPatternsError: it is not right, took too long, or ended its process.
        """
        is_new = tuple(map(id, facts)) != tuple(map(id, self._facts or ()))
        number = pattern.__dict__.setdefault("_number", next(_numbers))
        values = (
            {item.name: plain_value(getattr(pattern.options, item.name)) for item in fields(pattern.options)},
            int(pattern.severity) if pattern._severity_set else None,
            str(pattern.action) if "action" in pattern.__dict__ else None,
            pattern.target_version,
        )
        # The same object is sent once, however many patterns look at it: a schema can be large.
        text = _pickled(facts) if is_new else b""
        self._facts = facts
        return self._ask(f"the pattern {pattern.name}", request, number, pattern.name, values, is_new, text=text)

    def _ask(self, subject: str, name: str, *arguments: Any, text: bytes = b"") -> Any:
        try:
            self._process.send((name, arguments))
            if text:
                self._process.send_bytes(text)
            kind, answer = self._process.answer(self.seconds)
        except Closed:
            how = self._process.how_it_ended()
            self._fail(f"{subject}: the code ended its process ({how or 'for an unknown reason'})")
        except Overdue as error:
            place = traceback_text.place(error.stack, None)
            self._process.close()
            where = f" at {place[0]}:{place[1]}" if place else ""
            self._fail(f"{subject}: the code ran for longer than time_limit ({self.seconds:g} s){where}")
        except CodecError as error:
            self._process.close()
            self._fail(f"{subject}: what its process sends is damaged ({error})")
        if kind == "refused":
            raise PgPatternsError(answer)
        if kind == "failed":
            raise PatternFailed(answer)
        return answer

    def _fail(self, problem: str) -> NoReturn:
        raise PgPatternsError(f"{problem}. The setting `plugins` names it: correct it, or leave it out.")


class _Pickler(pickle.Pickler):
    """Leaves out what dataclasses compute and remember, such as `Schema.fact`: it may be anything, and is no fact."""

    def reducer_override(self, value: Any) -> Any:
        kind: Any = type(value)
        if not _has_memory(kind):
            return NotImplemented
        parts = {item.name: getattr(value, item.name) for item in fields(kind) if item.init}
        return functools.partial(kind, **parts), ()


@functools.cache
def _has_memory(kind: Any) -> bool:
    return dataclasses.is_dataclass(kind) and any(not item.init for item in fields(kind))


def _pickled(facts: tuple[Any, ...]) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, pickle.HIGHEST_PROTOCOL).dump(facts)
    return stream.getvalue()


def _stand_in(host: PluginHost, item: Described) -> type[Pattern]:
    """A class like the plugin's own, which asks the plugin's process."""
    base = pkgutil.resolve_name(item.base) if item.base.startswith("alembic_pgpatterns.patterns.") else None
    if not (isinstance(base, type) and issubclass(base, Pattern)):
        raise PgPatternsError(f"{item.place}: {item.name} is no pattern.")
    options = _options_of(item)

    def detect(self: Pattern, *facts: Any) -> Iterator[Finding]:
        yield from map(finding_of, host.ask_pattern("detect", self, facts))

    def cannot_tell(self: Pattern, *facts: Any) -> str | None:
        return host.ask_pattern("cannot_tell", self, facts)  # type: ignore[no-any-return]

    members: dict[str, Any] = {
        **_attributes(item),
        "__doc__": item.doc,
        "__module__": item.module,
        "detect": detect,
        "Options": options,
        "described_place": item.place,
        "described_source": item.source,
    }
    if issubclass(base, ServerPattern):
        members["cannot_tell"] = cannot_tell
    return type(item.name, (base,), members)


def _attributes(item: Described) -> dict[str, Any]:
    result = {}
    for name, value in item.attributes.items():
        kind = _ENUMS.get(name)
        try:
            # `needs` of a pattern about servers is a list of names, and no enum.
            result[name] = kind(value) if kind is not None and not isinstance(value, tuple) else value
        except ValueError:
            raise PgPatternsError(f"{item.place}: {item.name}: {name} = {value!r} is not one of {kind}.") from None
    return result


def _options_of(item: Described) -> type[Any]:
    listed = [_field(option) for option in item.options]
    docs = {option.name: option.doc for option in item.options if option.doc}
    return dataclasses.make_dataclass(
        "Options", listed, namespace={"described_options": docs}, frozen=True, kw_only=True
    )


def _field(option: DescribedOption) -> tuple[str, Any, Any]:
    kind = type_of(option.type)
    if option.required:
        return option.name, kind, dataclasses.field()
    value = option.default
    with contextlib.suppress(TypeError, ValueError):
        value = kind(value) if value is not None and isinstance(kind, type) else value
    return option.name, kind, dataclasses.field(default_factory=lambda: value)
