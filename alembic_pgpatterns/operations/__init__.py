"""Directives that Alembic has no words for: one file a kind, each with its operation, reverse and comparator."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.runtime.plugins import Plugin


KINDS = (
    "extensions",
    "row_security",
    "policies",
    "grants",
    "default_privileges",
    "settings",
    "storage",
    "indexes",
    "constraints",
    "not_null",
    "keys",
    "columns",
    "enums",
    "partitions",
    "lock_attempts",
    "backfill",
    "upsert",
)
"""The modules that bring directives, in the order in which their comparators run."""


def setup(plugin: Plugin) -> None:
    """Register every directive (``op.…``), renderer and comparator; called while Alembic is being imported."""
    from alembic.util import DispatchPriority

    from alembic_pgpatterns.operations import comparing, directive

    directive.setup()
    for kind in KINDS:
        import_module(f"alembic_pgpatterns.operations.{kind}").setup(plugin)
    plugin.add_autogenerate_comparator(
        comparing.hide_declarations,
        "autogenerate",
        "pgpatterns_declarations",
        qualifier="postgresql",
        priority=DispatchPriority.LAST,
    )


# Last, and before any module of this package: importing Alembic runs setup(), which needs them whole.
import alembic  # noqa: E402, F401
