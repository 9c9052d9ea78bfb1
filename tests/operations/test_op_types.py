"""``from alembic_pgpatterns import op`` has types, and its stub cannot fall behind the directives."""

from __future__ import annotations

import ast
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import alembic
import pytest
from alembic.operations import Operations

from alembic_pgpatterns import op
from alembic_pgpatterns.operations import IN_BATCH, KINDS, op_stub

ROOT = Path(__file__).parents[2]


def test_it_is_the_op_of_alembic():
    assert op is alembic.op
    assert callable(op.create_policy)


def test_the_stub_is_what_the_directives_say():
    written, expected = (ast.parse(text) for text in (op_stub.STUB.read_text(), op_stub.stub()))
    # The formatter orders the imports, and an older Alembic has fewer operations.
    functions = [
        [ast.dump(node) for node in tree.body if not isinstance(node, ast.ImportFrom)] for tree in (written, expected)
    ]
    imports = [
        {
            ast.unparse(ast.ImportFrom(node.module, [name], 0))
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            for name in node.names
        }
        for tree in (written, expected)
    ]
    assert functions[0] == functions[1], "run: python -m alembic_pgpatterns.operations.op_stub"
    assert imports[0] >= imports[1]


def test_batch_alter_table_takes_what_alembics_takes():
    functions = {
        node.name: node for node in ast.parse(op_stub.STUB.read_text()).body if isinstance(node, ast.FunctionDef)
    }
    arguments = [argument.arg for argument in functions["batch_alter_table"].args.args]
    assert arguments == [name for name in inspect.signature(Operations.batch_alter_table).parameters if name != "self"]


@pytest.mark.long
def test_a_typed_revision_passes_mypy_and_wrong_calls_do_not(tmp_path: Path):
    """As a user runs it: outside of this repository, and with none of its settings."""
    source = Path(__file__).with_name("typed_revision.py")
    shutil.copy(source, tmp_path)
    cache = ROOT / ".mypy_cache" / "users"
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(cache), source.name]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    called = set(re.findall(r"\bop\.(\w+)\(", source.read_text()))
    assert {name for names in KINDS.values() for name in names} <= called
    assert {name for kind in IN_BATCH for name in KINDS[kind]} <= set(
        re.findall(r"batch_op\.(\w+)\(", source.read_text())
    )


def test_every_directive_is_documented():
    guide = (ROOT / "docs" / "directives.md").read_text()
    table = guide.partition("## All of them")[2]
    documented = {name for line in table.splitlines() if line.startswith("|") for name in re.findall(r"`(\w+)`", line)}
    assert {name for names in KINDS.values() for name in names} <= documented
