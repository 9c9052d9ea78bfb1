"""The HTML report: whole and safe in itself, a diagram without overlaps, and a page that works in a browser."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alembic_pgpatterns.checks.deploy_plan import plans
from alembic_pgpatterns.output.safe_text import inert
from alembic_pgpatterns.patterns import Severity
from alembic_pgpatterns.report import html
from alembic_pgpatterns.report.diagram.layout import WIDTH, layout
from alembic_pgpatterns.report.diagram.mermaid import mermaid
from alembic_pgpatterns.report.diagram.model import diagram
from alembic_pgpatterns.report.html.timeline import spans, timeline
from alembic_pgpatterns.report.markup import tag
from alembic_pgpatterns.revisions.model import Lock, RevisionRun, Statement, Work
from alembic_pgpatterns.schema.model import Location, Name, Schema
from tests.report.schemas import HARD, findings_of, hard, many, report_of, table

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def page(report) -> str:
    stream = io.StringIO()
    html.write(report, stream)
    return stream.getvalue()


class Elements(HTMLParser):
    """All elements, and whether each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, name, attributes) -> None:
        self.found.append((name, dict(attributes)))
        if name not in ("meta", "input"):
            self.open.append(name)

    def handle_startendtag(self, name, attributes) -> None:
        self.found.append((name, dict(attributes)))

    def handle_endtag(self, name) -> None:
        assert self.open.pop() == name

    def handle_data(self, data) -> None:
        self.texts.append(data)

    def of(self, name: str, class_: str = "") -> list[dict[str, str | None]]:
        words = class_.split()
        return [
            given
            for found, given in self.found
            if found == name and set(words) <= set((given.get("class") or "").split())
        ]


def test_a_page_of_hard_names_holds_what_it_should_and_no_element_more() -> None:
    elements = Elements(page(report_of(hard())))
    assert elements.open == []
    assert len(elements.of("script")) == 1 and not elements.of("img") and not elements.of("i")
    assert not [given for _, given in elements.found if any(name.startswith("on") for name in given)]
    assert {given["data-table"] for given in elements.of("g", "box")} == {inert(str(Name(text, text))) for text in HARD}
    assert len(elements.of("article")) == len(findings_of(hard()))


def test_the_page_needs_no_network() -> None:
    elements = Elements(page(report_of(hard())))
    assert not elements.of("link") and not elements.of("script")[0].get("src")
    (policy,) = [given["content"] for given in elements.of("meta") if given.get("http-equiv")]
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in policy
    assert not re.search(r"url\(|@import", (Path(html.__file__).parent / "page.css").read_text())


def test_what_turns_text_around_is_replaced() -> None:
    assert tag("p", "<\u202e>", title='"\x07') == '<p title="&quot;␇">&lt;\ufffd&gt;</p>'


def test_every_part_of_the_report_is_there() -> None:
    text = " ".join(Elements(page(report_of(many(6)))).texts)
    for part in ("needs a live one", "Do", "1 accepted", "match nothing any more", "Why, and when not", "Index("):
        assert part in text, part
    assert "No findings." in page(report_of([]))


@given(st.integers(0, 40), st.integers(0, 10_000))
def test_boxes_do_not_overlap_and_stand_in_the_picture(count: int, seed: int) -> None:
    tables = many(count, seed)
    drawn = layout(diagram(Schema("database", tuple(tables)), findings_of(tables)))
    assert {place.box.table for place in drawn.places} == {item.name for item in tables}
    for place in drawn.places:
        assert 0 <= place.x <= drawn.width - WIDTH and 0 <= place.y <= drawn.height - place.height
    for a, b in combinations(drawn.places, 2):
        apart = abs(a.x - b.x) >= WIDTH or a.y + a.height <= b.y or b.y + b.height <= a.y
        assert apart, (a, b)


def test_parents_stand_left_of_their_children() -> None:
    a, b, c = (Name("public", name) for name in "abc")
    drawn = layout(diagram(Schema("database", (table(c, [b, a]), table(b, [a]), table(a, []))), ()))
    x = {place.box.table: place.x for place in drawn.places}
    assert x[a] < x[b] < x[c]


def test_two_hundred_tables_make_a_picture_of_a_screens_shape() -> None:
    drawn = layout(diagram(Schema("database", tuple(many(200))), ()))
    assert len(drawn.places) == 200
    assert 1 < drawn.width / drawn.height < 3


def test_a_long_chain_of_tables_is_not_drawn_as_one_thin_line() -> None:
    names = [Name("public", f"t{number}") for number in range(70)]
    chain = [table(name, names[max(number - 1, 0) : number]) for number, name in enumerate(names)]
    drawn = layout(diagram(Schema("database", tuple(chain)), ()))
    assert len({(place.x, place.y) for place in drawn.places}) == 70
    assert 0.5 < drawn.width / drawn.height < 4


