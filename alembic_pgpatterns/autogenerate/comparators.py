"""Two comparators: one sets the target before Alembic's own compare, one comments on the ops after them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Index, text

from alembic_pgpatterns.autogenerate.compare.columns import LEFT_DEFAULTS, left_defaults
from alembic_pgpatterns.autogenerate.compare.composites import compare_composites
from alembic_pgpatterns.autogenerate.compare.dropped import exactly
from alembic_pgpatterns.autogenerate.compare.entities import entities_see, entities_see_no_more, in_order
from alembic_pgpatterns.autogenerate.compare.enum_plugin import (
    spell_enums,
    with_dependents_released,
    without_foreign_drops,
)
from alembic_pgpatterns.autogenerate.compare.foreign_keys import with_released_keys
from alembic_pgpatterns.autogenerate.compare.inheritance import with_children
from alembic_pgpatterns.autogenerate.compare.relations import with_persistence_placed
from alembic_pgpatterns.autogenerate.compare.schemas import untranslated
from alembic_pgpatterns.autogenerate.compare.tables import FORMS
from alembic_pgpatterns.autogenerate.compare.types import compare_types
from alembic_pgpatterns.autogenerate.compare.views import compare_views, is_permanent_table
from alembic_pgpatterns.autogenerate.rewrite.attached_comments import attached
from alembic_pgpatterns.autogenerate.rewrite.database_facts import enum_plugin
from alembic_pgpatterns.autogenerate.rewrite.render_fixes import fix_rendering
from alembic_pgpatterns.autogenerate.rewrite.rendering import AdoptionOp
from alembic_pgpatterns.autogenerate.rewrite.rewriter import say
from alembic_pgpatterns.autogenerate.target.adoption import Adoption, adoption
from alembic_pgpatterns.autogenerate.target.comments import annotated
from alembic_pgpatterns.autogenerate.target.convergence import DEFAULT_SCHEMA
from alembic_pgpatterns.autogenerate.target.metadata import Target, build_target
from alembic_pgpatterns.autogenerate.target.suggestions import Suggestions
from alembic_pgpatterns.autogenerate.target.taken_back import uncured, with_warnings
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.model_words import unknown_words
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.remedies.metadata_copy import Copy
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.remedies.naming import index_name

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import ops

KEY = "pgpatterns_target"
"""The migration context's option that holds the target between the two comparators."""


def before(context: AutogenContext, upgrade_ops: ops.UpgradeOps) -> None:
    """Replace the application's metadata by the effective one, for the comparators that follow.

    Raises:
        PgPatternsError: settings or baseline cannot be read, or enforced patterns contradict each other.
    """
    if context.metadata is None:
        return
    options = context.migration_context.opts
    settings = settings_of(context.migration_context.config)
    database = context.connection.engine.url.database if context.connection is not None else None
    adopted = adoption(settings, _revisions(context), database)

    def accepts(finding: Finding) -> bool:
        return not adopted.enforced or adopted.accepts(finding)

    default_schema = _default_schema(context)

    def allowed(finding: Finding) -> bool:
        return _converges(context, finding, default_schema)

    target = build_target(context.metadata, settings, accepts, allowed, default_schema)
    if enum_plugin():
        spell_enums(target.metadata)
    options[KEY] = (target, adopted, settings)
    _replace_metadata(context, target)
    entities_see(context)
    fix_rendering(context, stored_types=settings.type_decorators == "stored")


