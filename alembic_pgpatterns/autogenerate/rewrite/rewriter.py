"""Make a revision's ops safe for tables in use, in as many files as needed.

`rewriter` is an Alembic ``Rewriter``. It works alone as ``process_revision_directives`` or chained with others, and
the plugin runs it after the user's own hook. It rewrites a script only once, however often it is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from alembic.autogenerate.rewriter import Rewriter
from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite import revision_chain as chain
from alembic_pgpatterns.autogenerate.rewrite.alembic_bugs import repaired
from alembic_pgpatterns.autogenerate.rewrite.changes import Change, flatten, paired
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts, RewriteSettings, read_facts
from alembic_pgpatterns.autogenerate.rewrite.freed_names import with_names_freed_first
from alembic_pgpatterns.autogenerate.rewrite.function_body import body, in_batches, released
from alembic_pgpatterns.autogenerate.rewrite.hidden_rows import refuse_hidden_rows
from alembic_pgpatterns.autogenerate.rewrite.named_types import with_enum_types
from alembic_pgpatterns.autogenerate.rewrite.new_code import with_room_for_new_code
from alembic_pgpatterns.autogenerate.rewrite.phases import asks, in_phases, losing_last, mark
from alembic_pgpatterns.autogenerate.rewrite.planner import plan_all
from alembic_pgpatterns.autogenerate.rewrite.refused_types import refuse_refused_types
from alembic_pgpatterns.autogenerate.rewrite.render_fixes import fix_expressions
from alembic_pgpatterns.autogenerate.rewrite.rendering import notes_of, todos_of
from alembic_pgpatterns.autogenerate.rewrite.replaced_index import with_indexes_replaced
from alembic_pgpatterns.autogenerate.rewrite.split_and_join import with_inline_references, with_split_alters
from alembic_pgpatterns.autogenerate.rewrite.swap_order import with_swaps_placed
from alembic_pgpatterns.autogenerate.rewrite.swap_redefined import (
    Place,
    not_in_stages,
    with_new_types,
    with_objects_in_stages,
)
from alembic_pgpatterns.autogenerate.rewrite.times_in_utc import with_times_in_utc
from alembic_pgpatterns.autogenerate.rewrite.views import with_views_apart
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.output.safe_text import code
from alembic_pgpatterns.revisions.contract import PHASES

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.runtime.migration import MigrationContext

HOOK = "process_revision_directives"
SHOWN = 20
"""Number of changes that get their own line on the console."""


@dataclass(frozen=True, slots=True)
class File:
    """The two bodies of one revision file. ``contract``: it waits until no old code runs."""

    upgrade: tuple[ops.MigrateOperation, ...]
    downgrade: tuple[ops.MigrateOperation, ...]
    contract: bool = False


def rewrite(
    upgrade: Sequence[ops.MigrateOperation],
    downgrade: Sequence[ops.MigrateOperation],
    facts: Facts,
    split: str = "auto",
    batch: bool = False,
) -> list[File]:
    """Return the files that a revision becomes. It depends only on its arguments.

    Args:
        upgrade: the ops from autogenerate, maybe changed by a hook.
        downgrade: the ops that undo them.
        facts: the facts of the database and the run.
        split: ``auto``, ``never`` or ``always``.
        batch: group unchanged ops for ``render_as_batch``.
    """
    changes = with_times_in_utc(repaired(paired(upgrade, downgrade), facts), facts)
    changes = with_names_freed_first(with_split_alters(with_enum_types(changes, facts)), facts)
    changes, facts = _ordered(changes, with_new_types(changes, facts), split)
    changes = with_indexes_replaced(changes, facts)
    grouped = in_batches if batch else tuple
    if facts.settings.phases:
        changes = with_room_for_new_code(changes, facts)
    planned = plan_all(changes, facts)
    if facts.settings.phases:
        planned = in_phases(planned, facts)
    elif asks(planned):
        planned = losing_last(planned, facts)
    parts = chain.parts(planned, facts, split)
    first = refuse_hidden_rows((step for part in parts for step in part.up), facts)
    last = refuse_hidden_rows((step for part in parts for step in part.down), facts, quiet=bool(first))
    refusing = refuse_refused_types([(part.up, part.contract) for part in parts], changes, facts)
    return [
        _file(part, parts, facts, grouped, ((*first, *up) if i == 0 else up, last))
        for i, (part, up) in enumerate(zip(parts, refusing, strict=True))
    ]


def _ordered(
    changes: list[Change], facts: Facts, split: str, alone: frozenset[Place] = frozenset()
) -> tuple[list[Change], Facts]:
    """Return the changes with those of types in their places, and the facts about these.

    Only in their places they show whether they can be made in stages. A column that cannot keeps the changes of its
    indexes and CHECKs.

    Args:
        changes: the changes in autogenerate's order.
        facts: the facts of the run.
        split: see `rewrite`.
        alone: columns that cannot.
    """
    placed, all_facts = with_objects_in_stages(changes, facts, alone)
    placed = with_views_apart(placed, all_facts)
    if split != "never":
        placed = with_inline_references(placed, all_facts)
    placed, all_facts = with_swaps_placed(placed, all_facts)
    failed = not_in_stages(placed, all_facts)
    return _ordered(changes, facts, split, alone | failed) if failed else (placed, all_facts)


def _file(part: chain.Part, parts: Sequence[chain.Part], facts: Facts, grouped: Any, refusing: tuple[Any, Any]) -> File:
    """Write one of the parts. `refusing` comes before all that its upgrade, and the first downgrade, does."""
    before_up = refusing[0]
    before_down = refusing[1] if part is parts[-1] else ()
    down = body(part.down, facts)
    before_up = (*before_up, *(op for step in part.up for op in step.up.first))
    before_down = (*before_down, *(op for step in part.down for op in step.up.first))
    return File(
        (*((mark(),) if part.contract else ()), *before_up, *grouped(body(part.up, facts))),
        (*before_down, *grouped(released(down, part.down, facts) if len(parts) > 1 else down)),
        part.contract,
    )


class SafeRewriter(Rewriter):
    """The rewriter as Alembic's ``Rewriter``: `chain` it, or chain others to it."""

    def process_revision_directives(
        self, context: MigrationContext, revision: Any, directives: list[ops.MigrationScript]
    ) -> None:
        """Rewrite the scripts, and add the files that follow them."""
        if context.dialect.name != "postgresql":
            return
        for script in list(directives):
            if (upgrade := script.upgrade_ops_list[-1]) and not isinstance(upgrade, chain.RewrittenUpgradeOps):
                _take(context, script, directives)


