"""Names that act: whatever a table is called, a report can only be read. Each format is read back by a real parser."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pyte
import pytest
from markdown_it import MarkdownIt

from alembic_pgpatterns import report as reports
from alembic_pgpatterns.checks.deploy_plan import Line, Plan
from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.output.safe_text import error
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.patterns.indexes.unindexed_foreign_key import UnindexedForeignKey
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.report import plan as plan_report
from alembic_pgpatterns.schema.model import ForeignKey, Location, Name, Origin

SECRET = "hunter2"
HOSTILE = {
    "workflow": "\n::error file=x::pwned",
    "workflow after a space": "\n   ::set-output name=x::pwned",
    "older workflow": "x ##[error]pwned",
    "azure": "##vso[task.setvariable variable=x]pwned",
    "escape": "\x1b[2J\x1b]0;pwned\x07\x1b[31mred",
    "csi of eight bits": "a\x9b31mb",
    "carriage return": "real\rfake",
    "bell and backspace": "a\x07\x08\x08b",
    "bidi": "user\u202e\u2066txt.exe\u2069",
    "mark": "a\u200fb\u061cc",
    "line separator": "a\u2028b\u2029c\x85d",
    "noncharacter": "a\ufffeb\uffffc\ufdd0d",
    "mention": "@octocat and @team/x",
    "html": "<script>alert(1)</script><img src=x onerror=y>",
    "markdown": "![x](http://evil.invalid/x.png) [a](javascript:x) `code` *b* | c",
    "fence": "```\n# heading\n```",
    "password": f"ALTER ROLE bob PASSWORD E'{SECRET}'",
    "url": f"postgresql://bob:{SECRET}@db/x",
    "dollar": f"ALTER ROLE bob PASSWORD $q${SECRET}$q$",
    "long": "x" * 5000,
    "tag": "a\U000e0041b",
}


def report_of(name: str) -> Report:
    table = Name("public", name)
    key = ForeignKey(table, None, (name,), Name("public", "author"), ("id",), origin=Origin(Location(f"{name}.py", 3)))
    finding = UnindexedForeignKey().finding(key, f"no index of {name}", CreateIndex.on(table, name)).but(revision=name)
    return Report(
        findings=(finding,),
        accepted=(finding,),
        stale=(f"unindexed-foreign-key {name}",),
        skipped=(Skipped(name, name), Skipped("b", name, expected=True)),
        hints=(name,),
        facts={"revisions": 1, "tables": 1, "server": name},
    )


def many(name: str) -> Report:
    """So many that there is an overview."""
    one = report_of(name)
    return replace(one, findings=one.findings * 30)


def written(report: Report, format: str, full: bool = True) -> str:
    stream = io.StringIO()
    __import__(f"alembic_pgpatterns.report.{format}", fromlist=["write"]).write(report, stream, full)
    return stream.getvalue()


def acts(text: str) -> list[str]:
    """What a terminal or a CI system would act on."""
    found = re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]", text)
    return [*found, *re.findall(r"(?m)^\s*::.*|##\[.*|##vso\[.*", text)]


@pytest.mark.sample(5)
@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("format", sorted({*reports.FORMATS} - {"html"}))
def test_nothing_acts_and_no_secret_is_shown(format: str, name: str) -> None:
    # A browser reads HTML: tests/report/test_html.py.
    for report, full in ((report_of(name), True), (many(name), False)):
        text = written(report, format, full)
        if format == "github":
            commands = [line for line in text.splitlines() if line.startswith("::")]
            assert all(re.match(r"::(error|warning|notice|group|endgroup)[ :]", line) for line in commands)
            text = "\n".join(line for line in text.splitlines() if not line.startswith("::"))
        assert acts(text) == []
        assert "\n::" not in text
        # The names themselves stay in what programs read: JSON, SARIF, and the path of GitLab.
        assert SECRET not in text or format in ("json", "sarif", "gitlab")


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_formats_for_programs_are_read_back(name: str) -> None:
    """What was written is what a parser gets: as many findings, and no element or field that a name made."""
    report = report_of(name)
    data = json.loads(written(report, "json"))
    assert [item["fingerprint"] for item in data["findings"]] == [report.findings[0].fingerprint]
    assert len(json.loads(written(report, "gitlab"))) == 1
    assert len(json.loads(written(report, "sarif"))["runs"][0]["results"]) == 2
    text = written(report, "junit").encode("utf-8").decode("utf-8")
    suite = ElementTree.fromstring(text.partition("\n")[2])[0]
    assert {element.tag for element in suite.iter()} == {"testsuite", "testcase", "failure", "skipped"}
    assert len(suite.findall("testcase")) == 3


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_markdown_has_no_markup_of_a_name(name: str) -> None:
    tokens = MarkdownIt("commonmark").parse(written(report_of(name), "markdown"))
    inline = [child for token in tokens for child in token.children or ()]
    assert not [
        token for token in [*tokens, *inline] if token.type in ("html_block", "html_inline", "image", "link_open")
    ]
    headings = [token for token in tokens if token.type == "heading_open"]
    assert [token.tag for token in headings] == ["h3", "h4"]
    prose = " ".join(token.content for token in inline if token.type == "text")
    assert not re.search(r"(?<![\w`])@[A-Za-z0-9]", prose)


@pytest.mark.sample(15)
@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("full", [True, False])
def test_a_terminal_shows_the_text_and_nothing_else(name: str, full: bool) -> None:
    """By an emulator: the title stays, the screen is not cleared, the cursor moves down line by line."""
    text = written(report_of(name) if full else many(name), "text", full)
    screen = pyte.HistoryScreen(200, 2000, history=10)
    titles: list[str] = []
    screen.set_title = titles.append  # type: ignore[method-assign]
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    assert titles == []
    shown = [line.rstrip() for line in screen.display]
    assert shown[0].startswith("pgcheck: 1 revision")
    assert any("unindexed-foreign-key" in line for line in shown)
    styles = {(cell.fg, cell.bg, cell.bold) for row in screen.buffer.values() for cell in row.values()}
    assert styles <= {("default", "default", False)}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_plans_and_errors(name: str) -> None:
    plans = [Plan("a1", name, (Line(Name("public", name), "SHARE", (name,), 3, 1),), (name,))]
    for format in ("text", "markdown"):
        stream = io.StringIO()
        plan_report.write(plans, stream, format)
        assert acts(stream.getvalue()) == []
    said = error(f"FAILED: {name}")
    assert acts(said) == []
    assert SECRET not in said


@pytest.mark.parametrize("format", reports.FORMATS)
def test_half_of_a_pair_can_be_written(format: str) -> None:
    """An error's text may hold a lone surrogate, which no encoding has."""
    report = Report(skipped=(Skipped("models", "the file a\udcffb.py cannot be read"),))
    assert written(report, format).encode("utf-8").decode("utf-8").endswith("\n")


def test_findings_are_what_they_were() -> None:
    """A name without any of that is shown as it is."""
    finding: Finding = report_of("book").findings[0]
    text = written(Report(findings=(finding,)), "text")
    assert "no index of book" in text
    assert "at   book.py:3, revision book" in text
