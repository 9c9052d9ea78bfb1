"""The report as a comment: its text as a whole, and what is left out when there is no room."""

from __future__ import annotations

import io

import pytest

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.findings.skipped import FoundOut, Skipped
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.patterns.constraints.missing_primary_key import MissingPrimaryKey
from alembic_pgpatterns.patterns.indexes.unindexed_foreign_key import UnindexedForeignKey
from alembic_pgpatterns.remedies.model import Advice, CreateIndex, Statements
from alembic_pgpatterns.report import markdown
from alembic_pgpatterns.report.diagram.mermaid import pictures
from alembic_pgpatterns.report.markdown_text import block, code_span, escaped
from alembic_pgpatterns.schema.model import Location, Name, Schema
from tests.report.schemas import table

BOOK, AUTHOR = Name("public", "book"), Name("public", "author")


def finding(at: str, table: Name | None = BOOK, severity: Severity = Severity.WARNING) -> Finding:
    name = UnindexedForeignKey.name
    return Finding(name, severity, at, f"{at} is wrong", f"{name} {at}", table, cause=at)


def written(report: Report, *full: bool) -> str:
    stream = io.StringIO()
    markdown.write(report, stream, *full)
    return stream.getvalue()


def test_the_whole_comment() -> None:
    error = Finding(MissingPrimaryKey.name, Severity.ERROR, "book", "book has no key", "x", BOOK)
    report = Report(
        findings=(
            error.but(remedy=Advice("Think <first>."), location=Location("models.py", 18), revision="a1"),
            finding("first", AUTHOR).but(remedy=CreateIndex.on(AUTHOR, "a"), revision="a1"),
            finding("second").but(remedy=Statements(("SELECT 1", "SELECT 2")), location=Location("models.py", 3)),
            finding("third", None, Severity.INFO),
        ),
        skipped=(
            Skipped("rows", "not *counted*", expected=True),
            Skipped("server", "it is _off_"),
            Skipped("the rest", "--live", expected=True, routine=True),
        ),
        found_out=(FoundOut("no *URL*", "alembic_options", {}),),
        hints=("Do `this`.",),
        facts={"revisions": 3, "tables": 4, "server": "PostgreSQL 18.6"},
    )
    assert written(report).splitlines() == [
        "### pgcheck: 4 findings \\(1 error, 2 warnings, 1 info\\); not checked: server; skipped: rows",
        "",
        "3 revisions, 4 tables on PostgreSQL 18.6",
        "",
        "found out, and given to the project: no \\*URL\\*",
        "",
        "**Not checked:** server: it is \\_off\\_",
        "",
        "Skipped: rows: not \\*counted\\*",
        "",
        "#### `public.book`",
        "",
        "- 🔴 **missing-primary-key**: book has no key (`models.py:18`, revision `a1`)",
        "",
        "  Think &lt;first\\>.",
        "",
        "- 🟡 **unindexed-foreign-key**: second is wrong (`models.py:3`)",
        "",
        "  ```sql",
        "  SELECT 1;",
        "  SELECT 2;",
        "  ```",
        "",
        "#### `public.author`",
        "",
        "- 🟡 **unindexed-foreign-key**: first is wrong (revision `a1`)",
        "",
        "  ```python",
        '  Index("ix_author_a", "a")',
        "  ```",
        "",
        "#### `Project`",
        "",
        "- 🔵 **unindexed-foreign-key**: third is wrong",
        "",
        "Skipped: the rest: \\-\\-live",
        "",
        "Do \\`this\\`.",
    ]


