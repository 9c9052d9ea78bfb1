"""The patterns, one file each; the registry is a walk of this package, and the plugins that the settings name."""

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
        PgPatternsError: a file or an installed plugin does not load, or does not hold what it promises. A pattern
            that is missing without a word would be a check that says "ok" without having looked.
    """
    return MappingProxyType({**_with_installed(), **_plugins})


def use_plugins(modules: Sequence[str], named_by: str, folders: Sequence[Path] = ()) -> None:
    """Add the patterns of these modules to the registry, in place of those that an earlier call added.

    Args:
        modules: dotted names of modules or packages.
        named_by: the setting that names them, for messages.
        folders: searched for them before the rest of sys.path.

    Raises:
        PgPatternsError: one does not load, holds no pattern, or has a name that exists already. The registry is then
            as it was.
    """
    own = [cls for module in modules for cls in patterns_of(module, named_by, folders)]
    together(_with_installed(), own)
    _plugins.clear()
    _plugins.update((cls.name, cls) for cls in own)


@cache
def _with_installed() -> Mapping[str, type[Pattern]]:
    own = [cls for module, named_by in installed() for cls in patterns_of(module, named_by)]
    return MappingProxyType(together(built_in(), own))


@cache
def built_in() -> Mapping[str, type[Pattern]]:
    """The patterns of this package by name, sorted by folder and name.

    Raises:
        PgPatternsError: a file does not load, or does not hold exactly the pattern its name promises.
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
        raise PgPatternsError(f"The pattern file {module_name} does not load: {error!r}") from error
    expected = module_name.rsplit(".", 1)[-1].replace("_", "-")
    patterns = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Pattern) and member.__module__ == module_name and not member.abstract
    ]
    if [pattern.name for pattern in patterns] != [expected]:
        raise PgPatternsError(
            f"The pattern file {module_name} must hold one pattern named {expected!r}; it holds "
            f"{', '.join(pattern.name for pattern in patterns) or 'none'}."
        )
    return patterns[0]
