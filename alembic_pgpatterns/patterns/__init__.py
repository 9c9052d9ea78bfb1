"""The patterns, one file each; the registry is a walk of this package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.patterns._base import (
    Action,
    Finding,
    HistoryPattern,
    Identified,
    Needs,
    NoOptions,
    Pattern,
    RevisionPattern,
    SchemaPattern,
    ServerPattern,
    Severity,
    kebab,
)

__all__ = [
    "Action",
    "Finding",
    "HistoryPattern",
    "Identified",
    "Needs",
    "NoOptions",
    "Pattern",
    "RevisionPattern",
    "SchemaPattern",
    "ServerPattern",
    "Severity",
    "kebab",
    "registry",
]


@cache
def registry() -> Mapping[str, type[Pattern]]:
    """All patterns by name, sorted by folder and name.

    Raises:
        PgPatternsError: a file does not load, or does not hold exactly the pattern its name promises. A pattern that
            is missing in silence would be a check that says "ok" without having looked.
    """
    found: dict[str, type[Pattern]] = {}
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        if not module.ispkg and not module.name.rsplit(".", 1)[-1].startswith("_"):
            pattern = _load(module.name)
            found[pattern.name] = pattern
    return MappingProxyType(dict(sorted(found.items(), key=lambda item: (item[1].folder, item[0]))))


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
