"""Every flag, format and setting is documented, and every pattern name that we write exists."""

from __future__ import annotations

import argparse
import ast
from dataclasses import fields
from pathlib import Path

import pytest
from alembic.config import CommandLine

from alembic_pgpatterns import report
from alembic_pgpatterns.cli import reference
from alembic_pgpatterns.cli.register import COMMANDS
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.patterns import registry

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "alembic_pgpatterns"
OURS = ("checks", "cli", "config", "findings", "fix", "report")


def test_the_page_of_commands_is_current() -> None:
    again = "python -m alembic_pgpatterns.cli.reference docs"
    assert (ROOT / "docs/commands.md").read_text() == reference.page(), f"write it again: {again}"
    assert (ROOT / "docs/facts.md").read_text() == reference.facts_page(), f"write it again: {again}"


def flags(command: str) -> list[argparse.Action]:
    return list(CommandLine().subparsers.choices[command]._actions)


@pytest.mark.parametrize("module", COMMANDS, ids=lambda module: module.__name__)
def test_every_flag_says_what_it_does(module: object) -> None:
    command = module.__name__.rsplit(".", 1)[-1]  # type: ignore[attr-defined]
    silent = [action.option_strings for action in flags(command) if not action.help]
    assert not silent, f"{command}: without help: {silent}"


def test_every_format_is_documented() -> None:
    guide = (ROOT / "docs/ci.md").read_text()
    (flag,) = (action for action in flags("pgcheck") if "--format" in action.option_strings)
    for name in report.FORMATS:
        assert f"\n| `{name}` |" in guide, f"docs/ci.md has no row for the format {name}"
        assert name in str(flag.help), f"--help does not name the format {name}"
        home = PACKAGE / "report" / name
        assert home.with_suffix(".py").exists() or (home / "__init__.py").exists()


def test_every_setting_is_documented() -> None:
    guide = (ROOT / "docs/settings.md").read_text()
    internal = {"patterns", "sources", "root", "in_files"}
    for field in fields(Settings):
        if field.name not in internal:
            assert field.metadata.get("help", "").strip(), f"the setting {field.name} has no help"
            assert f"| `{field.name}` |" in guide


def constants(path: Path) -> set[str]:
    """All strings of a module but its docstrings."""
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    }


@pytest.mark.parametrize("room", OURS)
def test_names_of_patterns_are_taken_from_their_classes(room: str) -> None:
    for path in (PACKAGE / room).rglob("*.py"):
        spelled = constants(path) & set(registry())
        assert not spelled, f"{path}: write SomePattern.name instead of {spelled}"
