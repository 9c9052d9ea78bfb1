"""A project as Alembic sees it: its configuration, its revisions, its env.py."""

from __future__ import annotations

import configparser
import re
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.config.sources import ini_of, pyproject_of
from alembic_pgpatterns.errors import PgPatternsError, without_secrets
from alembic_pgpatterns.runner.file_reads import recorded
from alembic_pgpatterns.schema.parts import Location

if TYPE_CHECKING:
    from alembic.script import Script, ScriptDirectory


_LOOKS_LIKE_REVISION = re.compile(r"^down_revision\b", re.MULTILINE)


def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace")


class Project:
    """What a check needs to know of the project; reading it imports every revision file once."""

    def __init__(self, config: Any) -> None:
        """Take an ``alembic.config.Config``."""
        self.config = config
        self.began = time.time()
        self.read: set[str] = set()
        """Files that were opened while revisions were loaded and while env.py ran, and perhaps `reads.UNTRACKED`."""

    @cached_property
    def script(self) -> ScriptDirectory:
        """The script directory.

        Raises:
            PgPatternsError: no configuration file, no script location, or a folder that does not exist.
        """
        from alembic.script import ScriptDirectory
        from alembic.util import CommandError

        try:
            return ScriptDirectory.from_config(self.config)
        except CommandError as error:
            raise PgPatternsError(f"{error}\n{self._where_configured()}") from error
        except Exception as error:  # of whatever reads the configuration's values
            raise PgPatternsError(f"{described(error, None)}\n{self._where_configured()}") from error

    def _where_configured(self) -> str:
        ini, toml = self.ini, self.pyproject
        in_toml = toml is not None and toml.is_file() and "[tool.alembic]" in _text(toml)
        if (ini is None or not ini.is_file()) and not in_toml:
            return (
                f"There is no {ini or 'alembic.ini'} in {Path.cwd()}. Run this in the folder that holds it, "
                "or name it: alembic -c path/to/alembic.ini pgcheck."
            )
        return f"See script_location in {ini if ini is not None and ini.is_file() else toml}."

    @property
    def ini(self) -> Path | None:
        """alembic.ini, which need not exist."""
        return ini_of(self.config)

    @property
    def pyproject(self) -> Path | None:
        """pyproject.toml, which need not exist."""
        return pyproject_of(self.config)

    @cached_property
    def revisions(self) -> tuple[Script, ...]:
        """All revisions, each after those it comes from.

        Raises:
            PgPatternsError: a file does not load, or the history is broken: the message names file and line.
        """
        with self.explained_history():
            return tuple(reversed(list(self.script.walk_revisions())))

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The identifiers of all heads, sorted."""
        with self.explained_history():
            return tuple(sorted(self.script.get_heads()))

    def ancestors(self, revisions: Iterable[str]) -> set[str]:
        """The revisions and all they come from or depend on."""
        found: set[str] = set()
        waiting = list(revisions)
        while waiting:
            script = self._revision(waiting.pop())
            if script is not None and script.revision not in found:
                found.add(script.revision)
                waiting += [*_several(script.down_revision), *_several(script.dependencies)]
        return found

    def heads_of(self, revisions: Iterable[str]) -> tuple[str, ...]:
        """Those of some revisions that no other of them comes from or depends on, sorted."""
        among = set(revisions)
        found = [script for name in among if (script := self._revision(name)) is not None]
        below = {name for script in found for name in (*_several(script.down_revision), *_several(script.dependencies))}
        return tuple(sorted(among - below))

    def in_order(self, revisions: Iterable[str]) -> tuple[str, ...]:
        """Some revisions, in the order in which all run from nothing."""
        among = frozenset(revisions)
        return tuple(script.revision for script in self.revisions if script.revision in among)

    def _revision(self, identifier: str) -> Script | None:
        from alembic.util import CommandError

        try:
            return self.script.get_revision(identifier)
        except CommandError:
            return None

    @property
    def env_py(self) -> Path:
        """env.py, which need not exist."""
        return Path(self.script.env_py_location)

    @cached_property
    def revision_files(self) -> frozenset[str]:
        """The absolute paths of all revision files."""
        return frozenset(str(Path(script.path).absolute()) for script in self.revisions)

    def missing_folders(self) -> tuple[str, ...]:
        """The version locations that do not exist, where at least one does."""
        folders = [Path(folder) for folder in self.script._version_locations]
        missing = tuple(relative(str(folder)) for folder in folders if not folder.is_dir())
        return missing if len(missing) < len(folders) else ()

    def files_outside_history(self) -> tuple[str, ...]:
        """Files below the version locations that look like revisions and are none of the history's, sorted."""
        folders = {Path(folder).absolute() for folder in self.script._version_locations}
        paths = {path for folder in folders for path in folder.rglob("*.py") if str(path) not in self.revision_files}
        return tuple(relative(str(path)) for path in sorted(paths) if _LOOKS_LIKE_REVISION.search(_text(path)))

    @contextmanager
    def explained_history(self) -> Iterator[None]:
        """Errors of a broken history, with the file and line they come from."""
        from alembic.script.revision import RevisionError
        from alembic.util import CommandError

        try:
            with warnings.catch_warnings(), recorded(self.read, code=True):
                # Alembic warns of what it then fails over; the failure says it better.
                warnings.filterwarnings("ignore", message="Revision .* is not present")
                # It goes on with one of the two files, and never runs the other.
                warnings.filterwarnings("error", message="Revision .* is present more than once")
                yield
        except PgPatternsError:
            raise
        except (CommandError, RevisionError) as error:
            raise PgPatternsError(f"The history in {self.script.dir} is broken: {error}") from error
        except KeyError as error:
            raise PgPatternsError(
                f"The history in {self.script.dir} is broken: no revision has the identifier {error}, yet another "
                f"names it as down_revision or depends_on.{self._who_names(str(error.args[0]))}"
            ) from error
        except UserWarning as error:
            raise PgPatternsError(self._twice(str(error))) from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PgPatternsError(f"A revision file does not load: {describe(error, self.script.dir)}") from error

    def _who_names(self, identifier: str) -> str:
        places = self._places(re.compile(rf"(down_revision|depends_on)\b.*{re.escape(identifier)}"))
        return f" See {places[0]}." if places else ""

    def _twice(self, warning: str) -> str:
        """What to do about two files with one identifier, of which Alembic runs one."""
        identifier = warning.removeprefix("Revision ").removesuffix(" is present more than once")
        files = " and ".join(map(str, self._places(re.compile(rf"revision\b.*['\"]{re.escape(identifier)}['\"]"))))
        return f"{warning}: {files or self.script.dir}. Alembic runs one only; give the other an identifier of its own."

    def _places(self, line_of: re.Pattern[str]) -> list[Location]:
        """The lines of revision files that begin with a pattern, in the order of the files' names."""
        return [
            Location(relative(str(path.absolute())), number)
            for folder in map(Path, self.script._version_locations)
            for path in sorted(folder.rglob("*.py"))
            for number, line in enumerate(_text(path).splitlines(), 1)
            if line_of.match(line)
        ]


