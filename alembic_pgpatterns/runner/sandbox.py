"""What the project's own code does to its process between two requests: the folder it is in, its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.paths import relative


@contextmanager
def sandboxed() -> Iterator[None]:
    """The working folder is as before afterwards, and the project's code cannot end the process unseen.

    Raises:
        PgPatternsError: it called os._exit(), which would end the program as if all were well.
    """
    with _same_folder(), _no_exit():
        yield


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
    refused: list[str] = []

    def refuse(status: int) -> NoReturn:
        if os.getpid() != owner:  # a forked child may end itself so, and should
            stock(status)
        caller = sys._getframe(1)
        place = f"{relative(caller.f_code.co_filename)}:{caller.f_lineno}"
        refused.append(f"{place}: os._exit({status}) would end the check as if all were well; take it out.")
        raise PgPatternsError(refused[0])

    os._exit = refuse
    try:
        yield
        if refused:  # whoever caught the error went on as if nothing were
            raise PgPatternsError(refused[0])
    finally:
        os._exit = stock
