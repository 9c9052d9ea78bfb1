"""What a second reader of real projects' findings would not sign, by its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.evidence.model import Condition, Evidence, Place, QueryShape, Use
from alembic_pgpatterns.findings.causes import by_cause
from alembic_pgpatterns.findings.tables_left_alone import as_guesses
from alembic_pgpatterns.patterns import Severity, registry
from alembic_pgpatterns.patterns._growth import likely_grows
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.catalog.seeds import with_seeds
from alembic_pgpatterns.schema.model import Location, ModelMetaData, Name, Policy, Schema
from alembic_pgpatterns.schema.origin import Origin
from tests.patterns.handmade import ITEM, PARENT, column, foreign, found, index, query, table, unique


@pytest.mark.parametrize(
    ("name", "guess"),
    [("external_id", True), ("saml_subject", True), ("parent_id", False), ("kind", False), ("expires_at", False)],
)
def test_a_name_from_elsewhere_may_be_missing(name: str, guess: bool) -> None:
    """`parent_id` refers to a table without a foreign key: there null is a group of its own."""
    parts = (column("owner_id", nullable=False), column(name, "text"), unique("rule", "owner_id", name))
    (finding,) = found("nullable-unique", table(*parts), table(name=PARENT))
    assert finding.guess is guess


def test_a_foreign_key_is_no_name_from_elsewhere() -> None:
    other = Name("public", "remote")
    parts = (column("code", "text", nullable=False), column("remote_id"), unique("rule", "code", "remote_id"))
    (finding,) = found("nullable-unique", table(*parts, foreign("remote_id", to=other)))
    assert not finding.guess


@pytest.mark.parametrize(("second", "guess"), [("row_number", True), ("text", False)])
def test_a_number_within_an_optional_parent(second: str, guess: bool) -> None:
    parts = (column("parent_id"), column(second, "text"), unique("rule", "parent_id", second), foreign("parent_id"))
    (finding,) = found("nullable-unique", table(*parts))
    assert finding.guess is guess


def test_a_quoted_name_that_queries_do_not_write() -> None:
    (name, rule) = found("quoted-identifier", table(column("Mail", "text"), column("id"), unique("Once", "id")))
    assert [name.guess, rule.guess] == [False, True]


DELETED_AT = column("deleted_at", "timestamptz")
FLAG = column("deleted", "bool", nullable=False)
MAIL = (column("mail", "text", nullable=False), unique("mails", "mail"))


@pytest.mark.parametrize(
    ("asked", "guess"),
    [
        ([], True),
        ([query(Condition("mail", Use.EQUAL))], True),
        ([query(Condition("deleted_at", Use.IS_NULL))], False),
        ([query(Condition("deleted", Use.EQUAL, "false"))], False),
        ([query(Condition("deleted", Use.EQUAL, "true"))], True),
    ],
)
def test_rows_may_be_deleted_for_good(asked: list[QueryShape], guess: bool) -> None:
    """All tables of a mixin have the column, and some of them delete their rows."""
    marked = {("item", "deleted_at")}
    (finding,) = found("unique-across-soft-deleted", table(*MAIL, DELETED_AT, FLAG), queries=asked, assigned=marked)
    assert finding.guess is guess


@pytest.mark.parametrize(
    ("assigned", "asked", "guess"),
    [
        ([], (), True),
        ([("other", "deleted_at"), ("item", "mail")], (), True),
        ([("item", "deleted_at")], (), False),
        ([("public.item", "deleted")], (), False),
        ([("", "deleted_at")], (), False),
        ([], query(command="update", assigned=("mail",)), True),
        ([], query(command="update", assigned=("deleted_at",)), False),
        ([], query(command="update"), False),  # it is not known what it sets
    ],
)
def test_a_base_class_asks_for_living_rows_of_all_its_tables(
    assigned: list[tuple[str, str]], asked: Any, guess: bool
) -> None:
    """A repository's base class leaves deleted rows out everywhere; a table is kept so only if its mark is ever set."""
    living = query(Condition("deleted_at", Use.IS_NULL))
    queries = [living, asked] if asked else [living]
    (finding,) = found("unique-across-soft-deleted", table(*MAIL, DELETED_AT, FLAG), queries=queries, assigned=assigned)
    assert finding.guess is guess


