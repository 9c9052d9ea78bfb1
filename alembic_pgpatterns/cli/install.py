"""Puts the commands of this package into the ``alembic`` program.

The program's module, ``alembic.config``, cannot be imported before ``import alembic`` is complete, and plugins are
set up during that import. So a finder waits for the module's import, then removes itself.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


def add_commands_when_loaded() -> None:
    """Add the commands to every CommandLine made from now on, whenever ``alembic.config`` gets imported."""
    _when_loaded("alembic.config", "CommandLine", add_commands)


def add_write_hook_when_loaded() -> None:
    """Register the post-write hook ``pgpatterns``, whenever ``alembic.script.write_hooks`` gets imported."""
    _when_loaded("alembic.script.write_hooks", "register", add_write_hook)


def add_write_hook(module: ModuleType) -> None:
    """Register the post-write hook ``pgpatterns``. Its code is loaded when it is called."""

    @module.register("pgpatterns")  # type: ignore[untyped-decorator]
    def pgpatterns(path: str, options: Any) -> None:
        # Not at the top: every `alembic` command loads this module, also those that need nothing of this package.
        from alembic_pgpatterns.cli.platform import demand_unix

        demand_unix("revision with the hook pgpatterns")
        from alembic_pgpatterns.cli.write_hook import run

        run(path, options)


def _when_loaded(target: str, last: str, act: Callable[[ModuleType], None]) -> None:
    """Act on a module as soon as it is complete: when it has the name ``last``."""
    loaded = sys.modules.get(target)
    if loaded is not None and hasattr(loaded, last):
        act(loaded)
    elif not any(isinstance(finder, WaitingFinder) and finder.target == target for finder in sys.meta_path):
        sys.meta_path.insert(0, WaitingFinder(target, act))


class WaitingFinder:
    """Waits on ``sys.meta_path`` for a module, once."""

    def __init__(self, target: str, act: Callable[[ModuleType], None]) -> None:
        self.target = target
        self._act = act

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module's usual spec, with a loader that acts on the module after it ran."""
        if fullname != self.target:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        run_module = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run_module(module)
            self._act(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def add_commands(module: ModuleType) -> None:
    """Wrap CommandLine so that each one has these commands next to Alembic's. A second call does nothing."""
    command_line = module.CommandLine
    stock = command_line.__init__
    if getattr(stock, "adds_pgpatterns", False):
        return

    @functools.wraps(stock)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        stock(self, *args, **kwargs)
        from alembic_pgpatterns.cli.register import register

        register(self)

    __init__.adds_pgpatterns = True  # type: ignore[attr-defined]
    command_line.__init__ = __init__
