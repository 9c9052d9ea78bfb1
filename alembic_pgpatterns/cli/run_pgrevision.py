"""``alembic pgrevision`` and the post-write hook: write a revision, and run it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from alembic_pgpatterns.checks.dry_run import dry_run
from alembic_pgpatterns.checks.needs import with_needs
from alembic_pgpatterns.cli.at_heads import at_heads, demand_one_head, say_found
from alembic_pgpatterns.cli.exit_codes import FINDINGS
from alembic_pgpatterns.cli.flags import flags
from alembic_pgpatterns.cli.interpreter import demand_this_one
from alembic_pgpatterns.cli.revision_task import next_operations, write_revision
from alembic_pgpatterns.cli.stdout import standard_output
from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.controller.env_run import perform, run_env
from alembic_pgpatterns.controller.head_schema import RunAt
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.controller.selection import named_revision
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fix.workspace import Workspace, workspace
from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.output.safe_text import inert
from alembic_pgpatterns.rehearsal.options import Options, demand_rows
from alembic_pgpatterns.rehearsal.rehearse import rehearse
from alembic_pgpatterns.rehearsal.verdict import rehearsal_of
from alembic_pgpatterns.report import Output
from alembic_pgpatterns.report.dry_run import lines_of
from alembic_pgpatterns.report.progress import progress_on
from alembic_pgpatterns.report.project_pages import project_url
from alembic_pgpatterns.report.rehearsal import write as write_rehearsal
from alembic_pgpatterns.runner.messages import Steps
from alembic_pgpatterns.runner.paths import relative

NOTHING = "Nothing to do: the models and the head agree."
MARKS = ("pgpatterns: error: ", "pgpatterns: warning: ", "pgpatterns: info: ")
_SEVERITIES = ("error", "warning", "info")
"""Of the lines that start with `MARKS`, in the same order."""
_COUNTED = tuple(zip(MARKS, _SEVERITIES, strict=True))[:2]
"""What the last line counts."""
SUGGESTS = "pgpatterns: suggests "
MOST_LINES = 30
"""How many lines of the next autogenerate are shown."""


def write(config: Any, options: argparse.Namespace, arguments: Mapping[str, Any]) -> int:
    """Bring a server to head, write the revision there, and run it up, down and up again.

    Returns:
        The exit code: 1 if a line is at or above ``--fail-on``.

    Raises:
        PgPatternsError: it could not be written, or it fails. A file that fails stays, and the message says so.
    """
    settings = settings_of(config, flags(options))
    _refuse(settings, arguments)
    rows = getattr(options, "rehearse", None)
    if rows is not None:
        demand_rows(rows, "--rehearse")
    head, folder = str(arguments.get("head") or "head"), arguments.get("version_path")
    with Project(config, settings) as project, workspace(config, project, head, folder) as work:
        _demand_named(project, arguments)
        demand_one_head(project, head)
        with (
            progress_on(sys.stderr) as progress,
            at_heads(project, settings, progress, _to_heads, watched=True) as (at, _),
        ):
            progress.say("comparing the models")
            files, printed = _written(config, at, arguments, work)
            lines = _tried_out(config, at, files, arguments, work) if files else [NOTHING]
        work.commit()
    new_lines = _without_repetition(lines, printed)
    for line in (*new_lines, *_count([*printed, *new_lines])):
        config.print_stdout("%s", inert(line))
    if rows is not None and files:
        _rehearse(config, at.run.settings, [revision for revision, _ in files], rows)
    return _exit_code([*printed, *new_lines], getattr(options, "fail_on", None))


def _exit_code(lines: Iterable[str], fail_on: str | None) -> int:
    """1 if a line has a severity at or above ``fail_on``; None: no line fails."""
    failing = () if fail_on is None else MARKS[: _SEVERITIES.index(fail_on) + 1]
    return FINDINGS if any(line.startswith(failing) for line in lines) else 0


def _without_repetition(lines: Sequence[str], printed: Sequence[str]) -> list[str]:
    """The lines about findings that were not printed as suggestions already."""
    suggested = {line.removeprefix(SUGGESTS) for line in printed if line.startswith(SUGGESTS)}
    return [
        line for line in lines if not any(line.startswith(mark) and line[len(mark) :] in suggested for mark in MARKS)
    ]


def _rehearse(config: Any, settings: Settings, revisions: Sequence[str], rows: int) -> None:
    """Report how long new revisions make an application wait, on made-up rows.

    Args:
        config: Alembic's.
        settings: of the project.
        revisions: their identifiers.
        rows: of the largest table.
    """
    rehearsal_options = Options(rows=rows, revisions=tuple(revisions))
    with Project(config, settings) as project, progress_on(sys.stderr) as progress:
        result = rehearsal_of(rehearse(project, settings, rehearsal_options, progress), settings)
    with standard_output(config.stdout) as stream:
        write_rehearsal(result, Output("text"), stream, full=False)


def _refuse(settings: Settings, arguments: Mapping[str, Any]) -> None:
    demand_this_one("pgrevision", settings.python)
    if arguments.get("sql"):
        raise PgPatternsError("pgrevision compares a database with the models, so --sql does not make sense here.")
    if settings.create_all:
        raise PgPatternsError(
            "create_all builds the database from the models, so there would be no difference to write. "
            "Create the start of the history with `prepare`, or use `alembic revision --autogenerate` with a database."
        )
    if settings.upgrade_command is not None:
        raise PgPatternsError(
            "pgrevision needs an env.py that runs under `alembic`; this project's settings have an upgrade_command "
            "instead. Use the project's own way to autogenerate, with a database at head."
        )


def _demand_named(project: Project, arguments: Mapping[str, Any]) -> None:
    """Raise SettingsError unless ``--depends-on`` names revisions, and ``--version-path`` a folder of revisions."""
    for name in arguments.get("depends_on") or ():
        named_revision(project, name, "--depends-on")
    folder, locations = arguments.get("version_path"), project.script.version_locations
    if folder is not None and Path(folder).resolve() not in {Path(item).resolve() for item in locations}:
        raise SettingsError(f"--version-path: {folder} is not one of the version_locations, {', '.join(locations)}.")


def _to_heads(at: RunAt) -> None:
    if at.run.project.revisions:
        at.run.progress.say("running the revisions")
    run_env(at.run, Steps("heads"), at.databases)  # without a revision, too: what env.py lacks is found out so


def _count(lines: Sequence[str]) -> Iterator[str]:
    numbers = ((sum(line.startswith(mark) for line in lines), f"{severity}s") for mark, severity in _COUNTED)
    counts = [counted(number, plural) for number, plural in numbers if number]
    if counts:
        yield f"pgpatterns: {', '.join(counts)}."


def _written(
    config: Any, at: RunAt, arguments: Mapping[str, Any], work: Workspace
) -> tuple[list[tuple[str, str]], list[str]]:
    """Identifier and path of what ``alembic revision --autogenerate`` wrote into the workspace, and what it printed.

    Raises:
        PgPatternsError: Alembic or env.py failed; the message has file and line. No file is left.
    """
    arguments = {**arguments, "version_path": str(work.versions)}
    try:
        phases = at.run.settings.phases
        written, output = perform(at.run, at.databases, partial(write_revision, arguments, phases=phases))
    except PgPatternsError as error:
        raise PgPatternsError(work.in_final_words(str(error))) from error
    config.stdout.write(work.in_final_words(output))
    return list(written), output.splitlines()


def _tried_out(
    config: Any, at: RunAt, files: Sequence[tuple[str, str]], arguments: Mapping[str, Any], work: Workspace
) -> list[str]:
    """Lines about the dry run of the new files, and about what the next autogenerate would write.

    Raises:
        PgPatternsError: a file fails. The files are moved into place, for the user to correct, and the message says so.
    """
    names = [work.shown(Path(path)) for _, path in files]
    with Project(config, at.run.settings) as project:
        try:
            outcome = dry_run(at.of(project), [revision for revision, _ in files], watched=True)
        except PgPatternsError as error:
            work.commit()
            raise PgPatternsError(f"{work.in_final_words(str(error))}\n{_stays(names)}") from error
        at.run.progress.say("comparing the models again")
        lines = [*lines_of(outcome, names, at.run.server), *_next(at.of(project), arguments)]
    return [work.in_final_words(line) for line in lines]


def _next(at: RunAt, arguments: Mapping[str, Any]) -> Iterator[str]:
    """A warning with the operations of the next autogenerate, which should have none."""
    try:
        lines = perform(at.run, at.databases, partial(next_operations, arguments))
    except PgPatternsError as error:
        yield f"pgpatterns: warning: the next autogenerate could not be tried: {error}"
        return
    if lines:
        yield "pgpatterns: warning: the next autogenerate is not empty. It would write this again and again:"
        yield from (f"    {line}" for line in lines[:MOST_LINES])
        yield from (
            (f"    ... and {counted(len(lines) - MOST_LINES, 'more lines', 'more line')}",)
            if len(lines) > MOST_LINES
            else ()
        )
        yield (
            "  Correct the model, or leave the object out with include_object or include_name in env.py. "
            f"If the model is right, please report it: {project_url('Issues')}"
        )


def _try_out(config: Any, at: RunAt, files: Sequence[tuple[str, str]]) -> None:
    names = [relative(str(Path(path).absolute())) for _, path in files]
    with Project(config, at.run.settings, fresh=at.run.project.fresh) as project:
        try:
            outcome = dry_run(at.of(project), [revision for revision, _ in files], watched=True)
        except PgPatternsError as error:
            raise PgPatternsError(f"{error}\n{_stays(names)}") from error
    for line in lines_of(outcome, names, at.run.server):
        config.print_stdout("%s", inert(line))


def _stays(names: Sequence[str]) -> str:
    subject = "The file stays" if len(names) == 1 else "The files stay"
    return (
        f"{subject}, for you to correct or to delete: {', '.join(names)}\n"
        "alembic pgcheck runs what you corrected, up, down and up again."
    )


def try_out_file(config: Any, path: str, identifiers: Sequence[str]) -> None:
    """Upgrade a new server to the parent of new revisions, and run them up, down and up again.

    Args:
        config: Alembic's.
        path: of the file that was written last.
        identifiers: the revisions of the run, in order; empty: the one in the file.

    Raises:
        PgPatternsError: it fails, or its downgrade does. The file stays.
    """
    settings = settings_of(config, flags(argparse.Namespace()))
    # Alembic has run env.py in this process: a fresh process has nothing that the project imported and opened here.
    with Project(config, settings, fresh=True) as project:
        by_path = {item.path: item for item in project.revisions}
        of_file = by_path.get(str(Path(path).resolve()))
        if of_file is None:
            raise PgPatternsError(f"{path} is not in the history that {project.script.folder} holds.")
        by_identifier = {item.revision: item for item in project.revisions}
        new = [by_identifier[identifier] for identifier in identifiers if identifier in by_identifier] or [of_file]
        before = project.ancestors([new[0].revision]) - {new[0].revision}
        files = [(item.revision, item.path) for item in new]
        with progress_on(sys.stderr) as progress:

            def try_out(settings: Settings) -> None:
                with Run(project, settings, progress).at(before, watched=True) as at:
                    _try_out(config, at, files)

            with_needs(project, settings, progress, try_out)
        say_found(project)