def test_a_partial_index_shows_that_deleted_rows_are_kept() -> None:
    partial = index("living", "mail", predicate="deleted_at IS NULL")
    marked = {("item", "deleted_at")}
    (finding,) = found("unique-across-soft-deleted", table(*MAIL, DELETED_AT, partial), assigned=marked)
    assert not finding.guess


KIND = table(column("id"), column("name", "text"), unique("names", "name"), name=PARENT)


@pytest.mark.parametrize(
    ("asked", "inserted", "guess"),
    [
        ([], [], True),
        ([query(Condition("kind_id", Use.EQUAL))], [], False),
        ([query(Condition("owner_id", Use.EQUAL), Condition("kind_id", Use.EQUAL))], [], True),
        ([], ["parent"], False),
    ],
)
def test_a_key_to_a_short_list(asked: list[QueryShape], inserted: list[str], guess: bool) -> None:
    of_item = table(column("kind_id"), column("owner_id"), foreign("kind_id"), index("owners", "owner_id"))
    (finding,) = found("unindexed-foreign-key", of_item, KIND, queries=asked, inserted=inserted)
    assert finding.guess is guess


def test_a_policy_searches_in_every_query() -> None:
    policy = Policy(ITEM, "own", "ALL", True, (), "kind_id = current_setting('app.kind')::bigint", None)
    of_item = table(column("kind_id"), foreign("kind_id"), policies=(policy,))
    (finding,) = found("unindexed-foreign-key", of_item, KIND)
    assert not finding.guess


@pytest.mark.parametrize(
    ("of_user", "expected"),
    [({"unique": True}, 0), ({}, 1), ({"unique": True, "predicate": "(kind = 1)"}, 1)],
)
def test_a_unique_index_on_a_part_of_a_key_finds_its_row(of_user: dict[str, Any], expected: int) -> None:
    key = foreign("user_id", "domain_id", referred=("id", "domain_id"))
    parts = (column("user_id", nullable=False), column("domain_id", nullable=False), key)
    assert len(found("unindexed-foreign-key", table(*parts, index("users", "user_id", **of_user)))) == expected


def test_chosen_limits_are_said_once_and_so_are_guessed_ones(new_database: Callable[[], Any]) -> None:
    with new_database().connect() as connection:
        connection.execute(
            "CREATE TABLE a (id bigint PRIMARY KEY, code varchar(12), name varchar(255));"
            "CREATE TABLE b (id bigint PRIMARY KEY, code varchar(40), name varchar(255));"
        )
        pattern: Any = registry()["varchar-length"]()
        causes = by_cause(list(pattern.detect(catalog.read(connection))))
    assert [(str(item.severity), item.object, len(item.also)) for item in causes] == [
        ("info", "public.a.code", 1),
        ("warning", "public.a.name", 1),
    ]


def test_uuids_that_can_only_change_together_are_said_once() -> None:
    text = {"nullable": False}
    parent = table(column("uuid", "text", table=PARENT, **text), unique("uuids", "uuid"), name=PARENT)
    child = table(column("parent_uuid", "text"), foreign("parent_uuid", referred=("uuid",)))
    (cause,) = by_cause(found("uuid-as-text", parent, child))
    assert [cause.object, *(item.object for item in cause.also)] == ["public.parent.uuid", "public.item.parent_uuid"]


def test_a_uuid_in_a_unique_rule() -> None:
    """It is one before the rule becomes the primary key, and not only afterwards."""
    assert len(found("uuid-as-text", table(column("file_uuid", "text"), unique("files", "file_uuid")))) == 1
    assert found("uuid-as-text", table(column("file_uuid", "text"))) == []


