"""What a strict reader of twelve strangers' findings did not sign: true, but nothing that a team would act on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.evidence.model import Condition, Evidence, OrderKey, Use
from alembic_pgpatterns.findings.revision_patterns import run_revision_patterns
from alembic_pgpatterns.findings.tables_left_alone import as_guesses
from alembic_pgpatterns.patterns import registry
from alembic_pgpatterns.remedies.model import CreateIndex, DropIndex
from alembic_pgpatterns.schema.model import Name, Schema
from alembic_pgpatterns.schema.origin import Origin
from alembic_pgpatterns.schema.others import ModelMetaData
from alembic_pgpatterns.workload.from_source import workload_of
from tests.patterns.handmade import column, foreign, found, index, query, table, unique
from tests.patterns.handmade_runs import SHARE, run, step

TENANT, TEAM, USER, SETTING, TEAM_RULE, RULE, EVENT = (
    Name("public", name) for name in ("tenant", "team", "app_user", "user_setting", "team_rule", "rule", "user_event")
)
LISTS = (
    table(column("name", "text", table=TENANT), name=TENANT),
    table(column("tenant_id", table=TEAM), foreign("tenant_id", to=TENANT, table=TEAM), name=TEAM),
    table(name=USER),
    table(name=RULE),
    table(column("user_id", table=SETTING), foreign("user_id", to=USER, table=SETTING), name=SETTING),
)


@pytest.mark.parametrize(
    ("name", "rows", "guess"),
    [(TENANT, None, True), (TEAM, None, True), (USER, None, False), (SETTING, None, False), (TEAM, 50_000, False)],
)
def test_an_index_of_a_list_that_people_fill(name: Name, rows: int | None, guess: bool) -> None:
    """It is built in a moment. A row of settings comes with each user; and known rows say more than a name."""
    build = step(f"CREATE INDEX ix ON {name.name} (id)", name, locks=[(SHARE, name)], work=[("build", name, "ix")])
    of_run = run(build, before=Schema("database", LISTS), rows=((name, rows),) if rows else ())
    (finding,) = run_revision_patterns([registry()["blocking-index-build"]()], [of_run]).findings
    assert finding.guess is guess


def test_numbers_of_a_list_that_people_fill_last() -> None:
    named = replace(LISTS[1], columns=(column("id", "int4", table=TEAM, identity="a"),))
    other = replace(LISTS[2], columns=(column("id", "int4", table=EVENT, identity="a"),), name=EVENT)
    findings = found("integer-primary-key", LISTS[0], named, other)
    assert [(item.table, item.guess) for item in findings] == [(TEAM, True), (EVENT, True)]


@pytest.mark.parametrize(
    ("name", "rows", "in_source", "guess"),
    [
        (USER, None, True, True),
        (USER, None, False, False),
        (USER, 2_000_000, True, False),
        (EVENT, None, True, True),
        (EVENT, None, False, False),
        (EVENT, 9_000, True, True),
    ],
)
def test_numbers_that_may_end(name: Name, rows: int | None, in_source: bool, guess: bool) -> None:
    """Only known rows say that there will be two billion, where the application's source is known."""
    origin = Origin(info={"rows": rows} if rows else {})
    item = table(column("id", "int4", table=name, identity="a"), name=name, origin=origin)
    evidence = Evidence("source") if in_source else None
    (finding,) = registry()["integer-primary-key"]().detect(Schema("database", (item,), evidence=evidence))
    assert finding.guess is guess


@pytest.mark.parametrize("in_source", [False, True])
@pytest.mark.parametrize("databases", [frozenset(), frozenset({"mysql"})])
def test_types_of_models_that_are_made_for_other_databases_too(databases: frozenset[str], in_source: bool) -> None:
    item = table(column("code", "text"))
    evidence = Evidence("source", databases=databases) if in_source else None
    models = ModelMetaData("MetaData", frozenset(), 0, databases=frozenset() if in_source else databases)
    names = ("varchar-length", "uuid-as-text", "timestamp-without-time-zone", "nullable-unique", "float-for-money")
    findings = [registry()[name]().finding(item, "x") for name in names]
    schema = Schema("database", (item,), metadatas=(models,), evidence=evidence)
    guesses = [item.guess for item in as_guesses(findings, schema)]
    assert guesses == [bool(databases)] * 3 + [False, False]


