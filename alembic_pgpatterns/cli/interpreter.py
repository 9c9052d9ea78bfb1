"""The interpreter of the project's environment, if this package is installed in another one."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from alembic_pgpatterns.errors import PgPatternsError

_as_program = False


def run_as_program() -> None:
    """Note that the program ``alembic-pgpatterns`` runs, which is made for a separate environment."""
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


def add_flag(group: Any) -> None:
    """``--python`` and ``--verbose``, for a parser or a group of flags of it."""
    group.add_argument("--python", metavar="PATH", help="the interpreter of the project's own environment")
    group.add_argument("-v", "--verbose", action="store_true", help="show what Alembic and the project log")


def interpreter(options: argparse.Namespace) -> Path | None:
    """The interpreter that the flag names, or the default.

    It is not resolved, because a link in a virtual environment is what makes it one.
    """
    value = getattr(options, "python", None)
    return Path(value).absolute() if value else default_interpreter()


def demand_this_one(command: str, python: Path | None) -> None:
    """Refuse a command that writes revisions, if the project runs in another environment.

    The files are written by Alembic's autogenerate and may use operations of this package. With another Alembic, or
    without this package beside it, the project could not run them.

    Args:
        command: its name.
        python: the project's interpreter; None for this one.

    Raises:
        PgPatternsError: the interpreter is that of another environment; the message says what to do.
    """
    if python is None or _is_this_one(python):
        return
    raise PgPatternsError(
        f"{command} writes revisions with Alembic's autogenerate, in the project's own environment. {python} belongs "
        f"to another environment than this alembic-pgpatterns. Install alembic-pgpatterns there, then run `{python} -m "
        f"alembic_pgpatterns {command}`. If the project's pins do not allow that, `alembic-pgpatterns pgcheck --all "
        f"--python {python}` prints the SQL and the lines of the models to write."
    )


def _is_this_one(python: Path) -> bool:
    same = python.absolute() == Path(sys.executable).absolute()
    # Not python.resolve(): in a virtual environment the program is a symbolic link to the one all environments share,
    # so every environment would be this one.
    return same or python.absolute().parent.parent.resolve() == Path(sys.prefix).resolve()
