"""What the commands need from the operating system."""

from __future__ import annotations

import importlib.util
import os
import sys

from alembic_pgpatterns.cli.exit_codes import NOT_DONE, say_error

MODULES = ("fcntl", "pwd", "resource")
"""Modules of Python that exist on Unix alone, and that the process of the project's code and its server need."""


def demand_unix(command: str) -> None:
    """Leave the program with one line if commands cannot run here.

    On Windows, no flag helps: the project's code runs in a fork, so that a check leaves nothing behind in the process
    that reports it. Autogenerate works there, since it runs in Alembic's own process.

    Args:
        command: its name.
    """
    if hasattr(os, "fork") and all(importlib.util.find_spec(name) for name in MODULES):
        return
    system = {"win32": "Windows"}.get(sys.platform, sys.platform)
    say_error(
        f"FAILED: alembic {command} runs the project's code in a process of its own, and {system} lacks what that "
        "needs (os.fork). Run it in WSL, in a container or in CI; the plugin for autogenerate works here."
    )
    sys.exit(NOT_DONE)
