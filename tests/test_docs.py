"""The generated pages are those of the patterns and settings as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alembic_pgpatterns.patterns import Pattern, option_docs, registry
from alembic_pgpatterns.report import pages

DOCS = Path(__file__).parent.parent / "docs"


def test_generated_pages_are_current() -> None:
    wanted = pages.files()
    present = {f"patterns/{path.name}": path.read_text() for path in (DOCS / "patterns").glob("*.md")}
    for name in ("settings.md", "settings.schema.json"):
        present[name] = (DOCS / name).read_text()
    stale = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
    assert not stale, f"write them anew: python -m alembic_pgpatterns.report.pages docs ({stale})"


def test_the_site_shows_every_page_and_links_to_nothing_outside_of_it() -> None:
    """What `zensical build --strict` refuses, as far as the files alone tell."""
    guides = list(DOCS.glob("*.md"))
    navigation = set(re.findall(r"\S+\.md$", (DOCS.parent / "mkdocs.yml").read_text(), re.MULTILINE))
    assert {path.name for path in guides} == {name for name in navigation if "/" not in name}
    outside = [
        (path.name, target)
        for path in [*guides, *(DOCS / "patterns").glob("*.md")]
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
        if not (path.parent / target).is_file() or not (path.parent / target).resolve().is_relative_to(DOCS)
    ]
    assert outside == []


@pytest.mark.parametrize("cls", registry().values(), ids=list(registry()))
def test_options_are_documented(cls: type[Pattern]) -> None:
    undocumented = set(cls.Options.__dataclass_fields__) - set(option_docs(cls.Options))
    assert not undocumented, f"a string literal under the field documents it: {sorted(undocumented)}"
