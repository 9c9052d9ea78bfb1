"""What a third reader of real projects' findings would not sign, by its kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alembic_pgpatterns.evidence.model import Condition, Evidence, Place, QueryShape, Use
from alembic_pgpatterns.findings.causes import by_cause
from alembic_pgpatterns.findings.together import share_indexes
from alembic_pgpatterns.patterns import Finding, registry
from alembic_pgpatterns.patterns.statements.query_without_index import QueryWithoutIndex
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.remedies.model_line import model_line
from alembic_pgpatterns.revisions.model import Drift, History
from alembic_pgpatterns.schema.model import DataType, Name, Origin, Schema
from alembic_pgpatterns.workload.from_source import workload_of
from tests.patterns import handmade_runs as runs
from tests.patterns.handmade import ITEM, PARENT, column, foreign, found, index, query, table, unique
from tests.patterns.handmade_runs import AUTHOR, BEFORE, BOOK, EXCLUSIVE, NEW, run, step

UTCNOW = "datetime.datetime.utcnow"


@pytest.mark.parametrize(
    ("call", "default", "onupdate", "said"),
    [
        ("Column", UTCNOW, None, "default=lambda: datetime.now(timezone.utc) in"),
        ("Field", UTCNOW, None, "default_factory=lambda: datetime.now(timezone.utc) in"),
        ("sqlmodel.Field", UTCNOW, None, "default_factory=lambda: datetime.now(timezone.utc) in"),
        ("Column", None, UTCNOW, "onupdate=lambda: datetime.now(timezone.utc) in"),
        ("Column", UTCNOW, UTCNOW, "default=lambda: datetime.now(timezone.utc) and onupdate=lambda: "),
        ("Column", "app.aware", "now()", ""),
    ],
)
def test_times_that_python_fills_in(call: str, default: str | None, onupdate: str | None, said: str) -> None:
    """SQLModel's Field takes `default=` for the value; and an UPDATE fills in as much as an INSERT."""
    at = column("at", "timestamp", python_default=default, python_onupdate=onupdate, origin=Origin(call=call))
    (finding,) = found("timestamp-without-time-zone", table(at))
    assert (said in finding.message) if said else "with timestamptz" not in finding.message


def test_a_habit_is_said_once() -> None:
    """How a project writes moments, documents, names and flags is one decision, and not one per table."""
    other = Name("public", "other")
    tables = [
        table(
            *(replace(item, table=name) for item in (
                column("at", "timestamp"), column("made", "timestamp", python_default=UTCNOW), column("doc", "json"),
                column("name", DataType("varchar", modifier=(255,), display="character varying(255)")),
                column("done", "bool", default="false"), column("group", "text"),
            )), name=name,
        )
        for name in (ITEM, other)
    ]  # fmt: skip
    patterns = {
        "timestamp-without-time-zone": 4, "json-not-jsonb": 2, "varchar-length": 2, "nullable-flag": 2,
        "quoted-identifier": 2,
    }  # fmt: skip
    for pattern, expected in patterns.items():
        findings = found(pattern, *tables)
        assert (len(findings), len(by_cause(findings))) == (expected, 1)


@pytest.mark.parametrize(("length", "guess"), [(64, True), (36, True), (200, True), (255, False), (1000, False)])
def test_a_limit_that_somebody_chose_stays_as_good_as_it_is(length: int, guess: bool) -> None:
    """The same limit as a CHECK refuses the same values; a digest and a UUID have theirs from outside."""
    kind = DataType("varchar", modifier=(length,), display=f"character varying({length})")
    assert [item.guess for item in found("varchar-length", table(column("code", kind)))] == [guess]


def test_an_index_on_the_column_that_finds_the_rows() -> None:
    """Beside the tenant's column, which many rows share, the document's own is enough for a key of both."""
    both = foreign("document_id", "tenant_id", referred=("id", "tenant_id"))
    tenant = foreign("tenant_id", to=Name("public", "tenant"))
    parts = (column("document_id"), column("tenant_id"), both, tenant, index("by_tenant", "tenant_id"))
    (finding,) = found("unindexed-foreign-key", table(*parts))
    assert not finding.guess
    (finding,) = found("unindexed-foreign-key", table(*parts, index("by_document", "document_id")))
    assert finding.guess


