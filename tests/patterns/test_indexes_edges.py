"""What patterns of indexes decide at their edges, on schemas written by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.evidence.model import Condition, Use
from alembic_pgpatterns.patterns.indexes._roles import default_constant, is_status, never_null, reads
from alembic_pgpatterns.patterns.indexes._shape import IndexNames, beside, definition, named
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.schema.model import (
    UNKNOWN,
    Check,
    DataType,
    Generated,
    Index,
    IndexKey,
    Key,
    Name,
    Schema,
)
from tests.patterns.handmade import ITEM, PARENT, column, found, index, query, table, unique

pytestmark = pytest.mark.usefixtures("held_messages")

DEFAULT, GERMAN = Name("pg_catalog", "default"), Name("app", "german")
OPS, OWN_OPS = Name("pg_catalog", "text_pattern_ops"), Name("app", "ops")


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("text", True),
        ("int2", True),
        ("int4", True),
        ("int8", False),
        (DataType("state", schema="app", kind="enum"), True),
        (DataType("text", array=True), False),
        ("bool", False),
    ],
)
def test_what_holds_a_state(type_: Any, expected: bool) -> None:
    assert is_status(column("order_status", type_)) is expected
    assert not is_status(column("name", type_))
    assert is_status(column("name", type_), ("name",)) is expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"default": "'new'::text"}, "new"),
        ({"default": "now()"}, None),
        ({"default": UNKNOWN, "python_default": "'new'"}, None),
        ({"default": "'new'::text", "generated": Generated("x", True)}, None),
        ({"python_default": "'new'"}, "new"),
        ({"python_default": "True"}, "true"),
        ({"python_default": "False"}, "false"),
        ({"python_default": "7"}, None),
        ({"python_default": "uuid.uuid4"}, None),
        ({"python_default": None}, None),
        ({"python_default": UNKNOWN}, None),
        ({}, None),
    ],
)
def test_what_a_new_row_gets(facts: dict[str, Any], expected: str | None) -> None:
    assert default_constant(column("state", "text", **facts)) == expected


LOWER = IndexKey(None, expression="lower(name)")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (index("i", "name"), True),
        (index("i", "id", "name"), True),
        (index("i", "id", include=("name",)), True),
        (index("i", LOWER), True),
        (index("i", "id", predicate="(name IS NULL)"), True),
        (index("i", "id", predicate=UNKNOWN), True),
        (index("i", IndexKey(None, expression=UNKNOWN)), True),
        (index("i", "id", predicate="(id > 1)"), False),
        (index("i", IndexKey(None, expression="abs(id)")), False),
    ],
)
def test_which_index_reads_a_column(made: Index, expected: bool) -> None:
    assert reads(made, "name") is expected


def test_what_is_never_null() -> None:
    def check(expression: Any, **facts: Any) -> Check:
        return Check(ITEM, "c", expression, **facts)

    name = column("name", "text")
    strict = check("(name IS NOT NULL)")
    assert never_null(table(), replace(name, nullable=False))
    assert never_null(table(), replace(name, type=DataType("text", domain_not_null=True)))
    assert never_null(table(checks=(strict,)), name)
    for weak in (replace(strict, validated=False), replace(strict, enforced=False), check("(id > 0)"), check(UNKNOWN)):
        assert not never_null(table(checks=(weak,)), name)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (index("i", "name"), {}),
        (index("i", LOWER), {}),
        (index("i", "name", method="gin", unique=True, include=("id",), predicate="(id > 0)"), {"where": "(id > 0)"}),
        (index("i", "name", nulls_not_distinct=True), {"nulls_not_distinct": True}),
        (index("i", "name", nulls_not_distinct=UNKNOWN), {"nulls_not_distinct": False}),
        (
            index("i", "name", options=("fillfactor=70", "deduplicate_items=off")),
            {"options": (("fillfactor", "70"), ("deduplicate_items", "off"))},
        ),
        (index("i", "name", options=UNKNOWN), {"options": ()}),
        (index("i", "name", predicate=UNKNOWN), None),
        (index("i", IndexKey(None, expression=UNKNOWN)), None),
    ],
)
def test_an_index_written_again(made: Index, expected: dict[str, Any] | None) -> None:
    again = definition(made, table(column("id"), column("name", "text")))
    if expected is None:
        assert again is None
        return
    assert again is not None
    assert {name: getattr(again, name) for name in expected} == expected
    assert (again.method, again.unique, again.include) == (made.method, made.unique, made.include)


@pytest.mark.parametrize(
    ("key", "collation", "opclass"),
    [
        (IndexKey("name", opclass=OPS, opclass_default=False, collation=DEFAULT), None, "text_pattern_ops"),
        (IndexKey("name", opclass=OWN_OPS, opclass_default=False, collation=GERMAN), GERMAN, "app.ops"),
        (IndexKey("name", opclass=OPS, opclass_default=True, collation=UNKNOWN), None, None),
        (IndexKey("german", opclass=UNKNOWN, collation=GERMAN), None, None),
        (IndexKey("german", opclass=UNKNOWN, collation=DEFAULT), DEFAULT, None),
        (replace(LOWER, collation=DEFAULT), None, None),
        (replace(LOWER, collation=GERMAN), GERMAN, None),
        (IndexKey("gone", collation=GERMAN), GERMAN, None),
    ],
)
def test_a_key_without_what_is_usual(key: IndexKey, collation: Name | None, opclass: str | None) -> None:
    item = table(
        column("name", DataType("text", collation=DEFAULT)), column("german", DataType("text", collation=GERMAN))
    )
    again = definition(index("i", key), item)
    assert again is not None
    assert (again.keys[0].collation, again.keys[0].opclass) == (collation, opclass)


def test_names_for_new_indexes() -> None:
    new = CreateIndex.on(ITEM, "name")
    taken = table(column("id"), index("ix_item_name", "id"), index("old_idx", "id"))
    assert named(new, table()).name is None
    assert named(new, taken).name == "ix_item_name_2"
    assert beside(new, taken, "old", "idx").name == "old_idx_2"
    assert beside(new, table(), "old", "idx").name == "old_idx"
    assert beside(new, table(), None, "idx").name is None
    names = IndexNames(Schema("database", (taken,)))
    assert names.free(new).name == names.free(new).name == "ix_item_name_2"
    other = replace(CreateIndex.on(ITEM, "id"), name="ix_item_name")
    assert names.free(other).name == "ix_item_name_3"


ORDERED = IndexKey("tags", collation=GERMAN, descending=True, nulls_first=True)
ARRAY, RANGE = DataType("int4", array=True), DataType("tstzrange", kind="range")


@pytest.mark.parametrize(
    ("keys", "facts", "expected"),
    [
        (("tags",), {}, "ReplaceIndex"),
        (("during",), {}, "ReplaceIndex"),
        (("doc",), {}, "ReplaceIndex"),
        (("words",), {}, "ReplaceIndex"),
        (
            (IndexKey("tags", collation=GERMAN, descending=True, nulls_first=True),),
            {"options": ("fillfactor=70",)},
            "ReplaceIndex",
        ),
        (("id", "tags"), {}, "Advice"),
        (("id", "during"), {}, "Advice"),
        (("tags",), {"include": ("id",)}, "Advice"),
        (("tags",), {"predicate": UNKNOWN}, "Advice"),
        ((IndexKey(None, expression="f(id)", type=RANGE),), {}, "ReplaceIndex"),
        ((IndexKey(None, expression="f(id)", type=UNKNOWN),), {}, None),
        ((IndexKey(None, expression="f(id)", type=DataType("text")),), {}, None),
        (("path",), {}, None),
        (("id",), {}, None),
        (("tags",), {"method": "gin"}, None),
        (("tags",), {"unique": True}, None),
    ],
)
def test_btrees_on_containers(keys: tuple[Any, ...], facts: dict[str, Any], expected: str | None) -> None:
    parts = [column("id"), column("tags", ARRAY), column("during", RANGE), column("path", ARRAY)]
    item = table(*parts, column("doc", "jsonb"), column("words", "tsvector"), index("i", *keys, **facts))
    kinds = [type(finding.remedy).__name__ for finding in found("btree-on-container", item)]
    assert kinds == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({}, {}, "public.b"),
        ({}, {"clustered": True}, "public.a"),
        ({}, {"replica_identity": True}, "public.a"),
        ({"replica_identity": True}, {"unique": True}, "public.a"),
        ({}, {"parent": Name("public", "p")}, "public.a"),
        ({}, {"unique": True}, "public.a"),
        ({"unique": True}, {"unique": True, "constraint": "b", "constraint_kind": "unique"}, "public.a"),
        (
            {"unique": True, "constraint": "a", "constraint_kind": "unique"},
            {"unique": True, "constraint": "item_pkey", "constraint_kind": "primary key"},
            "public.a",
        ),
        ({}, {"include": ("x",)}, None),
        ({}, {"valid": False}, None),
        ({"predicate": UNKNOWN}, {"predicate": UNKNOWN}, None),
    ],
)
def test_which_of_two_equal_indexes_stays(first: dict[str, Any], second: dict[str, Any], expected: str | None) -> None:
    item = table(column("id"), column("x"), index("a", "x", **first), index("b", "x", **second), unique("a", "x"))
    item = replace(item, primary_key=Key(ITEM, "item_pkey", ("x",), True))
    assert [finding.object for finding in found("duplicate-index", item)] == ([expected] if expected else [])
    # A key that may be deferred does not forbid at once what the other one forbids.
    later = replace(item, primary_key=Key(ITEM, "item_pkey", ("x",), True, deferrable=True))
    kept = second.get("constraint_kind") == "primary key"
    assert (found("duplicate-index", later) == []) is (kept or expected is None)


@pytest.mark.parametrize(
    ("name", "facts", "kind", "expected"),
    [
        ("i", {}, "table", "RebuildIndex"),
        ("i_ccnew", {}, "table", "DropIndex"),
        ("i_ccold1", {}, "table", "DropIndex"),
        ("i", {"constraint": "i"}, "table", "Advice"),
        ("i", {"predicate": UNKNOWN}, "table", "Advice"),
        ("i", {}, "partitioned", "Advice"),
        ("i", {"valid": True}, "table", None),
    ],
)
def test_invalid_indexes(name: str, facts: dict[str, Any], kind: str, expected: str | None) -> None:
    item = table(column("id"), index(name, "id", **{"valid": False, **facts}), kind=kind)
    kinds = [type(finding.remedy).__name__ for finding in found("invalid-index", item)]
    assert kinds == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("parts", "function", "expected"),
    [
        ([unique("u", "code")], "lower", 1),
        ([unique("u", "code")], "upper", 1),
        ([unique("u", "code")], "btrim", 0),
        ([unique("u", "code")], None, 0),
        ([unique("u", "code", "id")], "lower", 0),
        ([index("i", "code", unique=True)], "lower", 1),
        ([index("i", "code")], "lower", 0),
        ([index("i", "code", unique=True, constraint="u")], "lower", 0),
        ([unique("u", "code"), index("i", IndexKey(None, expression="lower(code)"), unique=True)], "lower", 0),
        ([unique("u", "code"), index("i", IndexKey(None, expression="lower(name)"), unique=True)], "lower", 1),
        ([unique("u", "code"), index("i", IndexKey(None, expression="btrim(code)"), unique=True)], "lower", 1),
        ([unique("u", "code"), index("i", IndexKey(None, expression="lower(code)"))], "lower", 1),
        ([unique("u", "code"), index("i", IndexKey(None, expression=UNKNOWN), unique=True)], "lower", 0),
    ],
)
def test_unique_in_any_case(parts: list[Any], function: str | None, expected: int) -> None:
    item = table(column("id"), column("code", "text"), column("name", "text"), *parts)
    asked = query(Condition("code", Use.EQUAL, function=function)) if function else query(Condition("code", Use.EQUAL))
    assert len(found("case-sensitive-unique", item, queries=[asked])) == expected
    elsewhere = query(Condition("name", Use.EQUAL, function="lower"))
    assert found("case-sensitive-unique", item, queries=[elsewhere]) == []
    for kind in (DataType("text", collation=GERMAN), DataType("text", array=True), DataType("text", schema="app")):
        changed = replace(item, columns=(item.columns[0], replace(item.columns[1], type=kind), item.columns[2]))
        assert found("case-sensitive-unique", changed, queries=[asked]) == []


def test_vectors_with_queries() -> None:
    vector = DataType("vector", schema="public", modifier=(3,), display="vector(3)")
    item = table(column("id"), column("place", vector))
    (guess,) = found("unindexed-vector", item)
    (sure,) = found("unindexed-vector", item, queries=[query(Condition("place", Use.NEAREST))])
    (still,) = found("unindexed-vector", item, queries=[query(Condition("id", Use.NEAREST))])
    assert (guess.guess, sure.guess, still.guess) == (True, False, True)
    assert "the nearest rows are searched" in sure.message


@pytest.mark.parametrize(("version", "words"), [(15, "NULLS NOT DISTINCT"), (14, "a unique index for the null")])
def test_nulls_that_are_distinct(version: int, words: str) -> None:
    item = table(column("id"), column("a"), column("b", nullable=False), unique("u", "a", "b"))
    assert all(words in str(finding.remedy) for finding in found("nullable-unique", item, version=version))


def test_the_index_that_makes_another_one_needless() -> None:
    def objects(*parts: Any) -> list[tuple[str, str]]:
        item = table(column("id"), column("x"), column("y"), column("z"), *parts)
        return [(finding.object, finding.message) for finding in found("redundant-index", item)]

    ((one, message),) = objects(index("a", "x"), index("b", "x", "y"))
    assert one == "public.a" and "b" in message
    ((_, shorter),) = objects(index("a", "x"), index("b", "x", "y", "z"), index("c", "x", "z"))
    assert " c" in shorter.replace("public.", " ")
    kept = index("b", "x", "y", "z", unique=True, constraint="b", constraint_kind="unique")
    ((_, of_rule),) = objects(index("a", "x"), kept, index("c", "x", "z"))
    assert " b" in of_rule.replace("public.", " ")
    assert objects(index("a", "x", unique=True), index("b", "x", "y")) == []
    assert objects(index("a", "x", predicate="(y > 1)"), index("b", "x", "y")) == []
    assert objects(index("a", "x", include=("z",)), index("b", "x", "y")) == []
    assert [name for name, _ in objects(index("a", "x", include=("y",)), index("b", "x", "y"))] == ["public.a"]
    assert [name for name, _ in objects(index("a", "x", method="hash"), index("b", "x", "y"))] == []


def test_foreign_tables_have_no_indexes_of_ours() -> None:
    outside = table(column("id", table=PARENT), index("a", "x"), index("b", "x"), name=PARENT, kind="foreign")
    assert found("duplicate-index", outside) == found("redundant-index", outside) == []
