"""Digests of everything that decides what a run of the history does: the revisions and their surroundings."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.runner.digest import digest, digest_of
from alembic_pgpatterns.server import cluster
from alembic_pgpatterns.server.find_account import server_account
from alembic_pgpatterns.server.programs import Binaries

_PACKAGE = Path(__file__).parents[2]

_LAYOUT = 1
"""Part of every digest. Raise it if the meaning of cached files changes."""


@dataclass(frozen=True, slots=True)
class Contents:
    """A history, as digests.

    ``surroundings``: of everything outside the revision files: the server, the versions of all installed packages, the
    configuration, env.py. ``revisions``: of each file, by identifier, in the order they run.
    """

    surroundings: str
    revisions: Mapping[str, str]

    def chain(self, revision: str | None = None, note: object = None) -> str:
        """The digest of all revisions up to one (None: of no revision), and of the surroundings."""
        parts = [self.surroundings, note]
        for identifier, content in self.revisions.items() if revision is not None else ():
            parts.append((identifier, content))
            if identifier == revision:
                break
        return digest(parts)


def contents(project: Project, settings: Settings, binaries: Binaries) -> Contents:
    """The digests of the project as it is now. Reads every revision's file.

    Raises:
        OSError: a file cannot be read.
        PgPatternsError: the history is broken.
    """
    revisions = {script.revision: digest_of(Path(script.path)) for script in project.revisions}
    return Contents(digest(list(_surroundings(project, settings, binaries))), revisions)


def place(project: Project) -> str:
    """The project by its folder: the number of snapshots per project is limited."""
    return digest([str(project.ini and project.ini.absolute()), str(Path(project.script.folder).absolute())])[:16]


def _surroundings(project: Project, settings: Settings, binaries: Binaries) -> Iterator[object]:
    yield _LAYOUT
    yield cluster.identity(binaries, server_account())
    # The folder, since env.py may read files by relative paths.
    yield [sys.version, platform.platform(), str(Path.cwd()), os.environ.get("PYTHONPATH"), *_time_zone()]
    yield [sys.prefix, str(sys.flags), sys.warnoptions, sorted(sys._xoptions.items()), *_locale()]
    yield [str(settings.python), sorted(settings.allow_connect)]
    yield sorted(_installed([*sys.path, *_folders_of(settings.python)]))
    yield sorted(_own_files())
    yield list(_configuration(project))
    yield digest_of(project.env_py)
    yield [dict(settings.env), list(settings.roles), dict(settings.alembic_options), list(settings.attributes)]
    yield [
        settings.replace_sqlite,
        list(settings.schemas),
        list(settings.extensions),
        list(settings.models),
        settings.advanced_alchemy,
        settings.flask_app,
        settings.stores_computed,
    ]
    yield digest_of(settings.path(settings.prepare)) if settings.prepare is not None else None


def _configuration(project: Project) -> Iterator[object]:
    """Alembic's configuration, with our own sections in it: a revision can read them as any other."""
    file = project.config.file_config
    yield project.config.config_ini_section
    for section in file.sections():
        # Raw: an interpolation may fail, and that is env.py's matter.
        yield [section, sorted(file.items(section, raw=True))]
    if project.pyproject is not None and project.pyproject.exists():
        yield tomllib.loads(read_text(project.pyproject)).get("tool", {}).get("alembic")
    yield getattr(project.config.cmd_opts, "x", None)


def _time_zone() -> Iterator[object]:
    """Two zones may have the same names and another history, so the names alone do not tell them apart."""
    yield from (time.tzname, time.timezone, time.altzone, os.environ.get("TZ"), os.path.realpath("/etc/localtime"))


def _locale() -> Iterator[str]:
    """The variables that ``locale.setlocale`` reads in C."""
    for name, value in sorted(os.environ.items()):
        if name in ("LANG", "LANGUAGE") or name.startswith("LC_"):
            yield f"{name}={value}"


def _folders_of(python: Path | None) -> Iterator[str]:
    """Where the distributions of another interpreter are, if it is that of a virtual environment."""
    if python is not None:
        yield from (str(path) for path in python.parent.parent.glob("lib*/python*/site-packages"))
        yield str(python.parent.parent / "Lib" / "site-packages")


def _installed(folders: Iterable[str]) -> Iterator[str]:
    """Name and version of every distribution; also digests of the files of those that did not come from an index.

    A distribution that was installed from a folder can change without a new version (PEP 610, direct_url.json).
    """
    for folder in dict.fromkeys(folders):
        with contextlib.suppress(OSError):
            for entry in Path(folder or ".").iterdir():
                if entry.suffix in (".dist-info", ".egg-info"):
                    record = entry / "RECORD"
                    local = (entry / "direct_url.json").exists() and record.exists()
                    yield entry.name + (digest_of(record) if local else "")
                elif entry.suffix == ".pth" or entry.name in ("sitecustomize.py", "usercustomize.py"):
                    yield f"{entry.name} {digest_of(entry)}"  # Python runs them at its start


def _own_files() -> Iterator[str]:
    """The files of this package if it runs from its source, where its version stays while it changes.

    By size and time, as make does it: to read all 600 files would take 30 ms of every run. An installed one is
    identified by its version, as any other distribution: its files' times are those of the installation.
    """
    if not any(_PACKAGE.parent.glob(f"{_PACKAGE.name}-*.dist-info")):
        yield from _files_below(_PACKAGE)


def _files_below(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _files_below(Path(entry)) if entry.name != "__pycache__" else ()
            else:
                facts = entry.stat()
                yield f"{entry.path} {facts.st_size} {facts.st_mtime_ns}"
