"""What the command imports, and what the project's process does: their sys.path, and the modules of plugins.

``python -m alembic`` puts the current folder first on sys.path. There a project may have a ``google.py`` or a
``queue.py``, and what the command imports late, of Python or of a library, would be that file. So the command does not
search there, and the project's process does.

The command imports plugins, and with ``app.rules`` the package ``app``. A fork would have it too, so that the project's
import would not search its own path, which for an older release is another folder.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_left_out: list[str] = []
"""What stands first on sys.path for the project alone."""

_plugin_packages: set[str] = set()
"""The top-level names that plugins brought into sys.modules."""


@contextmanager
def own_imports() -> Iterator[None]:
    """Leave the current folder out of sys.path, if Python put it first, until the end of the ``with``."""
    if _left_out or not _is_current_folder(sys.path[0]):
        yield
        return
    before = list(sys.path)
    _left_out.append(sys.path.pop(0))
    try:
        yield
    finally:
        _left_out.clear()
        sys.path[:] = before


def _is_current_folder(entry: str) -> bool:
    try:
        return entry in ("", os.getcwd())
    except OSError:
        return False  # it is gone, and the command will say so


def note_plugin(module: str) -> None:
    """Remember that the command is about to import a plugin, by its dotted name."""
    package = module.partition(".")[0]
    if package not in sys.modules:
        _plugin_packages.add(package)


def project_s_imports() -> None:
    """Search the current folder again, and forget the plugins' modules, in the project's process.

    The patterns' classes remain. Call it before anything of the project is imported there.
    """
    sys.path[:0] = _left_out
    _left_out.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in _plugin_packages]:
        del sys.modules[name]
    # The finders remember what folders contained (Python docs, importlib.invalidate_caches).
    importlib.invalidate_caches()
