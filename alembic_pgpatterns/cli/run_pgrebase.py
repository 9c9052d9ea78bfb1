"""What ``alembic pgrebase`` does: choose the branch, prove the new order, change ``down_revision``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic_pgpatterns.checks.named import demand_files, demand_references, demand_server
from alembic_pgpatterns.checks.needs import with_needs
from alembic_pgpatterns.checks.rebase import Rebase, RebaseProof, plan_rebase, prove_rebase
from alembic_pgpatterns.cli.at_heads import say_found
from alembic_pgpatterns.cli.flags import flags
from alembic_pgpatterns.cli.stdout import standard_output
from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.project import Project, with_true_history
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.controller.selection import named_revision, scope_of
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fix.down_revision import with_down_revision
from alembic_pgpatterns.fix.workspace import Change, workspace
from alembic_pgpatterns.output.files import read_regular
from alembic_pgpatterns.output.safe_text import inert
from alembic_pgpatterns.report.dry_run import lines_of
from alembic_pgpatterns.report.progress import progress_on
from alembic_pgpatterns.runner.paths import relative


def run(config: Any, options: argparse.Namespace) -> int:
    """Rebase, and return the exit code.

    Raises:
        SettingsError: it is not clear which branch moves.
        PgPatternsError: the new order gives another schema. No file was changed.
    """
    settings = settings_of(config, flags(options))
    with Project(config, settings) as project:
        lines = with_true_history(lambda: list(_rebased(project, settings, options)))
    with standard_output(config.stdout) as out:
        out.writelines(f"{inert(line)}\n" for line in lines)
    return 0


def _rebased(project: Project, settings: Settings, options: argparse.Namespace) -> Iterator[str]:
    demand_files(settings)
    demand_references(project, settings)
    for name, flag in ((options.revision, "REV"), (options.onto, "--onto")):
        if name is not None:
            named_revision(project, name, flag)
    if len(project.heads) < 2:
        demand_server(settings)
        yield f"Nothing to do: the history has {'one head' if project.heads else 'no revision'}."
        return
    head, onto = _chosen(project, settings, options)
    rebase = plan_rebase(project.history, head, onto)
    with workspace(project.config, project, head.revision) as work:
        with progress_on(sys.stderr) as progress:
            _, proof = with_needs(
                project,
                settings,
                progress,
                lambda settings: prove_rebase(Run(project, settings, progress), rebase, downgrade=settings.downgrade),
            )
        say_found(project)
        _must_be_equal(proof, rebase)
        for item in rebase.first:
            path = Path(item.path)
            data = read_regular(path)
            work.changes[path] = Change(data, with_down_revision(path, data, onto.revision))
        if not options.dry_run:
            work.commit()
    yield from _lines(rebase, proof, dry_run=options.dry_run)


def _chosen(project: Project, settings: Settings, options: argparse.Namespace) -> tuple[Revision, Revision]:
    """The head that moves, and the head it will follow."""
    heads = {name: _head(project, name) for name in project.heads}
    if options.revision is not None:
        moving = named_revision(project, options.revision, "REV")
    elif settings.diff_base is not None:
        moving = _new_since(project, settings, list(heads.values()))
    else:
        raise SettingsError(f"say which branch moves: --diff-base main, or one of the heads: {_listed(heads.values())}")
    if moving.revision not in heads:
        raise SettingsError(f"{moving.revision} is no head; the heads are {_listed(heads.values())}")
    others = [item for name, item in heads.items() if name != moving.revision]
    if options.onto is not None:
        onto = named_revision(project, options.onto, "--onto")
        others = [item for item in others if item == onto]
    if len(others) != 1:
        raise SettingsError(f"say behind which head: --onto REV, one of {_listed(heads.values())} that does not move")
    return moving, others[0]


def _head(project: Project, name: str) -> Revision:
    item = project.history.find(name)
    assert item is not None
    return item


def _new_since(project: Project, settings: Settings, heads: list[Revision]) -> Revision:
    """The one head that the reference in git does not have."""
    added = {item.revision for item in scope_of(project, settings, None).revisions}
    new = [item for item in heads if item.revision in added]
    if len(new) != 1:
        problem = f"{_listed(new)} are new since" if new else "no head is new since"
        raise SettingsError(f"{problem} {settings.diff_base}: name the head that moves, one of {_listed(heads)}")
    return new[0]


def _listed(revisions: Any) -> str:
    return ", ".join(f"{item.revision} ({relative(item.path)})" for item in revisions)


def _must_be_equal(proof: RebaseProof, rebase: Rebase) -> None:
    if proof.different:
        raise PgPatternsError(
            f"No file was changed. With {rebase.head.revision} after {rebase.onto.revision} the schema is not the one "
            "that both branches give side by side:\n" + "\n".join(f"  {line}" for line in proof.different) + "\n"
            "Both change the same thing, so their order matters. Correct the revision that is to come last, or keep "
            f"both and merge: alembic merge {rebase.onto.revision} {rebase.head.revision}"
        )


def _lines(rebase: Rebase, proof: RebaseProof, *, dry_run: bool) -> Iterator[str]:
    yield from lines_of(proof.outcome, [relative(item.path) for item in rebase.moved], proof.server)
    yield f"The schema is the same as with both branches side by side; the head is {rebase.head.revision}."
    for item in rebase.first:
        where = f"{relative(item.path)}: {item.revision}"
        if dry_run:
            yield f"{where} can come after {rebase.onto.revision}; no file was changed (--dry-run)."
        else:
            yield f"{where} comes after {rebase.onto.revision} now."
    if not dry_run:
        if any(b"Revises: " in read_regular(Path(item.path)) for item in rebase.first):
            yield 'A docstring\'s "Revises:" still names the old parent. Alembic does not read it, so it stays.'
        yield from _advice(rebase)


def _advice(rebase: Rebase) -> Iterator[str]:
    """The row in alembic_version names the branch in its old place, so Alembic would think that the other ran, too."""
    yield (
        f"A database that has run {rebase.first[0].revision} already (yours, a colleague's): run there `alembic "
        f"upgrade heads` with the files as they were, then `alembic stamp --purge {rebase.head.revision}` with the "
        "new ones."
    )
