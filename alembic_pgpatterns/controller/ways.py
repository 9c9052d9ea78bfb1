"""What a project needs that its settings do not say: found out from how env.py failed, and tried at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from alembic_pgpatterns.config.sense import OLDEST
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.application_search import alchemy_configurations, flask_applications
from alembic_pgpatterns.controller.extension_names import missing_extension
from alembic_pgpatterns.controller.model_search import holds_module, roots_of
from alembic_pgpatterns.controller.statement_names import search_path, strings
from alembic_pgpatterns.runner.messages import EnvResult, Failure, Need
from alembic_pgpatterns.runner.needs import PLACEHOLDER, WITHOUT_URL
from alembic_pgpatterns.runner.supplies import PATH_OPTION
from alembic_pgpatterns.runner.url_drivers import postgresql_url
from alembic_pgpatterns.server.command import REVISION, takes_revision
from alembic_pgpatterns.server.protocol import Server

CONNECTIONS = ("connection", "connectable", "conn", "bind", "db_connection", "sqlalchemy_connection")
"""Entries of `config.attributes` in which programs hand a connection to env.py; Alembic's cookbook has the first."""


FOUND_OUT = "found out"
"""The source of a setting that nobody has written."""


@dataclass(frozen=True)
class Way:
    """A setting that gives a project what it needs.

    ``value``: what it is to be. ``reason``: for people. ``automatic``: it is tried without being asked for: it changes
    nothing about what the revisions do. ``alternative``: to be tried if it leads to a failure.
    """

    setting: str
    value: Any
    reason: str
    automatic: bool = True
    alternative: Way | None = None

    def applied(self, settings: Settings) -> Settings:
        """The settings with this one."""
        changes = {self.setting: self.value, "sources": {**settings.sources, self.setting: FOUND_OUT}}
        return replace(settings, **changes)


class FoundWays(Exception):
    """There is something to try."""

    def __init__(self, ways: tuple[Way, ...]) -> None:
        """Take what to try."""
        super().__init__("; ".join(way.reason for way in ways))
        self.ways = ways


def of_command(command: str | None) -> Way | None:
    """An upgrade command with a place for the revision, in place of the word for the head or at its end.

    Only a try shows whether the program takes one there. None: it has a place already, or there is no command.
    """
    if command is None or takes_revision(command):
        return None
    words = command.rsplit(maxsplit=1)
    before = words[0] if len(words) == 2 and words[1] in ("head", "heads") else command.rstrip()
    reason = "the command takes the revision to which it upgrades, so each one is run by it alone"
    return Way("upgrade_command", f"{before} {REVISION}", reason, automatic=False)


def names_models(settings: Settings) -> bool:
    """Whether the user has named the models: a decision that env.py is not needed for them."""
    return bool(settings.models) and settings.sources.get("models") != FOUND_OUT


def with_ways(settings: Settings, ways: Iterable[Way]) -> Settings:
    """The settings with what was found out."""
    for way in ways:
        settings = way.applied(settings)
    return settings


def ways_of(
    result: EnvResult, settings: Settings, server: Server, migrations: Path, tried: Sequence[Way] = ()
) -> Iterator[Way]:
    """What could be tried after a run of env.py that failed.

    Args:
        result: of the run.
        settings: that it had.
        server: it ran on.
        migrations: the folder of env.py.
        tried: before.
    """
    by_kind: dict[str, list[Need]] = {}
    for need in result.needs:
        by_kind.setdefault(need.kind, []).append(need)
    if by_kind.get("variable"):
        values = {**settings.env, **{need.name: need.value for need in by_kind["variable"]}}
        yield Way("env", values, demanded(values), automatic=False)
        return
    if by_kind.get("file"):
        file = by_kind["file"][0]
        reason = f"the file that the application reads is not there, so {file.name} names the project's example of it"
        yield Way("env", {**settings.env, file.name: file.value}, reason, automatic=False)
        return
    if by_kind.get("option") and not by_kind.get("url"):
        options = {need.name: need.value for need in by_kind["option"]}
        reason = f"the project demands {', '.join(options)} of Alembic's configuration"
        yield Way("alembic_options", {**settings.alembic_options, **options}, reason, automatic=False)
        return
    yield from _of_application(by_kind, settings, tried)
    if by_kind.get("module") and PATH_OPTION not in settings.alembic_options:
        yield from _of_module(by_kind["module"][0].name, settings, migrations)
    if by_kind.get("sqlite") and not settings.replace_sqlite:
        yield _in_place_of_sqlite(by_kind["sqlite"][0].name, by_kind.get("url_variable", []), settings)
    variables = _of_url_variables(by_kind.get("url_variable", []), settings) if by_kind.get(WITHOUT_URL) else None
    urls = list(_of_url(by_kind.get("url", []), settings))
    yield from (replace(way, alternative=variables) for way in urls)
    if variables is not None and not urls:
        yield variables
    if by_kind.get("no connection") and settings.sources.get("attributes") == FOUND_OUT:
        yield Way("attributes", (), "")
    yield from _of_attributes([need.name for need in by_kind.get("attribute", [])], settings, tried)
    if result.failure is not None:
        paths = [need.name for need in by_kind.get("search_path", [])]
        yield from of_refusal(result.failure, settings)
        yield from _of_server(result.failure, paths, settings, server)
        yield from _from_models(result, result.failure, settings)