rewriter = SafeRewriter()
"""For ``process_revision_directives`` in env.py. Not needed if autogenerate_plugins names the plugin."""


def _take(context: MigrationContext, script: ops.MigrationScript, directives: list[ops.MigrationScript]) -> None:
    upgrade, downgrade = script.upgrade_ops_list[-1], script.downgrade_ops_list[-1]
    if not upgrade.ops:
        return
    fix_expressions(context.impl)
    settings = rewrite_settings(context)
    facts = read_facts(context, settings, **_tables(upgrade.ops, context))
    split = settings.split
    reason = chain.why_not(context.script, upgrade.upgrade_token, len(directives) > 1)
    files = rewrite(upgrade.ops, downgrade.ops, facts, split, bool(context.opts.get("render_as_batch")))
    if len(files) > 1 and reason is not None:
        say(context, f"pgpatterns: {_in_one(settings)}: {reason}.")
        facts = replace(facts, settings=replace(settings, phases=False))
        files = rewrite(upgrade.ops, downgrade.ops, facts, "never", bool(context.opts.get("render_as_batch")))
    if not files:
        return
    original_ops = list(upgrade.ops)
    script.upgrade_ops_list[-1] = chain.RewrittenUpgradeOps(files[0].upgrade, upgrade.upgrade_token, original_ops)
    script.downgrade_ops_list[-1] = ops.DowngradeOps(files[0].downgrade, downgrade.downgrade_token)
    directives[directives.index(script) + 1 : directives.index(script) + 1] = _follow_ups(
        context, script, files, original_ops
    )
    notes = [note for file in files for note in notes_of(file.upgrade)]
    # Warnings first: what is left out beyond the limit must not be one.
    lines = tuple(dict.fromkeys(note.line for note in sorted(notes, key=lambda note: not note.warns)))
    for line in lines[:SHOWN]:
        say(context, line)
    if len(lines) > SHOWN:
        say(context, f"pgpatterns: {len(lines) - SHOWN} more changes are explained in the revision.")
    for number, file in enumerate(files, 1):
        part = f"part {number}: " if len(files) > 1 else ""
        for todo in todos_of(file.upgrade):
            say(context, f"pgpatterns: left for you: {part}{todo}")
    _say_contract(context, files)


