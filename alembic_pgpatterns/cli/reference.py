"""The page docs/commands.md, generated from the flags.

``python -m alembic_pgpatterns.cli.reference docs`` writes it again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from alembic_pgpatterns.cli.register import COMMANDS

PAGE = "commands.md"
WRITTEN = (
    "<!-- Written by `python -m alembic_pgpatterns.cli.reference docs`; change the command's flags, not this page. -->"
)


def page() -> str:
    """All commands with their descriptions and flags, as Markdown."""
    lines = ["# Commands", WRITTEN]
    for module in COMMANDS:
        lines += _command(module)
    return "\n".join(lines).rstrip() + "\n"


def _command(module: ModuleType) -> Iterator[str]:
    name = module.__name__.rsplit(".", 1)[-1]
    parser = argparse.ArgumentParser(add_help=False)
    module.add_flags(parser)
    yield f"\n## alembic {name}\n\n```text\n{module.DESCRIPTION}\n```\n"
    yield "| flag | |\n|---|---|"
    yield from (_row(action) for action in parser._actions)


def _row(action: argparse.Action) -> str:
    value = action.metavar or (",".join(map(str, action.choices)) if action.choices else "")
    if not action.option_strings:
        return _cells(f"`{value}`", action.help or "")
    shown = str(value) if action.nargs != "?" else f"[{value}]"
    flag = f"{', '.join(action.option_strings)} {shown if action.nargs != 0 else ''}".strip()
    return _cells(f"`{flag}`", action.help or "")


def _cells(*cells: str) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


if __name__ == "__main__":
    (Path(sys.argv[1] if len(sys.argv) > 1 else "docs") / PAGE).write_text(page(), encoding="utf-8")