def test_what_a_class_of_a_library_declares_is_not_the_projects_to_change() -> None:
    """An index beside it is."""
    of_library = replace(index("ix_slug", "slug"), origin=Origin(library=True))
    item = table(column("slug", "text"), of_library, index("ix_own", "slug"))
    pattern: Any = registry()["duplicate-index"]()
    new = CreateIndex.on(item.name, "slug")
    old = DropIndex(of_library.name, item.name, new)
    findings = [pattern.finding(item.indexes[0], "x", old), pattern.finding(item.indexes[1], "x", old)]
    findings.append(pattern.finding(item.indexes[0], "x", new))
    assert [found.guess for found in as_guesses(findings, Schema("database", (item,)))] == [True, False, False]


@pytest.mark.parametrize(
    ("asked", "guess"),
    [
        (query(Condition("id", Use.EQUAL)), True),
        (query(Condition("payload", Use.IS_NOT_NULL)), True),
        (query(Condition("payload", Use.PATH)), False),
        (query(Condition("id", Use.EQUAL), order=(OrderKey("payload"),)), False),
        (query(Condition("id", Use.EQUAL), distinct=True), False),
        (None, False),
    ],
)
def test_a_document_that_is_only_written_and_read_as_a_whole(asked: Any, guess: bool) -> None:
    asked = () if asked is None else (asked,)
    assert [item.guess for item in found("json-not-jsonb", table(column("payload", "json")), queries=asked)] == [guess]


@pytest.mark.parametrize(("name", "guess"), [("alias", True), ("label", False)])
def test_an_alias_that_not_everything_has(name: str, guess: bool) -> None:
    item = table(column("team_id", nullable=False), column(name, "text"), unique("rule", name, "team_id"))
    assert [finding.guess for finding in found("nullable-unique", item)] == [guess]


def test_a_flag_that_is_also_compared_with_what_a_user_chooses() -> None:
    """In conditions that a helper gathers, so that it is not known of which query."""
    item = table(column("archived", "bool"), index("by_archived", "archived"))
    asked = [query(Condition("archived", Use.EQUAL, "false"))]
    assert [finding.guess for finding in found("index-on-flag", item, queries=asked)] == [False]
    assert [f.guess for f in found("index-on-flag", item, queries=asked, varying=[("item", "archived")])] == [True]
    assert [f.guess for f in found("index-on-flag", item, queries=asked, version=16)] == [False]
    # Before PostgreSQL 17 a query with .is_(False) does not use the index that would take its place.
    written = [query(Condition("archived", Use.EQUAL, "false", operator="is"))]
    for version, guess in [(16, True), (17, False)]:
        assert [f.guess for f in found("index-on-flag", item, queries=written, version=version)] == [guess]


KINDS = {"id": "int8", "done": "bool", "owner_id": "int8", "expires_at": "timestamptz"}


@pytest.mark.parametrize(
    ("command", "compared", "guess"),
    [
        ("delete", (), True),
        ("delete", (Condition("done", Use.EQUAL),), True),
        ("delete", (Condition("owner_id", Use.EQUAL),), False),
        ("select", (Condition("owner_id", Use.EQUAL),), False),
        ("select", (), True),
    ],
)
def test_what_is_old_is_cleared_away_now_and_then(command: Any, compared: tuple[Condition, ...], guess: bool) -> None:
    """Nor is it known of a range alone whether it is one row or nearly all."""
    name = Name("public", "visit_log")
    item = table(*(column(key, kind, table=name) for key, kind in KINDS.items()), name=name)
    shape = query(*compared, Condition("expires_at", Use.RANGE, operator="<"), command=command)
    evidence = Evidence("source", (replace(shape, table="public.visit_log"),))
    pattern: Any = registry()["query-without-index"]()
    findings = pattern.detect(workload_of(evidence), Schema("database", (item,), server_version=18))
    assert [finding.guess for finding in findings] == [guess]