@pytest.mark.parametrize(
    ("name", "rule", "asked", "guess"),
    [
        ("provider", "name", False, True),
        ("provider", "name", True, False),
        ("provider", "code", False, False),
        ("payment", "name", False, False),
    ],
)
def test_a_list_that_people_fill_by_hand(name: str, rule: str, asked: bool, guess: bool) -> None:
    at = Name("public", name)
    parts = (column("group_id"), column(rule, "text"), unique("rule", rule), foreign("group_id"))
    providers = table(*(replace(part, table=at) for part in parts), name=at)
    queries = [QueryShape(name, conditions=(Condition("group_id", Use.EQUAL),), places=(Place("app.py", 7),))]
    findings = found("unindexed-foreign-key", providers, table(name=PARENT), queries=queries if asked else ())
    assert [item.guess for item in findings] == [guess]


@pytest.mark.parametrize(
    ("name", "asked", "guess"),
    [
        ("created_by", [], True),
        ("approved_by_id", [], True),
        ("created_by", [query(Condition("created_by", Use.EQUAL))], False),
        ("created_by", [QueryShape("parent", "delete", (Condition("id", Use.EQUAL),))], False),
        ("owner_id", [], False),
        ("by", [], False),
    ],
)
def test_who_did_something(name: str, asked: list[QueryShape], guess: bool) -> None:
    findings = found("unindexed-foreign-key", table(column(name), foreign(name)), table(name=PARENT), queries=asked)
    assert [item.guess for item in findings] == [guess]


def test_a_line_that_asks_any_model() -> None:
    """`self.model.id` in a base class: that it is called for this model, nothing shows."""
    names = ("event", "message", "task")
    tables = [table(column("owner", "text", table=Name("public", name)), name=Name("public", name)) for name in names]
    schema = Schema("database", tuple(tables), server_version=18)
    for count, guess in ((2, False), (3, True)):
        shapes = [
            QueryShape(f"public.{name}", conditions=(Condition("owner", Use.EQUAL),), places=(Place("base.py", 9),))
            for name in names[:count]
        ]
        findings = list(QueryWithoutIndex().detect(workload_of(Evidence("source", tuple(shapes))), schema))
        assert [finding.guess for finding in findings] == [guess] * count


def test_one_index_for_a_key_and_a_query() -> None:
    parts = (column("parent_id"), foreign("parent_id"))
    keys = found("unindexed-foreign-key", table(*parts), table(name=PARENT))
    asked = query(Condition("parent_id", Use.EQUAL))
    schema = Schema("database", (table(column("parent_id"), name=ITEM),), server_version=18)
    queries = list(QueryWithoutIndex().detect(workload_of(Evidence("source", (asked,))), schema))
    assert (len(keys), len(queries)) == (1, 1)
    assert share_indexes([*queries, *keys]) == keys
    assert share_indexes(queries) == queries


def test_the_line_of_an_index_that_goes() -> None:
    """It may be written as an Index or as `index=True`."""
    both = (index("item_a", "a"), index("item_a_b", "a", "b"))
    (finding,) = found("redundant-index", table(column("a"), column("b"), *both))
    assert finding.remedy is not None
    assert model_line(finding.remedy) == ('(remove) Index("item_a", "a")  # or index=True of a',)


def test_a_table_of_two_keys() -> None:
    parts = (column("a_id"), column("b_id"), foreign("a_id"), foreign("b_id"))
    (finding,) = found("missing-primary-key", table(*parts, primary_key=None))
    assert finding.remedy == Advice("PRIMARY KEY (a_id, b_id), after removing rows with null and duplicates.")
    (finding,) = found("missing-primary-key", table(*parts, column("note"), primary_key=None))
    assert "Declare the columns" in str(finding.remedy)


ADDED = step("ALTER TABLE book ADD COLUMN kind text", BOOK, line=4)


def _change(sql: str = "UPDATE book SET kind = 'novel'", **facts: object) -> Finding:
    (finding,) = runs.found("unbatched-data-change", run(ADDED, step(sql, BOOK, line=5, **facts)))
    return finding


def test_rows_of_a_column_that_the_revision_adds() -> None:
    """They are all null, and the lock of ADD COLUMN keeps readers out while they are filled."""
    held = [(EXCLUSIVE, BOOK)]
    finding = _change(held=held)
    assert 'where="kind IS NULL")' in str(finding.remedy)
    assert finding.message.endswith("and it holds ACCESS EXCLUSIVE on public.book already, so that reads wait as well")
    assert "already" not in _change().message
    assert "server_default" in str(finding.remedy)
    assert "server_default" not in str(_change("UPDATE book SET kind = title").remedy)
    assert 'where="title IS DISTINCT FROM (' in str(_change("UPDATE book SET title = 'x'").remedy)
    locked = replace(ADDED, locks=step("", BOOK, locks=held).locks)
    everything = step("UPDATE book SET kind = 'novel'", BOOK, line=5, held=held)
    some = step("UPDATE book SET kind = 'novel' WHERE title = 'x'", BOOK, line=5, held=held)
    assert runs.found("strong-lock-then-more", run(locked, everything)) == []
    assert len(runs.found("strong-lock-then-more", run(locked, some))) == 1


