"""The first screen of a long report: patterns by cost, an example of each, and the tables with most findings."""

from __future__ import annotations

import io
import re

import pytest

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.remedies.model import Advice, CreateIndex
from alembic_pgpatterns.report import text as text_report
from alembic_pgpatterns.report.overview import shorten
from alembic_pgpatterns.schema.model import Location, Name


def finding(pattern: str, number: int, severity: Severity = Severity.WARNING) -> Finding:
    table = Name("public", f"t{number}")
    return Finding(pattern, severity, f"{table}", f"{table} is wrong", f"{pattern} {table}", table)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def overview(findings: list[Finding], monkeypatch: pytest.MonkeyPatch, columns: int = 200) -> list[str]:
    """What a terminal gets between the head and the summary, with each style as its codes in <>."""
    for name, value in {"TERM": "xterm", "COLUMNS": str(columns)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    text_report.write(Report(tuple(findings)), terminal)
    lines = re.sub(r"\x1b\[([\d;]*)m", r"<\1>", terminal.getvalue()).replace("<0>", "</>").splitlines()
    return lines[1 : next(number for number, line in enumerate(lines) if line.startswith("All findings"))]


def test_groups_by_cost_with_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [finding("missing-primary-key", number, Severity.ERROR) for number in range(9)]
    keys[0] = keys[0].but(remedy=Advice("Think\n\nfirst."), location=Location("models.py", 3))
    drift = [finding("model-drift", number) for number in range(2)]
    indexes = [finding("unindexed-foreign-key", number).but(remedy=Advice("Think.")) for number in range(11)]
    hints = [finding("unindexed-foreign-key", 0, Severity.INFO)]
    assert overview([*keys, *drift, *indexes, *hints], monkeypatch) == [
        "",
        "<1;4>Data and security</>",
        "  <1;31>error  </>  missing-primary-key        9",
        "           <2>public.t0 is wrong (models.py:3)</>",
        "      fix  <32>Think …</>",
        "  <33>warning</>  model-drift                2",
        "           <2>public.t0 is wrong</>",
        "<1;4>Speed</>",
        "  <33>warning</>  unindexed-foreign-key     11",
        "           <2>public.t0 is wrong</>",
        "      fix  <32>Think.</>",
        "<1;4>Suggestions</>",
        "  <36>info   </>  unindexed-foreign-key      1",
        "           <2>public.t0 is wrong</>",
        "",
        "<1>Tables with most findings: </>public.t0 (4), public.t1 (3), public.t2 (2), public.t3 (2), public.t4 (2), "
        "public.t5 (2), public.t6 (2), public.t7 (2), and 3 more",
        "",
    ]


def test_patterns_of_one_cost_are_sorted_by_number_and_say_how_many_pgfix_can_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = [finding("own-a", number) for number in range(9)]
    many = [finding("own-b", number) for number in range(12)]
    many[:3] = [item.but(remedy=CreateIndex.on(Name("public", item.object), "a")) for item in many[:3]]
    counts = [line for line in overview([*few, *many], monkeypatch) if line.startswith("  <33>")]
    assert counts == [
        "  <33>warning</>  own-b     12<32>  [3 fixable]</>",
        "  <33>warning</>  own-a      9",
    ]


@pytest.mark.parametrize("tables,more", [(8, False), (9, True)])
def test_eight_tables_are_named_at_most(tables: int, more: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    patterns = ("missing-primary-key", "model-drift", "unindexed-foreign-key")
    findings = [finding(pattern, number) for pattern in patterns for number in range(tables)]
    *_, last, _ = overview(findings, monkeypatch)
    assert last.endswith("public.t7 (3), and 1 more" if more else "public.t7 (3)")


@pytest.mark.parametrize("columns,names", [(120, 5), (100, 4), (80, 3), (50, 3)])
def test_one_line_of_tables_but_three_at_least(columns: int, names: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = overview([finding("own", number) for number in range(21)], monkeypatch, columns)
    tables = " ".join(" ".join(lines).partition("Tables with")[2].split())
    assert tables.count("public.t") == names and tables.endswith(f"and {21 - names} more")


def crowd(patterns: int, each: int = 3) -> list[Finding]:
    """Findings of many patterns, each with a message and a fix that take some room."""
    words = "is not what it should be " * 8
    advice = Advice("Think about it for a week, and then write it in another way. " * 4)
    kinds = [f"own-pattern-{kind:02}" for kind in range(patterns)]
    return [
        finding(kind, number).but(
            message=f"public.t{number} {words}", remedy=advice, location=Location("models.py", number)
        )
        for kind in kinds
        for number in range(each)
    ]


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("patterns", [7, 15, 25, 45])
def test_a_report_of_many_patterns_fits_on_one_screen(
    patterns: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = crowd(patterns)
    lines = overview(findings, monkeypatch, columns)
    assert len(lines) <= text_report.SCREEN - 3, "a head, the next steps and the summary come with them"
    text = " ".join(re.sub("<[^>]*>", "", " ".join(lines)).split())
    for kind in {item.pattern for item in findings}:
        assert f"{kind} (3)" in text or f"{kind} 3" in text, "every pattern has its count"
    assert text.count("fix ") >= 3, "three have an example, however many there are"


def test_what_one_pattern_would_leave_over_gets_its_own_line(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [line for line in overview(crowd(30), monkeypatch) if line.startswith("  and ")]
    assert len(counts) == 1 and counts[0].count("own-pattern") > 1


def test_long_lines_are_folded_and_a_fix_takes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    remedy = Advice("Think about it for a week.")
    lines = overview([finding("own", number).but(remedy=remedy) for number in range(21)], monkeypatch, 36)
    place = lines.index("      fix  <32>Think about it for a …</>")
    assert lines[place + 2 : place + 4] == ["<1>Tables with most findings:</>", "  public.t0 (1), public.t1 (1),"]


@pytest.mark.parametrize(
    "text,expected",
    [
        ("ab cd", "ab cd"),
        ("ab cdef", "ab"),
        ("ab cd ef", "ab cd"),
        ("a  bcdef", "a"),
        ("a bcdefg", "a"),
        ("abcdef gh", "abcde"),
        ("abcdefgh", "abcde"),
        ("abcdefgh ij", "abcde"),
        (" abcdefg", " abcd"),
        ("  abcdefg", "  abc"),
    ],
)
def test_a_text_is_shortened_at_a_word(text: str, expected: str) -> None:
    assert shorten(text, 5) == expected, "a word that has no room is cut"


def test_a_long_fix_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    remedy = Advice("x" * 200)
    lines = overview([finding("own", number).but(remedy=remedy) for number in range(21)], monkeypatch)
    assert f"      fix  <32>{'x' * 160} …</>" in lines
