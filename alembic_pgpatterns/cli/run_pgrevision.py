"""What ``alembic pgrevision`` and the post-write hook do: write, and try out what was written."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alembic_pgpatterns.checks.dry_run import dry_run
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.report.dry_run import lines_of
from alembic_pgpatterns.report.progress import progress_on
from alembic_pgpatterns.runner.project import Project, relative
from alembic_pgpatterns.runner.run_env import explained, run_to_heads
from alembic_pgpatterns.server.protocol import Server

DRY_RUN = "pgpatterns_dry_run"
"""In a Config's attributes: the files are tried out by the command, so the hook has nothing to do."""


def write(config: Any, options: argparse.Namespace, given: Mapping[str, Any]) -> None:
    """Bring a server to head, write the revision there, and run it up, down and up again.

    Raises:
        PgPatternsError: it could not be written, or does not run; the file then stays, and the message says so.
    """
    project = Project(config)
    settings = settings_of(config, _flags(options))
    _refuse(settings)
    names = [script.revision for script in project.revisions]
    with progress_on(sys.stderr) as progress, Run(project, settings, progress).at(names, watched=True) as server:
        _to_heads(project, progress)
        progress.say("comparing the models")
        files = _written(config, project, given)
        _try_out(config, files, settings, server, progress)


def _flags(options: argparse.Namespace) -> dict[str, object]:
    prepare = getattr(options, "prepare", None)
    return {
        "server": getattr(options, "server", None) or os.environ.get("PGPATTERNS_SERVER"),
        "prepare": Path(prepare).absolute() if prepare else None,
    }


def _refuse(settings: Settings) -> None:
    if settings.create_all:
        raise PgPatternsError(
            "create_all builds the database from the models, so that there would be nothing left to compare. "
            "Give the history a start by `prepare`, or use `alembic revision --autogenerate` with a database."
        )
    if settings.upgrade_command is not None:
        raise PgPatternsError(
            "pgrevision needs an env.py that runs under `alembic`; this project's settings have an upgrade_command "
            "in its place. Use the project's own way to autogenerate, with a database at head."
        )


def _to_heads(project: Project, progress: Progress) -> None:
    if project.revisions:
        progress.say("running the revisions")
        run_to_heads(project)


def _written(config: Any, project: Project, given: Mapping[str, Any]) -> list[Any]:
    """The scripts that ``alembic revision --autogenerate`` wrote.

    Raises:
        PgPatternsError: what Alembic or env.py raised, with file and line.
    """
    from alembic import command
    from alembic.util import CommandError

    config.attributes[DRY_RUN] = True
    before = _files(project)
    try:
        written = command.revision(config, autogenerate=True, **given)
    except Exception as error:
        said = str(error) if isinstance(error, CommandError) else explained(error, project)
        new = sorted(_files(project) - before)
        raise PgPatternsError(f"{said}\n{_kept(new)}" if new else str(said)) from error
    finally:
        del config.attributes[DRY_RUN]
    return [script for script in (written if isinstance(written, list) else [written]) if script is not None]


def _files(project: Project) -> set[str]:
    folders = map(Path, project.script._version_locations)
    return {relative(str(path.absolute())) for folder in folders for path in folder.rglob("*.py")}


def _try_out(config: Any, scripts: Sequence[Any], settings: Settings, server: Server, progress: Progress) -> None:
    names = [relative(str(Path(script.path).absolute())) for script in scripts]
    identifiers = [script.revision for script in scripts]
    try:
        outcome = dry_run(Project(config), identifiers, settings, server, progress, watched=True)
    except PgPatternsError as error:
        raise PgPatternsError(f"{error}\n{_kept(names)}") from error
    for line in lines_of(outcome, names, server):
        config.print_stdout("%s", line)


def _kept(names: Sequence[str]) -> str:
    what = "The file stays" if len(names) == 1 else "The files stay"
    return f"{what}, for you to correct or to delete: {', '.join(names)}"


def try_out_file(config: Any, path: str, identifiers: Sequence[str]) -> None:
    """Bring a server of its own to the parent of new revisions, and run them up, down and up again.

    Args:
        config: Alembic's.
        path: of the file that was written last.
        identifiers: the revisions of the run, in order; empty: the one in the file.

    Raises:
        PgPatternsError: it does not run, or its downgrade does not; the file stays.
    """
    project = Project(config)
    settings = settings_of(config, _flags(argparse.Namespace()))
    by_path = {str(Path(script.path).absolute()): script for script in project.revisions}
    own = by_path.get(str(Path(path).absolute()))
    if own is None:
        raise PgPatternsError(f"{path} is not in the history that {project.script.dir} holds.")
    known = {script.revision: script for script in project.revisions}
    scripts = [known[identifier] for identifier in identifiers if identifier in known] or [own]
    before = project.ancestors([scripts[0].revision]) - {scripts[0].revision}
    with progress_on(sys.stderr) as progress, Run(project, settings, progress).at(before, watched=True) as server:
        _try_out(config, scripts, settings, server, progress)
