"""A trial of plugins: they are imported behind the fences first, in a process that ends there.

The command imports no code of the project but these modules, and what they import would run there too: an application
that connects when it is imported would reach its database. So a plugin that brings in more of the project is refused.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fences import refusals
from alembic_pgpatterns.fences.allowed import NOTHING
from alembic_pgpatterns.fences.stand import stand
from alembic_pgpatterns.patterns._plugins import import_all

_SECONDS = 30.0
_END = "the end"


def demand_harmless(modules: Sequence[str], named_by: str, folders: Sequence[Path]) -> None:
    """Import plugins in a process of their own, and look what that does. An error of the import is left to the next.

    Args:
        modules: dotted names.
        named_by: the setting, for messages.
        folders: of the project; searched for the plugins before the rest of sys.path.

    Raises:
        PgPatternsError: they import other code of the project, start threads, connect, or start programs.
    """
    if not modules:
        return
    text = _tried(modules, named_by, folders)
    refused = [str(refusal) for refusal in refusals.read(text) if refusal.attempt]
    others = [line for line in text.splitlines() if not line.startswith("{") and line != _END]
    if refused or others:
        raise PgPatternsError(
            f"{named_by}: {', '.join(modules)}: {'; '.join([*others, *refused])}. Patterns run in the command itself, "
            "which runs no other code of the project: let them import this package and nothing of the application. "
            "What several of them share can be a module of a package that the setting names as a whole."
        )


def _tried(modules: Sequence[str], named_by: str, folders: Sequence[Path]) -> str:
    reader, writer = os.pipe()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    pid = os.fork()
    if not pid:
        os.close(reader)
        _try(writer, modules, named_by, folders)
    os.close(writer)
    text, deadline = b"", time.monotonic() + _SECONDS
    while not text.endswith(f"{_END}\n".encode()) and select.select([reader], [], [], deadline - time.monotonic())[0]:
        part = os.read(reader, 65536)
        if not part:
            break
        text += part
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    os.close(reader)
    os.waitpid(pid, 0)
    return text.decode("utf-8", "replace")


def _try(writer: int, modules: Sequence[str], named_by: str, folders: Sequence[Path]) -> NoReturn:
    """Import the plugins and write a line for each thing that a plugin must not do; does not return."""
    try:
        os.setsid()
        os.dup2(2, 1)
        stand(NOTHING, dict, refusals=writer)
        before = set(sys.modules)
        with contextlib.suppress(PgPatternsError):
            import_all(modules, named_by, folders)
        lines = [*_others(before, modules, folders)]
        if threading.active_count() > 1:
            lines.append("a thread is started")
        os.write(writer, "".join(f"{line}\n" for line in (*lines, _END)).encode())
    finally:
        os._exit(0)


def _others(before: set[str], modules: Sequence[str], folders: Sequence[Path]) -> Iterator[str]:
    """The project's modules that were imported besides the plugins and the packages that they are in."""
    places = [str(folder.absolute()) + os.sep for folder in folders]
    for name in sorted(set(sys.modules) - before):
        file = getattr(sys.modules.get(name), "__file__", None)
        if not isinstance(file, str) or "site-packages" in file or not file.startswith(tuple(places)):
            continue
        if not any(f"{name}.".startswith(f"{module}.") or f"{module}.".startswith(f"{name}.") for module in modules):
            yield f"{os.path.relpath(file)} is imported"
