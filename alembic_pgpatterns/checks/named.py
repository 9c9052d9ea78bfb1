"""What flags and settings name is looked at before the work, so that a typo is an error even if nothing is to do."""

from __future__ import annotations

from pathlib import Path

from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.controller.git import common_ancestor, git
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.scratch_databases import open_server, prepare_text
from alembic_pgpatterns.controller.selection import BASE, named_revision
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.server.binaries import find_binaries

OLD_CODE = "--old-code"


def demand_references(project: Project, settings: Settings) -> None:
    """Raise SettingsError if ``since`` is no revision, or git does not know ``diff_base`` or ``old_code``."""
    folder = Path(project.script.folder)
    if settings.since not in (None, BASE):
        named_revision(project, str(settings.since), "--since")
    if settings.diff_base is not None:
        common_ancestor(folder, "--diff-base", settings.diff_base)
    if settings.old_code:
        # rev-parse alone takes any 40 digits for a commit.
        git(folder, OLD_CODE, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{settings.old_code}^{{tree}}")


def demand_files(settings: Settings, rows: Path | None = None) -> None:
    """Raise SettingsError or PgPatternsError if ``prepare``, ``stats`` or the user's own rows cannot be read.

    Args:
        settings: of the project.
        rows: the file of rows, where the command takes one.
    """
    prepare_text(settings)
    if settings.stats is not None:
        from alembic_pgpatterns.advisor.statistics import read_statistics

        try:
            # Names without a schema are in that of the project, which is not known yet; the numbers are the same.
            read_statistics(settings.path(settings.stats), Schema("database", ()))
        except PgPatternsError as error:
            raise SettingsError(str(error)) from error
    if rows is not None:
        rows_text(rows)


def rows_text(path: Path) -> str:
    """The SQL of the user's own rows.

    Raises:
        SettingsError: the file cannot be read.
    """
    try:
        return read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the rows cannot be read: {error}") from error


def demand_server(settings: Settings) -> None:
    """Raise PgPatternsError if the server that the user named cannot be used, or his PostgreSQL is none."""
    if settings.server is not None:
        with open_server(settings):
            pass
    elif settings.postgres_folder is not None:
        find_binaries(settings.postgres_folder)
