"""Settings: ``[tool.alembic_pgpatterns]`` in pyproject.toml, ``[pgpatterns]`` in alembic.ini, flags.

Later sources win in that order. Every value remembers where it came from.
"""

from __future__ import annotations

import difflib
import fnmatch
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from configparser import ConfigParser, MissingSectionHeaderError
from configparser import Error as IniError
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from alembic_pgpatterns.config.conversion import Setting, convert, options_of, setting, settings_of
from alembic_pgpatterns.config.sense import problems
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.patterns import Action, Pattern, Severity, registry, use_plugins

TABLE = "tool.alembic_pgpatterns"
_TIME_LIMIT = re.compile(r"(\d{1,9}(?:\.\d+)?)\s*(s|m|min|h)?")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}
SECTION = "pgpatterns"
FEW = 30
"""How many valid names an error lists."""


class SettingsError(PgPatternsError):
    """A setting that cannot be meant; the message names its source and the nearest valid ones."""


@dataclass(frozen=True, slots=True)
class PatternSettings:
    """What a project wants of one pattern."""

    severity: Severity | None = None
    action: Action | None = None
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """What is in force. The fields' metadata is their documentation (docs/settings.md is made from it)."""

    select: tuple[str, ...] = setting(("*",), "Patterns to check: names, folders (`indexes`), or globs.")
    ignore: tuple[str, ...] = setting((), "Patterns to leave out; as `select`, and stronger.")
    plugins: tuple[str, ...] = setting(
        (), "Modules with patterns of your own, such as `app.pgpatterns` ([how to write them](own-patterns.md))."
    )
    exclude_tables: tuple[str, ...] = setting((), "Tables to leave out: globs of `table` or `schema.table`.")
    exclude_schemas: tuple[str, ...] = setting((), "Schemas to leave out: globs.")
    target_version: int | None = setting(
        None, "The oldest PostgreSQL major that production runs; what is newer is not proposed. Unset: the server's."
    )
    baseline: Path = setting(
        Path("pgpatterns-baseline.txt"), "The file of accepted findings, beside the file with these settings."
    )
    adopt: str = setting(
        "new", "`new`: enforce on what the baseline does not accept. `all`: pay every debt now.", choices=("new", "all")
    )
    fail_on: Severity = setting(
        Severity.WARNING, "The least severity that makes `pgcheck` exit with 1: info, warning or error."
    )
    fail_on_skipped: str = setting(
        "ci",
        "Whether the run fails (exit code 255) if something could not be checked that should have been: `always`, "
        "`never`, or only in CI (`ci`: the environment variable `CI` is set).",
        choices=("ci", "always", "never"),
    )
    server: str | None = setting(
        None, "URL of a PostgreSQL to make the scratch database on, in place of the embedded one."
    )
    postgres: Path | None = setting(None, "Folder with the `postgres` and `initdb` programs to use.")
    env: Mapping[str, str] = setting(
        MappingProxyType({}),
        "Environment variables for the run, with `{url}`, `{host}`, `{port}`, `{user}`, `{password}` and `{database}` "
        "of the scratch database.",
    )
    prepare: Path | None = setting(None, "A file of SQL that runs in each scratch database before the first revision.")
    roles: tuple[str, ...] = setting((), "Roles that revisions expect; created on the throw-away server.")
    upgrade_command: str | None = setting(
        None, "A command that brings the database in `env` to head, for projects that do not run `alembic`."
    )
    python: Path | None = setting(
        None,
        "The interpreter that runs the project's code, if the project is installed in another environment than this "
        "package. The program `alembic-pgpatterns` takes the active environment's, or `.venv`'s, by itself.",
    )
    time_limit: str = setting(
        "10m", "How long the project's own code may run at a time: seconds, or a number with `s`, `m` or `h`."
    )
    allow_connect: tuple[str, ...] = setting(
        (),
        "What env.py may connect to besides the check's own server, such as a store of secrets: `host:port`, `host:*`, "
        "or the path of a Unix socket.",
    )
    create_all: bool = setting(
        False, "Build the schema from the models and stamp it, for histories that do not start from empty."
    )
    registries: tuple[str, ...] = setting(
        (), "Mapper registries, as `package.module:Base`, for patterns about relationships."
    )
    split: str = setting(
        "auto",
        "When autogenerate writes a chain of files: where one could not be run again, never, or always.",
        choices=("auto", "never", "always"),
    )
    directives: bool = setting(False, "Write this package's op directives in place of Alembic's own operations.")
    lock_timeout: str = setting("5s", "lock_timeout in revisions that take a strong lock on an existing table.")
    history: int = setting(30, "Without a baseline, a history of at most so many revisions is judged whole.")
    since: str | None = setting(
        None, "Judge the revisions after this one in place of those after the baseline; `base`: all of them."
    )
    diff_base: str | None = setting(
        None, "Judge the revisions that the working tree adds to this branch or commit of git."
    )
    workload: Path | None = setting(
        None,
        "A recording of the application's statements (`pytest --pgpatterns-record`), which pgcheck judges and pgadvise "
        "plans; unset: the queries in the source.",
    )
    source: tuple[Path, ...] = setting(
        (),
        "Folders of the application's own code, whose queries support findings about indexes. Unset: the folder of "
        "these settings, and the packages of the models.",
    )
    guesses: bool = setting(False, "Show what would be a finding if a query of the application supported it.")
    downgrade: bool = setting(True, "Run each revision's downgrade too, and compare the schemas.")
    stats: Path | None = setting(None, "A file of rows per table in production: `table rows` a line, or JSON.")
    rows: Path | None = setting(
        None, "A file of SQL with rows of your own for `pgrehearse`; the tables that it fills get no made-up rows."
    )
    cache: bool = setting(True, "Keep copies of the cluster, so that revisions that did not change do not run again.")
    patterns: Mapping[str, PatternSettings] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)
    root: Path = field(default_factory=Path.cwd)

    @classmethod
    def read(
        cls,
        ini: Path | None = None,
        pyproject: Path | None = None,
        flags: Mapping[str, object] | None = None,
        search: Iterable[Path] = (),
    ) -> Settings:
        """Settings from the files that exist, then the flags that are not None.

        Args:
            ini: alembic.ini, or None.
            pyproject: pyproject.toml, or None.
            flags: values by field name, already of the right type.
            search: folders in which plugins are searched for, besides those of the files.

        Raises:
            SettingsError: an unknown key or pattern, or a value that does not fit.
            PgPatternsError: a plugin does not load, or one of its patterns has a name that exists already.
        """
        settings = cls(root=_root(ini, pyproject))
        tables = (*_toml_tables(pyproject), *_ini_tables(ini))
        # Before the rest is read: the other values may name the plugins' patterns.
        for source, folder, table in tables:
            named = {key: value for key, value in table.items() if key == "plugins"}
            settings = settings.merged(named, source, folder)
        where = f"{settings.sources.get('plugins', '')}: plugins"
        use_plugins(settings.plugins, where, (*search, *dict.fromkeys(folder for _, folder, _ in tables)))
        for source, folder, table in tables:
            settings = settings.merged(table, source, folder)
        given: dict[str, Any] = {key: value for key, value in (flags or {}).items() if value is not None}
        settings = replace(settings, **given, sources={**settings.sources, **dict.fromkeys(given, "command line")})
        settings.chosen(())
        for name, problem in problems(settings):
            raise SettingsError(f"{settings.sources.get(name, 'default')}: {name}: {problem}")
        return settings

    @property
    def seconds(self) -> float:
        """``time_limit`` in seconds; 0 if it is no time."""
        match = _TIME_LIMIT.fullmatch(self.time_limit.strip())
        return float(match[1]) * _SECONDS[match[2] or "s"] if match else 0.0

    def merged(self, table: Mapping[str, Any], source: str, folder: Path | None = None) -> Settings:
        """These settings with the values of one table of a file.

        Args:
            table: the values by key.
            source: where they are from, for messages.
            folder: of the file; relative paths start there. None for the folder of these settings.
        """
        known = settings_of(type(self))
        changes: dict[str, Any] = {}
        for key, value in table.items():
            name = key.replace("-", "_")
            if name == "patterns":
                changes["patterns"] = {**self.patterns, **_patterns(value, source)}
            elif (definition := known.get(name)) is not None:
                changes[name] = self._from(folder, convert(definition, value, f"{source}: {key}", SettingsError))
            else:
                raise SettingsError(f"{source}: unknown setting {key!r}.{_nearest(name, (*known, 'patterns'))}")
        return replace(self, **changes, sources={**self.sources, **dict.fromkeys(changes, source)})

    def _from(self, folder: Path | None, value: Any) -> Any:
        """The value; a relative path of a file elsewhere, seen from these settings' folder."""
        if not isinstance(value, Path) or folder is None or folder == self.root:
            return value
        return folder / value

    def chosen(self, kinds: tuple[type[Pattern], ...] = (Pattern,)) -> tuple[Pattern, ...]:
        """The patterns of some kinds that are selected and not off, with their settings, in the registry's order."""
        selected, ignored = self._names(self.select, "select"), self._names(self.ignore, "ignore")
        patterns = (
            self.instance(cls)
            for name, cls in registry().items()
            if name in selected and name not in ignored and issubclass(cls, kinds)
        )
        return tuple(pattern for pattern in patterns if pattern.action is not Action.OFF)

    def instance(self, cls: type[Pattern]) -> Pattern:
        """One pattern with its settings."""
        own = self.patterns.get(cls.name, PatternSettings())
        where = f"{self.sources.get('patterns', '')}: patterns.{cls.name}"
        return cls(
            _options(cls, own.options, where),
            severity=own.severity,
            action=own.action,
            target_version=self.target_version,
        )

    def path(self, value: Path) -> Path:
        """A path of a setting, seen from the folder of the file that holds the settings."""
        return value if value.is_absolute() else self.root / value

    @property
    def skips_fail(self) -> bool:
        """Whether a run fails if something could not be checked."""
        in_ci = os.environ.get("CI", "").strip().lower() not in ("", "0", "false", "no")
        return self.fail_on_skipped == "always" or (self.fail_on_skipped == "ci" and in_ci)

    @property
    def postgres_folder(self) -> Path | None:
        """The folder of the PostgreSQL programs that the user named."""
        return self.path(self.postgres) if self.postgres is not None else None

    def excludes(self, schema: str, table: str | None = None) -> bool:
        """Whether the table, or the whole schema, is left out."""
        if any(fnmatch.fnmatchcase(schema, glob) for glob in self.exclude_schemas):
            return True
        names = (table, f"{schema}.{table}") if table is not None else ()
        return any(fnmatch.fnmatchcase(name or "", glob) for name in names for glob in self.exclude_tables)

    def _names(self, entries: Iterable[str], key: str) -> set[str]:
        names: set[str] = set()
        for entry in entries:
            matched = {n for n, cls in registry().items() if entry == cls.folder or fnmatch.fnmatchcase(n, entry)}
            if not matched and entry != "*":
                source = self.sources.get(key, "")
                raise SettingsError(f"{source}: {key}: no pattern or folder {entry!r}.{_nearest(entry, _all_names())}")
            names |= matched
        return names