def _of_application(needs: Mapping[str, list[Need]], settings: Settings, tried: Sequence[Way]) -> Iterator[Way]:
    """What makes the application that env.py asks for: the likeliest, and the next one where that cannot be had.

    Where none can be had, people have to know why the likeliest cannot.
    """
    searches = {"flask_app": flask_applications, "advanced_alchemy": alchemy_configurations}
    for name, search in searches.items():
        current = getattr(settings, name)
        is_refused = current is not None and settings.sources.get(name) == FOUND_OUT and "application" in needs
        if is_refused or (name in needs and current is None):
            candidates = search(Path.cwd())
            done = {current, *(way.value for way in tried if way.setting == name)}
            rest = [item for item in candidates if item not in done]
            chosen = rest[:1] or [item for item in candidates[:1] if item != current]
            yield from (Way(name, item, _APPLICATIONS[name].format(item)) for item in chosen)


_APPLICATIONS = {
    "flask_app": "env.py needs the Flask application, which {} makes",
    "advanced_alchemy": "env.py needs advanced-alchemy's configuration, which is {}",
}


def _from_models(result: EnvResult, failure: Failure, settings: Settings) -> Iterator[Way]:
    """A history whose first tables are made by the models: it misses one, or fails before any revision has made one."""
    has_models = any(item.models for item in result.configured)
    early = (failure.sqlstate in MISSING or failure.raised) and _no_table_yet(result)
    of_models = any(name in result.model_tables for name in _missing_tables(failure))
    if has_models and not settings.create_all and (early or of_models) and not meant_tables(result, failure):
        yield Way("create_all", True, "the history does not start from an empty database", automatic=False)


def of_old_revision(result: EnvResult, settings: Settings, pending: int) -> Iterator[Way]:
    """A history that ends at an old revision, as one does that was written for an older SQLAlchemy.

    Who has such a project makes new databases from the models. Of a new revision, its own failure is the news.

    Args:
        result: of the run that failed.
        settings: that it had.
        pending: how many revisions were still to come, with the one that failed.
    """
    has_models = any(item.models for item in result.configured)
    # One that is written for an older SQLAlchemy has run with that, unless it is among the few that are new together.
    least = min(settings.history, 5) if result.failure is not None and result.failure.outdated else settings.history
    if result.failure is not None and _misses_what_others_make(result, result.failure):
        least = 1  # others were written after it, so it has run where something else had made what it misses
    if has_models and result.failure is not None and pending > least and not settings.create_all:
        reason = f"a revision fails that has {pending - 1} after it, so the schema is built from the models"
        yield Way("create_all", True, reason, automatic=False)


def of_mode(result: EnvResult, settings: Settings, tried: Iterable[Way]) -> Iterator[Way]:
    """Another configuration of the application, where the one that it chooses by itself fails; one after the other.

    Args:
        result: of the run that failed.
        settings: that it had.
        tried: before.
    """
    offered = [(need.name, need.value) for need in result.needs if need.kind == "mode"]
    done = {item for way in tried if way.setting == "env" for item in way.value.items()}
    rest = [item for item in offered if item not in done and item[0] not in os.environ]
    others = {name: value for name, value in settings.env.items() if (name, value) not in {*offered} & done}
    if rest:
        name, value = rest[0]
        reason = f"{_OTHER_MODE}, which {name} chooses"
        yield Way("env", {**others, name: value}, reason, automatic=False)
    elif others != settings.env:
        yield Way("env", others, "", automatic=False)


