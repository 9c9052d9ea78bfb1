"""Autogenerate: `target` says what the schema must become, `rewrite` how to get there safely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alembic.runtime.plugins import Plugin
    from alembic.util import PriorityDispatchResult


def setup(plugin: Plugin) -> None:
    """Register the comparators. Runs inside ``import alembic``, so other modules are imported at first use."""
    from alembic.util import DispatchPriority

    plugin.add_autogenerate_comparator(
        _set_target, "autogenerate", "pgpatterns", qualifier="postgresql", priority=DispatchPriority.FIRST
    )
    plugin.add_autogenerate_comparator(
        _rewrite, "autogenerate", "pgpatterns", qualifier="postgresql", priority=DispatchPriority.LAST
    )
    plugin.add_autogenerate_comparator(
        _add_schemas, "schema", "pgpatterns", qualifier="postgresql", priority=DispatchPriority.FIRST
    )
    plugin.add_autogenerate_comparator(
        _compare_table, "table", "pgpatterns", qualifier="postgresql", priority=DispatchPriority.LAST
    )


def _set_target(*arguments: Any) -> PriorityDispatchResult:
    from alembic.util import PriorityDispatchResult

    from alembic_pgpatterns.autogenerate import comparators

    comparators.before(*arguments)
    return PriorityDispatchResult.CONTINUE


def _rewrite(*arguments: Any) -> PriorityDispatchResult:
    from alembic.util import PriorityDispatchResult

    from alembic_pgpatterns.autogenerate import comparators
    from alembic_pgpatterns.autogenerate.rewrite import rewriter

    comparators.after(*arguments)
    rewriter.compare(*arguments)
    return PriorityDispatchResult.CONTINUE


def _add_schemas(*arguments: Any) -> PriorityDispatchResult:
    from alembic.util import PriorityDispatchResult

    from alembic_pgpatterns.autogenerate.compare.schemas import add_schemas

    add_schemas(*arguments)
    return PriorityDispatchResult.CONTINUE


def _compare_table(*arguments: Any) -> PriorityDispatchResult:
    from alembic.util import PriorityDispatchResult

    from alembic_pgpatterns.autogenerate.compare.tables import compare_table

    compare_table(*arguments)
    return PriorityDispatchResult.CONTINUE
