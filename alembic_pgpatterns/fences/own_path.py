"""What the command imports, and what the project's process does: their sys.path.

``python -m alembic`` puts the current folder first on sys.path. There a project may have a ``google.py`` or a
``queue.py``, and what the command imports late, of Python or of a library, would be that file. So the command does not
search there, and the project's process does.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_left_out: list[str] = []
"""What stands first on sys.path for the project alone."""


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


def project_s_imports() -> None:
    """Search the current folder again, in the project's process, before anything of the project is imported there."""
    sys.path[:0] = _left_out
    _left_out.clear()
    # The finders remember what folders contained (Python docs, importlib.invalidate_caches).
    importlib.invalidate_caches()
