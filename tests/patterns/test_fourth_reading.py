"""What a fourth reader of real projects' findings would not sign, by its kind."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from alembic_pgpatterns.checks.model_drift import head_takes_more
from alembic_pgpatterns.evidence.model import Condition, Evidence, OrderKey, Use
from alembic_pgpatterns.findings.causes import by_cause
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.patterns.statements.query_without_index import QueryWithoutIndex
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.model import Downgrade, Drift, History
from alembic_pgpatterns.schema.catalog.difference import Difference
from alembic_pgpatterns.schema.model import Check, Column, DataType, ForeignKey, Index, Key, Name, Schema, Table
from alembic_pgpatterns.workload.from_source import workload_of
from tests.patterns import handmade_runs as runs
from tests.patterns.handmade import ITEM, PARENT, column, foreign, found, index, query, table, unique
from tests.patterns.handmade_runs import AUTHOR, BOOK, run

UUID = DataType("varchar", modifier=(36,), display="character varying(36)")
TABLES = ("item", "order", "visit", "note", "page")


def of(name: str, *parts: Column | Index | Key | ForeignKey) -> Table:
    """A table of that name, with parts that were made for another one."""
    at = Name("public", name)
    return table(*(replace(part, table=at) for part in parts), name=at)


def objects(findings: list[Finding]) -> list[list[str]]:
    return [[item.object, *(other.object for other in item.also)] for item in by_cause(findings)]


def test_uuids_as_text_are_one_habit() -> None:
    tables = [of(name, column("upload_uuid", UUID), column("file_uuid", UUID)) for name in TABLES[:2]]
    assert len(by_cause(found("uuid-as-text", *tables))) == 1


def test_an_index_beside_the_primary_key_is_one_habit() -> None:
    """`index=True` beside `primary_key=True`; what stands beside another index was decided for its table."""
    parts = [
        (index(f"{name}_pkey", "id", unique=True, constraint=f"{name}_pkey", constraint_kind="primary key"),
         index(f"ix_{name}_id", "id"), index(f"ix_{name}_a", "a"), index(f"ix_{name}_ab", "a", "b"))
        for name in TABLES[:2]
    ]  # fmt: skip
    tables = [
        of(name, column("id"), column("a"), column("b"), *keys) for name, keys in zip(TABLES, parts, strict=False)
    ]
    assert [len(group) for group in objects(found("duplicate-index", *tables))] == [2]
    assert [len(group) for group in objects(found("redundant-index", *tables))] == [1, 1]
    wide = [
        of(name, column("a"), column("b"), index(f"ix_{name}_a", "a"),
           index(f"{name}_pkey", "a", "b", unique=True, constraint=f"{name}_pkey", constraint_kind="primary key"))
        for name in TABLES[:2]
    ]  # fmt: skip
    assert [len(group) for group in objects(found("redundant-index", *wide))] == [2]


def test_the_fix_that_a_group_shows_is_one_that_most_can_have() -> None:
    """One column of three is in the way of an index: its advice is not shown as that of all."""
    read = index("by_day", "odd")
    read = replace(read, keys=(replace(read.keys[0], column=None, expression="date_trunc('day', a_moment)"),))
    moments = [column(name, "timestamp") for name in ("a_moment", "b_moment", "c_moment")]
    findings = found("timestamp-without-time-zone", table(*moments, read))
    assert isinstance(findings[0].remedy, Advice)
    (finding,) = by_cause(findings)
    assert finding.object.endswith("b_moment")
    assert not isinstance(finding.remedy, Advice)
    assert [item.object for item in finding.also] == ["public.item.c_moment", "public.item.a_moment"]


@pytest.mark.parametrize(
    ("default", "said"),
    [
        ("app.clock.current", "; see that default=app.clock.current gives a value with one"),
        ("app.models.<lambda>", ""),
        ("datetime.datetime.fromtimestamp", ""),
        ("now()", ""),
        ("CURRENT_TIMESTAMP", ""),
    ],
)
def test_a_function_of_the_application_that_fills_in_a_moment(default: str, said: str) -> None:
    (finding,) = found("timestamp-without-time-zone", table(column("at", "timestamp", python_default=default)))
    assert finding.message.endswith(said.replace(";", ", and") or "which time zone it is in")


@pytest.mark.parametrize(("count", "findings"), [(3, 3), (4, 1), (5, 1)])
def test_a_side_that_nobody_keeps_up_to_date(count: int, findings: int) -> None:
    """Of few tables each is said; of many, that the models are behind."""
    names = [Name("public", name) for name in TABLES[:count]]
    drifts = [Drift(name, f"{name}.a", f"{name}.a is in the head alone", side="head") for name in names]
    other = Drift(AUTHOR, "public.author.b", "b differs", side="")
    assert len(by_cause(runs.found("model-drift", History((), drifts=(*drifts, other))))) == findings + 1


@pytest.mark.parametrize(
    ("head", "harmless"), [("open, done", True), ("done, open", True), ("done, open, new", False), ("done", False)]
)
def test_labels_in_another_order(head: str, harmless: bool) -> None:
    item = Difference("changed", "enum", "public.state", BOOK, "labels", "open, done", head)
    assert head_takes_more(item) is harmless


def _downgrade(**facts: object) -> str:
    (finding,) = runs.found("irreversible-revision", run(downgrade=Downgrade(**facts)))  # type: ignore[arg-type]
    return str(finding.remedy)


def test_what_an_enum_leaves() -> None:
    """The upgrade runs again only if the type goes with its table, or the label may be there."""
    assert "DROP TYPE" in _downgrade(again='a.py:3: type "state" already exists')
    assert "IF NOT EXISTS" in _downgrade(again='a.py:3: enum label "done" already exists')
    assert "Undo in downgrade()" in _downgrade(again='a.py:3: relation "state" already exists')
    assert "Undo in downgrade()" in _downgrade(again='a.py:3: type "state" already exists', differences=("x",))


def _lists(child: str, *parents: str, scoped: bool = True) -> tuple[Table, ...]:
    """A table with keys to others, each of which has names that are unique in its project."""
    project = Name("public", "project")
    rule = (unique("rule", "name", "project_id"), foreign("project_id", to=project)) if scoped else ()
    columns = [column(f"{parent}_id") for parent in parents]
    keys = [foreign(f"{parent}_id", to=Name("public", parent)) for parent in parents]
    return (
        of(child, *columns, *keys),
        *(of(parent, column("name", "text"), column("project_id"), *rule) for parent in dict.fromkeys(parents)),
        of("project"),
    )


@pytest.mark.parametrize(
    ("child", "parents", "guess"),
    [
        ("role_priority", ("role", "priority"), True),
        ("policy_rule", ("policy",), False),
        ("escalation_policy", ("priority",), True),
        ("person_role", ("person", "role"), False),
        ("visit", ("status",), False),
    ],
)
def test_links_between_short_lists(child: str, parents: tuple[str, ...], guess: bool) -> None:
    """Even a search reads some hundreds of rows; but a link to people is one of many."""
    asked = [replace(query(Condition(f"{name}_id", Use.EQUAL)), table=child) for name in parents]
    tables = _lists(child, *parents)
    if len(parents) > 1:
        key = Key(tables[0].name, "link", tuple(f"{name}_id" for name in parents), True)
        tables = (replace(tables[0], primary_key=key), *tables[1:])
    findings = [item for item in found("unindexed-foreign-key", *tables, queries=asked) if child in item.object]
    assert {item.guess for item in findings} == {guess}


def test_a_list_of_each_project() -> None:
    """The teams of a project are as few as those of an installation."""
    parts = (column("name", "text"), column("project_id"), column("service_id"), foreign("service_id"))
    project = foreign("project_id", to=Name("public", "project"))
    for rule, guess in ((("name", "project_id"), True), (("name", "day"), False)):
        types = of("incident_team", *parts, column("day", "date"), project, unique("rule", *rule))
        findings = found("unindexed-foreign-key", types, table(name=PARENT), of("project"), queries=[query()])
        assert [item.guess for item in findings if "service_id" in item.object] == [guess]


def test_rules_for_one_parent_or_the_other() -> None:
    """Who subscribes to a task, or to an entity: in each row one of the two is null."""
    parts = [column(name, nullable=name != "person") for name in ("person", "task", "entity", "kind")]
    keys = [foreign(name) for name in ("person", "task", "entity", "kind")]
    by_task, by_entity = unique("by_task", "person", "task"), unique("by_entity", "person", "entity", "kind")

    def guesses(*rules: Key | ForeignKey) -> list[bool]:
        return [item.guess for item in found("nullable-unique", table(*parts, *rules))]

    assert guesses(*keys, by_task, by_entity) == [True, True]
    assert guesses(*keys, by_task) == guesses(*keys, by_entity) == [False]
    assert guesses(by_task, by_entity) == [False, False]


def test_a_flag_of_a_list_that_people_fill_by_hand() -> None:
    asked = replace(query(Condition("is_done", Use.EQUAL, "true")), table="task_status")
    for name, guess in (("task_status", True), ("task_note", False)):
        flagged = of(name, column("id"), column("is_done", "bool"), index(f"ix_{name}", "is_done"))
        findings = found("index-on-flag", flagged, queries=[replace(asked, table=name)])
        assert [item.guess for item in findings] == [guess]


def test_a_document_of_rows_that_an_index_finds() -> None:
    parts = (column("project_id"), column("data", "jsonb"), index("by_project", "project_id"))
    key = Condition("data", Use.KEY)
    for asked, guess in ((query(key), False), (query(key, Condition("project_id", Use.EQUAL)), True)):
        assert [item.guess for item in found("unindexed-document", table(*parts), queries=[asked])] == [guess]


def test_the_rows_of_a_year() -> None:
    visit = Name("public", "visit_log")
    cases = (("year", "int4", True), ("financial_year_start", "int8", True), ("number", "int4", False))
    for (name, kind, guess), use in product(cases, (Use.EQUAL, Use.RANGE)):
        guess |= use is Use.RANGE  # alone, it may be one row or nearly all
        schema = Schema("database", (of("visit_log", column(name, kind)),), server_version=18)
        shape = replace(query(Condition(name, use)), table="public.visit_log")
        findings = list(QueryWithoutIndex().detect(workload_of(Evidence("source", (shape,))), schema))
        assert [(item.table, item.guess) for item in findings] == [(visit, guess)]


def test_a_filter_that_a_user_may_set_is_no_queue() -> None:
    parts = (column("status", "text", default="'pending'::text"), column("created_at", "timestamptz"))
    pending = Condition("status", Use.EQUAL, "'pending'")
    for condition, guess in ((pending, False), (replace(pending, literal=None, optional=True), True)):
        asked = query(condition, order=(OrderKey("created_at", True),), limit=True)
        assert [item.guess for item in found("unindexed-queue", table(*parts), queries=[asked])] == [guess]


@pytest.mark.parametrize(
    ("check", "refused"),
    [
        ("auth IN ('mail', 'key')", True),
        ("auth IN ('mail', 'key') OR auth IS NULL", True),
        ("auth IN ('mail', 'key') OR mobile IS NOT NULL", False),
        ("auth IN ('mail', 'key') OR mobile IS NULL", False),
        ("auth IN ('mail', 'key') OR auth IS NOT NULL", False),
    ],
)
def test_a_check_that_lets_other_rows_through(check: str, refused: bool) -> None:
    parts = (column("auth", "text", default="'sms'::text"), column("mobile", "text"))
    rule = Check(ITEM, "ck", check)
    assert len(found("default-breaks-check", replace(table(*parts), checks=(rule,)))) == refused


def test_a_worker_that_takes_one_item_by_its_key() -> None:
    """FOR UPDATE of a row that is known keeps others out of it, and takes no next one."""
    parts = (column("status", "text", default="'pending'::text"), column("created_at", "timestamptz"))
    pending = Condition("status", Use.EQUAL, "'pending'")
    keys = (index("item_pkey", "id", unique=True), index("by_status", "status"))
    for conditions, guess in (((pending,), False), ((pending, Condition("id", Use.EQUAL)), True)):
        asked = query(*conditions, lock="update")
        findings = found("unindexed-queue", table(*parts, *keys), queries=[asked])
        assert [item.guess for item in findings] == [guess]


def test_a_text_key_whose_default_makes_a_uuid() -> None:
    """Without a model nobody says what the application writes: `mm-…` is in no UUID."""
    made = column("id", "text", default="(gen_random_uuid())::text", nullable=False)
    for modelled, guess in ((True, False), (False, True)):
        findings = found("uuid-as-text", replace(table(made), modelled=modelled))
        assert [item.guess for item in findings] == [guess]
    named = column("file_uuid", UUID)
    assert [item.guess for item in found("uuid-as-text", replace(table(named), modelled=False))] == [False]


@pytest.mark.parametrize(
    ("child", "parent", "guess"),
    [
        ("notice_history", "notice_template", True),
        ("notice_history", "noticetemplate", True),
        ("visit", "role", True),
        ("visit", "estate", False),
        ("visit", "prototype", False),
        ("visit", "person", False),
    ],
)
def test_a_handful_that_is_hardly_ever_deleted(child: str, parent: str, guess: bool) -> None:
    """Until a query asks for the rows of one of them."""
    tables = (of(child, column("parent_id"), foreign("parent_id", to=Name("public", parent))), of(parent))
    asked = replace(query(Condition("parent_id", Use.EQUAL)), table=child)
    for queries, expected in (([query()], guess), ([asked], False)):
        findings = found("unindexed-foreign-key", *tables, queries=queries)
        assert [item.guess for item in findings] == [expected]
