"""The report for people, line by line: its order, its indents, its colours, and what is left out of a long one."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.findings.skipped import FoundOut, Skipped
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.patterns.constraints.missing_primary_key import MissingPrimaryKey
from alembic_pgpatterns.patterns.indexes.unindexed_foreign_key import UnindexedForeignKey
from alembic_pgpatterns.remedies.model import Advice, Statements
from alembic_pgpatterns.report import text as text_report
from alembic_pgpatterns.schema.model import Location, Name

BOOK = Name("public", "book")
MIXIN = Location("mixin.py", 3)


def finding(at: str, table: Name | None = BOOK, severity: Severity = Severity.WARNING) -> Finding:
    name = UnindexedForeignKey.name
    return Finding(name, severity, at, f"{at} is wrong", f"{name} {at}", table, cause=at)


def statements(*up: str) -> Statements:
    return Statements(up, ("SELECT 1",))


def whole() -> Report:
    """A report with each part that there is."""
    error = Finding(MissingPrimaryKey.name, Severity.ERROR, "public.book", "public.book has no key", "x", BOOK)
    guess = finding("a guess", Name("public", "author"), Severity.INFO)
    return Report(
        findings=(
            error.but(remedy=Advice("Think of what it is\nfirst."), location=Location("shop/models.py", 18)),
            finding("first", None).but(
                cause="mixin", location=MIXIN, revision="a1", remedy=statements("SELECT 2 FROM public.book")
            ),
            finding("second").but(cause="mixin", location=MIXIN, revision="a12"),
            finding("third").but(cause="mixin"),
        ),
        guesses=(guess.but(remedy=statements("1", "2", "3", "4", "5"), also=(guess,)),),
        show_guesses=True,
        stale=("unindexed-foreign-key public.gone(x)",),
        skipped=(
            Skipped("server", "the server is off"),
            Skipped("rows", "they are not counted", expected=True),
            Skipped("the rest", "--live", expected=True, routine=True),
        ),
        found_out=(FoundOut("no URL is set.", "alembic_options", {}), FoundOut("[shop] was used")),
        hints=("Do this, since it helps a lot:\n  alembic pgcheck --all --guesses",),
        facts={"revisions": 3, "tables": 4, "server": "PostgreSQL 18.6"},
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(report: Report, monkeypatch: pytest.MonkeyPatch, columns: int, full: bool = True) -> list[str]:
    """What a terminal gets, with each style as its codes in <>: 1 is bold, 2 is dim, 31 red, 32 green, 33 yellow."""
    for name, value in {"TERM": "xterm", "COLUMNS": str(columns)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    text_report.write(report, terminal, full)
    return re.sub(r"\x1b\[([\d;]*)m", r"<\1>", terminal.getvalue()).replace("<0>", "</>").splitlines()


def written(report: Report, *full: bool) -> list[str]:
    stream = io.StringIO()
    text_report.write(report, stream, *full)
    return stream.getvalue().splitlines()


def test_on_a_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(whole(), monkeypatch, 200) == [
        "pgcheck: 3 revisions, 4 tables on PostgreSQL 18.6",
        "",
        "found out, and given to the project: no URL is set; [shop] was used",
        "<1;31>NOT CHECKED: server: the server is off</>",
        "<2>skipped: rows: they are not counted</>",
        "  <1;31>error  </>  missing-primary-key        1",
        "  <33>warning</>  unindexed-foreign-key      1<32>  [fixable]</>",
        "",
        "<1>public.book</>",
        "  <1;31>error</> <1>missing-primary-key</>: book has no key",
        "      at   <2>shop/models.py:18</>",
        "      fix  <32>Think of what it is</>",
        "           <32>first.</>",
        "",
        "<1>Project</>",
        "  <33>warning</> <1>unindexed-foreign-key</>: first is wrong; also second, third",
        "      at   <2>mixin.py:3, revision a1</>",
        "      also <2>second, mixin.py:3, revision a12</>",
        "      also <2>third</>",
        "      fix  <32>SELECT 2 FROM public.book;</>",
        "",
        "<1>Guesses: no query of the application that was read supports these.</>",
        "",
        "<1>public.author</>",
        "  <36>info</> <1>unindexed-foreign-key</>: a guess is wrong",
        "      also <2>a guess</>",
        "      fix  <32>1;</>",
        "      fix  <32>2;</>",
        "      fix  <32>3;</>",
        "      fix  <32>4;</>",
        "      fix  <32>5;</>",
        "",
        "<2>skipped: the rest: --live</>",
        "",
        "<2>The baseline accepts what is no longer there; --write-baseline takes these out:</>",
        "  <2>unindexed-foreign-key public.gone(x)</>",
        "",
        "pgfix can fix 1 of 2 findings by itself (marked [fixable]). "
        "See how, without writing anything: alembic pgfix --all --dry-run",
        "",
        "Do this, since it helps a lot:",
        "  alembic pgcheck --all --guesses",
        "",
        "<1>2 findings (1 error, 1 warning), 4 with all repetitions; not checked: server; skipped: rows</>",
    ]


def test_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Further lines are indented, each kind of line by its own."""
    lines = shown(whole(), monkeypatch, 34)
    assert [re.sub("<[^>]*>", "", line) for line in lines] == [
        "pgcheck: 3 revisions, 4 tables on",
        "PostgreSQL 18.6",
        "",
        "found out, and given to the",
        "  project: no URL is set; [shop]",
        "  was used",
        "NOT CHECKED: server: the server",
        "  is off",
        "skipped: rows: they are not",
        "  counted",
        "  error    missing-primary-key",
        "  1",
        "  warning  unindexed-foreign-key",
        "  1  [fixable]",
        "",
        "public.book",
        "  error missing-primary-key:",
        "      book has no key",
        "      at   shop/models.py:18",
        "      fix  Think of what it is",
        "           first.",
        "",
        "Project",
        "  warning",
        "      unindexed-foreign-key: first",
        "      is wrong; also second, third",
        "      at   mixin.py:3, revision a1",
        "      also second, mixin.py:3,",
        "             revision a12",
        "      also third",
        "      fix  SELECT 2 FROM",
        "             public.book;",
        "",
        "Guesses: no query of the",
        "  application that was read",
        "  supports these.",
        "",
        "public.author",
        "  info unindexed-foreign-key:",
        "      a guess is wrong",
        "      also a guess",
        "      fix  1;",
        "      fix  2;",
        "      fix  3;",
        "      fix  4;",
        "      fix  5;",
        "",
        "skipped: the rest: --live",
        "",
        "The baseline accepts what is no",
        "longer there; --write-baseline",
        "takes these out:",
        "  unindexed-foreign-key",
        "  public.gone(x)",
        "",
        "pgfix can fix 1 of 2 findings by",
        "  itself (marked [fixable]). See",
        "  how, without writing anything:",
        "  alembic pgfix --all --dry-run",
        "",
        "Do this, since it helps a lot:",
        "  alembic pgcheck --all --guesses",
        "",
        "2 findings (1 error, 1 warning), 4",
        "with all repetitions; not checked:",
        "server; skipped: rows",
    ]


