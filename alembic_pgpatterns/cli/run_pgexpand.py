"""What ``alembic pgexpand`` does: walk back from the head over the contract revisions."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from alembic_pgpatterns.cli.exit_codes import say_error
from alembic_pgpatterns.cli.flags import flags
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.project import Project, with_true_history
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.safe_text import inert
from alembic_pgpatterns.revisions.contract import is_contract


def run(config: Any, options: argparse.Namespace) -> int:
    """Print the identifier, and return the exit code.

    Raises:
        PgPatternsError: there is no such revision, or not one only.
    """
    settings = settings_of(config, flags(options))
    with Project(config, settings) as project:
        revision = with_true_history(lambda: last_expand(project.revisions, _heads(project, options.branch)))
        merged = merged_contracts(project.revisions, revision)
    if merged:
        say_error(
            f"pgpatterns: {revision} merges the contract revision {' and '.join(merged)}, which so runs before the new "
            "code is deployed, unless it has run already. `alembic pgrebase` would put one branch behind the other."
        )
    config.print_stdout("%s", inert(revision))
    return 0


def _heads(project: Project, branch: str | None) -> tuple[str, ...]:
    """The heads of a branch; all without one.

    Raises:
        PgPatternsError: no head has the label.
    """
    if branch is None:
        return project.heads
    labelled = {item.revision for item in project.revisions if branch in item.labels}
    heads = tuple(head for head in project.heads if head in labelled)
    if not heads:
        raise PgPatternsError(f"No head of the history has the label {branch!r}.")
    return heads


def merged_contracts(revisions: tuple[Revision, ...], name: str) -> list[str]:
    """The contract revisions that a merge revision comes directly after; none if it merges nothing.

    Args:
        revisions: all.
        name: the identifier of the merge.
    """
    by_name = {item.revision: item for item in revisions}
    parents = by_name[name].down_revisions
    return [parent for parent in parents if len(parents) > 1 and is_contract(by_name[parent].path)]


def _way(by_name: Mapping[str, Revision], heads: tuple[str, ...]) -> str:
    """What to do about several heads: branches that have labels are meant to stay apart."""
    labels = [sorted(by_name[head].labels) for head in heads]
    if not all(labels):
        return "`alembic pgrebase` makes one."
    return f"Name a branch: {', '.join(f'`alembic pgexpand {names[0]}`' for names in labels)}."


def last_expand(revisions: tuple[Revision, ...], heads: tuple[str, ...]) -> str:
    """The last revision before the contract revisions at the end of the history.

    Args:
        revisions: all, each after its parents.
        heads: the identifiers of those without a child.

    Raises:
        PgPatternsError: no revision, several heads, only contract revisions, or a contract revision that merges.
    """
    if not heads:
        raise PgPatternsError("The history has no revision.")
    by_name = {item.revision: item for item in revisions}
    if len(heads) > 1:
        raise PgPatternsError(f"The history has {len(heads)} heads: {', '.join(heads)}. {_way(by_name, heads)}")
    revision = by_name[heads[0]]
    while is_contract(revision.path):
        if not revision.down_revisions:
            raise PgPatternsError("Every revision is a contract revision, so there is none before them.")
        if len(revision.down_revisions) > 1:
            raise PgPatternsError(f"{revision.path} is a contract revision and merges branches: write two revisions.")
        revision = by_name[revision.down_revisions[0]]
    return revision.revision
