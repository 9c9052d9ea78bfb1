"""One cause is one finding in a report; the baseline still knows each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.causes import by_cause
from alembic_pgpatterns.findings.report_model import Gathered, Report
from alembic_pgpatterns.patterns import Finding, Pattern, Severity
from alembic_pgpatterns.patterns.constraints.missing_primary_key import MissingPrimaryKey
from alembic_pgpatterns.patterns.revisions.blocking_index_build import BlockingIndexBuild
from alembic_pgpatterns.patterns.revisions.missing_lock_timeout import MissingLockTimeout
from alembic_pgpatterns.patterns.revisions.model_drift import ModelDrift
from alembic_pgpatterns.patterns.revisions.table_rewrite import TableRewrite
from alembic_pgpatterns.patterns.security.policy_evaluated_per_row import PolicyEvaluatedPerRow
from alembic_pgpatterns.patterns.types.varchar_length import VarcharLength
from alembic_pgpatterns.remedies.model import Advice, ChangeType, Remedy, TypeChange
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Column, DataType, Location, Name, Origin

TEXT = DataType("varchar", modifier=(9,))
MIXIN = Location("app/mixins.py", 3)


def found(
    table: str,
    column: str = "a",
    pattern: type[Pattern] = VarcharLength,
    location: Location | None = None,
    remedy: Remedy | None = None,
    cause: str = "",
) -> Finding:
    at = Column(Name("public", table), column, TEXT, True, origin=Origin(location))
    return pattern().finding(at, f"{table}.{column} is wrong", remedy, cause=cause)


def objects(findings: tuple[Finding, ...]) -> list[list[str]]:
    return [
        [item.object.removeprefix("public."), *(o.object.removeprefix("public.") for o in item.also)]
        for item in findings
    ]


def test_a_mixin_is_one_cause_and_so_is_one_remedy() -> None:
    change = ChangeType((TypeChange(Name("public", "x"), "a", "varchar(9)", "text"),))
    findings = [
        found("a", location=MIXIN, pattern=MissingPrimaryKey),
        found("x", remedy=change, pattern=MissingPrimaryKey),
        found("b", location=MIXIN, pattern=MissingPrimaryKey),
        found("y", remedy=change, pattern=MissingPrimaryKey),
        found("c", location=Location("app/mixins.py", 4), pattern=MissingPrimaryKey),
    ]
    assert objects(by_cause(findings)) == [["a.a", "b.a"], ["x.a", "y.a"], ["c.a"]]
    assert by_cause(findings)[0].message == "a.a is wrong; also public.b.a"
    assert by_cause(findings)[2] is findings[4]


def test_the_same_advice_elsewhere_is_no_shared_cause() -> None:
    advice = Advice("Think.")
    findings = [
        found("a", remedy=advice, pattern=MissingPrimaryKey),
        found("b", remedy=advice, pattern=MissingPrimaryKey),
    ]
    assert objects(by_cause(findings)) == [["a.a"], ["b.a"]]


def test_what_is_left_of_a_table_is_one_where_the_pattern_says_so() -> None:
    findings = [found("a", "x"), found("a", "y", location=MIXIN), found("b", "y", location=MIXIN), found("a", "z")]
    assert objects(by_cause(findings)) == [["a.x", "a.z"], ["a.y", "b.y"]]
    others = [found("a", name, pattern=MissingPrimaryKey) for name in "xy"]
    assert len(by_cause(others)) == 2


def test_severities_and_patterns_stay_apart() -> None:
    findings = [
        found("a", location=MIXIN),
        found("b", location=MIXIN).but(severity=Severity.INFO),
        found("c", location=MIXIN, pattern=MissingPrimaryKey),
    ]
    assert len(by_cause(findings)) == 3


def test_one_setting_cures_all_and_some_never_fold() -> None:
    assert len(by_cause([found(name, pattern=MissingLockTimeout) for name in "abc"])) == 1
    assert len(by_cause([found(name, pattern=ModelDrift, location=MIXIN) for name in "abc"])) == 3
    assert len(by_cause([found(name, pattern=MissingPrimaryKey, cause="tenant") for name in "abc"])) == 1


def test_what_one_revision_does_several_times_is_one_cause() -> None:
    place = Location("versions/1_indexes.py", 12)
    findings = [found("a", name, BlockingIndexBuild, place).but(revision="1") for name in "xy"]
    findings.append(found("b", "x", BlockingIndexBuild, Location("versions/1_indexes.py", 10)).but(revision="1"))
    findings.append(found("b", "y", BlockingIndexBuild, place).but(revision="2"))
    # What the revision does first stands for all that it does.
    assert objects(by_cause(findings)) == [["b.x", "a.x", "a.y"], ["b.y"]]
    # Where each change needs an answer of its own, a line that is a loop or a script is still one.
    findings = [found("a", name, TableRewrite, place) for name in "xy"]
    assert len(by_cause([*findings, found("a", "z", TableRewrite)])) == 2
    findings = [found("a", name, MissingPrimaryKey, place) for name in "xy"]
    assert len(by_cause(findings)) == 2


def test_what_old_revisions_do_is_a_habit_that_is_said_of_the_newest() -> None:
    findings = [
        found("a", name, BlockingIndexBuild, Location(f"versions/{revision}.py", line)).but(revision=revision)
        for name, revision, line in (("x", "1", 9), ("y", "3", 9), ("z", "3", 4), ("x", "2", 9))
    ]
    (one,) = by_cause(findings, ["1", "2", "3"])
    assert (one.revision, one.object) == ("3", "public.a.z")
    assert one.message == "a.z is wrong; also public.a.y; also in revisions 2, 1"
    # Those that are known to be new are written again, each by itself.
    assert len(by_cause(findings)) == len(by_cause(findings, ["0"])) == 3
    # What fails, and what the models and the head disagree about, is no habit.
    failing = [finding.but(severity=Severity.ERROR) for finding in findings]
    assert len(by_cause(failing, ["1", "2", "3"])) == 3
    drifts = [found(name, pattern=ModelDrift).but(revision="1") for name in "ab"]
    assert len(by_cause(drifts, ["1"])) == 2
    # Two causes of one pattern are two habits.
    named = [findings[0].but(cause="no name"), findings[3].but(cause="no name"), *findings[1:3]]
    assert sorted(len(item.also) for item in by_cause(named, ["1", "2", "3"])) == [1, 1]


def test_a_pattern_that_is_gone_folds_by_place() -> None:
    findings = [found(name, location=MIXIN).but(pattern="gone") for name in "ab"]
    findings += [found("c", name).but(pattern="gone") for name in "xy"]
    assert objects(by_cause(findings)) == [["a.a", "b.a"], ["c.x"], ["c.y"]]


def test_many_places_are_counted_and_places_of_one_object_too() -> None:
    (one,) = by_cause([found(name, location=MIXIN) for name in "abcdef"])
    assert one.message == "a.a is wrong; also public.b.a, public.c.a, public.d.a and 2 more"
    (one,) = by_cause([found(name, location=MIXIN) for name in "abcd"])
    assert one.message == "a.a is wrong; also public.b.a, public.c.a, public.d.a"
    (one,) = by_cause([found("a", pattern=MissingLockTimeout)] * 2)
    assert one.message == "a.a is wrong; and in 1 more place"
    (one,) = by_cause([found("a", pattern=MissingLockTimeout)] * 3)
    assert one.message == "a.a is wrong; and in 2 more places"


def test_the_baseline_knows_each() -> None:
    findings = [found(name, location=MIXIN) for name in "abc"]
    accepted = Baseline({findings[0].fingerprint: None})
    report = Report.of(Gathered(findings=findings), accepted, Settings())
    assert objects(report.causes) == [["b.a", "c.a"]]
    assert [item.fingerprint for item in report.findings] == [item.fingerprint for item in findings[1:]]
    assert report.counts()["warning"] == 1


def test_eighty_policies_of_one_generator_are_one_finding(new_database: Callable[[], Any]) -> None:
    script = "".join(
        f"CREATE TABLE t{n} (id bigint PRIMARY KEY, tenant bigint); ALTER TABLE t{n} ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY p ON t{n} USING (tenant = current_setting('app.tenant')::bigint);"
        for n in range(80)
    )
    with new_database().connect() as connection:
        connection.execute(script)
        schema = catalog.read(connection)
    findings = list(PolicyEvaluatedPerRow(target_version=18).detect(schema))
    (one,) = by_cause(findings)
    assert len(findings) == 80
    assert len(one.also) == 79
