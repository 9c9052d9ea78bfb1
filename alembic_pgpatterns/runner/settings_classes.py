"""The variables that pydantic-settings reads for the project's classes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any


def settings_variables() -> Iterator[str]:
    """The variables of all fields of the settings classes that there are."""
    for cls in _settings_classes():
        prefix = str(cls.model_config.get("env_prefix", ""))
        yield from ((prefix + name).upper() for name in cls.model_fields)


def _settings_classes() -> list[Any]:
    # pydantic-settings reads all variables at once, so only its classes know for which ones it looks.
    module = sys.modules.get("pydantic_settings") or sys.modules.get("pydantic_settings.main")
    base = getattr(module, "BaseSettings", None)
    waiting, result = list(base.__subclasses__()) if base is not None else [], []
    while waiting:
        cls = waiting.pop()
        result.append(cls)
        waiting += cls.__subclasses__()
    return result
