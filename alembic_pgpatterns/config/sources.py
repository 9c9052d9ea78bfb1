"""From Alembic's configuration to the settings: which files are read. All commands and hooks read the same ones."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alembic_pgpatterns.config.files import ini_tables, misnamed, toml_tables
from alembic_pgpatterns.config.ini_search import use_other_ini
from alembic_pgpatterns.config.reading import read_settings
from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.output.places import set_project

PYPROJECT = "pyproject.toml"


def settings_of(config: Any, flags: Mapping[str, object] | None = None) -> Settings:
    """The settings of the project that an ``alembic.config.Config`` belongs to.

    Args:
        config: Alembic's; None for the files of the current folder.
        flags: values from the command line by field name, of the right type; None where a flag was not given. None for
            all of them: the project's own process reads the settings.

    Raises:
        SettingsError: an unknown key or pattern, a wrong value, or a file of ``alembic -c`` that does not exist.
    """
    in_command = flags is not None
    if in_command:
        _demand_named_files(config)
        _demand_readable(config)
        use_other_ini(config)
    settings = read_settings(ini_of(config), pyproject_of(config), flags, _search(config), in_command=in_command)
    set_project(settings.root)
    return settings


def _demand_named_files(config: Any) -> None:
    """Alembic itself goes on without a file that ``-c`` names; then other settings would be used."""
    named = getattr(getattr(config, "cmd_opts", None), "config", None)
    # A list since Alembic 1.16; before, a text, which is the default if there is no flag.
    names = [named] if isinstance(named, str) and named != "alembic.ini" else named if isinstance(named, list) else []
    for name in names:
        if not Path(name).is_file():
            raise SettingsError(f"-c: there is no {name}.")
    variable = os.environ.get("ALEMBIC_CONFIG")
    # The program reads it where there is no -c; a Config that a program of the project's makes has no flags.
    if getattr(config, "cmd_opts", None) is not None and not names and variable and not Path(variable).is_file():
        raise SettingsError(f"the environment variable ALEMBIC_CONFIG: there is no {variable}.")


def _demand_readable(config: Any) -> None:
    """Raise SettingsError for a file of Alembic's configuration that nobody can read, before Alembic reads it."""
    ini, toml = ini_of(config), getattr(config, "toml_file_name", None)
    ini_tables(ini)
    if toml is not None:
        toml_tables(Path(toml))


def _search(config: Any) -> list[Path]:
    """The folders that Alembic puts on sys.path before it runs env.py (``prepend_sys_path``)."""
    # New in Alembic 1.16.
    listed = getattr(config, "get_prepend_sys_paths_list", None)
    return [Path(folder) for folder in (listed() or ()) if folder] if listed is not None else []


def ini_of(config: Any) -> Path | None:
    """The path of alembic.ini, which may not exist; None if the Config was made without a file."""
    if config is None:
        return Path("alembic.ini")
    return Path(config.config_file_name) if config.config_file_name else None


def pyproject_of(config: Any) -> Path | None:
    """The path of the project's pyproject.toml, which may not exist.

    It is the one that Alembic was given, else the one next to alembic.ini, else the nearest one above it that has
    settings of this package. Alembic's default is the one in the current folder (1.16 and later). It counts only
    without alembic.ini, because a command must read the same settings wherever it is started.
    """
    ini = ini_of(config)
    named = getattr(config, "toml_file_name", None)
    if named and Path(named).is_file() and (str(named) != PYPROJECT or ini is None or not ini.is_file()):
        return Path(named)
    if ini is None:
        return None
    beside = ini.parent / PYPROJECT
    return beside if beside.is_file() else next(_above(ini), beside)


def _above(ini: Path) -> Iterator[Path]:
    """Files with settings for this package in the folders above, as far as the repository goes."""
    folder = ini.absolute().parent
    while not (folder / ".git").exists() and folder != folder.parent:
        folder = folder.parent
        if _has_settings(folder / PYPROJECT):
            yield folder / PYPROJECT


def _has_settings(path: Path) -> bool:
    try:
        tool = tomllib.loads(read_text(path)).get("tool", {})
        return "alembic_pgpatterns" in tool or any(misnamed(tool, "alembic_pgpatterns"))
    except (OSError, ValueError, TypeError):
        return False
