"""What patterns say of the tests' examples, word for word, in files that a reviewer can read: ``patterns/messages/``.

A finding's words are what people see, and a change of them should be seen in a diff. ``PGPATTERNS_WRITE_MESSAGES=1
pytest tests/...`` writes the files of the tests that run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.names import Name

_LOADED = re.compile(r"models_[0-9a-f]{32}\.py")
"""The fixture ``load_models`` gives each module a name of its own."""

_NOW = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+\d\d")
"""The time of the run, which has microseconds; those that an example names have none."""

FOLDER = Path(__file__).parent / "patterns/messages"


def hold_messages(name: str, findings: Iterable[Finding]) -> None:
    """Compare findings with the file of this name, or write it.

    Args:
        name: of the file, without its ending.
        findings: of one pattern, in their order.
    """
    path = FOLDER / f"{name}.txt"
    text = "\n".join(line for finding in findings for line in _finding(finding))
    text = _NOW.sub("NOW", _LOADED.sub("models.py", text))
    if os.environ.get("PGPATTERNS_WRITE_MESSAGES"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8"), "see tests/messages.py"


def _finding(finding: Finding) -> Iterator[str]:
    yield finding.fingerprint
    yield f"    {finding.severity}{' (a guess)' if finding.guess else ''}: {finding.message}"
    facts = {"object": finding.object, "table": finding.table, "revision": finding.revision, "cause": finding.cause}
    yield "    " + ", ".join(f"{key} {value}" for key, value in facts.items() if value)
    if finding.location is not None:
        yield f"    at line {finding.location.line}"
    if finding.remedy is not None:
        yield f"    {_written(finding.remedy)}"


def _written(value: Any) -> str:
    """A remedy without what has its usual value."""
    if isinstance(value, Advice):
        return f"advice{' (decided)' if value.decided else ''}: {value.text}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    if is_dataclass(value) and not isinstance(value, Name):
        given = [field.name for field in fields(value) if _is_given(getattr(value, field.name), field.default)]
        return f"{type(value).__name__}({', '.join(f'{name}={_written(getattr(value, name))}' for name in given)})"
    return str(value)


def _is_given(value: Any, default: Any) -> bool:
    return default is MISSING or value != default
