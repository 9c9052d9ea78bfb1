"""The patterns, one file each. The registry has all modules of this package, and the plugins in the settings."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

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
from alembic_pgpatterns.patterns._option_docs import option_docs
from alembic_pgpatterns.patterns._plugins import installed, patterns_of, together
from alembic_pgpatterns.patterns._wrong import PatternFailed, problem_of

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
    "PatternFailed",
    "RehearsalPattern",
    "RevisionPattern",
    "SchemaPattern",
    "ServerPattern",
    "Severity",
    "StatementPattern",
    "built_in",
    "kebab",
    "option_docs",
    "problem_of",
    "registry",
    "use_plugins",
]


@dataclass(frozen=True)
class _Plugins:
    """The modules in use, where they are searched for, and how their patterns are loaded.

    ``owner``: the process of a command, which imports none of them; 0 if there is no command. ``seconds``: how long
    their code may run at a time, if it has a process of its own.
    """

    modules: tuple[str, ...] = ()
    named_by: str = ""
    folders: tuple[Path, ...] = ()
    owner: int = 0
    seconds: float = 0.0


_NO_PLUGINS = _Plugins()
_in_use = _NO_PLUGINS
_plugin_host: Any = None
"""The process that has imported the command's plugins; None before the first one."""


def registry() -> Mapping[str, type[Pattern]]:
    """All patterns by name: the built-in ones, sorted by folder and name, then those of plugins.

    Raises:
        PgPatternsError: a file or a plugin cannot be loaded, or has no pattern. To leave the pattern out silently would
            mean to report "ok" without a check.
    """
    return _registered(_in_use, os.getpid())


def use_plugins(
    modules: Sequence[str],
    named_by: str,
    folders: Sequence[Path] = (),
    *,
    in_command: bool = False,
    seconds: float = 0.0,
) -> None:
    """Add the patterns of these modules to the registry, instead of those that an earlier call added.

    Args:
        modules: dotted names of modules or packages.
        named_by: the setting that names them, for messages.
        folders: searched for them before the rest of sys.path.
        in_command: this process must not import them, as it imports nothing of the project: they get one of their own.
        seconds: how long their code may run at a time, if it has a process of its own.

    Raises:
        PgPatternsError: one cannot be loaded, has no pattern, or a pattern's name exists already. The registry is not
            changed then.
    """
    global _in_use
    plugins = _Plugins(tuple(modules), named_by, tuple(folders), os.getpid() if in_command else 0, seconds)
    _registered(plugins, os.getpid())
    _in_use = plugins


# By process: a fork of the command, which runs the project's code, loads the plugins itself when it needs them.
@cache
def _registered(plugins: _Plugins, process: int) -> Mapping[str, type[Pattern]]:
    listed: list[tuple[str, str, tuple[Path, ...]]] = [(*item, ()) for item in installed()]
    listed += [(module, plugins.named_by, plugins.folders) for module in plugins.modules]
    if not listed:
        return built_in()
    load = _loader(plugins) if process == plugins.owner else patterns_of
    return MappingProxyType(together(built_in(), [cls for item in listed for cls in load(*item)]))


def _loader(plugins: _Plugins) -> Callable[[str, str, Sequence[Path]], list[type[Pattern]]]:
    """Load plugins in a process of their own, a new one for other plugins: two may have modules of one name."""
    global _plugin_host
    owner = (plugins, os.getpid())
    if _plugin_host is None or _plugin_host.owner != owner:
        # By name: few commands have plugins, and all others need not wait for the import.
        start = pkgutil.resolve_name("alembic_pgpatterns.patterns._host:PluginHost")
        _plugin_host = start(owner, plugins.seconds)
    return _plugin_host.load  # type: ignore[no-any-return]


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
