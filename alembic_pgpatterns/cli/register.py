"""The commands that this package adds to ``alembic``: only flags and exit codes."""

from __future__ import annotations

import argparse
from typing import Any

from alembic_pgpatterns.cli import pgadvise, pgcheck, pgexpand, pgfix, pgrebase, pgrehearse, pgrevision, pgstats

COMMANDS = (pgcheck, pgfix, pgrevision, pgexpand, pgrebase, pgrehearse, pgadvise, pgstats)


def register(command_line: Any) -> None:
    """Add the commands to a CommandLine of Alembic; one that exists already stays as it is."""
    for module in COMMANDS:
        name = module.__name__.rsplit(".", 1)[-1]
        if name in command_line.subparsers.choices:
            continue
        command_line.register_command(getattr(module, name))
        parser = command_line.subparsers.choices[name]
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.description = module.DESCRIPTION
        module.add_flags(parser)
