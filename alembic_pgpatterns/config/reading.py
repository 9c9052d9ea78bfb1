"""Settings from pyproject.toml, alembic.ini and flags. Later sources win in that order.

Every value remembers where it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from alembic_pgpatterns.config.chosen_patterns import chosen_patterns, nearest, pattern_options
from alembic_pgpatterns.config.conversion import Setting, convert, settings_of
from alembic_pgpatterns.config.files import ini_tables, toml_tables
from alembic_pgpatterns.config.sense import problems
from alembic_pgpatterns.config.settings import PatternSettings, Settings, SettingsError
from alembic_pgpatterns.patterns import Action, Severity, registry, use_plugins

_SECONDS = 30.0
"""How long plugins may run if `time_limit` is not a time, until that is said."""

_CHOOSING = ("select", "ignore", "target_version")
"""Settings that choose patterns and remedies."""


def read_settings(
    ini: Path | None = None,
    pyproject: Path | None = None,
    flags: Mapping[str, object] | None = None,
    search: Iterable[Path] = (),
    *,
    in_command: bool = False,
) -> Settings:
    """Settings from the files that exist, then the flags that are not None.

    Args:
        ini: alembic.ini, or None.
        pyproject: pyproject.toml, or None.
        flags: values by field name, already of the right type.
        search: folders in which plugins are searched for, besides those of the files.
        in_command: this process must import nothing of the project, so plugins get a process of their own.

    Raises:
        SettingsError: an unknown key or pattern, or a wrong value.
        PgPatternsError: a plugin does not load, imports the application, or has a pattern whose name exists already.
    """
    settings = Settings(root=_root(ini, pyproject))
    # alembic.ini comes last, so it wins, as it does for Alembic's own options (Config.get_alembic_option, 1.16).
    tables = (*toml_tables(pyproject), *ini_tables(ini))
    # Before the rest is read: the other values may name the plugins' patterns.
    for source, folder, table in tables:
        plugins = {key: value for key, value in table.items() if key.replace("-", "_") in ("plugins", "time_limit")}
        settings = _merged(settings, plugins, source, folder)
    where = f"{settings.sources.get('plugins', '')}: plugins"
    folders = (*search, *dict.fromkeys(folder for _, folder, _ in tables))
    use_plugins(settings.plugins, where, folders, in_command=in_command, seconds=settings.seconds or _SECONDS)
    for source, folder, table in tables:
        settings = _merged(settings, table, source, folder)
    from_flags: dict[str, Any] = {key: value for key, value in (flags or {}).items() if value is not None}
    sources = {**settings.sources, **dict.fromkeys(from_flags, "command line")}
    in_files = {name: getattr(settings, name) for name in _CHOOSING if name in from_flags}
    settings = replace(settings, **from_flags, sources=sources, in_files=in_files)
    chosen_patterns(settings, ())
    for name, problem in problems(settings):
        raise SettingsError(f"{settings.sources.get(name, 'default')}: {name}: {problem}")
    return settings


def _merged(settings: Settings, table: Mapping[str, Any], source: str, folder: Path) -> Settings:
    """The settings with the values of one table of a file; ``source``: where they come from, for messages."""
    valid = settings_of(Settings)
    changes: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name == "patterns":
            changes["patterns"] = {**settings.patterns, **_patterns(value, source)}
        elif (definition := valid.get(name)) is not None:
            converted = convert(definition, value, f"{source}: {key}", SettingsError)
            changes[name] = _from(settings.root, folder, converted)
        else:
            raise SettingsError(f"{source}: unknown setting {key!r}.{nearest(name, (*valid, 'patterns'))}")
    return replace(settings, **changes, sources={**settings.sources, **dict.fromkeys(changes, source)})


def _from(root: Path, folder: Path, value: Any) -> Any:
    """The value. A relative path in a file of another folder becomes relative to the settings' folder."""
    return folder / value if isinstance(value, Path) and folder != root else value


def _root(ini: Path | None, pyproject: Path | None) -> Path:
    """The project's folder: that of alembic.ini, else of pyproject.toml. One pyproject.toml may be above several.

    Flask-Migrate has alembic.ini in the folder of the migrations, beside env.py: then it is the folder above.
    """
    files = [path for path in (ini, pyproject) if path is not None and path.exists()]
    if not files:
        return Path.cwd()
    folder = files[0].absolute().parent
    return (folder.parent if (folder / "env.py").is_file() else folder).resolve()


def _patterns(value: object, source: str) -> dict[str, PatternSettings]:
    if not isinstance(value, Mapping):
        raise SettingsError(f"{source}: patterns must be a table of tables, one per pattern.")
    return {name: _pattern(name, table, source) for name, table in value.items()}


def _pattern(name: str, table: object, source: str) -> PatternSettings:
    cls = registry().get(name)
    if cls is None:
        raise SettingsError(f"{source}: unknown pattern {name!r}.{nearest(name, registry())}")
    if not isinstance(table, Mapping):
        raise SettingsError(f'{source}: patterns.{name} must be a table, such as {{ action = "report" }}.')
    options = {key.replace("-", "_"): value for key, value in table.items() if key not in ("severity", "action")}
    where = f"{source}: patterns.{name}"
    pattern_options(cls, options, where)
    return PatternSettings(
        severity=_member(Severity, table.get("severity"), f"{where}.severity"),
        action=_member(Action, table.get("action"), f"{where}.action"),
        options=options,
    )


def _member(kind: Any, value: object, where: str) -> Any:
    return None if value is None else convert(Setting(kind), value, where, SettingsError)
