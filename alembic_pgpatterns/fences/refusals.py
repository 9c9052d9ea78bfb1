"""Refusals of the fences, as lines of JSON on a descriptor. Another process may read them."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType


@dataclass(frozen=True)
class Refusal:
    """A connection or a program that was refused.

    ``where``: file and line of the project; "" if a library in C or another program connected. ``process``: the
    program that did it, "" for the project's own process.
    """

    attempt: str
    where: str = ""
    process: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.attempt} was refused" + (f" to {self.process}" if self.process else "")


class Sink:
    """Where refusals go: a descriptor, or stderr."""

    def __init__(self, descriptor: int | None) -> None:
        self.descriptor = descriptor
        self._written: set[Refusal] = set()

    def tell(self, refusal: Refusal) -> None:
        """Write one line, in one piece: several processes may write here. People are told each once."""
        if self.descriptor is None:
            # A log handler, for example, tries to connect at each line that is logged.
            if refusal in self._written:
                return
            self._written.add(refusal)
            line = f"alembic-pgpatterns: {refusal}\n"
        else:
            line = json.dumps({"what": refusal.attempt, "where": refusal.where, "process": refusal.process}) + "\n"
        # If nobody reads any more, the refusal is still in force.
        with contextlib.suppress(OSError):
            os.write(2 if self.descriptor is None else self.descriptor, line.encode("utf-8", "replace"))


def read(text: str) -> Iterator[Refusal]:
    """The refusals that a `Sink` wrote, each once. Other lines are left out."""
    seen = set()
    for line in text.splitlines():
        try:
            data = json.loads(line)
            refusal = Refusal(str(data["what"]), str(data["where"]), str(data["process"]))
        except (ValueError, KeyError, TypeError):
            continue
        if refusal not in seen:
            seen.add(refusal)
            yield refusal


_LIBRARY = os.path.dirname(os.__file__)
_PACKAGE = os.path.dirname(os.path.dirname(__file__))


def place(frame: FrameType | None) -> str:
    """File and line of the innermost call outside of Python's library, installed packages and ourselves.

    If all calls are in packages, as in a thread of a library: the outermost call outside Python's library.
    """
    fallback = ""
    while frame is not None:
        path = frame.f_code.co_filename
        installed = "site-packages" in path or "dist-packages" in path or path.startswith(_PACKAGE)
        # Alembic makes the functions of ``op`` from text, which has no file either.
        generated = path.startswith("<") and frame.f_globals.get("__name__") != "__main__"
        in_library = path.startswith(_LIBRARY) or generated
        if installed and not path.startswith(_PACKAGE):
            fallback = f"{path}:{frame.f_lineno}"
        elif not installed and not in_library:
            return f"{_short(path)}:{frame.f_lineno}"
        frame = frame.f_back
    return fallback


def _short(path: str) -> str:
    """The path relative to the working folder, if it is below it."""
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):
        return path
    return path if relative.startswith("..") else relative


def current_place() -> str:
    """The same as `place`, for the caller."""
    return place(sys._getframe(1))
