"""Which patterns the settings choose, and each one with its own settings."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Mapping

from alembic_pgpatterns.config.conversion import convert, options_of
from alembic_pgpatterns.config.settings import PatternSettings, Settings, SettingsError
from alembic_pgpatterns.patterns import Action, Pattern, registry

FEW = 30
"""How many valid names an error lists."""


def chosen_patterns(settings: Settings, kinds: tuple[type[Pattern], ...] = (Pattern,)) -> tuple[Pattern, ...]:
    """The patterns of some kinds that are selected and not off, with their settings, in the registry's order.

    Raises:
        SettingsError: ``select`` or ``ignore`` names no pattern, or an option of a pattern has a wrong value.
    """
    selected, ignored = _names(settings, "select"), _names(settings, "ignore")
    patterns = (
        configured(settings, cls)
        for name, cls in registry().items()
        if name in selected and name not in ignored and issubclass(cls, kinds)
    )
    return tuple(pattern for pattern in patterns if pattern.action is not Action.OFF)


def configured(settings: Settings, cls: type[Pattern]) -> Pattern:
    """One pattern with its settings.

    Raises:
        SettingsError: one of its options has a wrong value.
    """
    own_settings = settings.patterns.get(cls.name, PatternSettings())
    where = f"{settings.sources.get('patterns', '')}: patterns.{cls.name}"
    return cls(
        pattern_options(cls, own_settings.options, where),
        severity=own_settings.severity,
        action=own_settings.action,
        target_version=settings.target_version,
    )


def pattern_options(cls: type[Pattern], values: Mapping[str, object], where: str) -> object:
    """The options of a pattern, from the values in files.

    Args:
        cls: the pattern.
        values: by the name of the option.
        where: for the message: file, section and pattern.

    Raises:
        SettingsError: an unknown option, or a wrong value.
    """
    if not values:
        return cls.Options()
    valid = options_of(cls.Options)
    changes: dict[str, object] = {}
    for key, value in values.items():
        if key not in valid:
            raise SettingsError(f"{where}: unknown option {key!r}.{nearest(key, (*valid, 'severity', 'action'))}")
        changes[key] = convert(valid[key], value, f"{where}.{key}", SettingsError)
    return cls.Options(**changes)


def nearest(name: str, valid: Iterable[str]) -> str:
    """The end of a message about an unknown name: similar names, or all valid names if they are few."""
    names = tuple(valid)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f" Did you mean {' or '.join(map(repr, close))}?"
    return f" Valid: {', '.join(names)}." if len(names) <= FEW else " `alembic pgcheck --list` shows all."


def _names(settings: Settings, key: str) -> set[str]:
    names: set[str] = set()
    for entry in getattr(settings, key):
        matched = {n for n, cls in registry().items() if entry == cls.folder or fnmatch.fnmatchcase(n, entry)}
        if not matched and entry != "*":
            source = settings.sources.get(key, "")
            raise SettingsError(f"{source}: {key}: no pattern or folder {entry!r}.{nearest(entry, _all_names())}")
        names |= matched
    return names


def _all_names() -> tuple[str, ...]:
    return tuple(registry()) + tuple(sorted({cls.folder for cls in registry().values()}))
