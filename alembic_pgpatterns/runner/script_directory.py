"""The project's migrations as Alembic sees them, in the process that runs the project's code."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.runner.failures import HistoryError, describe, described, innermost
from alembic_pgpatterns.runner.file_reads import recorded
from alembic_pgpatterns.runner.messages import RevisionFacts, ScriptFacts
from alembic_pgpatterns.runner.model_tables import ModelTables
from alembic_pgpatterns.runner.paths import relative, several
from alembic_pgpatterns.runner.python_source import assigned_texts
from alembic_pgpatterns.runner.reparented import reparent
from alembic_pgpatterns.schema.origin import Location

if TYPE_CHECKING:
    from alembic.script import Script, ScriptDirectory


class ProjectScripts:
    """The script directory and its revisions, which are loaded when env.py has run as far as Alembic needs."""

    def __init__(self, config: Any) -> None:
        """Take an ``alembic.config.Config``."""
        self.config = config
        self.read: set[str] = set()
        """Files that were opened while the project's code ran, and maybe `file_reads.UNTRACKED`."""
        self.model_tables = ModelTables()
        self._located: tuple[Any, Any] | None = None

    @cached_property
    def directory(self) -> ScriptDirectory:
        """The script directory. No revision is loaded yet.

        Raises:
            PgPatternsError: there is no configuration file or script location, or a folder does not exist.
        """
        from alembic.script import ScriptDirectory
        from alembic.util import CommandError

        try:
            return reparent(self.config, ScriptDirectory.from_config(self.config))
        except CommandError as error:
            raise PgPatternsError(f"{error}\n{self._where_configured()}") from error
        except Exception as error:  # of any library that reads the configuration's values
            raise PgPatternsError(f"{described(error, None)}\n{self._where_configured()}") from error

    def facts(self) -> ScriptFacts:
        """The folders and files of the migrations. Raises as `directory`."""
        directory = self.directory
        facts = ScriptFacts(
            str(directory.dir),
            str(directory.env_py_location),
            tuple(map(str, directory._version_locations)),
            tuple(_files(directory)),
        )
        # Alembic remembers them, and env.py may still set others: ``context.script.version_locations = …``.
        self._located = directory.version_locations, directory.__dict__.pop("_version_locations", None)
        return facts

    def _stay_where_they_are(self) -> None:
        """The folders with revisions as they were before env.py, which may have gone to another folder since."""
        setting, folders = self._located or (None, None)
        if folders is not None and self.directory.version_locations == setting:
            self.directory.__dict__["_version_locations"] = folders

    def _where_configured(self) -> str:
        ini = Path(self.config.config_file_name) if self.config.config_file_name else None
        toml = Path(name) if (name := getattr(self.config, "toml_file_name", None)) else None
        in_toml = toml is not None and toml.is_file() and "[tool.alembic]" in read_text(toml, "replace")
        if (ini is None or not ini.is_file()) and not in_toml:
            return (
                f"There is no {ini or 'alembic.ini'} in {Path.cwd()}, and no folder with migrations. Run this in the "
                "folder that contains it, or name it: alembic -c path/to/alembic.ini pgcheck. A new project begins "
                "with: alembic init migrations"
            )
        return f"See script_location in {ini if ini is not None and ini.is_file() else toml}."

    @cached_property
    def revisions(self) -> tuple[Script, ...]:
        """All revisions, each after its parents. Loads their files.

        Raises:
            HistoryError: a file cannot be loaded, or the history is broken: the message names file and line.
        """
        self._stay_where_they_are()
        with self._explained():
            return tuple(reversed(list(self.directory.walk_revisions())))

    def revision_facts(self) -> tuple[RevisionFacts, ...]:
        """The same as plain data, in the order in which Alembic loaded the files. Raises as `revisions`."""
        by_name = {script.revision: script for script in self.revisions}
        # Private: the map of all identifiers, in the order of loading. It also has branch labels as keys.
        loaded = [by_name[name] for name in self.directory.revision_map._revision_map if name in by_name]
        return tuple(
            RevisionFacts(
                str(script.revision),
                str(Path(script.path).absolute()),
                several(script.down_revision),
                several(script.dependencies),
                # Those of the file. ``branch_labels`` also has the ones of other revisions in the branch.
                tuple(sorted(map(str, script._orig_branch_labels or ()))),
            )
            for script in dict.fromkeys(loaded)
        )

    @cached_property
    def files(self) -> frozenset[str]:
        """The absolute paths of all revision files. Raises as `revisions`."""
        return frozenset(str(Path(script.path).absolute()) for script in self.revisions)

    def revision(self, identifier: str) -> Script:
        """One revision. Raises HistoryError if there is none."""
        with self._explained():
            script = self.directory.get_revision(identifier)
        if script is None:
            raise HistoryError(f"There is no revision {identifier!r} in {self.directory.dir}.")
        return script

    def ancestors(self, revisions: Iterable[str]) -> set[str]:
        """The revisions and all their ancestors and dependencies; unknown ones are left out."""
        from alembic.util import CommandError

        result: set[str] = set()
        waiting = list(revisions)
        while waiting:
            try:
                script = self.directory.get_revision(waiting.pop())
            except CommandError:
                continue
            if script is not None and script.revision not in result:
                result.add(script.revision)
                waiting += [*several(script.down_revision), *several(script.dependencies)]
        return result

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of a broken history, with their file and line."""
        from alembic.script.revision import RevisionError
        from alembic.util import CommandError

        folder = self.directory.dir
        try:
            with warnings.catch_warnings(), recorded(self.read, code=True):
                # Alembic warns about something on which it fails afterwards; the error's message is better.
                warnings.filterwarnings("ignore", message="Revision .* is not present")
                # Alembic would continue with one of the two files, and never run the other.
                warnings.filterwarnings("error", message="Revision .* is present more than once")
                yield
        except (PgPatternsError, HistoryError, KeyboardInterrupt):
            raise
        except (CommandError, RevisionError) as error:
            # Code of a revision may use Alembic itself, such as a Config of another history.
            if innermost(error, str(folder)) is not None:
                raise HistoryError(f"A revision file cannot be loaded: {describe(error, str(folder))}") from error
            raise HistoryError(f"The history in {folder} is broken: {error}") from error
        except KeyError as error:
            raise HistoryError(
                f"The history in {folder} is broken: no revision has the identifier {error}, yet another "
                f"names it as down_revision or depends_on.{self._who_names(str(error.args[0]))}"
            ) from error
        except UserWarning as error:
            raise HistoryError(self._twice(str(error))) from error
        # A module may call sys.exit() while it is imported.
        except BaseException as error:
            raise HistoryError(f"A revision file cannot be loaded: {describe(error, str(folder))}") from error

    def _who_names(self, identifier: str) -> str:
        places = self._places(("down_revision", "depends_on"), identifier)
        return f" See {places[0]}." if places else ""

    def _twice(self, warning: str) -> str:
        """What to do about two files with the same identifier, of which Alembic runs only one."""
        identifier = warning.removeprefix("Revision ").removesuffix(" is present more than once")
        files = " and ".join(map(str, self._places(("revision",), identifier)))
        where = files or self.directory.dir
        return f"{warning}: {where}. Alembic runs only one of them; give the other a new identifier."

    def _places(self, variables: Sequence[str], identifier: str) -> list[Location]:
        """Where revision files give one of the variables a value with the identifier, in the order of their names."""
        return [
            Location(relative(str(path.absolute())), line)
            for folder in map(Path, self.directory._version_locations)
            for path in sorted(folder.rglob("*.py"))
            if path.is_file()
            for name, text, line in assigned_texts(read_text(path, "replace"))
            if name in variables and text == identifier
        ]


def _files(directory: ScriptDirectory) -> list[str]:
    """The files that Alembic would load as revisions: its own search, without loading them.

    Which names count differs between Alembic's versions, so its own search runs, with an empty module for each file.
    """
    from alembic import util

    paths: list[str] = []

    def note(folder: Any, name: Any) -> ModuleType:
        paths.append(str(Path(folder, name).absolute()))
        module = ModuleType("revision")
        module.__dict__.update(revision=f"r{len(paths)}", down_revision=None)
        return module

    stock = util.load_python_file
    util.load_python_file = note  # type: ignore[assignment]
    try:
        list(directory._load_revisions())
    finally:
        util.load_python_file = stock
    return paths