def test_flags_that_revisions_insert_as_null(new_database: Callable[[], Any]) -> None:
    flags = "CREATE TABLE setting (id int PRIMARY KEY, active boolean, hidden boolean); CREATE TABLE other (x boolean);"
    with new_database().connect() as connection:
        connection.execute(flags + "INSERT INTO setting VALUES (1, true, NULL), (2, false, true)")
        schema = with_seeds(catalog.read(connection), connection)
    pattern: Any = registry()["nullable-flag"]()
    assert [item.object for item in pattern.detect(schema)] == ["public.other.x", "public.setting.active"]


def test_a_unique_index_becomes_the_primary_key(new_database: Callable[[], Any]) -> None:
    pattern: Any = registry()["missing-primary-key"]()
    claims = "CREATE TABLE claim (request int NOT NULL, at timestamptz); CREATE UNIQUE INDEX claims ON claim (request);"
    with new_database().connect() as connection:
        connection.execute(claims + "INSERT INTO claim VALUES (7)")
        (finding,) = pattern.detect(catalog.read(connection))
        for statement in sql(finding.remedy):
            connection.execute(statement)
        after = catalog.read(connection)
        assert list(pattern.detect(after)) == []
        assert [item.name.name for item in after.tables[0].indexes] == ["claim_pkey"]
        for statement in finding.remedy.down:
            connection.execute(statement)
        assert [item.name.name for item in catalog.read(connection).tables[0].indexes] == ["claims"]


def test_of_several_unique_indexes_the_one_without_text(new_database: Callable[[], Any]) -> None:
    indexes = ("(kind, data)", "(uid, kind)", "(uid, number, other)")
    script = "CREATE TABLE info (uid int NOT NULL, kind text NOT NULL, data text NOT NULL, number int NOT NULL, "
    script += "other int NOT NULL);" + "".join(f"CREATE UNIQUE INDEX ON info {columns};" for columns in indexes)
    with new_database().connect() as connection:
        connection.execute(script)
        pattern: Any = registry()["missing-primary-key"]()
        (finding,) = pattern.detect(catalog.read(connection))
    assert finding.remedy.model.startswith("PrimaryKeyConstraint('uid', 'number', 'other')")


@pytest.mark.parametrize("index_sql", ["(lower(word))", "(word DESC)", "(word) WHERE word > ''", "(other)"])
def test_an_index_that_no_key_can_take(index_sql: str, new_database: Callable[[], Any]) -> None:
    with new_database().connect() as connection:
        connection.execute(f"CREATE TABLE tag (word text NOT NULL, other text); CREATE UNIQUE INDEX ON tag {index_sql}")
        pattern: Any = registry()["missing-primary-key"]()
        (finding,) = pattern.detect(catalog.read(connection))
    assert isinstance(finding.remedy, Advice)


def test_a_unique_rule_that_foreign_keys_refer_to_is_not_doubled(new_database: Callable[[], Any]) -> None:
    """A primary key beside it would be a second index of the same, which duplicate-index then reports."""
    with new_database().connect() as connection:
        connection.execute(
            "CREATE TABLE member (a int NOT NULL, b int NOT NULL, CONSTRAINT both_ UNIQUE (a, b));"
            "CREATE TABLE visit (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES member (a, b));"
        )
        pattern: Any = registry()["missing-primary-key"]()
        (finding,) = pattern.detect(catalog.read(connection))
    assert isinstance(finding.remedy, Advice)
    assert finding.remedy.text.startswith("PRIMARY KEY (a, b) in place of the UNIQUE. Foreign keys refer to that")


LEFT_OVER = Name("public", "item_before_2024")


