"""The ini file of Alembic's that is not in the current folder: ``conf/alembic.ini``, or beside the migrations.

Files are read and nothing is run.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic_pgpatterns.config.location import OPTION, migration_folders, shown
from alembic_pgpatterns.output.files import read_text

_DEPTH = 4
"""Folders below the current one that are searched for it."""


def use_other_ini(config: Any) -> None:
    """Take the ini file that names the only migrations here, where the command named none and none is here.

    The settings are then read from it, and from the pyproject.toml beside or above it, as after ``alembic -c``.

    Args:
        config: Alembic's; its file may change. Left as it is: where two folders have migrations, or two files name one.
    """
    if not _is_open(config):
        return
    folders = migration_folders(Path.cwd())
    files = _files_for(folders[0]) if len(folders) == 1 else []
    if len(files) == 1:
        config.config_file_name = str(files[0].relative_to(Path.cwd()))
        # Both are memoized (alembic/config.py, ``file_config``), and made from the file that is not there.
        config.__dict__.pop("file_config", None)


def other_ini(config: Any) -> str | None:
    """The ini file that `use_other_ini` took; None if it took none."""
    options = getattr(config, "cmd_opts", None)
    if options is None or _named(options) or not config.config_file_name:
        return None
    path = Path(config.config_file_name)
    return str(path) if path.parent != Path() and str(path) != os.environ.get("ALEMBIC_CONFIG") else None


def _is_open(config: Any) -> bool:
    """Whether nobody has said where the configuration is: neither a flag nor a variable, and there is no file."""
    options = getattr(config, "cmd_opts", None)
    if options is None or _named(options) or os.environ.get("ALEMBIC_CONFIG") or not config.config_file_name:
        return False
    in_toml = getattr(config, "toml_alembic_config", None)  # new in Alembic 1.16
    return not in_toml and not Path(config.config_file_name).is_file()


def _named(options: Any) -> bool:
    # A list since Alembic 1.16; before, a text, which is the default if there is no flag.
    return getattr(options, "config", None) not in (None, [], "alembic.ini")


def _files_for(folder: Path) -> list[Path]:
    naming = [path for path in _ini_files(Path.cwd(), _DEPTH) if _names(path, folder)]
    beside = folder / "alembic.ini"  # Flask-Migrate's, which leaves it to the program to say where it is
    return naming or ([beside] if beside.is_file() and not _says_where(beside) else [])


def _ini_files(start: Path, depth: int) -> Iterator[Path]:
    with os.scandir(start) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    yield from (Path(entry.path) for entry in listed if entry.name.endswith(".ini") and Path(entry.path).is_file())
    for entry in listed if depth else ():
        is_environment = (Path(entry.path) / "pyvenv.cfg").exists() or entry.name in ("node_modules", "site-packages")
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".") and not is_environment:
            yield from _ini_files(Path(entry.path), depth - 1)


def _names(path: Path, folder: Path) -> bool:
    """Whether an ini file's ``script_location`` is the folder, as a path or as ``package:folder``."""
    location = _says_where(path)
    if location is None:
        return False
    places = [Path(location), path.parent / location]
    if ":" in location:
        package, _, inner = location.partition(":")
        places = [base / package.replace(".", "/") / inner for base in (Path(), Path("src"), path.parent)]
    return any(os.path.realpath(place) == os.path.realpath(folder) for place in places)


def _says_where(path: Path) -> str | None:
    """The ``script_location`` of an ini file, if it has one that can be read."""
    parser = configparser.ConfigParser({"here": path.parent.as_posix()})
    try:
        parser.read_string(read_text(path))
        return parser.get("alembic", OPTION)
    except (configparser.Error, ValueError, OSError):
        return None


def note_of(path: str) -> str:
    """For people: which file was taken."""
    name = shown(Path(path).absolute())
    return f"there is no alembic.ini here; {name} was used (alembic -c {name} pgcheck)"