def _say_contract(context: MigrationContext, files: Sequence[File]) -> None:
    waiting = [number for number, file in enumerate(files, 1) if file.contract]
    if not waiting:
        return
    parts = f"part {waiting[0]}" if len(waiting) == 1 else f"parts {waiting[0]} to {waiting[-1]}"
    subject = "this revision" if len(files) == 1 else parts
    say(
        context,
        f"pgpatterns: contract: run {subject} when no process runs the code of the release before. "
        'Until then: alembic upgrade "$(alembic pgexpand)"',
    )


def _in_one(settings: RewriteSettings) -> str:
    if settings.phases:
        return "expand and contract are written as one file, which cannot run again after a failure half-way"
    return "written as one file, which cannot run again after a failure half-way"


def _follow_ups(
    context: MigrationContext,
    script: ops.MigrationScript,
    files: Sequence[File],
    original_ops: Sequence[ops.MigrateOperation],
) -> list[ops.MigrationScript]:
    if len(files) == 1:
        return []
    existing = (
        frozenset(revision.revision for revision in context.script.walk_revisions()) if context.script else frozenset()
    )
    scripts = [script]
    for number, file in enumerate(files[1:], 2):
        upgrade = chain.RewrittenUpgradeOps(file.upgrade, script.upgrade_ops_list[-1].upgrade_token, original_ops)
        downgrade = ops.DowngradeOps(file.downgrade, script.downgrade_ops_list[-1].downgrade_token)
        # The number comes first: Alembic cuts the end of a long slug, and two files would get the same name.
        message = f"part {number} of {script.message}" if script.message else f"part {number}"
        scripts.append(chain.FollowUp(scripts[-1], upgrade, downgrade, message, existing))
    return scripts[1:]


def _tables(operations: Sequence[ops.MigrateOperation], context: MigrationContext) -> dict[str, Any]:
    default = str(context.dialect.default_schema_name or "public")
    changes = [change.up for change in flatten(operations)]

    def keys(kind: type[Any]) -> frozenset[tuple[str, str]]:
        return frozenset((str(op.schema or default), str(op.table_name)) for op in changes if isinstance(op, kind))

    return {"created": keys(ops.CreateTableOp), "dropped": keys(ops.DropTableOp)}


def rewrite_settings(context: MigrationContext) -> RewriteSettings:
    """Read the project's settings from the files of Alembic's own configuration.

    Raises:
        SettingsError: a setting is not valid.
    """
    config = context.config
    if config is None:
        return RewriteSettings()
    settings = settings_of(config)
    return RewriteSettings(
        settings.split,  # type: ignore[arg-type]
        settings.lock_timeout,
        settings.target_version,
        settings.directives,
        bool(config.attributes.get(PHASES, settings.phases)),
    )


def say(context: MigrationContext, line: str) -> None:
    """Print a line on the console, unless `alembic check` or ``-q`` runs."""
    if context.config is not None and not _is_check(context):
        context.config.print_stdout("%s", code(line))


def _is_empty(script: ops.MigrationScript) -> bool:
    return all(upgrade.is_empty() for upgrade in script.upgrade_ops_list)


def _is_check(context: MigrationContext) -> bool:
    command = getattr(getattr(context.config, "cmd_opts", None), "cmd", None)
    return command is not None and command[0].__name__ == "check"


def compare(autogen_context: AutogenContext, upgrade_ops: ops.UpgradeOps) -> None:
    """Run the rewriter after the user's own hook, which Alembic calls after the comparators."""
    options = autogen_context.migration_context.opts
    users = options.get(HOOK)
    if getattr(users, "ends_with_rewriter", False):
        return

    def then_rewrite(context: MigrationContext, revision: Any, directives: list[ops.MigrationScript]) -> None:
        scripts = list(directives)
        if users is not None:
            users(context, revision, directives)
        if not directives and _is_check(context) and all(_is_empty(script) for script in scripts):
            # `alembic check` takes the last script, and fails if a hook left none because there is nothing to do.
            directives[:] = scripts
        rewriter.process_revision_directives(context, revision, directives)

    then_rewrite.ends_with_rewriter = True  # type: ignore[attr-defined]
    options[HOOK] = then_rewrite
