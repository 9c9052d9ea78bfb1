"""The interpreter of the project's environment, where this package is installed in one of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_as_program = False


def run_as_program() -> None:
    """Note that the program ``alembic-pgpatterns`` runs, which is made for an environment of its own."""
    global _as_program
    _as_program = True


def default_interpreter() -> Path | None:
    """The active virtual environment's, or that of ``.venv`` or ``venv`` here; None for this one.

    Only for the program ``alembic-pgpatterns``: the plugin of ``alembic`` is in the project's environment.
    """
    if not _as_program:
        return None
    active = os.environ.get("VIRTUAL_ENV")
    folders = [Path(active)] if active else [Path.cwd() / name for name in (".venv", "venv")]
    for folder in folders:
        program = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if program.exists() and folder.resolve() != Path(sys.prefix).resolve():
            return program
    return None
