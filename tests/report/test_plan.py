"""The plan of the next deployment: its table as text and as Markdown."""

from __future__ import annotations

import io
from collections.abc import Sequence

from alembic_pgpatterns.checks.deploy_plan import Line, Plan
from alembic_pgpatterns.report import plan as plan_report
from alembic_pgpatterns.schema.model import Name

BOOK, LONGER = Name("public", "book"), Name("app", "order|line")
PLANS = (
    Plan(
        "a1b2",
        "versions/a1b2.py",
        (
            Line(BOOK, "ACCESS EXCLUSIVE", ("scan under ACCESS EXCLUSIVE", "index build under SHARE"), 1200300, 18),
            Line(LONGER, "SHARE", (), None, 7),
        ),
        ("book.title", "book.author"),
        "shop",
    ),
    Plan("c3d4", "versions/c3d4.py", (), ()),
)


def written(plans: Sequence[Plan], form: str) -> str:
    stream = io.StringIO()
    plan_report.write(plans, stream, form)
    return stream.getvalue()


def test_text() -> None:
    assert written(PLANS, "text").splitlines() == [
        "a1b2  versions/a1b2.py in database shop",
        "  table             strongest lock    who waits         "
        "work under it                                         rows       line",
        "  public.book       ACCESS EXCLUSIVE  reads and writes  "
        "scan under ACCESS EXCLUSIVE, index build under SHARE  1,200,300  18",
        '  app."order|line"  SHARE             writes            '
        "-                                                                7",
        "  keep running the old code: no, it would fail (book.title, book.author)",
        "",
        "c3d4  versions/c3d4.py",
        "  locks no table that existed before",
        "  keep running the old code: yes",
        "",
    ]


def test_markdown() -> None:
    assert written(PLANS, "markdown").splitlines() == [
        "### `a1b2`",
        "versions/a1b2.py in database shop",
        "",
        "| table | strongest lock | who waits | work under it | rows | line |",
        "|---|---|---|---|---|---|",
        "| public.book | ACCESS EXCLUSIVE | reads and writes | scan under ACCESS EXCLUSIVE, index build under SHARE | "
        "1,200,300 | 18 |",
        '| app."order\\|line" | SHARE | writes | - |  | 7 |',
        "",
        "Keep running the old code: **no, it would fail (book.title, book.author)**",
        "",
        "### `c3d4`",
        "versions/c3d4.py",
        "",
        "Locks no table that existed before.",
        "",
        "Keep running the old code: **yes**",
        "",
    ]


def test_no_revision() -> None:
    assert written((), "text") == "No revision to check, so there is nothing to plan.\n"
    assert written((), "markdown") == "No revision to check.\n"


def test_columns_are_shown_if_one_line_has_them() -> None:
    measured = Plan("a1", "a1.py", (Line(BOOK, "SHARE", (), None, 1, "3.1 s"), Line(BOOK, "SHARE", (), None, 2)), ())
    assert [row[-2:] for row in measured.rows()] == [("measured", "line"), ("3.1 s", "1"), ("", "2")]
    assert all("rows" not in row for row in measured.rows())


def test_markdown_of_a_plan_is_no_markup() -> None:
    plan = Plan("a1", "a\\b|<i>@team.py", (Line(Name("public", "a\\b|<i>"), "SHARE", (), None, 1),), ("book.<b>",))
    lines = written((plan,), "markdown").splitlines()
    assert lines[1] == "a\\\\b\\|&lt;i>@\N{WORD JOINER}team.py"
    assert lines[5].startswith('| public."a\\\\b\\|&lt;i>" | SHARE |')
    assert lines[-2] == "Keep running the old code: **no, it would fail (book.&lt;b>)**"
