"""Lines for a console go through `output.safe_text`: names of a schema must not act on a terminal or in CI."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from alembic_pgpatterns.output import safe_text
from tests.test_layers import modules, nodes_of

SAFE = {name for name in vars(safe_text) if callable(getattr(safe_text, name)) and not name.startswith("_")}
WRITERS = {"print_stdout", "sys.stderr.write", "sys.stdout.write"}
LAST_WORDS = {name.rpartition(".")[2] for name in WRITERS}
OTHER_PROCESSES = ("runner", "fences", "server.watchdog", "rehearsal.load_program")
"""What these write is read by a program, or comes before there is anything of the project."""


def console_calls(module: str) -> Iterator[ast.Call]:
    for node in nodes_of(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LAST_WORDS:
            name = ast.unparse(node.func)
            if name in WRITERS or name.endswith(".print_stdout"):
                yield node


def is_safe(call: ast.Call) -> bool:
    called = {item.func.id for item in ast.walk(call) if isinstance(item, ast.Call) and hasattr(item.func, "id")}
    return all(isinstance(argument, ast.Constant) for argument in call.args) or bool(called & SAFE)


def test_what_is_printed_is_safe() -> None:
    calls = [(name, call) for name in modules() if not name.startswith(OTHER_PROCESSES) for call in console_calls(name)]
    assert len(calls) > 5
    assert not [f"{name}:{call.lineno}: {ast.unparse(call)}" for name, call in calls if not is_safe(call)]
