"""What a report is made of."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.report_model import MANY, Gathered, Report
from alembic_pgpatterns.findings.run_patterns import unique
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.patterns.constraints.missing_primary_key import MissingPrimaryKey
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.schema.model import Name, Schema, Table


def finding(name: str, severity: Severity = Severity.WARNING) -> Finding:
    table = Table(Name("public", name))
    return MissingPrimaryKey().finding(table, f"{name} has no primary key").but(severity=severity)


def gathered(*names: str) -> Gathered:
    return Gathered(findings=[finding(name) for name in names])


@pytest.mark.parametrize(
    ("number", "baseline", "shown"),
    [(MANY - 1, None, False), (MANY, None, True), (MANY + 1, None, True), (MANY, Baseline(), False)],
)
def test_from_twenty_findings_on_the_baseline_is_suggested(number: int, baseline: Baseline | None, shown: bool) -> None:
    report = Report.of(gathered(*(f"t{n}" for n in range(number))), baseline, Settings())
    assert MANY == 20
    assert any("--write-baseline" in hint for hint in report.hints) is shown


def test_the_second_of_the_same_gets_a_number() -> None:
    same = [finding("t"), finding("t"), finding("u"), finding("t")]
    names = [item.fingerprint for item in unique(same)]
    assert names == [
        "missing-primary-key public.t",
        "missing-primary-key public.t #2",
        "missing-primary-key public.u",
        "missing-primary-key public.t #3",
    ]


def test_the_worst_first_then_by_table_and_what_is_accepted_apart() -> None:
    findings = [finding("b"), finding("a"), finding("z", Severity.ERROR), finding("aged")]
    baseline = Baseline({"missing-primary-key public.aged": None})
    report = Report.of(Gathered(findings=findings), baseline, Settings())
    assert [item.table.name for item in report.findings if item.table] == ["z", "a", "b"]
    assert [item.fingerprint for item in report.accepted] == ["missing-primary-key public.aged"]


def test_findings_of_one_cost_are_in_the_order_of_tables_then_objects() -> None:
    def about(table: str | None, name: str) -> Finding:
        return finding(table or "").but(object=name, table=Name("public", table) if table else None)

    expected = [about(None, "z"), about("a", "y"), about("a", "z"), about("b", "x")]
    mixed = [expected[number] for number in (3, 2, 0, 1)]
    assert list(Report.of(Gathered(findings=mixed), None, Settings()).findings) == expected


def test_an_entry_with_spaces_in_its_name_is_stale_too() -> None:
    entry = 'missing-primary-key public."gone since long"'
    other = 'unused-index public."of a pattern that did not run"'
    assert Report.of(gathered(), Baseline({entry: None, other: None}), Settings()).stale == (entry,)


def test_an_entry_is_stale_only_if_its_pattern_ran() -> None:
    entries = {"missing-primary-key public.gone": None, "unused-index public.gone_too": None, "no-such-pattern x": None}
    report = Report.of(gathered(), Baseline(entries), Settings())
    assert report.stale == ("missing-primary-key public.gone", "no-such-pattern x")
    skipped = Gathered(skipped=[Skipped("missing-primary-key", "no"), Skipped("missing-primary-key", "no")])
    report = Report.of(skipped, Baseline(entries), Settings())
    assert report.stale == ("no-such-pattern x",)
    assert report.skipped == (Skipped("missing-primary-key", "no"),)
    report = Report.of(Gathered(of_models=("missing-primary-key public.gone",)), Baseline(entries), Settings())
    assert report.stale == ("no-such-pattern x",)


def test_guesses_are_sorted_counted_and_accepted_by_the_baseline() -> None:
    guesses = [finding("b"), finding("a"), finding("z", Severity.ERROR), finding("aged")]
    baseline = Baseline({"missing-primary-key public.aged": None})
    report = Report.of(Gathered(guesses=guesses), baseline, Settings())
    assert [item.table.name for item in report.guesses if item.table] == ["z", "a", "b"]
    assert report.findings == ()
    assert report.stale == ()
    assert report.hints == ("3 guesses without evidence in the application's queries: --guesses shows them.",)
    (hint,) = Report.of(Gathered(guesses=guesses[:1]), baseline, Settings()).hints
    assert hint == "1 guess without evidence in the application's queries: --guesses shows them."
    shown = Report.of(Gathered(guesses=guesses), baseline, Settings(guesses=True))
    assert (shown.hints, shown.show_guesses, report.show_guesses) == ((), True, False)
    assert Report.of(Gathered(), baseline, Settings()).hints == ()


def test_a_report_has_everything_that_was_gathered() -> None:
    schema = Schema("database", ())
    results = Gathered(
        suppressed=3,
        hints=["Do this."],
        facts={"tables": 4},
        heads=("a1",),
        runs=(RevisionRun("a1", (), "a1.py", (), schema, schema),),
        of_models=("some-pattern x",),
        schemas=(("", schema),),
        fixable=False,
    )
    report = Report.of(results, Baseline(), Settings(fail_on=Severity.ERROR))
    for name in ("suppressed", "facts", "heads", "runs", "of_models", "schemas", "fixable"):
        assert getattr(report, name) == getattr(results, name), name
    assert report.hints == ("Do this.",)
    assert report.fail_on is Severity.ERROR
    assert Report.of(Gathered(), Baseline(), Settings()).fixable is True


def test_counts_by_pattern_and_severity() -> None:
    report = Report.of(Gathered(findings=[finding("a"), finding("b", Severity.ERROR)]), Baseline(), Settings())
    assert report.by_pattern() == {"missing-primary-key": 2}
    assert list(report.counts().items()) == [("error", 1), ("warning", 1), ("info", 0)]
    assert [item.severity for item in report.at_least(Severity.ERROR)] == [Severity.ERROR]
