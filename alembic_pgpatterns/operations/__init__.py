"""Directives that Alembic has no words for: one file a kind, each with its operation, reverse and comparator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.runtime.plugins import Plugin


def setup(plugin: Plugin) -> None:
    """Register every directive (``op.…``), renderer and comparator; called while Alembic is being imported."""
    from alembic.util import DispatchPriority

    from alembic_pgpatterns.operations import (
        backfill,
        columns,
        comparing,
        constraints,
        default_privileges,
        directive,
        enums,
        extensions,
        grants,
        indexes,
        keys,
        lock_attempts,
        not_null,
        partitions,
        policies,
        row_security,
        settings,
        storage,
        upsert,
    )

    directive.setup()
    for kind in (
        extensions,
        row_security,
        policies,
        grants,
        default_privileges,
        settings,
        storage,
        indexes,
        constraints,
        not_null,
        keys,
        columns,
        enums,
        partitions,
        lock_attempts,
        backfill,
        upsert,
    ):
        kind.setup(plugin)
    plugin.add_autogenerate_comparator(
        comparing.hide_declarations,
        "autogenerate",
        "pgpatterns_declarations",
        qualifier="postgresql",
        priority=DispatchPriority.LAST,
    )


# Last, and before any module of this package: importing Alembic runs setup(), which needs them whole.
import alembic  # noqa: E402, F401
