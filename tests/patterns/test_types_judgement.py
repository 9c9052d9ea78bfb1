"""What a senior engineer would not sign, by its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.evidence.model import Evidence, Place
from alembic_pgpatterns.findings.causes import by_cause
from alembic_pgpatterns.patterns import registry
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.catalog.seeds import with_seeds

pytestmark = pytest.mark.usefixtures("held_messages")


@pytest.fixture
def found(new_database: Callable[[], Any]) -> Callable[..., list[Any]]:
    def run(name: str, script: str) -> list[Any]:
        with new_database().connect() as connection:
            connection.execute(script)
            schema = catalog.read(connection)
        pattern: Any = registry()[name](target_version=18)
        return list(pattern.detect(schema))

    return run


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("state uuid PRIMARY KEY DEFAULT gen_random_uuid()", 0),
        ("api_key uuid PRIMARY KEY DEFAULT gen_random_uuid()", 0),
        ("id uuid PRIMARY KEY DEFAULT gen_random_uuid(), state text", 1),
    ],
)
def test_values_that_must_be_hard_to_guess(columns: str, expected: int, found: Callable[..., list[Any]]) -> None:
    assert len(found("random-uuid-primary-key", f"CREATE TABLE oauth ({columns})")) == expected


def test_a_key_that_is_all_there_is_to_a_token(found: Callable[..., list[Any]]) -> None:
    table = "CREATE TABLE login_token (id uuid PRIMARY KEY DEFAULT gen_random_uuid(){})"
    assert found("random-uuid-primary-key", table.format("")) == []
    assert len(found("random-uuid-primary-key", table.format(", secret text"))) == 1


@pytest.mark.parametrize(("name", "expected"), [("app_type", 0), ("Kind", 0), ("sort_order", 0), ("visible", 1)])
def test_an_enumeration_of_two(name: str, expected: int, found: Callable[..., list[Any]]) -> None:
    script = f'CREATE TABLE app (id bigint PRIMARY KEY, "{name}" smallint CHECK ("{name}" IN (0, 1)))'
    assert len(found("flag-as-integer", script)) == expected


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("last_test_succeeded boolean", 0), ("last_test_succeeded boolean DEFAULT false", 1), ("enabled boolean", 1),
        ("consent_sent boolean NOT NULL", 0),
    ],
)  # fmt: skip
def test_a_flag_of_something_that_may_not_have_happened(
    column: str, expected: int, found: Callable[..., list[Any]]
) -> None:
    assert len(found("nullable-flag", f"CREATE TABLE t (id bigint PRIMARY KEY, {column})")) == expected


def test_alternatives_of_which_one_is_null(found: Callable[..., list[Any]]) -> None:
    columns = "id bigint PRIMARY KEY, phone text, email text, shop bigint"
    script = f"CREATE TABLE preference ({columns}, UNIQUE (phone, shop), UNIQUE (email, shop))"
    assert {finding.message.rpartition(" when ")[2] for finding in found("nullable-unique", script)} == {"shop is null"}


def test_one_null_in_a_foreign_key_usually_means_no_parent(found: Callable[..., list[Any]]) -> None:
    script = """CREATE TABLE room (building bigint, number int, PRIMARY KEY (building, number));
        CREATE TABLE booking (id bigint PRIMARY KEY, building bigint {}, number int,
            FOREIGN KEY (building, number) REFERENCES room);"""
    assert [item.guess for item in found("half-null-foreign-key", script.format(""))] == [False]
    assert [item.guess for item in found("half-null-foreign-key", script.format("NOT NULL"))] == [True]


LINKS = """
CREATE TABLE a (id bigint PRIMARY KEY);
CREATE TABLE ab (a bigint REFERENCES a, b bigint REFERENCES a, note text, CONSTRAINT both_ids UNIQUE (a, b));
CREATE TABLE cd (c bigint REFERENCES a, d bigint REFERENCES a, UNIQUE (d, c));
CREATE TABLE log (line text);
"""


def test_link_tables_without_a_key_are_one_cause_with_one_answer(found: Callable[..., list[Any]]) -> None:
    assert found("nullable-unique", LINKS) == []
    first, second, third = found("missing-primary-key", LINKS)
    assert first.remedy == Advice(
        "PRIMARY KEY (a, b), after removing rows with null and duplicates; it replaces the UNIQUE."
    )
    assert second.remedy.text.startswith("PRIMARY KEY (c, d), ") and first.cause == second.cause != ""
    assert third.cause == ""
    with_key = LINKS.replace("note text,", "id bigint PRIMARY KEY,")
    assert len(found("nullable-unique", with_key)) == 1


def test_how_a_project_makes_its_keys_is_decided_once(found: Callable[..., list[Any]]) -> None:
    script = "CREATE TABLE t{} (id uuid PRIMARY KEY DEFAULT gen_random_uuid());"
    (finding,) = by_cause(found("random-uuid-primary-key", "".join(map(script.format, range(5)))))
    assert len(finding.also) == 4


def test_a_flag_that_other_rows_must_not_have(found: Callable[..., list[Any]]) -> None:
    """Single-table inheritance: the column is there for one kind of row."""
    script = """CREATE TABLE animal (id bigint PRIMARY KEY, kind text NOT NULL, purrs boolean,
        CHECK (kind = 'cat' OR purrs IS NULL))"""
    assert found("nullable-flag", script) == []


@pytest.mark.parametrize(
    ("parent", "child", "expected"),
    [
        ("varchar(10)", "varchar(20)", 0), ("varchar(10)", "text", 0), ("varchar", "varchar(20)", 1),
        ("text", "varchar(20)", 1), ("text", "varchar", 0), ("varchar(20)", "varchar(10)", 1),
        ("int", "bigint", 0), ("bigint", "int", 1), ("numeric", "bigint", 1), ("char(3)", "text", 1),
    ],
)  # fmt: skip
def test_types_that_differ_in_earnest(parent: str, child: str, expected: int, found: Callable[..., list[Any]]) -> None:
    script = f"CREATE TABLE p (id {parent} PRIMARY KEY); CREATE TABLE c (id bigint PRIMARY KEY, p {child} REFERENCES p)"
    assert len(found("foreign-key-type-mismatch", script)) == expected


LIST = "CREATE TABLE kind (id serial PRIMARY KEY, name text UNIQUE); CREATE TABLE t (k int REFERENCES kind);"


def test_a_short_list_is_only_an_info(found: Callable[..., list[Any]]) -> None:
    (finding,) = found("integer-primary-key", LIST)
    assert str(finding.severity) == "info"
    (finding,) = found("integer-primary-key", LIST.replace("UNIQUE", ""))
    assert str(finding.severity) == "warning"


def test_a_list_that_revisions_fill_is_only_an_info(new_database: Callable[[], Any]) -> None:
    pattern: Any = registry()["integer-primary-key"]
    lists = (
        LIST.replace(" UNIQUE", "")
        + "CREATE TABLE other (id serial PRIMARY KEY); CREATE TABLE u (o int REFERENCES other);"
    )
    with new_database().connect() as connection:
        connection.execute(lists)
        connection.execute("INSERT INTO kind (name) VALUES ('new'), ('old')")
        schema = with_seeds(catalog.read(connection), connection)
    severities = {finding.object: str(finding.severity) for finding in pattern().detect(schema)}
    assert severities == {"public.kind.id": "info", "public.other.id": "warning"}
    evidence = Evidence("source", inserted={"kind": Place("app.py", 3)})
    severities = {item.object: str(item.severity) for item in pattern().detect(replace(schema, evidence=evidence))}
    assert severities["public.kind.id"] == "warning", "the application adds rows to it"


PINS = {
    "a trigger's column": "CREATE TRIGGER t BEFORE UPDATE OF name ON item FOR EACH ROW EXECUTE FUNCTION f();",
    "a trigger's WHEN": "CREATE TRIGGER t BEFORE UPDATE ON item FOR EACH ROW WHEN (NEW.name > '') "
    "EXECUTE FUNCTION f();",
    "a rule": "CREATE RULE r AS ON UPDATE TO item WHERE OLD.name = '' DO INSTEAD NOTHING;",
    "a policy": "CREATE POLICY p ON item USING (name > '');",
    "a publication's columns": "CREATE PUBLICATION p FOR TABLE item (id, name);",
    "a publication's filter": "CREATE PUBLICATION p FOR TABLE item WHERE (name > '') WITH (publish = 'insert');",
}


@pytest.mark.parametrize("pin", PINS)
def test_what_keeps_a_type(pin: str, new_database: Callable[[], Any], found: Callable[..., list[Any]]) -> None:
    script = "CREATE TABLE item (id bigint PRIMARY KEY, name varchar(20), code varchar(20));"
    script += "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';" + PINS[pin]
    findings = {finding.object: finding.remedy for finding in found("varchar-length", script)}
    assert isinstance(findings["public.item.name"], Advice)
    assert not isinstance(findings["public.item.code"], Advice)
    with new_database().connect() as connection:
        connection.execute(script)
        with pytest.raises(Exception, match="cannot alter type of a column used"):
            connection.execute("ALTER TABLE item ALTER COLUMN name TYPE text")


def test_extended_statistics_do_not_keep_a_type(
    new_database: Callable[[], Any], found: Callable[..., list[Any]]
) -> None:
    """PostgreSQL makes them again by itself (RememberStatisticsForRebuilding), so nothing is in the way."""
    script = "CREATE TABLE item (id bigint PRIMARY KEY, name varchar(20), code text); "
    script += "CREATE STATISTICS item_both (ndistinct) ON name, code FROM item;"
    (finding,) = found("varchar-length", script)
    assert not isinstance(finding.remedy, Advice)
    with new_database().connect() as connection:
        connection.execute(script)
        for statement in sql(finding.remedy):
            connection.execute(statement)
        (left,) = connection.execute("SELECT stxname FROM pg_statistic_ext").fetchall()
    assert left[0] == "item_both"