def after(context: AutogenContext, upgrade_ops: ops.UpgradeOps) -> None:
    """Comment each op that a pattern changed, and add suggestions for patterns that are not enforced."""
    entities_see_no_more()
    target, adopted, settings = context.migration_context.opts.pop(KEY, (None, None, None))
    if target is None:
        return
    if adopted.hint is not None:
        say(context.migration_context, adopted.hint)
    for line in unknown_words(target.declared):
        say(context.migration_context, line)
    touched = list(upgrade_ops.ops)
    upgrade_ops.ops = annotated(upgrade_ops.ops, target)
    upgrade_ops.ops = with_warnings(
        upgrade_ops.ops, cache(lambda: uncured(target, adopted, settings)), target.default_schema
    )
    suggestions = Suggestions(context, target, settings, adopted.accepts)
    upgrade_ops.ops = suggestions.beside(upgrade_ops.ops, touched)
    for line in suggestions.console():
        say(context.migration_context, line)
    if adopted.begins is not None:
        upgrade_ops.ops.insert(0, AdoptionOp(_writer(adopted)))
    if left := context.migration_context.opts.pop(LEFT_DEFAULTS, []):
        say(context.migration_context, left_defaults(left))
    forms = context.migration_context.opts.pop(FORMS, {})
    upgrade_ops.ops = exactly(with_children(upgrade_ops.ops, target.metadata), forms)
    upgrade_ops.ops = with_released_keys(upgrade_ops.ops, forms, target.default_schema)
    compare_types(context, upgrade_ops, target.metadata)
    compare_composites(context, upgrade_ops, target.metadata)
    upgrade_ops.ops = without_foreign_drops(context, upgrade_ops.ops, target.default_schema)
    upgrade_ops.ops = with_dependents_released(context, upgrade_ops.ops, target.default_schema)
    compare_views(context, upgrade_ops, target.metadata)
    upgrade_ops.ops = with_persistence_placed(in_order(upgrade_ops.ops))
    comment = untranslated(context)
    if comment is not None:
        say(context.migration_context, " ".join(line.lstrip("# ") for line in comment.lines))
        upgrade_ops.ops.insert(0, comment)
    upgrade_ops.ops = attached(upgrade_ops.ops)


def _writer(adopted: Adoption) -> Callable[[], None]:
    def write() -> None:
        if adopted.begins is not None and not adopted.begins.exists():
            Baseline().write(adopted.begins)

    return write


def _revisions(context: AutogenContext) -> bool | None:
    script = context.migration_context.script
    return bool(script.get_heads()) if script is not None else None


def _default_schema(context: AutogenContext) -> str:
    """Where tables without a schema are. An env.py that sets the search_path says it to Alembic by this attribute
    (Alembic's cookbook, "Rudimental Schema-Level Multi Tenancy"), and otherwise it is what the server said.
    """
    return str(getattr(context.dialect, "default_schema_name", None) or DEFAULT_SCHEMA)


def _converges(context: AutogenContext, finding: Finding, default_schema: str) -> bool:
    """False for an index whose name the user's include_name hides: every revision would create it again."""
    remedy = finding.remedy
    if not isinstance(remedy, CreateIndex):
        return True
    schema = None if remedy.table.schema == default_schema else remedy.table.schema
    qualified = remedy.table.name if schema is None else f"{schema}.{remedy.table.name}"
    parents: dict[Any, Any] = {
        "schema_name": schema,
        "table_name": remedy.table.name,
        "schema_qualified_table_name": qualified,
    }
    return context.run_name_filters(index_name(remedy), "index", parents)


def _replace_metadata(context: AutogenContext, target: Target) -> None:
    context.metadata = target.metadata
    # Both are memoized by Alembic, and made of the MetaData that was there before.
    context.__dict__.pop("sorted_tables", None)
    context.__dict__.pop("table_key_to_table", None)
    _stand_ins(target.copy, target)
    users = [_with_originals(object_filter, target.copy) for object_filter in context._object_filters]
    context._object_filters = [*users, is_permanent_table]


def _stand_ins(copy: Copy, target: Target) -> None:
    """For an index that a pattern added, give the user's filters a copy on the application's own table."""
    for applied in target.applied:
        for item in applied.objects:
            if isinstance(item, Index):
                like = Index(item.name, *map(text, map(str, item.expressions)), unique=item.unique)
                like.table = copy.original(item.table)
                copy.originals[id(item)] = like


def _with_originals(users: Callable[..., bool], copy: Copy) -> Callable[..., bool]:
    """Wrap the user's include_object: it gets the application's own objects, which it may compare by identity."""

    def include(item: Any, name: Any, type_: Any, reflected: bool, compare_to: Any) -> bool:
        return users(copy.original(item), name, type_, reflected, copy.original(compare_to))

    return include
