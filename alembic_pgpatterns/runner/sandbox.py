"""What a project's own code does to the process, kept from the check: output, the folder it is in, its end."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.project import relative


@contextmanager
def sandboxed() -> Iterator[None]:
    """What env.py and revisions print goes to stderr; the working folder is as before afterwards; they cannot end us.

    Raises:
        PgPatternsError: they call os._exit(), which would end the program as if all were well.
    """
    with _quiet(), _same_folder(), _no_exit():
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """What env.py and revisions print is not the report; logging set up on the original stream is not, either."""
    _open_stdout()
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        with contextlib.suppress(ValueError, OSError):
            sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _open_stdout() -> None:
    """Where the program was started with its output closed (>&-), the next file opened would be number 1."""
    try:
        os.fstat(1)
    except OSError:
        number = os.open(os.devnull, os.O_WRONLY)
        if number != 1:
            os.dup2(number, 1)
            os.close(number)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)


@contextmanager
def _same_folder() -> Iterator[None]:
    """Paths of flags and of the report are seen from the folder in which the user is."""
    before = Path.cwd()
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _no_exit() -> Iterator[None]:
    stock, owner = os._exit, os.getpid()

    def refuse(status: int) -> NoReturn:
        if os.getpid() != owner:  # a forked child may end itself so, and should
            stock(status)
        caller = sys._getframe(1)
        place = f"{relative(caller.f_code.co_filename)}:{caller.f_lineno}"
        raise PgPatternsError(f"{place}: os._exit({status}) would end the check as if all were well; take it out.")

    os._exit = refuse
    try:
        yield
    finally:
        os._exit = stock
