"""Where the migrations are, if Alembic's configuration does not say it, or says it for another folder.

Files are read and nothing is run.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic_pgpatterns.config.written import settings_lines
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.output.files import read_text

OPTION = "script_location"
_DEPTH = 6
"""Folders below the current one that are searched."""
_FOLDERS = 3000
"""Folders that are looked at: in a home folder there may be any number."""
_NOT_SEARCHED = frozenset(
    {"node_modules", "site-packages", "dist-packages", "build", "dist", "venv", "env", "__pycache__"}
)


@dataclass(frozen=True)
class Place:
    """What was missing in Alembic's configuration. ``note``: for people. ``folder``: where the migrations are."""

    note: str | None = None
    folder: Path | None = None


def complete(config: Any) -> Place:
    """Set what is missing in Alembic's configuration.

    Args:
        config: Alembic's; its section, ``script_location`` and ``prepend_sys_path`` may change.

    Raises:
        PgPatternsError: several sections, or several folders with migrations; the message lists them.
    """
    note = _named_section(config)
    location = _location(config)
    if location is None or (location and (":" in location or (Path(location) / "env.py").exists())):
        return Place(note)
    folder = _elsewhere(config, location) or _searched(config, location)
    if folder is not None:
        use(config, folder)
    return Place(note, folder)


def lines(folder: Path) -> str:
    """What to add to pyproject.toml, so that we know the folder."""
    return settings_lines({"alembic_options": {OPTION: shown(folder)}})


def _named_section(config: Any) -> str | None:
    """An ini file with sections of other names only, as ``alembic -n NAME`` uses them."""
    path = Path(config.config_file_name) if config.config_file_name else None
    if path is None or not path.is_file() or config.file_config.has_section(config.config_ini_section):
        return None
    names = [name for name in config.file_config.sections() if config.file_config.has_option(name, OPTION)]
    if len(names) == 1:
        config.config_ini_section = names[0]
        return f"{path} has no section [alembic]; [{names[0]}] was used (alembic -n {names[0]} pgcheck)."
    if names:
        raise PgPatternsError(
            f"{path} has no section [alembic], and {len(names)} of other names: {', '.join(names)}. "
            f"Say which: alembic -n {names[0]} pgcheck"
        )
    return None


def _location(config: Any) -> str | None:
    """The location as configured; empty if there is none, None if it cannot be read."""
    try:
        return str(_alembic_option(config, OPTION) or "")
    except (configparser.Error, ValueError):
        return None


def _alembic_option(config: Any, name: str) -> str | None:
    # New in Alembic 1.16, where the option may be in pyproject.toml too.
    get = getattr(config, "get_alembic_option", config.get_main_option)
    value: str | None = get(name)
    return value


def _elsewhere(config: Any, location: str) -> Path | None:
    """The folder, if the location is meant to be seen from the ini file's folder, or from one above it."""
    if not location or not config.config_file_name:
        return None
    folder = Path(config.config_file_name).absolute().parent
    return next((base / location for base in (folder, *folder.parents) if (base / location / "env.py").exists()), None)


def _searched(config: Any, location: str) -> Path | None:
    """The one folder with migrations beside the ini file, or in the current folder.

    Raises:
        PgPatternsError: there are several.
    """
    ini = Path(config.config_file_name).absolute() if config.config_file_name else None
    start = ini.parent if ini is not None and ini.is_file() else Path.cwd()
    folders = migration_folders(start)
    if len(folders) < 2:
        return folders[0] if folders else None
    listed = [_line(folder, start) for folder in folders[:_LISTED]]
    more = [f"  and {len(folders) - _LISTED} more"] if len(folders) > _LISTED else []
    raise PgPatternsError(
        f"{_missing(config, location)}, and {len(folders)} folders have migrations:\n"
        + "\n".join([*listed, *more, "Name one in pyproject.toml:", lines(folders[0])])
    )


def _line(folder: Path, start: Path) -> str:
    """A folder, and the command for it where it has an ini file of its own: a project may have several programs."""
    places = [place for place in (folder, *folder.parents) if place.is_relative_to(start) and place != start]
    ini = next((place / "alembic.ini" for place in places if (place / "alembic.ini").is_file()), None)
    command = f": alembic -c {shown(ini)} pgcheck" if ini is not None else ""
    return f"  {shown(folder)}  ({counted(_revisions(folder), 'revisions')}){command}"


def migration_folders(start: Path) -> list[Path]:
    """The folders with migrations below one, that with most revisions first."""
    return sorted(_migrations(start, _DEPTH), key=lambda folder: (-_revisions(folder), str(folder)))


_LISTED = 10


def _missing(config: Any, location: str) -> str:
    if location:
        return f"script_location is {location}, which does not exist"
    if config.config_file_name and not Path(config.config_file_name).is_file():
        return f"There is no {config.config_file_name} in {Path.cwd()}"
    return f"{config.config_file_name} has no script_location"


def _migrations(start: Path, depth: int) -> Iterator[Path]:
    """The folders with migrations, level by level, in the first few thousand folders."""
    level, budget = [start], _FOLDERS
    for _ in range(depth + 1):
        level, below = [], level
        for folder in below:
            budget -= 1
            if budget and _is_migrations(folder):
                yield folder
            elif budget > 0:
                level += _subfolders(folder)


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [
        folder / name
        for name in sorted(names)
        if not name.startswith(".") and name not in _NOT_SEARCHED and not (folder / name / "pyvenv.cfg").exists()
    ]


def _is_migrations(folder: Path) -> bool:
    env_py = folder / "env.py"
    try:
        # Other programs have an env.py, too. Alembic's must call context.run_migrations().
        return env_py.is_file() and "run_migrations" in read_text(env_py, "replace")
    except OSError:
        return False


def _revisions(folder: Path) -> int:
    return sum(1 for path in folder.glob("version*/**/*.py") if path.name != "__init__.py")


def use(config: Any, folder: Path) -> None:
    """Let Alembic use the folder, with the folder of its package on the path, as if it were started there."""
    root = folder
    while (root / "__init__.py").exists() or root == folder:
        root = root.parent
    # ConfigParser reads a single % as the start of a reference (docs, "Interpolation of values").
    config.set_main_option(OPTION, str(folder).replace("%", "%%"))
    if not config.get_main_option("prepend_sys_path"):
        config.set_main_option("prepend_sys_path", str(root).replace("%", "%%"))
    if config.config_file_name and not Path(config.config_file_name).is_file():
        config.config_file_name = None  # env.py reads logging from it if there is one


def shown(folder: Path) -> str:
    """The folder as seen from the current one."""
    return str(folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder)
