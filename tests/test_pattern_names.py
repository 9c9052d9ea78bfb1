"""A pattern's name is written in one place, its class: everything that names one names one that exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from alembic_pgpatterns.patterns import registry

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "alembic_pgpatterns"
OUTSIDE = [path for path in sorted(PACKAGE.rglob("*.py")) if PACKAGE / "patterns" not in path.parents]
KEBAB = r"[a-z]+(?:-[a-z]+)+"
SAID = re.compile(rf"\bsee `?({KEBAB})`?\)|pgpatterns: (?:error: )?({KEBAB}):|pgpatterns: ignore\[({KEBAB})\]")
"""Texts that name a pattern: "(see x)" in a page, the comment in a revision, a suppression."""


def strings(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_names_are_taken_from_the_classes(path: Path) -> None:
    written = [f"{path.name}:{line}: {text}" for line, text in strings(path) if text in registry()]
    assert not written, "write the class's `name` instead of a string that nothing checks"


def test_notes_in_revisions_take_a_name_from_a_class() -> None:
    for path in (PACKAGE / "autogenerate").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Note", "own_transaction"):
                assert not isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno}"


@pytest.mark.parametrize("folder", ["alembic_pgpatterns", "docs"])
def test_texts_name_patterns_that_exist(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md")]
    names = [
        (str(path.relative_to(ROOT)), next(filter(None, match)))
        for path in [*files, ROOT / "README.md"]
        for match in SAID.findall(path.read_text(encoding="utf-8"))
    ]
    assert [(path, name) for path, name in names if name not in registry()] == []
