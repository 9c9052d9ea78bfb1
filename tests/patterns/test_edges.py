"""Branches that a run of mutations over the patterns found without a test."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from alembic_pgpatterns.patterns import registry
from alembic_pgpatterns.patterns.revisions._statements import python
from alembic_pgpatterns.remedies.model import Advice, Statements
from alembic_pgpatterns.schema.catalog import reader as catalog

pytestmark = pytest.mark.usefixtures("held_messages")


@pytest.fixture
def found(new_database: Callable[[], Any]) -> Callable[..., dict[str, Any]]:
    def run(name: str, script: str) -> dict[str, Any]:
        with new_database().connect() as connection:
            connection.execute(script)
            schema = catalog.read(connection)
        pattern: Any = registry()[name](target_version=18)
        return {finding.object: finding for finding in pattern.detect(schema)}

    return run


ROOM = "CREATE TABLE room (a bigint, b bigint, PRIMARY KEY (a, b));"
BOOKING = (
    ROOM + "CREATE TABLE booking (id bigint PRIMARY KEY, a bigint {a}, b bigint, FOREIGN KEY (a, b) REFERENCES room);"
)


def test_what_to_do_about_a_key_with_nulls(found: Callable[..., dict[str, Any]]) -> None:
    (both,) = found("half-null-foreign-key", BOOKING.format(a="")).values()
    assert "MATCH FULL" in both.remedy.text
    (one,) = found("half-null-foreign-key", BOOKING.format(a="NOT NULL")).values()
    assert one.remedy.text.startswith("Make b NOT NULL")


@pytest.mark.parametrize(("valid", "expected"), [("", 0), (" NOT VALID", 1), (" NOT ENFORCED", 1)])
def test_a_check_counts_only_where_it_holds(valid: str, expected: int, found: Callable[..., dict[str, Any]]) -> None:
    script = BOOKING.format(a="") + f"ALTER TABLE booking ADD CHECK (a IS NOT NULL AND b IS NOT NULL){valid};"
    # A check that is not valid is one that says what is meant, all the same.
    named = found("half-null-foreign-key", script)
    assert len(named) == (expected if "ENFORCED" in valid else 0)


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ("code text NOT NULL UNIQUE", Statements),
        ("code text UNIQUE", Advice),
        ("code text NOT NULL UNIQUE DEFERRABLE", Advice),
    ],
)
def test_which_unique_rule_can_be_the_primary_key(rule: str, kind: type, found: Callable[..., dict[str, Any]]) -> None:
    (finding,) = found("missing-primary-key", f"CREATE TABLE item ({rule})").values()
    assert type(finding.remedy) is kind


@pytest.mark.parametrize("taken", ["VIEW {} AS SELECT 1", "SEQUENCE {}", "TABLE {} (id bigint PRIMARY KEY)"])
def test_a_primary_keys_name_is_free(taken: str, found: Callable[..., dict[str, Any]]) -> None:
    script = f"CREATE TABLE item (code text NOT NULL UNIQUE); CREATE {taken.format('item_pkey')}"
    assert "ADD CONSTRAINT item_pkey1 " in found("missing-primary-key", script)["public.item"].remedy.up[0]


def test_of_equal_indexes_the_primary_keys_stays(found: Callable[..., dict[str, Any]]) -> None:
    script = "CREATE TABLE item (id bigint); ALTER TABLE item ADD CONSTRAINT a_rule UNIQUE (id);"
    script += "ALTER TABLE item ADD CONSTRAINT b_key PRIMARY KEY (id);"
    assert list(found("duplicate-index", script)) == ["public.a_rule"]


def test_a_view_through_another_view(found: Callable[..., dict[str, Any]]) -> None:
    script = "CREATE TABLE doc (id bigint PRIMARY KEY, name text); ALTER TABLE doc ENABLE ROW LEVEL SECURITY;"
    script += "CREATE VIEW inner_view AS SELECT * FROM doc; CREATE VIEW outer_view AS SELECT * FROM inner_view;"
    findings = found("view-past-row-security", script)
    assert findings["public.outer_view"].remedy == Advice("Change public.inner_view, through which it reads them.")
    assert not isinstance(findings["public.inner_view"].remedy, Advice)


def test_a_domain_of_ones_own_is_no_text_of_uuids(found: Callable[..., dict[str, Any]]) -> None:
    script = "CREATE TYPE public.varchar AS (x int); CREATE TABLE t (id bigint PRIMARY KEY, uuid public.varchar)"
    assert found("uuid-as-text", script) == {}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT  1,\n\t2", "SELECT 1, 2"),
        ("SELECT 'a  b', \"c  d\"", "SELECT 'a  b', \"c  d\""),
        ("ALTER TABLE book -- the books\n/* all */ ADD a int", "ALTER TABLE book ADD a int"),
        ("SELECT '12:mm', a::text ~ '[[:alpha:]]'", "SELECT '12:mm', a::text ~ '[[:alpha:]]'"),
        ("SELECT 'é\n', E'\\\\'", "SELECT 'é\n', E'\\\\'"),
    ],
)
def test_advised_sql_runs_as_it_is_meant(statement: str, expected: str) -> None:
    """``op.execute`` reads a colon as a parameter, and Python a backslash and a quote."""
    written = python(statement)
    assert "\n" not in written
    assert str(text(ast.literal_eval(written))) == expected
