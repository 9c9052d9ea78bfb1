"""sys.path of the command and of the project's process.

``python -m alembic`` puts the current folder first on sys.path. There a project may have a ``secrets.py`` or a
``queue.py``, and what the command imports late, of Python or of a library, would be that file. So the command searches
there last, and the project's process first, as it is used to.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_first: list[str] = []
"""What stands first on sys.path for the project alone."""


@contextmanager
def own_imports_first() -> Iterator[None]:
    """Search the current folder last, if Python put it first, until the end of the ``with``."""
    if not sys.path or _first or sys.path[0] not in ("", os.getcwd()):
        yield
        return
    before = list(sys.path)
    _first.append(sys.path[0])
    sys.path[:] = [*sys.path[1:], sys.path[0]]
    try:
        yield
    finally:
        _first.clear()
        sys.path[:] = before


def project_s_imports_first() -> None:
    """Undo it, in the project's process."""
    if _first and sys.path and sys.path[-1] == _first[0]:
        sys.path.insert(0, sys.path.pop())
