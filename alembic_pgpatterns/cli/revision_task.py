"""The part of ``alembic pgrevision`` in the project's process: write a revision, and compare again after it."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.processes.channel import Parent
from alembic_pgpatterns.revisions.contract import PHASES
from alembic_pgpatterns.runner.messages import Route
from alembic_pgpatterns.runner.script_directory import ProjectScripts
from alembic_pgpatterns.runner.task import redirected

if TYPE_CHECKING:
    from alembic.autogenerate.api import RevisionContext
    from alembic.operations import ops
    from alembic.runtime.migration import MigrationContext

DRY_RUN = "pgpatterns_dry_run"
"""In a Config's attributes: the command runs the files itself, so the hook must not."""


def write_revision(
    arguments: Mapping[str, Any], scripts: ProjectScripts, parent: Parent, route: Route, *, phases: bool
) -> tuple[list[tuple[str, str]], str]:
    """Do what ``alembic revision --autogenerate`` does, but write no file for a revision without a change.

    Args:
        arguments: the flags of ``alembic revision``.
        scripts: the project's.
        parent: who asked.
        route: where the project's connections lead.
        phases: apart from the rest, what old code cannot live with.

    Returns:
        Identifier and path of each file, and what was printed.

    Raises:
        PgPatternsError: Alembic refused, or autogenerate knows nothing of phases.
    """
    scripts.config.attributes[PHASES] = phases
    with _as_revision(scripts.config, parent, route) as output:
        compared, _ = _compare(scripts.config, arguments)
        # With several heads Alembic fails when it writes, which is right, with or without a change.
        if len(compared.script_directory.get_heads()) < 2:
            compared.generated_revisions[:] = _with_changes(compared.generated_revisions)
        if phases:
            _demand_rewritten(compared.generated_revisions)
        written = [script for script in compared.generate_scripts() if script is not None]
    return [(str(script.revision), str(script.path)) for script in written], output.getvalue()


def _demand_rewritten(scripts: Sequence[ops.MigrationScript]) -> None:
    """Raise PgPatternsError if env.py does not use the rewriter, which alone puts changes into phases."""
    from alembic_pgpatterns.autogenerate.rewrite.revision_chain import RewrittenUpgradeOps
    from alembic_pgpatterns.controller.bring_to_head import OPT_IN

    written = [upgrade for script in scripts for upgrade in script.upgrade_ops_list]
    if any(upgrade.ops and not isinstance(upgrade, RewrittenUpgradeOps) for upgrade in written):
        raise PgPatternsError(
            "phases: env.py does not name the plugin, so autogenerate cannot write them. Add to context.configure(), "
            f"with `from importlib.util import find_spec` above:\n    {OPT_IN}"
        )


def next_operations(arguments: Mapping[str, Any], scripts: ProjectScripts, parent: Parent, route: Route) -> list[str]:
    """The code that the next autogenerate would write, in lines; nothing is written.

    Args:
        arguments: the flags of ``alembic revision``.
        scripts: the project's.
        parent: who asked.
        route: where the project's connections lead.

    Raises:
        PgPatternsError: Alembic refused.
    """
    with _as_revision(scripts.config, parent, route):
        compared, contexts = _compare(scripts.config, arguments)
        changed = filter(_has_changes, compared.generated_revisions)
        bodies = [body for script in changed for body in zip(script.upgrade_ops_list, contexts, strict=False)]
        return [line for upgrade, context in bodies for line in _code(upgrade, context)]


@contextlib.contextmanager
def _as_revision(config: Any, parent: Parent, route: Route) -> Iterator[io.StringIO]:
    """Let env.py see what it sees under ``alembic revision --autogenerate``. Output goes to the result."""
    from alembic import command
    from alembic.util import CommandError

    output = io.StringIO()
    config.attributes[DRY_RUN] = True
    config.stdout = output
    options = config.cmd_opts or argparse.Namespace()
    options.autogenerate, options.cmd = True, (command.revision, [], [])
    config.cmd_opts = options
    try:
        with redirected(config, parent, route), contextlib.redirect_stdout(output):
            yield output
    except CommandError as error:
        raise PgPatternsError(str(error)) from error


def _compare(config: Any, arguments: Mapping[str, Any]) -> tuple[RevisionContext, list[MigrationContext]]:
    """The first half of ``alembic.command.revision`` (1.20), and the context of each database of env.py."""
    from alembic.autogenerate.api import RevisionContext
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    directory = ScriptDirectory.from_config(config)
    # Not command.revision itself: it writes every file before it returns, so none could be left out.
    compared = RevisionContext(config, directory, {**arguments, "autogenerate": True, "sql": False})
    contexts: list[MigrationContext] = []

    def compare(rev: Any, context: MigrationContext) -> list[Any]:
        contexts.append(context)
        if not compared.generated_revisions:  # a hook of the user emptied it when an earlier database had no change
            compared.generated_revisions.append(compared._default_revision())
        compared.run_autogenerate(rev, context)
        return []

    environment = {"template_args": compared.template_args, "revision_context": compared}
    with EnvironmentContext(config, directory, fn=compare, as_sql=False, **environment):
        directory.run_env()
    if not contexts:
        raise PgPatternsError("env.py ended without calling context.run_migrations(), so no models were compared.")
    return compared, contexts


def _with_changes(scripts: Sequence[ops.MigrationScript]) -> list[ops.MigrationScript]:
    """The revisions to write: a chain whole or not at all, since each file of it names the one before.

    A file of a chain may hold nothing but what a person has to write there.
    """
    changed = {id(_first(script)) for script in scripts if _has_changes(script)}
    return [script for script in scripts if id(_first(script)) in changed]


def _first(script: ops.MigrationScript) -> ops.MigrationScript:
    from alembic_pgpatterns.autogenerate.rewrite.revision_chain import FollowUp

    return _first(script.previous) if isinstance(script, FollowUp) else script


def _has_changes(script: ops.MigrationScript) -> bool:
    return any(next(_changes(upgrade), None) is not None for upgrade in script.upgrade_ops_list)


def _changes(container: ops.OpContainer) -> Iterator[ops.MigrateOperation]:
    """All operations except containers. A comment of this package is an empty container."""
    for operation in container.ops:
        inner = getattr(operation, "ops", None)
        yield from (operation,) if inner is None else _changes(operation)  # type: ignore[arg-type]


def _code(upgrade: ops.UpgradeOps, context: MigrationContext) -> Iterator[str]:
    from alembic.autogenerate.api import AutogenContext
    from alembic.autogenerate.render import render_op

    rendering = AutogenContext(context, autogenerate=False)
    rendering.imports = set()
    code = [text for operation in upgrade.ops for text in render_op(rendering, operation)]
    yield from (line for text in code for line in text.splitlines() if line and not line.lstrip().startswith("#"))
