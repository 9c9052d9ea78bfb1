"""Undo what the project's code does to its process between two requests: change the folder, or end the process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from alembic import command

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.paths import relative


@contextmanager
def sandboxed() -> Iterator[None]:
    """Restore the working folder afterwards, and do not let the project's code end the process unnoticed.

    Raises:
        PgPatternsError: it called os._exit(), which would end the program as if everything were fine.
    """
    with _same_folder(), _no_exit():
        yield


_COMMANDS = ("upgrade", "downgrade", "stamp")


def without_own_migrations() -> None:
    """From now on, the project's code cannot run its history by ``alembic.command``: such calls do nothing.

    Some applications upgrade their database when they are created. Created in env.py, as Flask-Migrate's does, they
    would run the whole history before we could run it revision by revision, or call env.py again and again.
    """
    for name in _COMMANDS:
        setattr(command, name, _do_nothing)


def _do_nothing(*arguments: object, **keywords: object) -> None:
    """In place of a command of Alembic."""


@contextmanager
def _same_folder() -> Iterator[None]:
    """Restore the working folder: paths in flags and in the report are relative to the user's folder."""
    before = Path.cwd()
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _no_exit() -> Iterator[None]:
    # sys.exit() raises SystemExit, which is reported. os._exit() raises nothing: the parent would see a process that
    # ended.
    stock, owner = os._exit, os.getpid()
    refused: list[str] = []

    def refuse(status: int) -> NoReturn:
        if os.getpid() != owner:  # a forked child may end itself this way
            stock(status)
        caller = sys._getframe(1)
        place = f"{relative(caller.f_code.co_filename)}:{caller.f_lineno}"
        refused.append(f"{place}: os._exit({status}) would end the check as if everything were fine; remove it.")
        raise PgPatternsError(refused[0])

    os._exit = refuse
    try:
        yield
        if refused:  # the project's code caught the error and continued
            raise PgPatternsError(refused[0])
    finally:
        os._exit = stock