def test_columns_with_findings_are_always_shown_and_others_are_counted() -> None:
    tables = [table(Name("public", "wide"), [], 30)]
    (box,) = diagram(Schema("database", tuple(tables)), findings_of(tables)).boxes
    assert [row.name for row in box.rows] == ["id", "column 0", "column 1", "column 2", "column 3", "column 29"]
    assert (box.hidden, box.findings, box.severity) == (25, 1, Severity.WARNING)
    assert box.rows[-1].severity == Severity.WARNING and box.rows[0].key == "PK"


def statement(
    line: int, transaction: int, lock: str | None = None, held: str | None = None, work: str = ""
) -> Statement:
    book = Name("public", "book")
    return Statement(
        "ALTER TABLE book",
        None,
        Location("x.py", line),
        line,
        transaction=transaction,
        locks=(Lock(book, lock, book),) if lock else (),
        held=(Lock(book, held, book),) if held else (),
        work=(Work(work, book, book),) if work else (),
    )


STATEMENTS = (
    statement(5, 7, lock="SHARE", work="build"),
    statement(6, 7, held="SHARE"),
    statement(7, 7, lock="ACCESS EXCLUSIVE", held="SHARE", work="rewrite"),
    statement(9, 8, lock="ACCESS EXCLUSIVE"),
    statement(10, 8, held="ACCESS EXCLUSIVE"),
)


def test_a_lock_lasts_to_the_end_of_its_transaction() -> None:
    found = [(span.mode, span.work, span.length) for span in spans(STATEMENTS, Name("public", "book"))]
    assert found == [
        ("SHARE", "index build", 1),
        ("SHARE", "", 1),
        ("ACCESS EXCLUSIVE", "rewrite", 1),
        ("ACCESS EXCLUSIVE", "", 2),
    ]
    assert [span.mode for span in spans(STATEMENTS, Name("public", "other"))] == [None, None]


def test_a_timeline_names_lines_and_transactions() -> None:
    empty = Schema("database", ())
    run = RevisionRun("abc", (), "x.py", STATEMENTS, empty, empty)
    (plan,) = plans([run], [])
    elements = Elements(timeline(run, plan))
    headings = [text for text in elements.texts if text.startswith("transaction") or text.isdigit()]
    assert headings == ["transaction 1", "transaction 2", "5", "6", "7", "9", "10"]
    assert len(elements.of("td", "lock access-exclusive")) == 2 and len(elements.of("td", "lock share busy")) == 1


def test_mermaid_has_no_character_that_its_grammar_refuses() -> None:
    text = mermaid(diagram(Schema("database", tuple(hard())), findings_of(hard())))
    quoted = re.findall(r'"(.*)"', text)
    assert len(quoted) > len(HARD) and not any(set(item) & set('"%\\`<>[]{}#;\n') for item in quoted)
    attributes = re.findall(r"^    (\S+) (\S+)", text, re.MULTILINE)
    assert attributes and all(re.fullmatch(r"[^\W\d_]\w*", word) for pair in attributes for word in pair)


STEPS = """{
const shown = () => document.querySelectorAll("#findings .finding:not([hidden])").length;
const log = [document.querySelectorAll("script").length, document.getElementById("filters").hidden, shown()];
const form = document.getElementById("filters");
form.elements.pattern.value = "varchar-length";
form.dispatchEvent(new Event("input"));
log.push(shown(), document.getElementById("shown").value);
form.reset();
form.dispatchEvent(new Event("input"));
document.querySelector(".box").dispatchEvent(new MouseEvent("click", {bubbles: true}));
log.push(document.querySelectorAll(".selection .finding").length, document.querySelectorAll(".box.chosen").length);
const svg = document.querySelector("svg");
const before = svg.getAttribute("viewBox");
document.querySelector("[data-do=zoom-in]").click();
log.push(before !== svg.getAttribute("viewBox"));
document.querySelector("[data-do=fit]").click();
log.push(before === svg.getAttribute("viewBox"), document.documentElement.scrollWidth <= innerWidth);
document.title = JSON.stringify(log);
}"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
@pytest.mark.parametrize("size", ["400,800", "1280,900"])
def test_the_page_works_in_a_browser(size: str, tmp_path: Path) -> None:
    tables = hard()
    text = re.sub(r"<meta http-equiv[^>]+>", "", page(report_of(tables)), count=1)
    file = tmp_path / "report.html"
    file.write_text(text.replace("</body>", f"<script>{STEPS}</script></body>"), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    command = [BROWSER, *options, f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={size}", "--dump-dom"]
    done = subprocess.run([*command, file.as_uri()], capture_output=True, text=True, timeout=120)
    half = len(tables) // 2
    expected = [2, False, len(findings_of(tables)), half, f"{half} shown", 2, 1, True, True, True]
    assert json.loads(re.search(r"<title>(.*)</title>", done.stdout)[1]) == expected
