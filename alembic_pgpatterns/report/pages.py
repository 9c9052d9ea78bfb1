"""The patterns' pages: docs/patterns/ is written from them, and so is ``--explain``.

``python -m alembic_pgpatterns.report.pages docs`` writes them again.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from alembic_pgpatterns.config.conversion import settings_of
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.patterns import (
    Basis,
    Pattern,
    RehearsalPattern,
    SchemaPattern,
    ServerPattern,
    StatementPattern,
    built_in,
    option_docs,
    registry,
    use_plugins,
)
from alembic_pgpatterns.remedies.model import Advice, Remedy, TypeChange
from alembic_pgpatterns.report.pattern_docs import title
from alembic_pgpatterns.report.settings_schema import settings_schema

FOLDERS = ("indexes", "types", "constraints", "security", "revisions", "rehearsal", "statements", "server")
WRITTEN = "<!-- Written by `python -m alembic_pgpatterns.report.pages docs`; change the pattern, not this page. -->\n"
LEGEND = """\
Action is what autogenerate does: *enforce* (the revision follows it), *suggest* (a comment in the revision), *report*
(`alembic pgcheck` alone), *off* (nothing, until the settings say otherwise). A pattern that needs *queries* depends on
what the application asks for: it reports only what a query in the application's source supports, and the rest is a
guess, which `alembic pgcheck --guesses` shows. A remedy is *described* where it is text
for a person, such as the replacement of lines in a revision. Severity, action and options are
[settings](../settings.md); `alembic pgcheck --explain NAME` shows a page in the terminal.
"""
STATEMENTS = {kind.__name__ for kind in (*Remedy.__subclasses__(), TypeChange)} - {Advice.__name__}
"""Remedies that come as statements, not only in words."""


def folders() -> tuple[str, ...]:
    """The folders of all patterns: those of this package first, then those of plugins."""
    others = sorted({cls.folder for cls in registry().values()} - set(FOLDERS))
    return (*FOLDERS, *others)


def pages_of(modules: Sequence[str]) -> dict[str, str]:
    """The pages of the patterns of some plugins, and their index, by file name.

    Args:
        modules: dotted names.

    Raises:
        PgPatternsError: one does not load.
    """
    use_plugins(modules, "command line", (Path.cwd(),), in_command=True, seconds=Settings().seconds)
    of_plugins = {name: cls for name, cls in registry().items() if name not in built_in()}
    return {"index.md": index(of_plugins.values()), **{f"{name}.md": page(cls) for name, cls in of_plugins.items()}}


def files() -> dict[str, str]:
    """All generated files below docs/, by their path there."""
    pages = {f"patterns/{name}.md": page(cls) for name, cls in built_in().items()}
    written = {"settings.md": settings_page(), "settings.schema.json": settings_schema()}
    return {"patterns/index.md": index(built_in().values()), **written, **pages}


def page(cls: type[Pattern]) -> str:
    """One pattern's page, as Markdown."""
    return "\n".join(line.rstrip() for line in "\n".join(_page(cls)).splitlines()).rstrip() + "\n"


def _page(cls: type[Pattern]) -> Iterator[str]:
    description = inspect.cleandoc(cls.__doc__ or "").partition("\n")[2]
    yield f"# {cls.name}"
    yield WRITTEN
    yield f"**{title(cls)}**\n"
    yield f"{cls.folder} · {cls.severity} · action: {cls.action} · {_needs(cls)}\n"
    yield description.strip()
    yield ""
    if cls.not_when:
        yield f"## When not to follow it\n{cls.not_when}\n"
    yield from _examples(cls)
    yield from _options(cls)
    if cls.references:
        yield "## References"
        yield from (f"- <{reference}>" for reference in cls.references)


def _needs(cls: type[Pattern]) -> str:
    words = {"either": "database or models", "database": "needs a database", "models": "needs the models"}
    if issubclass(cls, SchemaPattern):
        return words[cls.needs] + (", and queries" if cls.basis is Basis.QUERIES else "")
    if issubclass(cls, StatementPattern):
        return "needs a workload"
    if issubclass(cls, RehearsalPattern):
        return "needs `alembic pgrehearse`"
    return "needs a live server" if issubclass(cls, ServerPattern) else "needs a run of the revisions"


def _examples(cls: type[Pattern]) -> Iterator[str]:
    for heading, attributes in (("Instead of", ("bad", "bad_models")), ("Use", ("good", "good_models"))):
        examples = [(name, getattr(cls, name, "")) for name in attributes if getattr(cls, name, "")]
        if examples:
            yield f"## {heading}"
        for name, code in examples:
            yield from _block(code, in_sql=name in ("bad", "good") and issubclass(cls, SchemaPattern))