def _all_names() -> tuple[str, ...]:
    return tuple(registry()) + tuple(sorted({cls.folder for cls in registry().values()}))


def _nearest(name: str, valid: Iterable[str]) -> str:
    names = tuple(valid)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f" Did you mean {' or '.join(map(repr, close))}?"
    return f" Valid: {', '.join(names)}." if len(names) <= FEW else " `alembic pgcheck --list` shows all."


def _root(ini: Path | None, pyproject: Path | None) -> Path:
    files = [path for path in (ini, pyproject) if path is not None and path.exists()]
    return files[0].absolute().parent if files else Path.cwd()


SourceTable = tuple[str, Path, Mapping[str, Any]]
"""The name of a source, the folder of its file, and its values."""


def _toml_tables(path: Path | None) -> list[SourceTable]:
    if path is None or not path.exists():
        return []
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read as TOML: {error}") from error
    tool = data.get("tool", {})
    if not isinstance(tool, dict):
        raise SettingsError(f"{path}: `tool` must be a table, such as [{TABLE}].")
    table = tool.get("alembic_pgpatterns")
    if table is None:
        return []
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: [{TABLE}] must be a table.")
    return [(f"{path.name} [{TABLE}]", path.absolute().parent, table)]


def _ini_tables(path: Path | None) -> list[SourceTable]:
    if path is None or not path.exists():
        return []
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # environment variables keep their case
    try:
        parser.read(path, encoding="utf-8")
    except (IniError, OSError, UnicodeDecodeError) as error:
        raise SettingsError(_unreadable(path, error)) from error
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
        said = "a [section] is expected before this line"
    elif wrong is not None:
        said = "this line is neither a [section] nor name = value"
    elif isinstance(error, IniError):
        said = error.message.partition("]: ")[2] or error.message
    else:
        said = str(error)
    return f"{path}{f':{number}' if number else ''}: cannot be read: {said}"


