"""The process of plugins: it imports their modules behind the fences, and runs their patterns on what it is sent."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fences.allowed import NOTHING
from alembic_pgpatterns.patterns._base import Pattern
from alembic_pgpatterns.patterns._described import Described, described, finding_data, restored
from alembic_pgpatterns.patterns._levels import Action, Severity
from alembic_pgpatterns.patterns._option_docs import option_docs
from alembic_pgpatterns.patterns._plugins import patterns_of, place_of
from alembic_pgpatterns.patterns._wrong import problem_of
from alembic_pgpatterns.processes.begin import begin
from alembic_pgpatterns.processes.channel import Closed, receive, receive_bytes, send
from alembic_pgpatterns.processes.codec import CodecError
from alembic_pgpatterns.processes.supervisor import ChildEnds


def serve(ends: ChildEnds) -> NoReturn:
    """Answer requests until the parent ends or closes the channel. It runs as the main function of a process."""
    begin(NOTHING, ends.dump)
    hosted = _Hosted(ends)
    with contextlib.suppress(Closed):
        while True:
            hosted.answer()
    # Nothing that a plugin registered with atexit may delay the end.
    os._exit(0)


class _Hosted:
    def __init__(self, ends: ChildEnds) -> None:
        self._ends = ends
        self._classes: dict[str, type[Pattern]] = {}
        self._patterns: dict[int, Pattern] = {}
        self._facts: tuple[Any, ...] = ()

    def answer(self) -> None:
        """Receive a request, do it, and send what came of it."""
        name, arguments = receive(self._ends.requests)
        try:
            answer = ("done", getattr(self, name)(*arguments))
            send(self._ends.requests, answer)
        except Closed:
            raise
        except PgPatternsError as error:
            send(self._ends.requests, ("refused", str(error)))
        # A pattern that calls sys.exit() has failed, too.
        except (Exception, SystemExit) as error:
            send(self._ends.requests, ("failed", _words(error)))

    def load(self, module: str, named_by: str, folders: Sequence[str]) -> tuple[Described, ...]:
        """Import a plugin. Its patterns as data."""
        # For good, since a function of it may import more later.
        sys.path[:0] = [folder for folder in folders if folder not in sys.path]
        classes = patterns_of(module, named_by, tuple(map(Path, folders)))
        self._classes.update((cls.name, cls) for cls in classes)
        return tuple(described(cls, place_of(cls), option_docs(cls.Options)) for cls in classes)

    def detect(self, number: int, name: str, values: tuple[Any, ...], has_facts: bool) -> tuple[Any, ...]:
        """What a pattern finds in the facts that follow, or in those of the request before."""
        self._receive_facts(has_facts)
        findings = list(self._pattern(number, name, values).detect(*self._facts))  # type: ignore[attr-defined]
        for finding in findings:
            problem = problem_of(name, finding)
            if problem is not None:
                raise PgPatternsError(problem)
        try:
            return tuple(map(finding_data, findings))
        except CodecError as error:
            raise PgPatternsError(
                f"The pattern {name} is not right: a finding of it cannot be sent: {error}."
            ) from None

    def cannot_tell(self, number: int, name: str, values: tuple[Any, ...], has_facts: bool) -> str | None:
        """Why a pattern cannot check the server, or None."""
        self._receive_facts(has_facts)
        pattern = self._pattern(number, name, values)
        return pattern.cannot_tell(*self._facts)  # type: ignore[attr-defined, no-any-return]

    def _receive_facts(self, has_facts: bool) -> None:
        if has_facts:
            # The parent made it, and the parent runs no code of others: unpickling it is safe.
            self._facts = pickle.loads(receive_bytes(self._ends.requests))

    def _pattern(self, number: int, name: str, values: tuple[Any, ...]) -> Pattern:
        """The pattern of that number, which stays the same object: it may remember what it has seen."""
        if number not in self._patterns:
            cls = self._classes[name]
            options, severity, action, target_version = values
            hints = get_type_hints(cls.Options)
            self._patterns[number] = cls(
                cls.Options(**{key: restored(hints[key], value) for key, value in options.items()}),
                severity=None if severity is None else Severity(severity),
                action=None if action is None else Action(action),
                target_version=target_version,
            )
        return self._patterns[number]


def _words(error: BaseException) -> str:
    """What happened, with the innermost line outside of this package."""
    own_folder = str(Path(__file__).parents[1])
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(own_folder)]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