def _block(code: str, in_sql: bool) -> Iterator[str]:
    yield "```sql" if in_sql else "```python"
    yield _statements(code) if in_sql else textwrap.dedent(code).strip()
    yield "```\n"


def _statements(code: str) -> str:
    """The SQL, each statement from the left margin: examples are put together from texts of unlike indents."""
    statements = re.split(r"(?<=;)\n", code.strip("\n"))
    return "\n".join(filter(None, (textwrap.dedent(statement).strip() for statement in statements)))


def _options(cls: type[Pattern]) -> Iterator[str]:
    documented = option_docs(cls.Options)
    if not documented:
        return
    yield "## Options\n\n| option | default | |\n|---|---|---|"
    for field in fields(cls.Options):
        yield f"| `{field.name}` | `{_default(field)}` | {documented.get(field.name, '')} |"
    yield ""


def _default(field: Any) -> str:
    value = field.default if field.default is not MISSING else field.default_factory()
    if isinstance(value, (tuple, frozenset)):
        return ", ".join(map(str, sorted(value) if isinstance(value, frozenset) else value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def index(patterns: Iterable[type[Pattern]]) -> str:
    """The table of patterns, by folder."""
    lines = ["# Patterns", WRITTEN, LEGEND]
    listed = list(patterns)
    for folder in folders():
        rows = [cls for cls in listed if cls.folder == folder]
        if rows:
            lines += [f"## {folder}", "| pattern | what | severity | action | needs | remedy |", "|---" * 6 + "|"]
            lines += [_row(cls) for cls in rows]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _row(cls: type[Pattern]) -> str:
    link = f"[{cls.name}]({cls.name}.md)"
    return f"| {link} | {title(cls)} | {cls.severity} | {cls.action} | {_needs(cls)} | {remedy(cls)} |"


def remedy(cls: type[Pattern]) -> str:
    """Whether the pattern's file, or a function it takes from another, makes a remedy that is more than advice."""
    described: str | None = getattr(cls, "described_source", None)
    if described is not None:
        return "yes" if STATEMENTS & _names_in(described) else "described"
    module = sys.modules[cls.__module__]
    helpers = (item for item in vars(module).values() if inspect.isfunction(item))
    borrowed = [item for item in helpers if item.__module__.startswith("alembic_pgpatterns.patterns.")]
    sources = "\n".join([inspect.getsource(module), *map(inspect.getsource, borrowed)])
    return "yes" if STATEMENTS & _names_in(sources) else "described"


def _names_in(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def settings_page() -> str:
    """The table of all settings."""
    lines = [
        "# Settings",
        WRITTEN,
        "In `[tool.alembic_pgpatterns]` of pyproject.toml, or in `[pgpatterns]` of alembic.ini (lists separated by",
        "commas or lines, `env` as lines of `NAME = value`). Where both say something, alembic.ini wins; a flag wins",
        "over both.",
        "`alembic pgcheck --show-settings` prints what is in force and where it came from. Editors complete and",
        "check the settings with [settings.schema.json](settings.schema.json): see [editors](ci.md#editors).",
        "",
        "| setting | default | |",
        "|---|---|---|",
    ]
    lines += [_setting_row(field) for field in fields(Settings) if field.name in settings_of(Settings)]
    lines += [
        "",
        "## One pattern",
        "`[tool.alembic_pgpatterns.patterns.NAME]`, or a section `[pgpatterns:NAME]` in alembic.ini, takes `severity`",
        "(info, warning, error), `action` (enforce, suggest, report, off), and the pattern's own options, which stand",
        "on its [page](patterns/index.md).",
    ]
    return "\n".join(lines) + "\n"


def _setting_row(field: Any) -> str:
    value = field.default if field.default is not MISSING else field.default_factory()
    empty = value is None or value in ((), {})
    shown = "" if empty else _default(field)
    return f"| `{field.name}` | {f'`{shown}`' if shown else '-'} | {field.metadata['help']} |"


def write_all(folder: Path) -> None:
    """Write the generated files below a folder, and take out pages of patterns that are no more."""
    pages = files()
    (folder / "patterns").mkdir(parents=True, exist_ok=True)
    for path in (folder / "patterns").glob("*.md"):
        if f"patterns/{path.name}" not in pages:
            path.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    """``FOLDER`` writes this package's documentation there; ``FOLDER MODULE…`` the pages of those plugins."""
    folder = Path(arguments[0] if arguments else "docs")
    if len(arguments) < 2:
        write_all(folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages_of(arguments[1:]).items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
