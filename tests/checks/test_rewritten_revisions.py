"""pgcheck must not complain of what the rewriter writes: the strongest test of both."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from alembic_pgpatterns.autogenerate.rewrite.alembic_versions import HAS_INLINE_REFERENCES
from alembic_pgpatterns.patterns import RevisionPattern, registry
from tests.autogenerate.conftest import AlembicProject, make_project  # noqa: F401
from tests.tracing import trace

PATTERNS = [cls for cls in registry().values() if issubclass(cls, RevisionPattern)]
ID = 'Column("id", BigInteger, primary_key=True)'
AUTHOR = f'author = Table("author", metadata, {ID}, Column("name", Text), schema=None)\n'
PLAIN = 'Column("title", Text), Column("isbn", Text), Column("pages", Integer)'
BOOK = f'book = Table("book", metadata, {ID}, {PLAIN}'
BEFORE = f"""{AUTHOR}{BOOK}, Column("author_id", BigInteger), Column("old", Text), Index("ix_book_pages", "pages"))
"""
CHANGES = {
    "index": 'Index("ix_book_title", "title"), Index("ix_book_pages", "pages")',
    "two indexes": 'Index("ix_book_title", "title"), Index("ix_book_isbn", "isbn"), Index("ix_book_pages", "pages")',
    "index dropped": "",
    "unique": 'UniqueConstraint("isbn", name="book_isbn_key"), Index("ix_book_pages", "pages")',
    "foreign key": 'ForeignKeyConstraint(["author_id"], ["author.id"], name="book_author_id_fkey"),'
    ' Index("ix_book_author_id", "author_id"), Index("ix_book_pages", "pages")',
    "column": 'Column("kind", Text, nullable=False, server_default="novel"), Index("ix_book_pages", "pages")',
    "column with a reference": 'Column("editor_id", BigInteger, ForeignKey("author.id")),'
    ' Index("ix_book_pages", "pages")',
    "column with a random default": 'Column("token", Uuid, server_default=func.gen_random_uuid()),'
    ' Index("ix_book_pages", "pages")',
    "column with an index": 'Column("kind", Text), Index("ix_book_kind", "kind"), Index("ix_book_pages", "pages")',
}


@pytest.fixture
def findings_of(make_project, traced_server) -> Callable[[str, str], list[str]]:  # noqa: F811
    def run(before: str, after: str) -> list[str]:
        project: AlembicProject = make_project().without_patterns()
        project.models(before)
        project.revise("before")
        project.alembic("upgrade", "head")
        old = set(project.versions())
        project.models(after)
        project.revise("after")
        new = [path.name.split("_")[0] for path in project.versions() if path not in old]
        assert new
        sys.modules.pop("models", None)
        sys.path.insert(0, str(project.root))
        try:
            traced = trace(SimpleNamespace(folder=project.root), traced_server, new)  # type: ignore[arg-type]
        finally:
            sys.path.remove(str(project.root))
            sys.modules.pop("models", None)
        assert traced.skipped == ()
        assert {run.revision for run in traced.runs} == set(new)
        return [f"{f.pattern}: {f.message}" for run in traced.runs for cls in PATTERNS for f in cls().detect(run)]

    return run


@pytest.mark.sample(6)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_the_rewriter_writes_is_silent(findings_of, change: str) -> None:
    if change == CHANGES["column with a reference"] and not HAS_INLINE_REFERENCES:
        pytest.skip("Alembic before 1.19 loses ON DELETE inside ADD COLUMN, so the key is a statement of its own")
    assert findings_of(BEFORE, f'{AUTHOR}{BOOK}, Column("author_id", BigInteger), Column("old", Text), {change})') == []


def test_not_null(findings_of) -> None:
    after = BEFORE.replace('Column("old", Text)', 'Column("old", Text, nullable=False)')
    assert findings_of(BEFORE, after) == []


def test_new_tables(findings_of) -> None:
    after = BEFORE + f'page = Table("page", metadata, {ID}, Column("n", Integer, index=True), Column("k", Text))\n'
    assert findings_of(BEFORE, after) == []


def test_what_has_no_safe_form_is_named(findings_of) -> None:
    """A column that goes: autogenerate writes what was asked for, and pgcheck names it. A new type has a safe form."""
    found = findings_of(BEFORE, BEFORE.replace('Column("pages", Integer)', 'Column("pages", BigInteger)').replace(
        ', Column("old", Text)', ""))  # fmt: skip
    assert {text.split(":")[0] for text in found} == {"drop-under-running-code"}, found
