"""Choose the revisions to trace and check: those after the ones that the project has accepted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.controller.git import common_ancestor, git
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.findings.baseline import Baseline

BASE = "base"


@dataclass(frozen=True)
class Scope:
    """The revisions to trace, in order.

    ``reason``: why they are not all revisions, though nobody asked for fewer. ``known_new``: whether a baseline or a
    flag says that these are the new ones. Others ran in production long ago, for all that is known.
    """

    revisions: tuple[Revision, ...]
    reason: str | None = None
    known_new: bool = True


def scope_of(project: Project, settings: Settings, baseline: Baseline | None) -> Scope:
    """The revisions after the baseline's heads, or those of ``--since`` and ``--diff-base``.

    Raises:
        SettingsError: no such revision, or git does not know the reference.
        PgPatternsError: there is no git.
    """
    revisions = project.revisions
    if settings.diff_base is not None:
        added = _added(settings.diff_base, Path(project.script.folder))
        return Scope(tuple(script for script in revisions if Path(script.path).resolve() in added))
    if settings.since == BASE:
        return Scope(revisions, known_new=False)
    if settings.since is not None:
        return Scope(_after(project, (named_revision(project, settings.since, "--since").revision,)))
    if baseline is not None and baseline.heads:
        return Scope(_after(project, baseline.heads))
    last = revisions[-settings.history :] if settings.history else ()
    if len(last) == len(revisions):
        return Scope(revisions, known_new=False)
    return Scope(
        last,
        f"{len(revisions) - len(last)} of {len(revisions)} were not judged one by one, since no baseline says which "
        "are old: --since base judges all, --since REVISION those after one, --write-baseline accepts what there is",
        known_new=False,
    )


def _after(project: Project, heads: tuple[str, ...]) -> tuple[Revision, ...]:
    old = project.ancestors(heads)
    return tuple(script for script in project.revisions if script.revision not in old)


def named_revision(project: Project, identifier: str, flag: str) -> Revision:
    """The revision that a flag names, by its identifier, the start of it, or what else Alembic takes.

    Args:
        project: the project.
        identifier: as the user wrote it.
        flag: the flag, for messages.

    Raises:
        SettingsError: nothing or more than one fits.
    """
    from alembic.script.revision import RevisionError
    from alembic.util import CommandError

    try:
        # Alembic's own function fails with an AssertionError for an empty text.
        revision = project.history.find(identifier) if identifier else None
    except (CommandError, RevisionError) as error:
        raise SettingsError(f"{flag}: {error}") from error
    if revision is None:
        raise SettingsError(f"{flag}: no revision {identifier!r} in {project.script.folder}.")
    return revision


def _added(reference: str, folder: Path) -> set[Path]:
    """Files in the working tree that neither the reference nor the common ancestor with it has.

    While a merge of the reference is not committed, the working tree has its files, and HEAD does not know them yet.
    """
    root = Path(git(folder, "--diff-base", "rev-parse", "--show-toplevel").strip())
    ancestor = common_ancestor(folder, "--diff-base", reference)
    # -z: otherwise git puts names with special characters in quotes.
    # A submodule has settings of its own, and the programs that they name would run (its filters).
    only = ("--ignore-submodules=all", "--no-renames", "--diff-filter=A")
    names = git(root, "--diff-base", "diff", "--name-only", "-z", *only, ancestor).split("\0")
    names += git(root, "--diff-base", "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    present = git(root, "--diff-base", "ls-tree", "-r", "-z", "--name-only", "--full-tree", reference, "--").split("\0")
    return {(root / name).resolve() for name in {*names} - {*present, ""}}