def test_the_last_line_is_green_only_if_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    missed = Report(skipped=(Skipped("server", "it is off"),))
    assert shown(Report(), monkeypatch, 80)[-1] == "<1;32>no findings</>"
    assert shown(missed, monkeypatch, 80)[-1] == "<1>no findings; not checked: server</>"
    assert shown(Report((finding("a"),)), monkeypatch, 80)[-1] == "<1>1 finding (1 warning)</>"


def test_parts_that_are_empty_are_not_there() -> None:
    assert written(Report())[1:] == ["", "no findings"]
    hidden = Report(guesses=(finding("a guess"),))
    assert written(hidden)[1:] == ["", "no findings"], "guesses are shown only if asked for"
    assert written(replace(hidden, guesses=(), show_guesses=True)) == written(Report())


def test_tables_are_in_the_order_of_their_worst_finding() -> None:
    b, a = (finding(name, Name("public", name)) for name in "ba")
    of_key = Finding(MissingPrimaryKey.name, Severity.WARNING, "c", "c is wrong", "c", b.table)
    lines = written(Report((b, a, of_key, finding("d", None))))
    assert [line for line in lines[1:-1] if line and not line.startswith(" ")] == ["public.b", "public.a", "Project"]
    assert [line.split()[2] for line in lines if line.endswith(" is wrong")] == ["b", "c", "a", "d"]


