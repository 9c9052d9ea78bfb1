"""advanced-alchemy's env.py, which expects a configuration of its own kind: ``config.engine``, ``config.bind_key``, …

Its programs (``alchemy``, ``litestar database``) make an ``AlembicCommandConfig`` of the application's configuration.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from alembic_pgpatterns.errors import ApplicationFailed
from alembic_pgpatterns.runner.failures import described
from alembic_pgpatterns.runner.missing_settings import settings_to_add


def take_over(config: Any, name: str) -> None:
    """Give Alembic's configuration what advanced-alchemy's has beyond it.

    Args:
        config: Alembic's; it gets attributes.
        name: ``package.module:config``; what is there may also be a Litestar application with the plugin.

    Raises:
        ApplicationFailed: it cannot be imported, or is no such configuration.
    """
    for folder in (str(Path.cwd() / "src"), str(Path.cwd())):  # what its template puts on the path
        if folder not in sys.path and Path(folder).is_dir():
            sys.path.insert(0, folder)
    commands: Any = importlib.import_module("advanced_alchemy.alembic.commands")  # the project's own
    other = commands.AlembicCommands(_configuration(name)).config
    for key, value in vars(other).items():
        # Its configuration is a subclass of Alembic's, so it also has the attributes that are set here already.
        if key not in vars(config) and not key.startswith("_"):
            setattr(config, key, value)


def _configuration(name: str) -> Any:
    module, _, attribute = name.replace(":", ".").rpartition(".")
    try:
        value = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise ApplicationFailed(
            f"advanced_alchemy: {name!r} cannot be imported: {described(error, None)}{settings_to_add(error)}"
        ) from error
    configurations = [item for item in _held(value) if hasattr(item, "alembic_config")]
    if not configurations:
        raise ApplicationFailed(
            f"advanced_alchemy: {name!r} is no configuration of advanced-alchemy, and no Litestar application with its "
            "plugin."
        )
    return configurations[0]


def _held(value: Any) -> list[Any]:
    """The value, the items of a list, or the configurations of a plugin, or of a Litestar application's plugins."""
    if isinstance(value, (list, tuple)):
        return list(value)
    result = [value]
    for plugin in (value, *getattr(value, "plugins", ())):
        held = getattr(plugin, "config", None)
        result += held if isinstance(held, (list, tuple)) else [held]
    return result
