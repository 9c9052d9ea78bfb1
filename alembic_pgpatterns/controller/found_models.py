"""Models that env.py does not name: found in the project's files, and loaded from there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.env_run import Databases, run_env
from alembic_pgpatterns.controller.model_search import models_of
from alembic_pgpatterns.controller.models import NO_MODELS, Models
from alembic_pgpatterns.controller.ways import Way
from alembic_pgpatterns.errors import PgPatternsError, first_line
from alembic_pgpatterns.output.counts import listed
from alembic_pgpatterns.runner.messages import Steps
from alembic_pgpatterns.schema.names import Name

_NAMED = 3
"""Modules that a message names."""
NAME_THEM = 'name them in the settings: models = ["app.models:Base"]'


@dataclass(frozen=True)
class FoundModels:
    """What was found for one database.

    ``problem``: why nothing could be used, for people. ``way``: the setting that names the same.
    """

    models: Models = NO_MODELS
    problem: str = NAME_THEM
    way: Way | None = None


def find_models(run: RunContext, databases: Databases, number: int, tables: Collection[Name]) -> FoundModels:
    """Look for the modules that declare a database's tables, and load them beside env.py.

    env.py runs once more, without any revision, so that the modules are imported with its redirect and variables.

    Args:
        run: the project, on a server; what was found is noted in the project's ``ways``.
        databases: those of the project on the server.
        number: of the call of ``context.configure`` that names no models.
        tables: of the database at head.
    """
    try:
        names = models_of(Path(run.project.script.folder), tables)
    except PgPatternsError:  # a command runs the revisions, and where they are is not known
        return FoundModels()
    if not names:
        return FoundModels()
    with_them = replace(run, settings=replace(run.settings, models=names))
    try:
        result = run_env(with_them, Steps(), Databases(dict(databases.by_origin), databases.environment))
    except PgPatternsError as error:
        reason = first_line(error)
        problem = f"{listed(names, _NAMED)} declare its tables, but cannot be used: {reason}"
        return FoundModels(problem=problem)
    if number >= len(result.configured) or not result.configured[number].models:
        return FoundModels()
    way = models_way(names)
    run.project.ways.append(way)
    item = result.configured[number]
    return FoundModels(Models(result.run, number, item.models, item.search_path), way=way)


def models_at_head(run: RunContext, databases: Databases, name: str) -> Models:
    """The models of an env.py that failed on an empty database: an application may read its tables at its start.

    Args:
        run: the project, on a server.
        databases: those of the project on the server.
        name: of the database at head. All connections lead there now.
    """
    at_head = Databases(dict.fromkeys(databases.by_origin, name), name)
    try:
        result = run_env(run, Steps(), at_head)
    except PgPatternsError:
        return NO_MODELS
    item = result.configured[0] if len(result.configured) == 1 else None
    if result.own_environment is not None or item is None or not item.models:
        return NO_MODELS
    return Models(result.run, 0, item.models, item.search_path)


def models_way(names: tuple[str, ...]) -> Way:
    """The setting that names modules with models."""
    words = f"env.py names no models with tables; {listed(names, _NAMED)} declare them"
    return Way("models", names, words)
