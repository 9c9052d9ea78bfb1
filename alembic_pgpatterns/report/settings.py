"""``--show-settings``: what is in force, and where each value came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from alembic_pgpatterns.config.conversion import settings_of
from alembic_pgpatterns.config.settings import PatternSettings, Settings


def write_settings(settings: Settings, stream: TextIO) -> None:
    """One line a setting: name, value, source; passwords hidden."""
    for name in settings_of(Settings):
        source = settings.sources.get(name, "default")
        stream.write(f"{name} = {_shown(name, getattr(settings, name))}  ({source})\n")
    for pattern, own in sorted(settings.patterns.items()):
        stream.write(f"patterns.{pattern} = {_pattern(own)}  ({settings.sources['patterns']})\n")


def _shown(name: str, value: object) -> str:
    if name == "server" and isinstance(value, str):
        return without_password(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {text}" for key, text in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(value) + "]"
    return "(unset)" if value is None else str(value)


def without_password(url: str) -> str:
    """The URL as it may be shown; one that cannot be read is not shown at all."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(a URL that cannot be read)"


def _pattern(own: PatternSettings) -> str:
    given = {"severity": own.severity, "action": own.action, **own.options}
    return "{" + ", ".join(f"{key} = {value}" for key, value in given.items() if value is not None) + "}"
