"""The files of settings: ``[tool.alembic_pgpatterns]`` in pyproject.toml, ``[pgpatterns]`` in alembic.ini."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser, MissingSectionHeaderError
from configparser import Error as IniError
from pathlib import Path
from typing import Any

from alembic_pgpatterns.config.settings import SettingsError
from alembic_pgpatterns.output.files import read_text

TABLE = "tool.alembic_pgpatterns"
SECTION = "pgpatterns"

SourceTable = tuple[str, Path, Mapping[str, Any]]
"""The name of a source, the folder of its file, and its values."""


def toml_tables(path: Path | None) -> list[SourceTable]:
    """The table of a pyproject.toml; nothing if there is no such file, or no such table in it.

    Raises:
        SettingsError: the file cannot be read.
    """
    if path is None or not path.exists():
        return []
    if not path.is_file():
        raise SettingsError(f"{path}: this is no file.")
    try:
        data = tomllib.loads(read_text(path))
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: cannot be read as TOML: {error}") from error
    tool = data.get("tool", {})
    if not isinstance(tool, dict):
        raise SettingsError(f"{path}: `tool` must be a table, such as [{TABLE}].")
    if wrong := next(misnamed(tool, "alembic_pgpatterns"), None):
        raise SettingsError(f"{path}: [tool.{wrong}] is not read: the table's name is [{TABLE}].")
    table = tool.get("alembic_pgpatterns")
    if table is None:
        return []
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: [{TABLE}] must be a table.")
    return [(f"{path.name} [{TABLE}]", path.absolute().parent, table)]


def misnamed(names: Iterable[str], right: str) -> Iterator[str]:
    """The names of tables or sections that are meant for this package, and are not the ``right`` one.

    The package on PyPI has a hyphen, and each of the two files has its own name for the settings.
    """
    for name in names:
        table = name.partition(":")[0]  # alembic.ini has a section for each pattern, such as [pgpatterns:NAME]
        plain = "".join(filter(str.isalnum, table)).lower().removeprefix("tool")
        if plain in ("alembicpgpatterns", "pgpatterns") and table != right:
            yield name


def ini_tables(path: Path | None) -> list[SourceTable]:
    """The sections of an alembic.ini: this package's, and one per pattern; nothing if there is no such file.

    Raises:
        SettingsError: the file cannot be read.
    """
    if path is None or not path.exists():
        return []
    if not path.is_file():
        raise SettingsError(f"{path}: this is no file.")
    # A % stands for itself: passwords and commands of a shell have it.
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # environment variables keep their case
    try:
        parser.read_string(read_text(path), str(path))
    except (IniError, OSError, UnicodeDecodeError) as error:
        raise SettingsError(_unreadable(path, error)) from error
    if wrong := next(misnamed(parser.sections(), SECTION), None):
        raise SettingsError(f"{path}: [{wrong}] is not read: the section's name is [{SECTION}].")
    tables: list[SourceTable] = []
    folder = path.absolute().parent
    if parser.has_section(SECTION):
        tables.append((f"{path.name} [{SECTION}]", folder, _own_items(parser, SECTION)))
    for name in parser.sections():
        if name.startswith(f"{SECTION}:"):
            pattern = name.split(":", 1)[1].strip()
            tables.append((f"{path.name} [{name}]", folder, {"patterns": {pattern: _own_items(parser, name)}}))
    return tables


def _unreadable(path: Path, error: Exception) -> str:
    """Where an ini file is wrong, without the line itself, which may be a URL with a password."""
    wrong = next(iter(getattr(error, "errors", ())), None)
    number = wrong[0] if wrong is not None else getattr(error, "lineno", None)
    if isinstance(error, MissingSectionHeaderError):
        problem = "a [section] is expected before this line"
    elif wrong is not None:
        problem = "this line is neither a [section] nor name = value"
    elif isinstance(error, IniError):
        problem = error.message.partition("]: ")[2] or error.message
    else:
        problem = str(error)
    return f"{path}{f':{number}' if number else ''}: cannot be read: {problem}"


def _own_items(parser: ConfigParser, section: str) -> dict[str, str]:
    # ConfigParser shows the entries of [DEFAULT] in every section; none is a setting of this package.
    return {key: value for key, value in parser.items(section) if key not in parser.defaults()}