def _misses_what_others_make(result: EnvResult, failure: Failure) -> bool:
    return failure.sqlstate in (*MISSING, UNDEFINED_FUNCTION) and not meant_tables(result, failure)


_OTHER_MODE = "the application fails as it is configured, and its source has another configuration"


def meant_tables(result: EnvResult, failure: Failure) -> dict[str, str]:
    """The missing tables that the models do not have either, each with the table of a similar name that they have."""
    unknown = [name for name in _missing_tables(failure) if name not in result.model_tables]
    close = {name: get_close_matches(name, result.model_tables, 1, _SIMILAR) for name in unknown}
    return {name: names[0] for name, names in close.items() if names}


_SIMILAR = 0.8
"""How alike two names are of which one is a typing error (difflib): a letter more, less or changed."""


def _missing_tables(failure: Failure) -> list[str]:
    """The tables of the failed statement that the server did not find: it quotes the first one."""
    if failure.sqlstate != UNDEFINED_TABLE:
        return []
    names = list(dict.fromkeys(strings("relname", failure.statement)))
    quoted = [name for name in names if any(f'{name}"' in text for text in failure.texts)]
    return quoted or names


def _no_table_yet(result: EnvResult) -> bool:
    """Whether the revisions before the one that failed made nothing: there may be an empty first one."""
    if not any(item.applied for item in result.configured):
        return True
    facts = result.blame.values()
    # Alembic's own version table is the one that there may be.
    return any(item.revisions for item in facts) and all(len(item.widths) <= 1 for item in facts)


def _of_module(name: str, settings: Settings, migrations: Path) -> Iterator[Way]:
    """The project's own package, if it is not installed and does not stand in the current folder's path."""
    folder = next((folder for folder in roots_of(migrations) if holds_module(folder, name)), None)
    if folder is not None:
        options = {**settings.alembic_options, PATH_OPTION: os.path.relpath(folder)}
        yield Way("alembic_options", options, f"{name} is not installed, so the folder that holds it is searched")


def _in_place_of_sqlite(url: str, variables: list[Need], settings: Settings) -> Way:
    """PostgreSQL for SQLite, whatever the project says; if it then still speaks SQLite, by the variables it reads."""
    reason = f"the project's default is {_without_folder(url)}"
    other = _of_url_variables(variables, settings, f"{reason}, and it")
    return Way("replace_sqlite", True, reason, alternative=other)


def _of_url_variables(variables: list[Need], settings: Settings, subject: str = "the project") -> Way | None:
    """The variables by which a project has its URL; None if there are none, or they were of no use."""
    values = {need.name: need.value for need in variables if need.name not in settings.env}
    if not values:
        return None
    return Way("env", {**settings.env, **values}, f"{subject} reads {', '.join(values)}")


def _without_folder(url: str) -> str:
    """The URL of a SQLite file without a folder of this machine: ``--init`` writes it into a comment."""
    before, slashes, path = url.partition(":////")
    return f"{before}:///{path.rpartition('/')[2]}" if slashes else url


DEMANDED = "the application demands "


def demanded(names: Iterable[str]) -> str:
    """Why the variables are given that an application demands."""
    return f"{DEMANDED}{', '.join(names)}; any value will do, since connections are redirected"


def _of_url(needs: list[Need], settings: Settings) -> Iterator[Way]:
    for need in needs[:1]:
        url = postgresql_url(need.name).render_as_string()
        options = {**settings.alembic_options, "sqlalchemy.url": url}
        if options != settings.alembic_options:
            kinds = {
                PLACEHOLDER: "is the placeholder of Alembic's template",
                "postgresql": f"needs a driver that the environment does not have; it has {need.name}",
            }
            problem = next((text for start, text in kinds.items() if need.value.startswith(start)), "is not a URL")
            reason = f"sqlalchemy.url {problem}" if need.value else "no sqlalchemy.url is set"
            yield Way("alembic_options", options, reason, automatic=not need.value)