def _several(value: str | Iterable[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def describe(error: BaseException, within: str) -> str:
    """What happened and where: the innermost line in files below a folder, then the error itself; no password in it."""
    return described(error, innermost(error, within) or lacking(error, within) or _being_loaded(error))


def described(error: BaseException, place: Location | None) -> str:
    """What happened at a place, for people; no password in it."""
    if isinstance(error, SyntaxError) and error.filename:
        place = Location(relative(error.filename), error.lineno or 0)
    where = f"{place}: " if place else ""
    if isinstance(error, SystemExit):
        return f"{where}the program was left with exit code {error.code}."
    if isinstance(error, configparser.InterpolationError):
        # Its own text has the value, which may be a URL with a password.
        return f"{where}{type(error).__name__}: {error.option} in [{error.section}] has a % that is not written as %%."
    return without_secrets(f"{where}{type(error).__name__}: {error}")


def lacking(error: BaseException, within: str | frozenset[str]) -> Location | None:
    """The file, below a folder or one of a set, of the module that lacks what was asked of it."""
    path = getattr(error.obj, "__file__", None) if isinstance(error, AttributeError) else None
    return Location(relative(path), 1) if path and _is_within(path, within) else None


def _being_loaded(error: BaseException) -> Location | None:
    """The file that was being loaded when the error came."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "load_module_py" and "path" in frame.f_locals:
            return Location(relative(str(Path(frame.f_locals["path"]).absolute())), 1)
    return None


def innermost(error: BaseException, within: str | frozenset[str]) -> Location | None:
    """The innermost line of an error's traceback whose file is below a folder, or one of a set of files."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = str(Path(frame.filename).absolute())
        if _is_within(path, within):
            return Location(relative(path), frame.lineno or 0)
    return None


def _is_within(path: str, within: str | frozenset[str]) -> bool:
    return path.startswith(f"{Path(within).absolute()}/") if isinstance(within, str) else path in within


def relative(path: str) -> str:
    """The path as people in this folder write it."""
    candidate = Path(path)
    return str(candidate.relative_to(Path.cwd())) if candidate.is_relative_to(Path.cwd()) else path
