"""Python source that is written for a newer Python than this one: the project's own interpreter parses it.

It only parses: nothing of the source is run, and the interpreter sees neither packages nor the environment.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any

_PROGRAM = """
import ast, json, sys
PLACE = "lineno", "col_offset", "end_lineno", "end_col_offset"
def plain(value):
    if isinstance(value, ast.AST):
        fields = {name: plain(getattr(value, name, None)) for name in value._fields}
        return {"kind": type(value).__name__, "place": [getattr(value, name, None) for name in PLACE], "fields": fields}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    return {"text": "..." if value is ... else repr(value)}
for line in sys.stdin:
    try:
        answer = plain(ast.parse(json.loads(line)))
    except (SyntaxError, ValueError, RecursionError) as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
"""
_PLACE = ("lineno", "col_offset", "end_lineno", "end_col_offset")

_python: Path | None = None
_helper: subprocess.Popen[str] | None = None


def parse_with(python: Path | None) -> None:
    """Note the interpreter of the project; None for this one."""
    global _python
    _python = python


def parse(text: str) -> ast.Module:
    """The tree of a source, with the classes of this Python. What it has no class for is left out.

    Raises:
        SyntaxError, ValueError: neither this Python nor the project's can read it.
    """
    try:
        return ast.parse(text)
    except SyntaxError:
        tree = _node(_ask(text)) if _python is not None else None
        if not isinstance(tree, ast.Module):
            raise
        return tree


def _ask(text: str) -> Any:
    """What the project's interpreter says; None if it cannot be asked."""
    global _helper
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        if _helper is None:
            pipe = subprocess.PIPE
            command = [str(_python), "-I", "-S", "-c", _PROGRAM]
            _helper = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env={})
            atexit.register(_end)
        assert _helper.stdin is not None and _helper.stdout is not None
        _helper.stdin.write(json.dumps(text) + "\n")
        _helper.stdin.flush()
        return json.loads(_helper.stdout.readline())
    return None


def _end() -> None:
    global _helper
    if _helper is not None:
        _helper.kill()
        _helper.communicate()
        _helper = None


def _node(data: Any) -> Any:
    """The tree of what the other interpreter has sent."""
    if isinstance(data, list):
        return [_node(item) for item in data]
    if not isinstance(data, dict):
        return data
    if "text" in data:
        return ast.literal_eval(data["text"])
    name = str(data.get("kind", ""))
    kind = _KINDS.get(name, name)
    cls = getattr(ast, kind, ast.Pass if "value" not in data.get("fields", {}) else ast.Expr)
    fields = {name: _node(value) for name, value in data.get("fields", {}).items() if name in cls._fields}
    if kind == "Assign" and "targets" not in fields:
        fields["targets"] = [_node(data["fields"]["name"])]
    node = cls(**fields)
    for name, value in zip(_PLACE, data.get("place", ()), strict=False):
        if value is not None:
            setattr(node, name, value)
    return node


_KINDS = {"TypeAlias": "Assign", "TemplateStr": "JoinedStr", "Interpolation": "FormattedValue"}
"""What newer versions have, by the nearest of what this one has: ``type A = B`` was an assignment before."""
