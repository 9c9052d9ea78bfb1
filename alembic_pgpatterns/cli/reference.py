"""The pages docs/commands.md, from the flags, and docs/facts.md, from the classes that patterns look at.

``python -m alembic_pgpatterns.cli.reference docs`` writes them again.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic_pgpatterns.cli.register import COMMANDS
from alembic_pgpatterns.revisions import model as revisions
from alembic_pgpatterns.schema import model as schema

PAGE, FACTS_PAGE = "commands.md", "facts.md"
AGAIN = "<!-- Written by `python -m alembic_pgpatterns.cli.reference docs`; change"
WRITTEN = f"{AGAIN} the command's flags, not this page. -->"
FACTS_WRITTEN = f"{AGAIN} the classes, not this page. -->"
FACTS_HEAD = """What the `detect` of a [pattern](writing-patterns.md) is given: frozen objects, and nothing else. A
pattern about schemas gets a `Schema`, one about revisions a `RevisionRun`. What a reader cannot know is `UNKNOWN`; a
pattern that needs it reports nothing."""
OF_SCHEMAS = (
    schema.Schema, schema.Table, schema.Column, schema.DataType, schema.Identity, schema.Generated, schema.Key,
    schema.ForeignKey, schema.Check, schema.Exclusion, schema.Index, schema.IndexKey, schema.Policy, schema.View,
    schema.Sequence, schema.Function, schema.Extension, schema.Namespace, schema.Grant, schema.Relationship,
    schema.TableStatistics, schema.ColumnStatistics, schema.Name, schema.Origin,
)  # fmt: skip
OF_REVISIONS = (revisions.RevisionRun, revisions.Statement, revisions.Lock, revisions.Work, revisions.History)


def page() -> str:
    """All commands with their descriptions and flags, as Markdown."""
    lines = ["# Commands", WRITTEN]
    for module in COMMANDS:
        lines += _command(module)
    return "\n".join(lines).rstrip() + "\n"


def _command(module: ModuleType) -> Iterator[str]:
    name = module.__name__.rsplit(".", 1)[-1]
    parser = argparse.ArgumentParser(add_help=False)
    module.add_flags(parser)
    yield f"\n## alembic {name}\n\n```text\n{module.DESCRIPTION}\n```\n"
    yield "| flag | |\n|---|---|"
    yield from (_row(action) for action in parser._actions)


def _row(action: argparse.Action) -> str:
    value = action.metavar or (",".join(map(str, action.choices)) if action.choices else "")
    if not action.option_strings:
        return _cells(f"`{value}`", action.help or "")
    shown = str(value) if action.nargs != "?" else f"[{value}]"
    flag = f"{', '.join(action.option_strings)} {shown if action.nargs != 0 else ''}".strip()
    return _cells(f"`{flag}`", action.help or "")


def facts_page() -> str:
    """The classes that patterns look at, with their fields, as Markdown."""
    lines = ["# Facts", FACTS_WRITTEN, f"\n{FACTS_HEAD}\n"]
    for module, classes in ((schema, OF_SCHEMAS), (revisions, OF_REVISIONS)):
        lines.append(f"\n## `{module.__name__}`")
        for cls in classes:
            lines += _facts(cls)
    return "\n".join(lines).rstrip() + "\n"


def _facts(cls: Any) -> Iterator[str]:
    yield f"\n### {cls.__name__}\n\n{inspect.cleandoc(cls.__doc__ or '').replace('``', '`')}\n"
    yield "| field | type |\n|---|---|"
    for item in fields(cls):
        if item.init and not item.name.startswith("_"):
            yield _cells(f"`{item.name}`", f"`{item.type}`")
    methods = inspect.getmembers(cls, lambda member: isinstance(member, property) or inspect.isfunction(member))
    for name, member in methods:
        doc = inspect.getdoc(member)
        if not name.startswith("_") and doc:
            first = doc.partition("\n")[0].replace("``", "`")
            yield _cells(f"`{name}`" if isinstance(member, property) else f"`{name}()`", first)


def _cells(*cells: str) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _write(folder: Path) -> None:
    for name, text in ((PAGE, page()), (FACTS_PAGE, facts_page())):
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
