"""The target: what the schema must become, as effective metadata made from models, settings and baseline.

Alembic's own comparators compare with it. So everything converges: once the revision is applied, the next autogenerate
is empty, although the models still say ``String(255)`` and declare no index. It depends only on files, never on the
database, so two developers get the same revision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import MetaData

from alembic_pgpatterns.autogenerate.target.convergence import DEFAULT_SCHEMA, Accepts, converge
from alembic_pgpatterns.autogenerate.target.spelling import spell
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.remedies.apply import apply
from alembic_pgpatterns.remedies.metadata_copy import Copy, copied
from alembic_pgpatterns.remedies.model import Remedy
from alembic_pgpatterns.schema.metadata import reader as models
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql import sqltext


@dataclass(frozen=True, slots=True)
class Applied:
    """A remedy that was applied, and the objects of the copy that it added or changed."""

    finding: Finding
    objects: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """The effective metadata, and how it differs from the models."""

    copy: Copy
    declared: Schema
    """The schema that the application's own models declare."""
    applied: tuple[Applied, ...] = ()
    described: tuple[Finding, ...] = ()
    """Findings of enforced patterns whose remedy only a person can carry out."""
    default_schema: str = DEFAULT_SCHEMA
    """Of tables without a schema."""

    @property
    def metadata(self) -> MetaData:
        """The effective metadata."""
        return self.copy.metadata

    def read(self, target_version: int | None) -> Schema:
        """The schema that the effective metadata declares."""
        return _read(self.metadata, target_version, self.default_schema)


def build_target(
    metadata: MetaData | Sequence[MetaData],
    settings: Settings,
    accepts: Accepts,
    allowed: Callable[[Finding], bool] = lambda finding: True,
    default_schema: str = DEFAULT_SCHEMA,
) -> Target:
    """Copy the metadata and apply the remedies of enforced patterns until they find nothing more.

    Args:
        metadata: the application's. It is not changed.
        settings: which patterns are enforced.
        accepts: whether the project accepts a finding.
        allowed: whether the user's name filters let the remedy converge.
        default_schema: of tables without a schema, as env.py sets up its session.

    Raises:
        PgPatternsError: findings remain after ten rounds. The message names the patterns.
    """
    local = _LocalCopy([metadata] if isinstance(metadata, MetaData) else list(metadata))
    declared, applied, described = converge(
        local, settings, lambda finding: accepts(finding) or not allowed(finding), default_schema
    )
    objects = dict(zip(map(id, applied), local.objects, strict=True))
    pairs = tuple(Applied(item, objects[id(item)]) for item in applied)
    return Target(local.copy, declared, pairs, described, default_schema)


class _LocalCopy:
    """A copy in this process; remembers the objects that each remedy added or changed."""

    def __init__(self, originals: Sequence[MetaData]) -> None:
        self._originals = originals
        self.copy = copied(originals)
        spell(self.copy.metadata)
        self.objects: list[tuple[object, ...]] = []

    def declared(self, default_schema: str) -> Schema:
        return models.read(self._originals, sqltext, default_schema=default_schema)

    def read(self, default_schema: str, target_version: int | None) -> Schema:
        return _read(self.copy.metadata, target_version, default_schema)

    def apply(self, remedies: Sequence[Remedy], default_schema: str) -> list[bool | None]:
        changed = [apply(remedy, self.copy.metadata, default_schema) for remedy in remedies]
        self.objects += [objects for objects in changed if objects]
        return [None if objects is None else bool(objects) for objects in changed]


def _read(metadata: MetaData, target_version: int | None, default_schema: str) -> Schema:
    return models.read(metadata, sqltext, default_schema=default_schema, target_version=target_version, located=False)
