"""Autogenerate: WHAT the schema shall be (destination), and HOW to get there safely (road)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alembic.runtime.plugins import Plugin
    from alembic.util import PriorityDispatchResult


def setup(plugin: Plugin) -> None:
    """Register the comparators. Called while Alembic is being imported, so the rooms load later, renderers as well."""
    from alembic.util import DispatchPriority

    plugin.add_autogenerate_comparator(
        _destination, "autogenerate", "pgpatterns", qualifier="postgresql", priority=DispatchPriority.FIRST
    )
    plugin.add_autogenerate_comparator(
        _road, "autogenerate", "pgpatterns", qualifier="postgresql", priority=DispatchPriority.LAST
    )


def _destination(*given: Any) -> PriorityDispatchResult:
    from alembic.util import PriorityDispatchResult

    from alembic_pgpatterns.autogenerate import comparators as comparing

    comparing.before(*given)
    return PriorityDispatchResult.CONTINUE


def _road(*given: Any) -> PriorityDispatchResult:
    from alembic.util import PriorityDispatchResult

    from alembic_pgpatterns.autogenerate import comparators as comparing
    from alembic_pgpatterns.autogenerate.rewrite import rewriter as road

    comparing.after(*given)
    road.compare(*given)
    return PriorityDispatchResult.CONTINUE