@pytest.mark.parametrize(
    "number,full,expected",
    [
        (4, False, ["fix  0;", "fix  1;", "fix  2;", "fix  3;"]),
        (5, False, ["fix  0;", "fix  1;", "fix  2;", "     … and 2 that change with it"]),
        (5, True, ["fix  0;", "fix  1;", "fix  2;", "fix  3;", "fix  4;"]),
    ],
)
def test_a_remedy_of_more_than_four_lines_is_cut(
    number: int, full: bool, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    item = finding("a").but(remedy=statements(*map(str, range(number))))
    for report in (Report((item,)), Report(guesses=(item,), show_guesses=True)):
        lines = written(report, full)
        place = lines.index("  warning unindexed-foreign-key: a is wrong") + 1
        assert lines[place : place + len(expected) + 1] == [*(f"      {line}" for line in expected), ""]
    coloured = shown(Report((item,)), monkeypatch, 80, full)
    assert all(re.fullmatch(r" +(fix +)?<32>.*</>", line) for line in coloured if "fix  " in line or "…" in line)


EVERY = "All findings: --all; some: --select PATTERN; why one matters: --explain PATTERN"


@pytest.mark.parametrize("number,full,expected", [(20, False, False), (21, False, True), (21, True, False)])
def test_a_long_report_says_how_to_see_the_rest(number: int, full: bool, expected: bool) -> None:
    many = Report(tuple(finding(f"a{item}", Name("public", f"t{item}")) for item in range(number)))
    lines = written(many, full)
    assert (EVERY in lines) is expected
    assert full or lines == written(many)
    assert (sum(line.endswith(" is wrong") for line in lines) == number) is not expected


def test_how_to_see_the_rest_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    many = Report(tuple(finding(f"a{item}", Name("public", f"t{item}")) for item in range(21)))
    lines = shown(many, monkeypatch, 63, full=False)
    place = lines.index("All findings: --all; some: --select PATTERN; why one matters:")
    assert lines[place + 1] == "  --explain PATTERN"


def test_a_long_report_has_two_hints_without_their_code_and_no_routine() -> None:
    hints = ("Do this. It helps; write:\n    x = 1", "Paste this:\n[tool]\ny = 2", "The third")
    routine = Skipped("the rest", "--live", expected=True, routine=True)
    findings = tuple(finding(f"a{item}", Name("public", f"t{item}")) for item in range(21))
    report = Report(findings, hints=hints, skipped=(routine,))
    short, whole = written(report, False), written(report, True)
    assert "Do this. …" in short and short[short.index("Paste this:") :][1:3] == ["[tool]", "y = 2"]
    for line in ("    x = 1", "The third", "skipped: the rest: --live"):
        assert line in whole and line not in short


def test_a_hint_keeps_its_lines_and_their_indents(monkeypatch: pytest.MonkeyPatch) -> None:
    hint = "First do this:\n\n    XX alembic pgcheck --guesses\nthen do that, which takes rather long"
    assert shown(Report(hints=(hint,)), monkeypatch, 30)[1:-2] == [
        "",
        "First do this:",
        "",
        "    XX alembic pgcheck",
        "      --guesses",
        "then do that, which takes",
        "  rather long",
    ]
