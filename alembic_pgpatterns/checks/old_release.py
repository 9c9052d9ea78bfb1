"""The release that still runs while new revisions run: its files from git, and the models in them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.env_run import Databases, run_env
from alembic_pgpatterns.controller.found_models import NAME_THEM
from alembic_pgpatterns.controller.git import common_ancestor, repository, write_tree
from alembic_pgpatterns.controller.model_search import models_of
from alembic_pgpatterns.controller.models import Models, read_models
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.scratch_databases import open_server
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.messages import Steps
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.real_database import RealDatabase
from alembic_pgpatterns.workload.imports import read_workloads
from alembic_pgpatterns.workload.model import Workload

FLAG = "--old-code"


@dataclass(frozen=True)
class OldRelease:
    """``name``: the reference in git, for people. ``models``: by the database that they are for.

    ``workload``: what was recorded with it.
    """

    name: str
    models: Mapping[RealDatabase | None, Schema]
    workload: Workload = field(default_factory=Workload)

    @property
    def tables(self) -> int:
        """How many tables its models have."""
        return sum(len(schema.tables) for schema in self.models.values())


def reference_of(settings: Settings, folder: Path) -> str | None:
    """The commit of the release before: the setting, else where the branch left ``diff_base``; None for no check.

    Raises:
        SettingsError, PgPatternsError: git does not know it.
    """
    if settings.old_code is not None:
        return settings.old_code or None
    if settings.diff_base is None:
        return None
    return common_ancestor(folder, FLAG, settings.diff_base)


def read_old_release(config: Any, settings: Settings, progress: Progress, reference: str, folder: Path) -> OldRelease:
    """Run the old release's env.py, without any revision, and read its models.

    Args:
        config: Alembic's, of the project as it is now.
        settings: of the project as it is now.
        progress: shows what is going on.
        reference: a commit, branch or tag.
        folder: of the project's migrations.

    Raises:
        PgPatternsError: there is no such reference, its env.py fails, or it names no models.
    """
    root = repository(folder, FLAG)
    progress.say(f"reading the models of {reference[:12]}")
    with _files(root, reference) as copy:
        old = _config_in(config, root, copy)  # before the current folder, which its paths may start from, is another
        with _standing_in(root, copy), open_server(settings) as server:
            models = _models_of(old, settings, progress, server, (root, copy))
        workload = _workload(settings, root, copy)
    if not models:
        raise PgPatternsError(f"{reference} has no models: its env.py names no target_metadata; {NAME_THEM}")
    return OldRelease(settings.old_code or settings.diff_base or reference, models, workload)


def _models_of(
    config: Any, settings: Settings, progress: Progress, server: Server, folders: tuple[Path, Path]
) -> dict[RealDatabase | None, Schema]:
    """The models, with the release's revisions or, where env.py fails, without them.

    Its revisions are not needed, and what they import may not be installed any more.
    """
    root, copy = folders
    for without_revisions in (False, True):
        with Project(config, settings) as project:
            project.request("release", str(root), str(copy))
            try:
                return _read_all(RunContext(project, settings, progress).on(server))
            except PgPatternsError:
                if without_revisions or not _remove_revisions(project, copy):
                    raise
    raise AssertionError("the second try returns or raises")


def _remove_revisions(project: Project, copy: Path) -> bool:
    """Remove the revision files in the copy, and only there. Returns whether there were any."""
    try:
        files = [Path(name).resolve() for name in project.script.files]
    except PgPatternsError:
        return False
    copied = [path for path in files if path.is_relative_to(copy)]
    for path in copied:
        path.unlink()
    return bool(copied)


def _workload(settings: Settings, root: Path, copy: Path) -> Workload:
    """The release's own recording, or one from outside of the repository.

    One that only the working tree has may be the new code's.
    """
    if settings.workload is None:
        return Workload()
    path = settings.path(settings.workload)
    old = _in_copy(path, root, copy)
    if old is not None and not old.exists():
        return Workload()
    return read_workloads([old or path])


def _read_all(run: RunContext) -> dict[RealDatabase | None, Schema]:
    """The models that env.py names; else those of the modules around the migrations."""
    models = _read(run)
    names = () if models or run.settings.models else models_of(Path(run.project.script.folder), None)
    return _read(replace(run, settings=replace(run.settings, models=names))) if names else models


def _read(run: RunContext) -> dict[RealDatabase | None, Schema]:
    databases = Databases()
    result = run_env(run, Steps(), databases)
    if result.own_environment is not None:
        raise PgPatternsError(f"its env.py does not run here: {result.own_environment.splitlines()[0]}")
    origins = {name: origin for origin, name in databases.by_origin.items()}
    return {
        origins.get(item.database): _models(run, Models(result.run, number, item.models), item.default_schema)
        for number, item in enumerate(result.configured)
        if item.database and item.models
    }


def _models(run: RunContext, models: Models, default_schema: str | None) -> Schema:
    result = read_models(run, models, default_schema or "public")
    if result.schema is None:
        raise PgPatternsError("; ".join(item.reason for item in result.skipped))
    return result.schema


@contextmanager
def _files(root: Path, reference: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pgpatterns-old-")).resolve()
    try:
        write_tree(root, FLAG, reference, folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _standing_in(root: Path, copy: Path) -> Iterator[None]:
    """Processes that start now stand in the copy."""
    here = Path.cwd()
    os.chdir(_in_copy(here, root, copy) or copy)
    try:
        yield
    finally:
        os.chdir(here)


def _in_copy(path: Path, root: Path, copy: Path) -> Path | None:
    """The same place in the copy; None if it is not in the repository."""
    try:
        return copy / path.resolve().relative_to(root.resolve())
    except ValueError:
        return None


def _config_in(config: Any, root: Path, copy: Path) -> Any:
    """The same configuration, read from the copy, with what a program has set besides."""
    ini = _in_copy(Path(config.config_file_name), root, copy) if config.config_file_name else None
    toml_name = getattr(config, "toml_file_name", None)
    toml = _in_copy(Path(toml_name), root, copy) if toml_name else None
    if ini is not None and not ini.is_file() and Path(config.config_file_name).is_file():
        ini.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(config.config_file_name, ini)  # newer than the release
    # Alembic knows pyproject.toml since 1.16.
    more = {"toml_file": str(toml)} if toml is not None and toml.is_file() else {}
    old = type(config)(
        str(ini) if ini is not None else None,
        ini_section=config.config_ini_section,
        cmd_opts=config.cmd_opts,
        attributes=dict(config.attributes),
        **more,
    )
    written = dict(old.file_config.items(old.config_ini_section, raw=True)) if ini is not None else {}
    for name, value in config.file_config.items(config.config_ini_section, raw=True):
        # The same database, so that the old models are compared with the right one; it is redirected anyway.
        if name not in written or name == "sqlalchemy.url":
            old.set_main_option(name, value)
    return old
