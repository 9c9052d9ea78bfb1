"""Refuse to load env.py, a revision, a module or a template from a pipe or a device: that would wait, or never end.

What the project's own code opens is its own matter: programs that keep secrets hand them out by a pipe.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

from alembic_pgpatterns.output.files import demand_regular

# Before the function is replaced by one that records what is asked (`ambient`).
_stat = os.stat
_READING = ("r", "rb", "rt")
_LOADERS = frozenset({"alembic", "configparser", "mako"})


def watch() -> None:
    """From now on, check each file that is loaded. This cannot be undone, so only for the project's process."""
    sys.addaudithook(_check)


def _check(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise OSError before a library that loads code or configuration opens what is no file."""
    if event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike) or arguments[1] not in _READING:
        return
    caller = sys._getframe(1)
    name = caller.f_globals.get("__name__") or ""
    if not caller.f_code.co_filename.startswith("<frozen importlib") and name.partition(".")[0] not in _LOADERS:
        return
    try:
        is_regular = stat.S_ISREG(_stat(arguments[0]).st_mode)
    except (OSError, ValueError):
        return  # open() says so itself
    if not is_regular:
        demand_regular(Path(os.fsdecode(arguments[0])))