def test_several_changes_in_one_revision() -> None:
    changes = [step(f"UPDATE book SET {name} = '1'", BOOK, line=line) for line, name in ((5, "title"), (6, "code"))]
    findings = runs.found("unbatched-data-change", run(*changes))
    assert (len(findings), len(by_cause(findings))) == (2, 1)


def test_an_index_of_a_table_that_goes_and_whose_name_another_gets() -> None:
    titled = replace(BEFORE.tables[0], indexes=(replace(index("book_title", "title"), table=BOOK),))
    before = replace(BEFORE, tables=(titled, *BEFORE.tables[1:]))
    locks = [(EXCLUSIVE, BOOK)]
    dropped = step("DROP INDEX book_title", BOOK, locks=locks)
    assert len(runs.found("blocking-index-drop", run(dropped, before=before, after=before))) == 1
    gone = step("DROP TABLE book", BOOK, locks=locks)
    renamed = step("ALTER TABLE fresh RENAME TO book", NEW)
    assert runs.found("blocking-index-drop", run(dropped, gone, renamed, before=before, after=before)) == []


def test_an_index_that_is_dropped_for_a_rewrite() -> None:
    """What waits for the drop waits longer for the rewrite, which has a finding of its own."""
    titled = replace(BEFORE.tables[0], indexes=(replace(index("book_title", "title"), table=BOOK),))
    facts = {"before": replace(BEFORE, tables=(titled, *BEFORE.tables[1:])), "after": BEFORE}
    dropped = step("DROP INDEX book_title", BOOK, locks=[(EXCLUSIVE, BOOK)])
    for work, expected in (([("rewrite", BOOK)], 0), ([("scan", BOOK)], 1), ([("rewrite", AUTHOR)], 1)):
        later = step("ALTER TABLE book ALTER title TYPE int", BOOK, work=work)
        assert len(runs.found("blocking-index-drop", run(dropped, later, **facts))) == expected


@pytest.mark.parametrize(("new", "advice"), [("fresh", "LOCK TABLE public.book IN"), ("_alembic_tmp_book", "recreate")])
def test_a_copy_that_replaces_a_table(new: str, advice: str) -> None:
    """Only a copy of batch mode can be taken away; what a person wrote needs a lock."""
    copied = step(f"INSERT INTO {new} (id) SELECT id FROM book", BOOK, work=[("rewrite", BOOK)])
    (finding,) = runs.found("table-rewrite", run(copied))
    assert advice in str(finding.remedy)


def test_what_a_table_lacks_is_said_once_per_side() -> None:
    """Models that nobody keeps up: one revision, or one look at the class, cures all of a table."""
    rows = [("a", "head"), ("b", "head"), ("c", "models"), ("d", ""), ("e", "")]
    drifts = [Drift(BOOK, f"public.book.{name}", f"{name} differs", side=side) for name, side in rows]
    drifts.append(Drift(AUTHOR, "public.author.a", "a differs", side="head"))
    findings = by_cause(runs.found("model-drift", History((), drifts=tuple(drifts))))
    assert [[item.object[7:], *(also.object[7:] for also in item.also)] for item in findings] == [
        ["book.a", "book.b"], ["book.c"], ["book.d"], ["book.e"], ["author.a"],
    ]  # fmt: skip


INCIDENTS = (
    "autovacuum-off", "case-sensitive-unique", "circular-required-keys", "default-breaks-check", "disabled-trigger",
    "epoch-as-integer", "float-key", "frozen-time-default", "impossible-set-null", "unidentified-replica",
)  # fmt: skip


@pytest.mark.parametrize("name", INCIDENTS)
def test_a_pattern_from_a_public_report_names_it_and_has_traps(name: str) -> None:
    """Its sheet is held by test_catalogue: each defect is found, and none of the traps."""
    assert any("postgresql.org" not in source for source in registry()[name].references)
    sheet = (Path(__file__).parent / "catalogue" / f"{name.replace('-', '_')}.sql").read_text()
    assert sheet.count("-- defect:") >= 3 and sheet.count("-- trap:") >= 3
