"""The settings of a project as values. `config.reading` makes them from files and flags."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from alembic_pgpatterns.config.conversion import setting
from alembic_pgpatterns.errors import WrongUse
from alembic_pgpatterns.patterns._levels import Action, Severity

_TIME_LIMIT = re.compile(r"(\d{1,9}(?:\.\d+)?)\s*(s|m|min|h)?")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}


class SettingsError(WrongUse):
    """A wrong setting. The message names where it comes from, and similar valid names."""


@dataclass(frozen=True, slots=True)
class PatternSettings:
    """The settings of one pattern."""

    severity: Severity | None = None
    action: Action | None = None
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """The settings of a run. The metadata of the fields is their documentation: docs/settings.md is made from it."""

    select: tuple[str, ...] = setting(("*",), "Patterns to check: names, folders (`indexes`), or globs.")
    ignore: tuple[str, ...] = setting((), "Patterns to leave out, in the form of `select`. It wins over `select`.")
    plugins: tuple[str, ...] = setting(
        (), "Modules with patterns of your own, such as `app.pgpatterns` ([how to write them](own-patterns.md))."
    )
    exclude_tables: tuple[str, ...] = setting((), "Tables to leave out: globs of `table` or `schema.table`.")
    exclude_schemas: tuple[str, ...] = setting((), "Schemas to leave out: globs.")
    target_version: int | None = setting(
        None,
        "The oldest PostgreSQL major version in production; newer features are not proposed. Unset: that of `server` "
        "or `postgres`, and nothing newer than PostgreSQL 13 with the embedded server.",
    )
    baseline: Path = setting(Path("pgpatterns-baseline.txt"), "The file of accepted findings, in the project's folder.")
    adopt: str = setting(
        "new",
        "`new`: enforce findings that the baseline does not accept. `all`: enforce the accepted ones, too.",
        choices=("new", "all"),
    )
    fail_on: Severity = setting(
        Severity.WARNING, "The lowest severity that makes `pgcheck` exit with 1: info, warning or error."
    )
    fail_on_skipped: str = setting(
        "ci",
        "Whether the run fails (exit code 255) if something could not be checked that should have been: `always`, "
        "`never`, or only in CI (`ci`: the environment variable `CI` is set).",
        choices=("ci", "always", "never"),
    )
    server: str | None = setting(
        None, "URL of a PostgreSQL server for the scratch database, instead of the embedded one."
    )
    postgres: Path | None = setting(None, "Folder with the `postgres` and `initdb` programs to use.")
    env: Mapping[str, str] = setting(
        MappingProxyType({}),
        "Environment variables for the run, with `{url}`, `{host}`, `{port}`, `{user}`, `{password}` and `{database}` "
        "of the scratch database; `{url+asyncpg}` is `postgresql+asyncpg://…`, for any driver of SQLAlchemy.",
    )
    alembic_options: Mapping[str, str] = setting(
        MappingProxyType({}),
        "Options of Alembic's configuration for the check, such as `sqlalchemy.url` or `script_location`, with the "
        "words in braces that `env` has.",
    )
    attributes: tuple[str, ...] = setting(
        (), "Entries of `config.attributes` in which env.py expects an open connection, such as `connection`."
    )
    replace_sqlite: bool = setting(
        False, "Where the project would open a SQLite file, as its default, give it PostgreSQL. Found out if unset."
    )
    schemas: tuple[str, ...] = setting((), "Schemas that exist before the first revision, as in production.")
    extensions: tuple[str, ...] = setting((), "Extensions that exist before the first revision, as in production.")
    prepare: Path | None = setting(None, "A file of SQL that runs in each scratch database before the first revision.")
    roles: tuple[str, ...] = setting((), "Roles that revisions expect; created on the throw-away server.")
    upgrade_command: str | None = setting(
        None,
        "A command that upgrades the database in `env`, for projects that do not run `alembic`: to head, or to the "
        "revision in the place of `{revision}`. Then it runs the revisions in scope one by one.",
    )
    python: Path | None = setting(
        None,
        "The interpreter that runs the project's code, if the project is installed in another environment than this "
        "package. The program `alembic-pgpatterns` takes the active environment's, or `.venv`'s, by itself.",
    )
    time_limit: str = setting(
        "10m",
        "How long the project's code, or one `upgrade_command`, may run: seconds, or a number with `s`, `m` or `h`.",
    )
    allow_connect: tuple[str, ...] = setting(
        (),
        "What env.py may connect to besides the check's own server, such as a store of secrets: `host:port`, `host:*`, "
        "or the path of a Unix socket.",
    )
    create_all: bool = setting(
        False, "Build the schema from the models and stamp it, for histories that do not start from an empty database."
    )
    models: tuple[str, ...] = setting(
        (),
        "Where the models are if env.py names none, or cannot be used: `package.module`, `package.module:Base` or "
        "`package.module:function()`.",
    )
    advanced_alchemy: str | None = setting(
        None,
        "The configuration of advanced-alchemy, which its env.py needs: `package.module:config`, or a Litestar "
        "application with its plugin.",
    )
    flask_app: str | None = setting(
        None,
        "The Flask application that env.py, or a revision, asks for, as `flask --app` takes it: `package.module` or "
        "`package.module:create_app`.",
    )
    registries: tuple[str, ...] = setting(
        (), "Mapper registries, as `package.module:Base`, whose relationships are read; default: those of the models."
    )
    split: str = setting(
        "auto",
        "When autogenerate writes a chain of files: where one could not be run again, never, or always.",
        choices=("auto", "never", "always"),
    )
    type_decorators: str = setting(
        "stored",
        "How autogenerate writes a TypeDecorator of the application: as what is `stored`, so that a revision does not "
        "depend on code of later years, or `kept` as the class, with its import, where its repr can be evaluated.",
        choices=("stored", "kept"),
    )
    directives: bool = setting(False, "Write this package's op directives instead of Alembic's operations.")
    phases: bool = setting(
        False,
        "Autogenerate writes what the code of the release before cannot live with into revisions of its own, which "
        "wait until only new code runs (expand and contract).",
    )
    lock_timeout: str = setting("5s", "lock_timeout in revisions that take a strong lock on an existing table.")
    history: int = setting(30, "Without a baseline, check this many of the last revisions one by one.")
    since: str | None = setting(
        None, "Check the revisions after this one, instead of those after the baseline. `base`: all of them."
    )
    diff_base: str | None = setting(
        None, "Check the revisions that the working tree adds to this branch or commit of git."
    )
    old_code: str | None = setting(
        None,
        "The commit, branch or tag of git whose code still runs while the revisions run. Unset: where the branch left "
        "`diff_base`. Empty: no check.",
    )
    workload: Path | None = setting(
        None,
        "A recording of the application's statements (`pytest --pgpatterns-record`), which pgcheck checks and pgadvise "
        "plans; unset: the queries in the source.",
    )
    source: tuple[Path, ...] = setting(
        (),
        "Folders of the application's code, whose queries support findings about indexes. Unset: the folder of "
        "these settings, and the packages of the models.",
    )
    guesses: bool = setting(False, "Show what would be a finding if a query of the application supported it.")
    downgrade: bool = setting(True, "Run each revision's downgrade too, and compare the schemas.")
    stats: Path | None = setting(None, "A file of rows per table in production: `table rows` per line, or JSON.")
    rows: Path | None = setting(
        None, "A file of SQL with your own rows for `pgrehearse`. The tables that it fills get no made-up rows."
    )
    cache: bool = setting(True, "Keep copies of the database cluster, so that unchanged revisions do not run again.")
    patterns: Mapping[str, PatternSettings] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)
    root: Path = field(default_factory=Path.cwd)
    in_files: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """What the files say where a flag says something else, of the settings that choose patterns and remedies."""

    def of_autogenerate(self) -> Settings:
        """These settings as autogenerate reads them: it knows nothing of the flags of another command."""
        return replace(self, **self.in_files)

    @property
    def seconds(self) -> float:
        """``time_limit`` in seconds; 0 if it is not a time."""
        match = _TIME_LIMIT.fullmatch(self.time_limit.strip())
        return float(match[1]) * _SECONDS[match[2] or "s"] if match else 0.0

    def for_server(self, version: int | None) -> Settings:
        """These settings with the version of the server, if that says what production runs.

        The embedded server is the newest there is, whatever production runs: it says nothing.

        Args:
            version: the server's major version.
        """
        named = self.server is not None or self.postgres is not None
        return replace(self, target_version=self.target_version or (version if named else None))

    @property
    def stores_computed(self) -> bool:
        """Whether production is known to be older than 18, where virtual columns became the default (release notes)."""
        return self.target_version is not None and self.target_version < 18

    def path(self, value: Path) -> Path:
        """A path in a setting, relative to the folder of the file with the settings."""
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
