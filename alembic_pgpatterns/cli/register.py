"""The commands that this package adds to ``alembic``: only flags and exit codes."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

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
        _quote_harmlessly(parser)
    # It says which arguments nobody knows.
    _quote_harmlessly(command_line.parser)


def _quote_harmlessly(parser: argparse.ArgumentParser) -> None:
    """Let the parser's errors, which quote what was typed, hold no secret and no control character."""
    stock = parser.error

    def error(message: str) -> NoReturn:
        from alembic_pgpatterns.output.safe_text import error as safe

        stock(safe(message))

    parser.error = error  # type: ignore[method-assign]
