"""The application's models, which exist only in the project's process: they are read and created there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.env_run import Databases, handlers
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.remedies.model import Remedy
from alembic_pgpatterns.runner.messages import CreateRequest, Failure, ModelsRequest, ModelsResult
from alembic_pgpatterns.schema.catalog.difference import Difference
from alembic_pgpatterns.schema.model import Schema


@dataclass(frozen=True)
class Models:
    """The models of one ``context.configure``.

    ``run`` and ``number``: the run of env.py, and the call in it; None for all calls of the run. ``count``: the number
    of MetaData; 0: env.py names none. ``search_path``: of the session in which the revisions ran; None: the server's.
    ``by_plugin``: autogenerate writes their revisions with this package's plugin.
    """

    run: int = 0
    number: int | None = 0
    count: int = 0
    search_path: str | None = None
    by_plugin: bool = False


NO_MODELS = Models()


NO_TABLE = Skipped(
    "models", "target_metadata holds no table: env.py must import the modules in which the models are", broken=True
)


@dataclass(frozen=True)
class ModelSchema:
    """The models' schema, and what could not be read."""

    schema: Schema | None
    skipped: tuple[Skipped, ...] = ()


def read_models(run: RunContext, models: Models, default_schema: str) -> ModelSchema:
    """The models' schema; None if there are none, or, with the reason, if they have no table or cannot be read.

    Args:
        run: the project, on a server.
        models: those to read.
        default_schema: of tables without a schema.

    Raises:
        PgPatternsError: a registry in the settings cannot be imported.
    """
    if not models.count:
        return ModelSchema(None)
    settings = run.settings
    request = ModelsRequest(
        models.run, models.number, default_schema, settings.target_version, tuple(settings.registries)
    )
    result: ModelsResult = run.project.request("models", request, handlers=handlers(run, Databases()))
    if result.schema is None:
        return ModelSchema(None, (Skipped("models", str(result.reason)),))
    # Broken, and not just skipped: every pattern about tables would find nothing, and that would look like a good
    # result.
    if not result.schema.tables:
        return ModelSchema(None, (NO_TABLE,))
    return ModelSchema(
        replace(
            result.schema,
            metadatas=tuple(replace(item, by_plugin=models.by_plugin) for item in result.schema.metadatas),
        )
    )


def create_models(
    run: RunContext, models: Models, database: str, before: Sequence[str] = (), *, effective: bool = False
) -> Failure | None:
    """Create the models' tables in a database. Returns the failure if that fails.

    Args:
        run: the project, on a server.
        models: those to create.
        database: where to create them.
        before: SQL to run first.
        effective: create the copy with applied remedies, not the models themselves; see `RemoteCopy`.
    """
    request = CreateRequest(
        models.run,
        run.server.by_socket(database),
        models.number,
        tuple(before),
        effective,
        search_path=models.search_path,
    )
    failure: Failure | None = run.project.request("create", request, handlers=handlers(run, Databases()))
    return failure


def missing_declarations(run: RunContext, models: Models, database: str) -> list[tuple[str | None, str, str]]:
    """Schema, table and operation of declarations of this package in the models that a database lacks.

    Raises:
        ProjectFailed: the database could not be read.
    """
    parameters = run.server.by_socket(database)
    result: list[tuple[str | None, str, str]] = run.project.request(
        "declared", models.run, models.number, parameters, models.search_path, handlers=handlers(run, Databases())
    )
    return result


def left_out(
    run: RunContext, models: Models, database: str, default_schema: str, items: Sequence[Difference]
) -> list[bool]:
    """For each difference between models and a database: whether include_name or include_object of env.py hides it.

    Args:
        run: the project, on a server.
        models: those that were compared.
        database: what they were compared with.
        default_schema: of tables without a schema.
        items: the differences.

    Raises:
        ProjectFailed: the database could not be read.
    """
    objects = [
        (kind, item.table.schema if item.table.schema != default_schema else None, item.table.name, item.name)
        if (kind := AUTOGENERATE_TYPES.get(item.object_type)) is not None
        else ("", None, item.table.name, None)
        for item in items
    ]
    parameters = run.server.by_socket(database)
    result: list[bool] = run.project.request(
        "left_out", models.run, models.number, parameters, models.search_path, objects,
        handlers=handlers(run, Databases()),
    )  # fmt: skip
    return result


AUTOGENERATE_TYPES = {
    "table": "table",
    "column": "column",
    "index": "index",
    "key": "unique_constraint",
    "foreign key": "foreign_key_constraint",
    "primary key": "",
    "check": "",
    "exclusion": "",
    "policy": "",
}
"""The ``type_`` that include_name and include_object get. What has none is left out together with its table alone."""


@dataclass(frozen=True)
class RemoteCopy:
    """A copy of the models in the project's process, to which remedies are applied; see `build_target`."""

    run: RunContext
    models: Models

    def declared(self, default_schema: str) -> Schema:
        """Make the copy, and read the models as they are written."""
        schema: Schema = self._request("copy", self.models.run, self.models.number, default_schema)
        return schema

    def read(self, default_schema: str, target_version: int | None) -> Schema:
        """Read the copy with the changes made so far."""
        schema: Schema = self._request("read_copy", default_schema, target_version)
        return schema

    def apply(self, remedies: Sequence[Remedy], default_schema: str) -> list[bool | None]:
        """Apply remedies to the copy. For each: whether it changed something; None if only a person can do it."""
        result: list[bool | None] = self._request("apply", tuple(remedies), default_schema)
        return result

    def _request(self, name: str, *values: object) -> Any:
        return self.run.project.request(name, *values, handlers=handlers(self.run, Databases()))
