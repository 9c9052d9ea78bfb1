"""A project as Alembic sees it: its configuration, its revisions, its env.py."""

from __future__ import annotations

import re
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.errors import PgPatternsError
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

    def _where_configured(self) -> str:
        ini, toml = self.ini, self.pyproject
        if (ini is None or not ini.exists()) and (toml is None or not toml.exists()):
            return (
                f"There is no {ini or 'alembic.ini'} in {Path.cwd()}. Run this in the folder that holds it, "
                "or name it: alembic -c path/to/alembic.ini pgcheck."
            )
        return f"See script_location in {ini if ini is not None and ini.exists() else toml}."

    @property
    def ini(self) -> Path | None:
        """alembic.ini, which need not exist."""
        return Path(self.config.config_file_name) if self.config.config_file_name else None

    @property
    def pyproject(self) -> Path | None:
        """pyproject.toml: the one given to Alembic, else the one beside alembic.ini; it need not exist."""
        if self.config.toml_file_name and Path(self.config.toml_file_name).exists():
            return Path(self.config.toml_file_name)
        return self.ini.parent / "pyproject.toml" if self.ini is not None else None

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
            with warnings.catch_warnings():
                # Alembic warns of what it then fails over; the failure says it better.
                warnings.filterwarnings("ignore", message="Revision .* is not present")
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
        except Exception as error:
            raise PgPatternsError(f"A revision file does not load: {describe(error, self.script.dir)}") from error

    def _who_names(self, identifier: str) -> str:
        for folder in map(Path, self.script._version_locations):
            for path in sorted(folder.rglob("*.py")):
                for number, line in enumerate(_text(path).splitlines(), 1):
                    if identifier in line and line.startswith(("down_revision", "depends_on")):
                        return f" See {path}:{number}."
        return ""


def _several(value: str | Iterable[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def describe(error: BaseException, within: str) -> str:
    """What happened and where: the innermost line in files below a folder, then the error itself."""
    place = innermost(error, within)
    where = f"{place}: " if place else ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}:{error.lineno}: "
    return f"{where}{type(error).__name__}: {error}"


def innermost(error: BaseException, within: str | frozenset[str]) -> Location | None:
    """The innermost line of an error's traceback whose file is below a folder, or one of a set of files."""
    root = str(Path(within).absolute()) if isinstance(within, str) else None
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = str(Path(frame.filename).absolute())
        inside = path.startswith(f"{root}/") if root is not None else path in within
        if inside:
            return Location(relative(path), frame.lineno or 0)
    return None


def relative(path: str) -> str:
    """The path as people in this folder write it."""
    candidate = Path(path)
    return str(candidate.relative_to(Path.cwd())) if candidate.is_relative_to(Path.cwd()) else path
