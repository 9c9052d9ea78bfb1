"""Source for a newer Python than that of the command, which the project's own interpreter parses."""

from __future__ import annotations

import ast
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from alembic_pgpatterns.controller.model_search import models_of
from alembic_pgpatterns.processes import newer_python

NEWER = """\
type Name = str

class Page[T](Base):
    __tablename__ = 'page'

def get[T](x: T) -> T:
    return f'{x['a']}'
"""
OLDER = """\
import os
class A:
    b = (1, b'x', 2.5, ..., f'{os.name!r}')

async def f(*a, k: int = 1): return [i async for i in a]
"""


@pytest.fixture(scope="module")
def interpreter() -> Path:
    """A newer Python of this machine; without one there is nothing to test."""
    homes = Path.home() / ".pyenv" / "versions"
    # The shims of pyenv are found on the PATH, too, and start nothing.
    installed = sorted(map(str, homes.glob("3.1[2-9]*/bin/python")))
    named = [shutil.which(f"python3.{minor}") for minor in (14, 13, 12)]
    found = next((Path(name) for name in (*installed, *named) if name and "shims" not in name), None)
    if found is None:
        pytest.skip("no newer Python is installed")
    return found


@pytest.fixture
def newer(interpreter: Path) -> Iterator[None]:
    newer_python.parse_with(interpreter)
    yield
    newer_python.parse_with(None)
    newer_python._end()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python reads it itself")
def test_newer_syntax_is_read_with_its_lines(newer: None, tmp_path: Path) -> None:
    tree = newer_python.parse(NEWER)
    assert [(type(node).__name__, node.lineno) for node in tree.body] == [
        ("Assign", 1),
        ("ClassDef", 3),
        ("FunctionDef", 6),
    ]
    assert ast.unparse(tree.body[1]).startswith("class Page(Base):")
    compile(tree, "newer", "exec")
    with pytest.raises(SyntaxError):
        newer_python.parse("def (")
    (tmp_path / "alembic").mkdir()
    (tmp_path / "src" / "shop").mkdir(parents=True)
    (tmp_path / "src" / "shop" / "models.py").write_text(NEWER)
    assert models_of(tmp_path / "alembic", None) == ("shop.models",)


def test_what_both_can_read_is_the_same(newer: None) -> None:
    plain = newer_python._node(newer_python._ask(OLDER))
    assert ast.dump(plain) == ast.dump(ast.parse(OLDER))
    assert [node.lineno for node in plain.body] == [1, 2, 5]


def test_without_another_interpreter_it_is_an_error() -> None:
    with pytest.raises(SyntaxError):
        newer_python.parse("def (")


@pytest.mark.parametrize("package", [True, False])
def test_a_src_folder_is_where_packages_are_imported_from(tmp_path: Path, package: bool) -> None:
    (tmp_path / "alembic").mkdir()
    (tmp_path / "src" / "shop").mkdir(parents=True)
    (tmp_path / "src" / "shop" / "models.py").write_text("class A(Base):\n    __tablename__ = 'a'\n")
    (tmp_path / "src" / "shop" / "other.py").write_text(f"from {'src.' if package else ''}shop.models import A\n")
    assert models_of(tmp_path / "alembic", None) == ("src.shop.models" if package else "shop.models",)
