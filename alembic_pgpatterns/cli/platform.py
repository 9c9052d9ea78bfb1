"""What the commands need from the operating system."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from alembic_pgpatterns.cli.exit_codes import NOT_DONE, say_error
from alembic_pgpatterns.errors import PgPatternsError

if TYPE_CHECKING:
    # Every command of Alembic imports this module, `upgrade` too: with the settings it would import all patterns and
    # their libraries, while the current folder, with whatever a project has there, is still first on sys.path.
    from alembic_pgpatterns.config.settings import Settings


def demand_unix(command: str) -> None:
    """Leave the program with one line if a command that needs a fork cannot run here.

    Autogenerate works on Windows, since it runs in Alembic's own process, and so does pgcheck with a server.

    Args:
        command: its name.
    """
    if hasattr(os, "fork"):
        return
    say_error(
        f"FAILED: alembic {command} works in a fork of this process, and {_system()} has none (os.fork). Run it in "
        "WSL, in a container or in CI; alembic pgcheck --server URL and the plugin for autogenerate work here."
    )
    sys.exit(NOT_DONE)


def demand_server(settings: Settings) -> None:
    """Raise PgPatternsError if a check needs a server that the user names: there is none to start here."""
    if settings.server is None and not hasattr(os, "fork"):
        raise PgPatternsError(
            f"alembic pgcheck starts no PostgreSQL on {_system()}: name one by --server URL, PGPATTERNS_SERVER or the "
            "setting server. Its scratch databases have random names and are dropped at the end."
        )


def _system() -> str:
    return {"win32": "Windows"}.get(sys.platform, sys.platform)
