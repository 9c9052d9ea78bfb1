"""What patterns say of the tests' examples, word for word, in files that a reviewer can read: ``patterns/messages/``.

A finding's words are what people see, and a change of them should be seen in a diff. ``PGPATTERNS_WRITE_MESSAGES=1
pytest tests/...`` writes what the tests that run say. The files of the examples and of the catalogue have the findings
that a test hands over; those named as a test module have all that are made in it, a section per test.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from alembic_pgpatterns.patterns import Finding, Pattern
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.names import Name

_LOADED = re.compile(r"models_[0-9a-f]{32}\.py")
"""The fixture ``load_models`` gives each module a name of its own."""

_NOW = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+\d\d")
"""The time of the run, which has microseconds; those that an example names have none."""

_DATABASE = re.compile(r"\btest_[0-9a-f]{12}\b")
"""The fixture ``database`` gives each one a name of its own."""

_SECTION = re.compile(r"^=== (.+)\n", re.MULTILINE)
FOLDER = Path(__file__).parent / "patterns/messages"
CHANGED = "other words: if they are meant, write them by PGPATTERNS_WRITE_MESSAGES=1 pytest …, and read the diff"


def hold_messages(name: str, findings: Iterable[Finding]) -> None:
    """Compare findings with the file of this name, or write it.

    Args:
        name: of the file, without its ending.
        findings: of one pattern, in their order.
    """
    path, text = FOLDER / f"{name}.txt", _text(findings)
    if os.environ.get("PGPATTERNS_WRITE_MESSAGES"):
        path.write_text(text, encoding="utf-8")
    _compare(text, path.read_text(encoding="utf-8") if path.exists() else "")


@pytest.fixture
def held_messages(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compare all findings that patterns make during the test with its section of the module's file."""
    made: list[Finding] = []
    original = Pattern.finding

    def finding(self: Pattern, *arguments: Any, **options: Any) -> Finding:
        result = original(self, *arguments, **options)
        if result not in made:
            made.append(result)
        return result

    monkeypatch.setattr(Pattern, "finding", finding)
    yield
    _hold_section(request.node.path.stem, request.node.name, _text(made))


def _hold_section(module: str, test: str, text: str) -> None:
    path = FOLDER / f"{module}.txt"
    parts = _SECTION.split(path.read_text(encoding="utf-8")) if path.exists() else [""]
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    if os.environ.get("PGPATTERNS_WRITE_MESSAGES"):
        if os.environ.get("PYTEST_XDIST_WORKER"):
            pytest.fail("several processes would overwrite each other's sections: write messages with -n 0")
        sections[test] = text
        written = (f"=== {name}\n{sections[name]}" for name in sorted(sections) if sections[name])
        path.write_text("".join(written), encoding="utf-8")
    _compare(text, sections.get(test, ""))


def _compare(text: str, held: str) -> None:
    if text != held:
        changed = difflib.unified_diff(held.splitlines(), text.splitlines(), "held", "said", lineterm="", n=1)
        pytest.fail("\n".join((CHANGED, *changed)))


def _text(findings: Iterable[Finding]) -> str:
    text = "".join(f"{line}\n" for finding in findings for line in _finding(finding))
    return _DATABASE.sub("DATABASE", _NOW.sub("NOW", _LOADED.sub("models.py", text)))


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