def _own_items(parser: ConfigParser, section: str) -> dict[str, str]:
    return {key: value for key, value in parser.items(section) if key not in parser.defaults()}


def _patterns(value: object, source: str) -> dict[str, PatternSettings]:
    if not isinstance(value, Mapping):
        raise SettingsError(f"{source}: patterns must be a table of tables, one a pattern.")
    return {name: _pattern(name, table, source) for name, table in value.items()}


def _pattern(name: str, table: object, source: str) -> PatternSettings:
    cls = registry().get(name)
    if cls is None:
        raise SettingsError(f"{source}: unknown pattern {name!r}.{_nearest(name, registry())}")
    if not isinstance(table, Mapping):
        raise SettingsError(f'{source}: patterns.{name} must be a table, such as {{ action = "report" }}.')
    options = {key.replace("-", "_"): value for key, value in table.items() if key not in ("severity", "action")}
    where = f"{source}: patterns.{name}"
    _options(cls, options, where)
    return PatternSettings(
        severity=_member(Severity, table.get("severity"), f"{where}.severity"),
        action=_member(Action, table.get("action"), f"{where}.action"),
        options=options,
    )


def _member(kind: Any, value: object, where: str) -> Any:
    return None if value is None else convert(Setting(kind), value, where, SettingsError)


def _options(cls: type[Pattern], given: Mapping[str, object], where: str) -> object:
    valid = options_of(cls.Options)
    changes: dict[str, object] = {}
    for key, value in given.items():
        if key not in valid:
            raise SettingsError(f"{where}: unknown option {key!r}.{_nearest(key, (*valid, 'severity', 'action'))}")
        changes[key] = convert(valid[key], value, f"{where}.{key}", SettingsError)
    return cls.Options(**changes)
