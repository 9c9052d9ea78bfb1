"""Change what a revision file says it comes after, and nothing else in it."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.paths import relative

DOWN_REVISION = "down_revision"


def with_down_revision(path: Path, data: bytes, parent: str) -> bytes:
    """A revision file's bytes that say another ``down_revision``; every other byte is as it was.

    Args:
        path: of the file, for messages.
        data: what it holds.
        parent: the identifier of the revision to come after.

    Raises:
        PgPatternsError: the file does not say its ``down_revision`` as a plain value.
    """
    # A revision may be in another encoding than UTF-8 (PEP 263): Alembic itself writes one with `output_encoding`.
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError) as error:
        # Python runs a file whose comments are not in its encoding, and a compiled one without a source.
        raise PgPatternsError(f"{relative(str(path))} cannot be read: {error}. {_BY_HAND}") from error
    node = _value(path, text)
    lines = _lines(text)
    start = _offset(lines, node.lineno, node.col_offset)
    end = _offset(lines, node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
    quote = "'" if text[start:end].lstrip("([").startswith("'") else '"'
    changed = f"{text[:start]}{quote}{parent}{quote}{text[end:]}"
    # What will be imported is what counts, however the line was written.
    if ast.literal_eval(_value(path, changed)) != parent:
        raise PgPatternsError(f"{relative(str(path))}: the new down_revision cannot be written. {_BY_HAND}")
    return changed.encode(encoding)


_BY_HAND = "Change down_revision yourself, then run `alembic pgcheck`."


def _value(path: Path, text: str) -> ast.expr:
    """Where the file says its ``down_revision``."""
    values = [
        node.value
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _names(node) == [DOWN_REVISION]
    ]
    if len(values) != 1:
        where = relative(str(path))
        raise PgPatternsError(f"{where}: there is not one line that says `down_revision = …`. {_BY_HAND}")
    try:
        ast.literal_eval(values[0])
    except ValueError:
        where = f"{relative(str(path))}:{values[0].lineno}"
        raise PgPatternsError(f"{where}: down_revision is computed there. {_BY_HAND}") from None
    return values[0]


def _names(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _lines(text: str) -> list[str]:
    """The lines as Python counts them, with their ends: a form feed or U+2028 ends none."""
    return io.StringIO(text, newline="").readlines()


def _offset(lines: list[str], line: int, column: int) -> int:
    """A place in the text; ``ast`` counts lines from 1, and columns in bytes of UTF-8."""
    before = sum(map(len, lines[: line - 1]))
    return before + len(lines[line - 1].encode()[:column].decode())