def drawn() -> Report:
    """Two findings on the table of one database and one finding on the table of another."""
    schema = [("`shop`", Schema("shop", (table(BOOK, []),))), ("", Schema("x", (table(AUTHOR, []),)))]
    return Report(
        findings=(finding("first"), finding("second", AUTHOR), finding("third", AUTHOR).but(pattern="model-drift")),
        schemas=tuple(schema),
        skipped=(Skipped("rows", "not counted", expected=True, routine=True),),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'op.execute("SELECT *")\nwith op.get_context():\n    op.f()',
            '  ```python\n  op.execute("SELECT *")\n  with ',
        ),
        ("op.create_index_concurrently(…)", "  ```python\n  op.create_index_concurrently(…)\n  ```"),
        ("In two steps:\n    op.execute(…)\n    op.f()", "  In two steps:\n\n  ```python\n  op.execute(…)\n  op.f()\n"),
        ("In two steps:\nVACUUM FULL\nREINDEX", "  In two steps:\n\n  ```text\n  VACUUM FULL\n  REINDEX\n  ```"),
        ("In env.py: context.configure(…, x=1)", "  In env.py: context.configure\\(…, x=1\\)\n"),
        ("Wait", "  Wait\n"),
    ],
)
def test_code_in_advice_is_a_block(text: str, expected: str) -> None:
    lines = written(Report(findings=(finding("book").but(remedy=Advice(text)),)))
    assert expected in lines
    assert "\N{SYMBOL FOR NEWLINE}" not in lines


def test_pictures_come_after_the_findings() -> None:
    (shop, of_shop), (title, picture) = pictures(drawn())
    assert shop == f"{title} `shop`"
    blocks = [
        f"\n<details><summary>{label}</summary>\n\n```mermaid\n{text}```\n\n</details>\n"
        for label, text in ((f"{title} \\`shop\\`", of_shop), (title, picture))
    ]
    assert written(drawn()).endswith(f"is wrong\n{blocks[0]}{blocks[1]}\nSkipped: rows: not counted\n")


def test_a_picture_that_is_too_large_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    (_, first), (_, second) = pictures(drawn())
    assert len(second) > len(first)
    monkeypatch.setattr(markdown, "PICTURE", len(first))
    assert first in written(drawn())
    assert second not in written(drawn())


def test_findings_are_written_as_long_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    comment = written(drawn())
    head, tail = comment.index("\n#### "), comment.index("\nSkipped")
    monkeypatch.setattr(markdown, "ROOM", tail - head)
    assert written(drawn()) == comment, "the room is for findings and pictures"
    monkeypatch.setattr(markdown, "ROOM", tail - head - 1)
    assert "third is wrong" not in written(drawn())
    assert "second is wrong\n\n… and 1 more.\n\n<details>" in written(drawn())
    assert written(drawn(), True) == comment
    monkeypatch.setattr(markdown, "ROOM", 0)
    assert "… and 3 more." in written(drawn())


@pytest.mark.parametrize("number,full,expected", [(50, False, 50), (51, False, 50), (51, True, 51)])
def test_fifty_findings_are_shown(number: int, full: bool, expected: bool) -> None:
    many = Report(tuple(finding(f"a{item}", Name("public", f"t{item}")) for item in range(number)))
    assert written(many, full).count(" is wrong") == expected
    assert full or written(many) == written(many, full)
    assert ("… and 1 more." in written(many, full)) is (expected < number)


@pytest.mark.parametrize("number,full,cut", [(4, False, 0), (5, False, 1), (5, True, 0)])
def test_four_lines_of_a_fix_are_shown(number: int, full: bool, cut: int) -> None:
    report = Report((finding("a").but(remedy=Statements(tuple(map(str, range(number))))),))
    block = "\n".join(["", "  ```sql", *(f"  {line};" for line in range(number - cut)), "  ```", ""])
    more = f"\n  … and {cut} that change with it\n" if cut else ""
    assert written(report, full).endswith(f"a is wrong\n{block}{more}")


@pytest.mark.parametrize(
    "text,expected",
    [("a", "`a`"), ("a`b", "``a`b``"), ("`a", "`` `a ``"), ("a``", "``` a`` ```"), ("a``b`c", "```a``b`c```")],
)
def test_code_in_a_line(text: str, expected: str) -> None:
    assert code_span(text) == expected


@pytest.mark.parametrize("ticks,fence", [(0, 3), (2, 3), (3, 4), (5, 6)])
def test_the_fence_of_a_block_is_longer_than_what_is_in_it(ticks: int, fence: int) -> None:
    code = f"a{'`' * ticks}\nb"
    assert block(code, "sql") == f"\n{'`' * fence}sql\n{code}\n{'`' * fence}\n"


def test_prose_is_no_link_and_no_entity() -> None:
    assert escaped("https://a.b & <c> &lt;") == "https:\\//a.b &amp; &lt;c\\> &amp;lt;"