@pytest.mark.parametrize(
    ("facts", "guess"),
    [
        ({}, True),
        ({"asked": "item_before_2024"}, False),
        ({"inserted": "public.item_before_2024"}, False),
        ({"referred": True}, False),
        ({"models": ()}, False),
        ({"evidence": False}, False),
        ({"more": True}, False),
    ],
)
def test_a_table_without_a_model_or_a_query(facts: dict[str, Any], guess: bool) -> None:
    """A copy that a revision left behind; not one that SQL in the source asks for, or that models refer to."""
    place = Place("app.py", 1)
    asked = (QueryShape(facts["asked"], places=(place,)),) if "asked" in facts else ()
    evidence = Evidence("source", asked, {facts["inserted"]: place} if "inserted" in facts else {})
    link = (foreign("old_id", to=LEFT_OVER),) if "referred" in facts else ()
    left = table(column("name", "text", table=LEFT_OVER), name=LEFT_OVER, modelled=False)
    more = [table(name=Name("public", f"other_{number}"), modelled=False) for number in range(2)]
    schema = Schema(
        "database",
        (table(column("old_id"), *link), table(name=PARENT), left, *(more if "more" in facts else ())),
        evidence=evidence if facts.get("evidence", True) else None,
        metadatas=facts.get("models", (ModelMetaData("MetaData", frozenset(), 0),)),
    )
    of_left = registry()["varchar-length"]().finding(left, "a limit")
    of_key = registry()["missing-primary-key"]().finding(left, "no key")
    assert of_key.severity is Severity.ERROR
    of_access = registry()["public-grant"]().finding(left, "readable")
    of_item = registry()["missing-primary-key"]().finding(schema.tables[0], "no key")
    findings = [of_left, of_key, of_access, of_item]
    assert [item.guess for item in as_guesses(findings, schema)] == [guess, False, False, False]


@pytest.mark.parametrize("required", [True, False])
def test_a_flag_that_only_the_database_lets_be_null(required: bool) -> None:
    """Where the drift of the models cannot be told: the line of the model needs no change."""
    (finding,) = found("nullable-flag", table(column("active", "bool", required_by_model=required)))
    assert isinstance(finding.remedy, Advice) is required
    if isinstance(finding.remedy, Advice):
        assert finding.remedy.text.endswith("ALTER TABLE public.item ALTER COLUMN active SET NOT NULL.")


def test_a_number_that_makes_a_rule_hold_once() -> None:
    """A real project sets `is_running` to a random number when a run ends: one run of a job at a time has the 1."""
    running = column("is_running", "int4", nullable=False)
    (finding,) = found("flag-as-integer", table(running, column("job"), unique("once", "job", "is_running")))
    assert finding.guess
    (finding,) = found("flag-as-integer", table(running, column("job"), unique("once", "job")))
    assert not finding.guess


@pytest.mark.parametrize(
    ("name", "grows"),
    [("provider_details", False), ("order_details", True), ("status", False), ("visit_log", True)],
)
def test_details_are_as_many_as_what_they_are_about(name: str, grows: bool) -> None:
    of_name = Name("public", name)
    details = table(column("by_id", table=of_name), foreign("by_id", table=of_name), name=of_name)
    assert likely_grows(Schema("database", (details, table(name=PARENT))), details) is grows


INSTALLED = ".venv/lib/python3.12/site-packages"


@pytest.mark.parametrize(
    ("path", "others", "guess"),
    [
        (f"{INSTALLED}/history/log.py", "app/models.py", True),
        (f"{INSTALLED}/history/log.py", f"{INSTALLED}/app/models.py", True),
        (f"{INSTALLED}/app/history.py", f"{INSTALLED}/app/models.py", False),
        ("app/history/log.py", "app/models.py", False),
    ],
)
def test_a_table_of_a_library_has_no_line_to_change(path: str, others: str, guess: bool) -> None:
    """The project itself may be installed, too: it is the package of most tables."""
    item = replace(table(column("note")), origin=Origin(Location(path, 5)))
    own = [replace(table(name=Name("public", name)), origin=Origin(Location(others, 5))) for name in ("a", "b")]
    found = [registry()[name]().finding(item, "x") for name in ("varchar-length", "missing-primary-key")]
    assert [finding.guess for finding in as_guesses(found, Schema("database", (item, *own)))] == [guess, False]
