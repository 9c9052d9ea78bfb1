"""``--show-settings``: the settings in use, and where each value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from alembic_pgpatterns.config.conversion import settings_of
from alembic_pgpatterns.config.settings import PatternSettings, Settings
from alembic_pgpatterns.fences.stand import survey
from alembic_pgpatterns.output.safe_text import error
from alembic_pgpatterns.output.secrets import without_secrets

PLACEHOLDERS = ("url", "host", "port", "user", "password", "database")
"""What `env` may hold in braces, to be filled with the scratch database's own."""


def write_settings(settings: Settings, stream: TextIO) -> None:
    """Write one line per setting: name, value, source; passwords hidden. Then the fences that this machine has."""
    for name in settings_of(Settings):
        source = settings.sources.get(name, "default")
        stream.write(f"{name} = {_shown(name, getattr(settings, name))}  ({source})\n")
    for pattern, pattern_settings in sorted(settings.patterns.items()):
        stream.write(f"patterns.{pattern} = {_pattern(pattern_settings)}  ({settings.sources['patterns']})\n")
    for fence in survey():
        stream.write(f"fence {fence.name}: {'stands' if fence.stands else 'missing'}: {fence.note}\n")


def _shown(name: str, value: object) -> str:
    if name == "server" and isinstance(value, str):
        return without_password(value)
    if isinstance(value, Mapping):
        return error("{" + ", ".join(f"{key} = {_value(key, text)}" for key, text in value.items()) + "}")
    if isinstance(value, tuple):
        return error("[" + ", ".join(value) + "]")
    return "(unset)" if value is None else error(str(value))


def _value(name: str, text: str) -> str:
    """A variable's value; a name such as DB_PASSWORD or TOKEN says that it is a secret, unless it is filled in here."""
    hidden = without_secrets(f"{name}={text}")
    return text if any(f"{{{word}}}" in text for word in PLACEHOLDERS) else hidden.partition("=")[2]


def without_password(url: str) -> str:
    """The URL as it may be shown; one that cannot be read is not shown at all."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "(a URL that cannot be read)"


def _pattern(pattern_settings: PatternSettings) -> str:
    values = {"severity": pattern_settings.severity, "action": pattern_settings.action, **pattern_settings.options}
    return "{" + ", ".join(f"{key} = {value}" for key, value in values.items() if value is not None) + "}"
