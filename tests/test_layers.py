"""Imports go down only, and nothing imports in a circle."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "alembic_pgpatterns"

LAYERS = (
    ("plugin", "pytest_plugin"),
    ("cli",),
    ("report", "fix"),
    ("checks",),
    ("autogenerate",),
    ("autogenerate.target",),
    ("autogenerate.rewrite",),
    ("runner", "runner.cache"),
    ("findings",),
    ("config",),
    ("patterns",),
    ("remedies",),
    ("operations",),
    ("operations.support",),
    ("declare",),
    ("revisions",),
    ("schema.metadata",),
    ("schema.catalog",),
    ("evidence",),
    ("schema.sql",),
    ("schema",),
    ("evidence.model",),
    ("server",),
    ("errors",),
)
"""From the top down, a folder's name per room; a module may import from its own row and from those below it."""


def modules() -> list[str]:
    return sorted(
        str(path.relative_to(PACKAGE).with_suffix("")).replace("/", ".").removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
        if path != PACKAGE / "__init__.py"
    )


def layer(module: str) -> int:
    candidates = [
        (len(name), number)
        for number, names in enumerate(LAYERS)
        for name in names
        if module == name or module.startswith(f"{name}.")
    ]
    assert candidates, f"{module} stands in no layer: give it one here"
    return max(candidates)[1]


def path_of(module: str) -> Path:
    plain = PACKAGE / (module.replace(".", "/") + ".py")
    return plain if plain.exists() else PACKAGE / module.replace(".", "/") / "__init__.py"


def imports(module: str) -> set[str]:
    """What a module of ours imports from us, as module names, lazily or not, for types or not."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path_of(module).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("alembic_pgpatterns"):
            base = node.module.removeprefix("alembic_pgpatterns").lstrip(".")
            for alias in node.names:
                name = f"{base}.{alias.name}".lstrip(".")
                found.add(name if path_of(name).exists() else base)
        elif isinstance(node, ast.Import):
            ours = (alias.name for alias in node.names if alias.name.startswith("alembic_pgpatterns."))
            found |= {name.removeprefix("alembic_pgpatterns.") for name in ours}
    return found - {""}


@pytest.mark.parametrize("module", modules())
def test_imports_go_down(module: str) -> None:
    upward = {name for name in imports(module) if layer(name) < layer(module)}
    assert not upward, f"{module} imports from above: {sorted(upward)}"


def test_no_circles() -> None:
    graph = {module: imports(module) & set(modules()) for module in modules()}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a circle: {' -> '.join((*path, module))}"
        if module not in done:
            for name in graph[module] - {module}:
                visit(name, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("module", modules())
def test_only_commands_see_alembic_config(module: str) -> None:
    if module.startswith("cli") or module == "plugin":
        return
    tree = ast.parse(path_of(module).read_text())
    seen = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    seen |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert "alembic.config" not in seen


@pytest.mark.parametrize("module", modules())
def test_files_and_functions_are_short(module: str) -> None:
    source = path_of(module).read_text()
    assert len(source.splitlines()) < 400
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    long = {n.name: n.end_lineno - n.lineno for n in functions if n.end_lineno and n.end_lineno - n.lineno > 50}
    assert not long
