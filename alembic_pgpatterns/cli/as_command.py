"""What a command changes in its own process: where imports are searched, and how rarely garbage is collected."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

from alembic_pgpatterns.fences.own_path import own_imports

OBJECTS = 100_000
"""New objects from which a collection begins; Python's own default of 700 suits programs that stay."""


@contextmanager
def as_command() -> Iterator[None]:
    """Import what a command needs, and run it, inside of this."""
    with own_imports(), _few_collections():
        yield


@contextmanager
def _few_collections() -> Iterator[None]:
    """Collect rarely, and never look through what was loaded before.

    While a thousand modules are loaded, the collector goes through all of them again and again and finds nothing: 0.1 s
    of the processor, in a command that takes 2 s (CPython 3.11). At the end the interpreter collects twice more, before
    it frees everything anyway: 0.2 s. Objects that are frozen are left out of that.
    """
    before = gc.get_threshold()
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    gc.freeze()
    # The generations above it, also later than by default (10, 10): they are what takes the time.
    gc.set_threshold(OBJECTS, 20, 100)
    try:
        yield
    finally:
        # Else the objects of the command are more than the old threshold, and all of them are looked through.
        gc.freeze()
        gc.set_threshold(*before)
        gc.unfreeze()
