"""The place of new revisions and changed files until all of them are checked; then they are moved in together."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.selection import named_revision
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.files import read_regular
from alembic_pgpatterns.output.safe_text import one_line
from alembic_pgpatterns.output.staging import ChangedMeanwhile, Staging, recover
from alembic_pgpatterns.runner.messages import ScriptFacts
from alembic_pgpatterns.runner.paths import relative
from alembic_pgpatterns.server.signals import ends_by_exception

VERSIONS = "versions"


@dataclass(frozen=True)
class Change:
    """A file of the project: its old content (None: it is new) and its new content."""

    before: bytes | None
    after: bytes


@dataclass
class Workspace:
    """The new files of one command.

    Attributes:
        staging: the journal and the files.
        destination: the folder that the revisions will be moved to.
        changes: other files of the project, by their path.
    """

    staging: Staging
    destination: Path
    changes: dict[Path, Change] = field(default_factory=dict)

    @property
    def versions(self) -> Path:
        """The folder that Alembic writes new revisions into; until the end it is one of its version locations."""
        return self.staging.folder / VERSIONS

    def final(self, path: Path) -> Path:
        """The final path of a revision."""
        return self.destination / path.absolute().relative_to(self.versions)

    def shown(self, path: Path) -> str:
        """The final path, for messages."""
        return relative(str(self.final(path).absolute()))

    def in_final_words(self, text: str) -> str:
        """A message with the final names of the new files."""
        folder = str(self.versions)
        # The real path first: where the migrations are a link, it ends with the relative one.
        for name in (os.path.realpath(folder), folder, relative(folder)):
            text = text.replace(name, relative(str(self.destination)))
        return text

    def revisions(self) -> Iterator[Path]:
        """The new revisions so far."""
        return (path for path in sorted(self.versions.rglob("*.py")) if path.is_file())

    def commit(self) -> None:
        """Move everything in: all files or none.

        Raises:
            PgPatternsError: a file was changed while the command ran, already exists, or cannot be moved. Then nothing
            is changed.
        """
        try:
            for path in self.revisions():
                self.staging.add(self.final(path), read_regular(path), None)
            for target, change in self.changes.items():
                self.staging.add(target, change.after, change.before)
            self.staging.commit()
        except ChangedMeanwhile as error:
            raise PgPatternsError(
                f"{relative(str(error))} was changed by another program while this command ran, so nothing was "
                "written. "
                "Run it again."
            ) from error
        except OSError as error:
            reason = f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")
            raise PgPatternsError(f"The files cannot be written, so nothing was changed: {reason}") from error


@contextmanager
def workspace(config: Any, project: Project, head: str, version_path: str | None = None) -> Iterator[Workspace]:
    """A workspace whose revisions Alembic treats as part of the history. Uncommitted files are deleted at the end.

    Args:
        config: Alembic's; it has one more version location while the workspace exists.
        project: the project.
        head: the parent of the new revisions.
        version_path: the folder that the user wants; None: Alembic chooses it.

    Raises:
        SettingsError: there is no such head.
        PgPatternsError: no file can be written in the project.
    """
    script = project.script
    # Before the first revision "head" names none, and that is right.
    if head not in ("head", "heads", "base"):
        named_revision(project, head, "--head")
    home = _home(script)
    finish_interrupted(home)
    destination = Path(version_path) if version_path else _destination(project, head)
    with ends_by_exception():
        try:
            staging = Staging(home)
        except OSError as error:
            raise PgPatternsError(f"{home}: no file can be written there: {error.strerror or error}") from error
        with staging, _located(config, script, staging.folder / VERSIONS):
            yield Workspace(staging, destination.absolute())


def finish_interrupted(home: Path) -> None:
    """Finish or undo what an interrupted command left, and report it."""
    for line in recover(home):
        sys.stderr.write(f"pgpatterns: {one_line(line)}\n")


def _home(script: ScriptFacts) -> Path:
    """A folder of the project outside the version locations, because Alembic looks for revisions there."""
    home = Path(script.folder).absolute()
    locations = [Path(location).absolute() for location in script.version_locations]
    while any(home == location or home.is_relative_to(location) for location in locations):
        home = home.parent
    return home


def home_of(project: Project) -> Path:
    """The folder in which the commands of a project keep their journals."""
    return _home(project.script)


def _destination(project: Project, head: str) -> Path:
    """The folder that Alembic would choose (ScriptDirectory.generate_revision)."""
    locations = project.script.version_locations
    if len(locations) == 1:
        return Path(locations[0])
    for revision in project.history.find_all(head):
        return Path(revision.path).parent
    raise PgPatternsError(
        "There are several version_locations, and no revision shows which one to use: give --version-path."
    )


@contextmanager
def _located(config: Any, script: ScriptFacts, folder: Path) -> Iterator[None]:
    """Make the folder one of Alembic's version locations."""
    folder.mkdir()
    locations = [str(Path(location).absolute()) for location in script.version_locations]
    # On the instance: the option may come from alembic.ini or pyproject.toml, and each has its own rules.
    config.get_version_locations_list = lambda: [*locations, str(folder)]
    try:
        yield
    finally:
        del config.get_version_locations_list
