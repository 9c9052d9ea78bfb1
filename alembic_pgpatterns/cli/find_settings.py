"""``alembic pgcheck --init``: find out which settings a project needs, try them, and write those that work."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.config.sources import PYPROJECT, ini_of, pyproject_of
from alembic_pgpatterns.config.written import TABLE, ini_lines, settings_lines
from alembic_pgpatterns.controller.found_models import models_way
from alembic_pgpatterns.controller.model_search import models_of
from alembic_pgpatterns.controller.models import NO_TABLE
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.tracer import UPGRADE_COMMAND
from alembic_pgpatterns.controller.ways import Way, by_setting, demanded, hint, of_command
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.output.files import read_text, write_whole
from alembic_pgpatterns.output.safe_text import inert

Check = Callable[[Project, Settings], Report]


def find_settings(project: Project, settings: Settings, check: Check) -> Report:
    """Check a project with whatever it turns out to need, and write that into its settings.

    Args:
        project: the project.
        settings: as they are.
        check: of a project with some settings.

    Returns:
        The report of the try that worked.

    Raises:
        PgPatternsError: no way worked; the message says what was tried.
    """
    project.tries_all = True
    files = ini_of(project.config), pyproject_of(project.config)
    try:
        report = _by_revision(project, settings, check) or _first(project, settings, check)
    except PgPatternsError as error:
        raise PgPatternsError(f"{error}{_tried(project.ways)}") from error
    # Models in the settings say that env.py is not needed. Where it fails, only the user can say that.
    env_py_failed = any(item.subject == "env.py" for item in report.broken)
    ways = [way for way in project.ways if way.setting != "models" or not env_py_failed]
    ways = [*_without_useless(ways, report)]
    if ways or not env_py_failed:
        _write(ways, settings, files)
    else:
        sys.stderr.write(
            "Nothing was written: env.py fails. Correct it, or say in the settings that it is not needed.\n"
        )
    return _without_hint(report, project.ways, ways)


def _without_useless(ways: Iterable[Way], report: Report) -> Iterator[Way]:
    """The ways, without variables that were given and that the application still calls missing."""
    words = {word for item in report.broken for word in re.findall(r"\w+", item.reason)}
    for way in ways:
        value = (
            {name: item for name, item in way.value.items() if name not in words} if way.setting == "env" else way.value
        )
        if value:
            names_all = value != way.value
            yield replace(way, value=value, reason=demanded(value) if names_all else way.reason)


def _without_hint(report: Report, ways: Sequence[Way], written: Sequence[Way]) -> Report:
    """The report without its advice to keep the settings that `_write` has just dealt with."""
    old = set(hint(ways, settings_lines))
    others = tuple(line for line in report.hints if line not in old)
    return replace(report, hints=(*hint([way for way in ways if way not in written], settings_lines), *others))


def _by_revision(project: Project, settings: Settings, check: Check) -> Report | None:
    """The report with an upgrade command that is told where to stop; None if it cannot be."""
    way = of_command(settings.upgrade_command)
    if way is None:
        return None
    project.ways.append(way)
    try:
        report = check(project, settings)
        if not any(item.subject == UPGRADE_COMMAND for item in report.skipped):
            return report
    except PgPatternsError:
        pass  # what is wrong without the place, the next try says
    project.close()
    project.ways.remove(way)
    return None


def _first(project: Project, settings: Settings, check: Check) -> Report:
    """The report; if the history fails, of the models, where the files have some and env.py names none."""
    try:
        report = check(project, settings)
    except PgPatternsError:
        if settings.models or project.has_models or not _name_models(project):
            raise
        return check(project, settings)
    return check(project, settings) if _built_nothing(project, report) and _name_models(project) else report


def _built_nothing(project: Project, report: Report) -> bool:
    """Whether the schema was to be built from the models, of which env.py imports only what they derive from."""
    is_empty = any(item.reason.startswith(NO_TABLE.reason) for item in report.broken)
    return is_empty and any(way.setting == "create_all" for way in project.ways)


def _name_models(project: Project) -> bool:
    """Whether the project's files declare models: then the next try has them."""
    names = models_of(Path(project.script.folder), None)
    if names:
        project.close()
        project.ways.append(models_way(names))
    return bool(names)


def _tried(ways: Iterable[Way]) -> str:
    merged = by_setting(ways)
    values = {name: way.value for name, way in merged.items()}
    reasons = {name: way.reason for name, way in merged.items()}
    return f"\nThis was tried, and nothing was written:\n{settings_lines(values, reasons)}" if values else ""


def _write(ways: Iterable[Way], settings: Settings, files: tuple[Path | None, Path | None]) -> None:
    merged = by_setting(ways)
    values = {name: way.value for name, way in merged.items()}
    reasons = {name: way.reason for name, way in merged.items()}
    if not values:
        sys.stderr.write("The project needs no settings: nothing was written.\n")
        return
    path = _file(*files)
    before = read_text(path) if path.exists() else ""
    if path == files[0]:
        text, new_lines = _in_ini(before, values, reasons), ini_lines(values, reasons)
    else:
        text, new_lines = _in_toml(before, values, reasons), settings_lines(values, reasons)
    if text is None:
        sys.stderr.write(inert(f"{path} has some of these settings already, so change it yourself:\n{new_lines}\n"))
        return
    write_whole(path, text)
    sys.stderr.write(inert(f"{path}: written:\n{new_lines}\n"))


def _file(ini: Path | None, pyproject: Path | None) -> Path:
    """Where the settings go: into pyproject.toml, as all messages say, unless the ini file has some already."""
    if pyproject is not None and pyproject.exists():
        return pyproject
    if ini is not None and ini.exists() and re.search(_SECTION, read_text(ini), re.MULTILINE):
        return ini
    is_below = ini is None or ini.absolute().is_relative_to(Path.cwd())
    return Path(PYPROJECT) if is_below else pyproject or Path(PYPROJECT)


_SECTION = r"^\[pgpatterns\][^\n]*$"


def _in_toml(text: str, values: Mapping[str, Any], reasons: Mapping[str, str]) -> str | None:
    """The file's text with the settings in their table; None if the table has one of them."""
    table = settings_lines(values, reasons)
    # As text, not parsed and written again: tomllib only reads, and the comments and the order of the file must stay.
    header = re.search(rf"^\[{re.escape(TABLE)}\][^\n]*$", text, re.MULTILINE)
    if header is None:
        return f"{text.rstrip()}\n\n{table}\n" if text.strip() else f"{table}\n"
    if _has_one(text[header.end() :], values):
        return None
    return f"{text[: header.end()]}\n{table.partition(chr(10))[2]}{text[header.end() :]}"


def _in_ini(text: str, values: Mapping[str, Any], reasons: Mapping[str, str]) -> str | None:
    table = ini_lines(values, reasons)
    header = re.search(_SECTION, text, re.MULTILINE)
    if header is None:
        return f"{text.rstrip()}\n\n{table}\n"
    if _has_one(text[header.end() :], values):
        return None
    # chr(10): before Python 3.12 no backslash may be within the braces.
    return f"{text[: header.end()]}\n{table.partition(chr(10))[2]}{text[header.end() :]}"


def _has_one(after: str, values: Mapping[str, Any]) -> bool:
    """Whether a table, whose text begins here, sets one of the values."""
    table = re.split(r"^\[", after, maxsplit=1, flags=re.MULTILINE)[0]
    return any(re.search(rf"^{name}\s*=", table, re.MULTILINE) for name in values)
