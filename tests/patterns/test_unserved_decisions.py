"""Which index a statement needs, on schemas and statements written by hand: no server is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.evidence.model import Evidence, Place
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.patterns._growth import looks_like_a_list, rows_of, singular
from alembic_pgpatterns.patterns.statements.query_without_index import QueryWithoutIndex
from alembic_pgpatterns.patterns.statements.statement_without_index import StatementWithoutIndex
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.schema.model import DataType, Index, IndexKey, Name, Schema, Table, TableStatistics
from alembic_pgpatterns.schema.origin import Origin
from alembic_pgpatterns.workload.model import SOURCE
from tests.patterns.handmade import ITEM, PARENT, column, foreign, index, table, unique
from tests.recorded import recorded

pytestmark = pytest.mark.usefixtures("held_messages")

LABELS = DataType("mood", display="mood", labels=("good", "bad"))
ARRAY = DataType("text", display="text[]", array=True)
COLUMNS = (
    column("id"), column("parent_id"), column("guide_id"), column("name", "text"), column("status", "text"),
    column("mood", LABELS), column("active", "bool"), column("tags", ARRAY), column("document", "jsonb"),
    column("at", "timestamptz"), column("deleted", "bool"), column("deleted_at", "timestamptz"),
)  # fmt: skip
PLAIN = table(*COLUMNS)
MARKED_BY_TIME = table(*(item for item in COLUMNS if item.name != "deleted"))


def found(text: str, items: Table = PLAIN, **facts: Any) -> list[Finding]:
    schema = Schema("database", (items, table(column("id"), name=PARENT)), server_version=18)
    return list(StatementWithoutIndex().detect(recorded(text, **facts), schema))


def needed(text: str, items: Table = PLAIN) -> list[str]:
    """What follows ON of the indexes that are proposed."""
    return [sql(item.remedy)[0].partition(" ON public.item ")[2] for item in found(text, items) if item.remedy]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("name = $1", "(name)"),
        ("$1 = name", "(name)"),
        ("name = 'a'::text AND at > $1", "(name, at)"),
        ("$1 < at", "(at)"),
        ("at BETWEEN $1 AND $2", "(at)"),
        ("at > now()", "(at)"),
        ("at > CURRENT_TIMESTAMP", "(at)"),
        ("at > now() - $1::interval", "(at)"),
        ("name IN ('a', 'b')", "(name)"),
        ("name = ANY (ARRAY['a', 'b'])", "(name)"),
        ("name = ANY ($1)", "(name)"),
        # Kinds and labels tell rows apart badly: they come last. Flags are left out.
        ("status = $1 AND name = $2", "(name, status)"),
        ("mood = $1 AND name = $2", "(name, mood)"),
        ("active = $1 AND name = $2", "(name)"),
        ("mood = $1 AND at > $2", "(mood, at)"),
        ("status = $1", "(status)"),
        ("mood = $1", None),
        ("active = $1", None),
        ("mood = $1 AND active = $2", None),
        # What btree cannot hold well.
        ("document = $1", None),
        ("document = $1 AND name = $2", "(name)"),
        ("tags = $1", None),
        ("tags @> $1", "USING gin (tags)"),
        ("document @> $1 AND tags && $2", "USING gin (document)"),
        ("document @> $1 AND name = $2", "(name)"),
        ("document ? 'a' AND at > $1", "(at)"),
        # Neither a value nor a call.
        ("name = status", None),
        ("name = (SELECT 'a')", None),
        ("lower(name) = $1", None),
        ("nowhere = $1", None),
        ("name IS NULL", None),
        ("name IS NULL AND status = $1", "(status)"),
        ("name <> $1 AND at > $2", "(at)"),
        ("name = status AND at > $1", "(at)"),
    ],
)
def test_conditions(condition: str, expected: str | None) -> None:
    assert needed(f"SELECT name FROM item WHERE {condition}") == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT name FROM item ORDER BY at LIMIT 5", "(at)"),
        ("SELECT name FROM item ORDER BY at DESC LIMIT 5", "(at)"),
        ("SELECT name FROM item ORDER BY at DESC, name LIMIT 5", "(at DESC, name)"),
        ("SELECT name FROM item ORDER BY at, name LIMIT 5", "(at, name)"),
        ("SELECT name FROM item WHERE name = $1 ORDER BY name, at LIMIT 5", "(name, at)"),
        ("SELECT name FROM item WHERE at > $1 ORDER BY name LIMIT 5", "(name)"),
        ("SELECT name FROM item ORDER BY lower(name) LIMIT 5", None),
        ("SELECT name FROM item ORDER BY at, lower(name) LIMIT 5", None),
        ("SELECT name FROM item ORDER BY nowhere LIMIT 5", None),
        ("SELECT name FROM item ORDER BY at", None),
        ("SELECT name FROM item GROUP BY name ORDER BY name LIMIT 5", None),
        ("SELECT name FROM item ORDER BY id LIMIT 5", "(id)"),
        ("UPDATE item SET name = 'a' WHERE at < $1", "(at)"),
        ("DELETE FROM item WHERE at < $1", "(at)"),
        ("UPDATE item SET name = 'a' FROM parent WHERE at < $1", None),
        ("DELETE FROM item USING parent WHERE at < $1", None),
        ("INSERT INTO item (name) VALUES ($1)", None),
        ("SELECT 1 FROM item, parent WHERE at < $1", None),
        ("SELECT 1 FROM item JOIN parent ON true WHERE at < $1", None),
        ("SELECT 1 FROM (SELECT 1) item WHERE at < $1", None),
        ("SELECT 1 FROM public.item WHERE at < $1", "(at)"),
        ("SELECT 1 FROM other.item WHERE at < $1", None),
        ("SELECT 1 FROM item i WHERE i.at < $1", "(at)"),
        ("SELECT 1", None),
    ],
)
def test_statements(text: str, expected: str | None) -> None:
    assert needed(text) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("condition", "items", "expected"),
    [
        ("name = $1 AND deleted = false", PLAIN, "(name) WHERE NOT deleted"),
        ("name = $1 AND deleted = true", PLAIN, "(name)"),
        ("name = $1 AND deleted = $2", PLAIN, "(name)"),
        ("deleted_at IS NULL AND name = $1", MARKED_BY_TIME, "(name) WHERE deleted_at IS NULL"),
        ("deleted_at IS NOT NULL AND name = $1", MARKED_BY_TIME, "(name)"),
        ("at IS NULL AND name = $1", MARKED_BY_TIME, "(name)"),
        ("lower(name) IS NULL AND name = $1", MARKED_BY_TIME, "(name)"),
        ("tags @> $1 AND deleted_at IS NULL", MARKED_BY_TIME, "USING gin (tags) WHERE deleted_at IS NULL"),
    ],
)
def test_rows_that_are_not_deleted(condition: str, items: Table, expected: str) -> None:
    assert needed(f"SELECT name FROM item WHERE {condition}", items) == [expected]


@pytest.mark.parametrize(
    ("existing", "condition", "served"),
    [
        (index("i", "name"), "name = $1", True),
        (index("i", "name", valid=False), "name = $1", False),
        (index("i"), "name = $1", False),
        (index("i", "at", "name"), "name = $1", False),
        (index("i", "at", "name"), "name = $1 AND at > $2", True),
        (index("i", IndexKey(None, expression="lower(name)")), "name = $1", True),
        (index("i", "tags", method="gin"), "tags @> $1", True),
        (index("i", "document", "tags", method="gin"), "tags @> $1", True),
        (index("i", "tags", method="gist"), "tags @> $1", True),
        (index("i", "tags", method="gin"), "document @> $1", False),
        (index("i", "name", method="gin"), "name = $1", False),
        (index("i", IndexKey(None, expression="(document -> 'a')"), method="gin"), "document @> $1", True),
        (index("i", "id"), "name = $1", False),
        # An order counts only where nothing is compared.
        (index("i", "at"), "name = $1 ORDER BY at LIMIT 5", False),
        (index("i", "at"), "true ORDER BY at LIMIT 5", True),
        (foreign("parent_id"), "parent_id = $1 AND name = $2", True),
        (foreign("parent_id"), "name = $2", False),
        (foreign("parent_id"), "parent_id = $1 ORDER BY id LIMIT 5", True),
        (foreign("parent_id"), "parent_id = $1 ORDER BY at LIMIT 5", False),
        (foreign("parent_id"), "parent_id = $1 AND at > $2", False),
        # An index that holds the rows of one condition alone serves it, whatever its first column is.
        (index("x", "id", predicate="NOT active"), "name = $1 AND active = false", True),
        (index("x", "id", predicate="NOT active"), "name = $1", False),
    ],
)
def test_what_serves_it(existing: Any, condition: str, served: bool) -> None:
    items = table(*COLUMNS, existing)
    assert (not needed(f"SELECT name FROM item WHERE {condition}", items)) is served


def test_two_foreign_keys_leave_few_rows() -> None:
    items = table(*COLUMNS, foreign("parent_id"), foreign("guide_id"))
    assert needed("SELECT 1 FROM item WHERE parent_id = $1 AND guide_id = $2 ORDER BY at LIMIT 5", items) == []
    composite = table(*COLUMNS, foreign("parent_id", "guide_id", referred=("a", "b")))
    assert needed("SELECT 1 FROM item WHERE parent_id = $1 ORDER BY at LIMIT 5", composite) == ["(parent_id, at)"]


def test_a_table_without_a_primary_key_and_a_partition() -> None:
    assert needed("SELECT 1 FROM item ORDER BY id LIMIT 5", table(*COLUMNS, primary_key=None)) == ["(id)"]
    assert needed("SELECT 1 FROM item WHERE name = $1", replace(PLAIN, partition_of=Name("public", "whole"))) == []


def test_rows_decide() -> None:
    levels = {}
    for rows in (999, 1_000, 9_999, 10_000):
        sized = replace(PLAIN, statistics=TableStatistics(rows, 0, 0, 0, 0, 0, 0))
        levels[rows] = [str(item.severity) for item in found("SELECT 1 FROM item WHERE name = $1", sized)]
    assert levels == {999: [], 1_000: ["info"], 9_999: ["info"], 10_000: ["warning"]}


def test_each_index_is_proposed_once_and_loads_of_relationships_have_patterns_of_their_own() -> None:
    texts = ("SELECT id FROM item WHERE name = $1", "SELECT at FROM item WHERE name = $1")
    schema = Schema("database", (PLAIN,), server_version=18)
    assert len(list(StatementWithoutIndex().detect(recorded(*texts), schema))) == 1
    assert found(texts[0], reason="lazy load") == []


@pytest.mark.parametrize(
    ("condition", "guess"),
    [
        ("name = $1", False),
        ("name = 'a'", True),
        ("'a' = name", True),
        ("status = $1", True),
        ("mood = $1 AND status = $2", True),
        ("status = $1 AND name = $2", False),
        ("name = 'a' AND at > $1", False),
        ("tags @> $1", False),
        ("status = $1 ORDER BY at LIMIT 5", False),
        # The primary key is read backwards until enough rows are found.
        ("name = $1 ORDER BY id DESC LIMIT 5", True),
        ("name = $1 ORDER BY at DESC LIMIT 5", False),
    ],
)
def test_all_rows_of_one_kind_are_a_guess(condition: str, guess: bool) -> None:
    schema = Schema("database", (replace(PLAIN, name=Name("public", "item_log")),), server_version=18)
    source = replace(recorded(f"SELECT id FROM item_log WHERE {condition}"), source=SOURCE)
    (finding,) = QueryWithoutIndex().detect(source, schema)
    assert finding.guess is guess


def test_the_first_part_of_an_index_is_named_whole() -> None:
    by_two = Index(Name("public", "i"), PLAIN.name, "btree", (IndexKey("at"), IndexKey("name")))
    (finding,) = found("SELECT 1 FROM item WHERE name = $1", replace(PLAIN, indexes=(by_two,)))
    assert finding.message.startswith("no index of item serves name: the whole table is read for ")


def test_rows_that_the_model_declares() -> None:
    declared = replace(PLAIN, origin=Origin(info={"rows": 50_000}))
    assert rows_of(declared) == 50_000
    assert rows_of(replace(declared, statistics=TableStatistics(7, 0, 0, 0, 0, 0, 0))) == 7
    assert rows_of(replace(PLAIN, origin=Origin(info={"rows": "many"}))) is None


@pytest.mark.parametrize(
    ("plural", "word"),
    [("categories", "category"), ("status", "status"), ("address", "address"), ("statuses", "status"),
     ("events", "event"), ("log", "log")],
)  # fmt: skip
def test_singular(plural: str, word: str) -> None:
    assert singular(plural) == word


def test_which_tables_are_short_lists() -> None:
    kinds = table(column("id"), column("name", "text"), unique("u", "name"))
    child = Name("public", "child")
    child_table = table(column("kind_id", table=child), foreign("kind_id", to=ITEM, table=child), name=child)

    def is_list(item: Table, *others: Table, inserted: tuple[str, ...] = ()) -> bool:
        evidence = Evidence("source", (), dict.fromkeys(inserted, Place("app.py", 1)))
        return looks_like_a_list(Schema("database", (item, *others), evidence=evidence), item)

    assert is_list(kinds, child_table)
    assert not is_list(kinds), "nobody references it"
    assert not is_list(kinds, child_table, inserted=("item",))
    assert not is_list(kinds, child_table, inserted=("public.item",))
    assert not is_list(replace(kinds, unique_constraints=()), child_table)
    assert is_list(replace(kinds, unique_constraints=(), seeded=True), child_table)
    assert not is_list(replace(kinds, columns=tuple(column(name, "text") for name in "abcdef")), child_table)
    by_number = replace(kinds, unique_constraints=(unique("u", "id"),))
    assert not is_list(by_number, child_table)
