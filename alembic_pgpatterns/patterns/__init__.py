"""The patterns, one file each. The registry has all modules of this package, and the plugins in the settings."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.patterns._base import (
    Basis,
    Finding,
    Fold,
    HistoryPattern,
    Identified,
    Needs,
    NoOptions,
    Pattern,
    RehearsalPattern,
    RevisionPattern,
    SchemaPattern,
    ServerPattern,
    StatementPattern,
    kebab,
)
from alembic_pgpatterns.patterns._levels import Action, Severity
from alembic_pgpatterns.patterns._plugins import installed, patterns_of, together

__all__ = [
    "Action",
    "Basis",
    "Finding",
    "Fold",
    "HistoryPattern",
    "Identified",
    "Needs",
    "NoOptions",
    "Pattern",
    "RehearsalPattern",
    "RevisionPattern",
    "SchemaPattern",
    "ServerPattern",
    "Severity",
    "StatementPattern",
    "built_in",
    "kebab",
    "registry",
    "use_plugins",
]


_plugins: dict[str, type[Pattern]] = {}
"""The patterns of the plugins in use, by name."""


def registry() -> Mapping[str, type[Pattern]]:
    """All patterns by name: the built-in ones, sorted by folder and name, then those of plugins.

    Raises:
        PgPatternsError: a file or an installed plugin cannot be loaded, or has no pattern. To leave the pattern out
            silently would mean to report "ok" without a check.
    """
    return MappingProxyType({**_with_installed(), **_plugins})


def use_plugins(modules: Sequence[str], named_by: str, folders: Sequence[Path] = ()) -> None:
    """Add the patterns of these modules to the registry, instead of those that an earlier call added.

    Args:
        modules: dotted names of modules or packages.
        named_by: the setting that names them, for messages.
        folders: searched for them before the rest of sys.path.

    Raises:
        PgPatternsError: one cannot be loaded, has no pattern, or a pattern's name exists already. The registry is not
            changed then.
    """
    of_plugins = [cls for module in modules for cls in patterns_of(module, named_by, folders)]
    together(_with_installed(), of_plugins)
    _plugins.clear()
    _plugins.update((cls.name, cls) for cls in of_plugins)


@cache
def _with_installed() -> Mapping[str, type[Pattern]]:
    of_packages = [cls for module, named_by in installed() for cls in patterns_of(module, named_by)]
    return MappingProxyType(together(built_in(), of_packages))


@cache
def built_in() -> Mapping[str, type[Pattern]]:
    """The patterns of this package by name, sorted by folder and name.

    Raises:
        PgPatternsError: a file cannot be loaded, or has not exactly one pattern with the file's name.
    """
    patterns: dict[str, type[Pattern]] = {}
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        if not module.ispkg and not module.name.rsplit(".", 1)[-1].startswith("_"):
            pattern = _load(module.name)
            patterns[pattern.name] = pattern
    return MappingProxyType(dict(sorted(patterns.items(), key=lambda item: (item[1].folder, item[0]))))


def _load(module_name: str) -> type[Pattern]:
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise PgPatternsError(f"The pattern file {module_name} cannot be loaded: {error!r}") from error
    expected = module_name.rsplit(".", 1)[-1].replace("_", "-")
    patterns = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Pattern) and member.__module__ == module_name and not member.abstract
    ]
    if [pattern.name for pattern in patterns] != [expected]:
        raise PgPatternsError(
            f"The pattern file {module_name} must define one pattern named {expected!r}; it defines "
            f"{', '.join(pattern.name for pattern in patterns) or 'none'}."
        )
    return patterns[0]