def _of_attributes(names: list[str], settings: Settings, tried: Sequence[Way]) -> Iterator[Way]:
    done = {*settings.attributes, *(name for way in tried if way.setting == "attributes" for name in way.value)}
    new = [name for name in dict.fromkeys(names) if name in CONNECTIONS and name not in done]
    if new:
        value = (*settings.attributes, *new)
        yield Way("attributes", value, f"env.py expects a connection in config.attributes[{new[0]!r}]")


UNDEFINED_SCHEMA, UNDEFINED_OBJECT, UNDEFINED_TABLE, UNDEFINED_COLUMN = "3F000", "42704", "42P01", "42703"
UNDEFINED_FUNCTION, NOT_SUPPORTED = "42883", "0A000"
FAILED_BEFORE = "25P02"
"""A revision has caught an error, and goes on in the transaction that it broke."""
MISSING = (UNDEFINED_TABLE, UNDEFINED_COLUMN, UNDEFINED_OBJECT, FAILED_BEFORE)
"""By SQLSTATE: how a first revision fails if it expects a schema that something else makes."""


def of_refusal(failure: Failure, settings: Settings) -> Iterator[Way]:
    """What our server lacks, or does otherwise than the one in production.

    An extension that has what a statement misses: in production somebody has created it by hand. Or the computed
    columns of PostgreSQL before 18, which were stored: most of what a virtual one cannot have, it refuses.
    """
    if failure.sqlstate == NOT_SUPPORTED and settings.target_version is None and _is_about_virtual_columns(failure):
        reason = "PostgreSQL 18 cannot do this with a virtual column; older ones store it. Write the version in use"
        yield Way("target_version", OLDEST, reason)
    name = missing_extension(failure)
    if name is not None and name not in settings.extensions:
        yield Way("extensions", (*settings.extensions, name), f"nothing creates the extension {name}")


def _is_about_virtual_columns(failure: Failure) -> bool:
    return any("virtual generated column" in text for text in failure.texts)


def _of_server(failure: Failure, search_paths: list[str], settings: Settings, server: Server) -> Iterator[Way]:
    """Schemas and roles that a statement names, and the server does not have."""
    if failure.sqlstate == UNDEFINED_SCHEMA:
        names = strings("schemaname", failure.statement) + [name for text in search_paths for name in search_path(text)]
        new = _new(names, settings.schemas)
        if new:
            yield Way("schemas", (*settings.schemas, *new), f"nothing creates the schema {', '.join(new)}")
    if failure.sqlstate == UNDEFINED_OBJECT:
        new = _new(_without_existing_roles(server, strings("rolename", failure.statement)), settings.roles)
        if new:
            yield Way("roles", (*settings.roles, *new), f"nothing creates the role {', '.join(new)}")


def _new(names: Iterable[str], existing: Iterable[str]) -> list[str]:
    before = {*existing, "public", "pg_catalog", "information_schema", "$user", ""}
    return [name for name in dict.fromkeys(names) if name not in before and not name.startswith("pg_")]


def _without_existing_roles(server: Server, names: list[str]) -> list[str]:
    with server.connect() as connection:
        present = {row[0] for row in connection.execute("SELECT rolname FROM pg_catalog.pg_roles")}
    return [name for name in names if name not in present]


def by_setting(ways: Iterable[Way]) -> dict[str, Way]:
    """One way per setting: the last value, which holds the earlier ones, with the reasons of all."""
    result: dict[str, Way] = {}
    for way in ways:
        before = result.get(way.setting)
        # The reason for the variables that are demanded names all of them. Of one application after another, only the
        # last is used.
        is_whole = way.reason.startswith(DEMANDED) or way.setting in _APPLICATIONS
        parts = before.reason.split("; ") if before is not None and not is_whole else []
        remaining = [part for part in parts if part != way.reason and not part.startswith(_OTHER_MODE)]
        result[way.setting] = replace(way, reason="; ".join(filter(None, [*remaining, way.reason])))
    return {name: way for name, way in result.items() if way.value}


def hint(ways: Iterable[Way], lines: Callable[[Mapping[str, Any]], str]) -> Iterator[str]:
    """The settings that say what was found out, for the end of the report.

    Args:
        ways: what was found out.
        lines: writes settings as they stand in a file.
    """
    values = {name: way.value for name, way in by_setting(ways).items()}
    if values:
        words = "To keep the settings that were found, run alembic pgcheck --init, or write them yourself:"
        yield f"{words}\n{lines(values)}"
