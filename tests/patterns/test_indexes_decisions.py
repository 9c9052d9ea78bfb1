"""What the patterns about indexes decide and propose, to the last field of the remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.evidence.model import Condition, OrderKey, QueryShape, Use
from alembic_pgpatterns.remedies.model import Advice, CreateIndex, IndexedKey, Remedy, ReplaceIndex, ReplaceUnique
from alembic_pgpatterns.schema.model import UNKNOWN, DataType, Index, IndexKey, Key, Name, Origin, Table
from tests.patterns.handmade import ITEM, PARENT, column, foreign, found, index, query, table, unique

pytestmark = pytest.mark.usefixtures("held_messages")

ID = column("id", nullable=False)
LOST = column("is_lost", "bool")
MOOD = column("mood", DataType("mood", "public", "enum", labels=("low", "high")))
GONE = column("deleted_at", "timestamptz")


def keys(*names: str) -> tuple[IndexedKey, ...]:
    return tuple(IndexedKey(name) for name in names)


def old_keys(*names: str) -> tuple[IndexedKey, ...]:
    """Keys of an existing index, whose order is known."""
    return tuple(IndexedKey(name, nulls_first=False) for name in names)


def asked(column_: str, literal: str | None) -> QueryShape:
    return query(Condition(column_, Use.EQUAL, literal))


@pytest.mark.parametrize(
    ("old", "value", "changes"),
    [
        (index("i", "is_lost"), "true", {"keys": keys("id"), "where": "is_lost"}),
        (index("i", "is_lost"), "false", {"keys": keys("id"), "where": "NOT is_lost"}),
        (index("i", "is_lost", method="hash"), "true", {"keys": keys("id"), "where": "is_lost", "method": "btree"}),
        (index("i", "is_lost", "shelf"), "true", {"keys": old_keys("shelf"), "where": "is_lost"}),
        (
            index("i", "is_lost", "shelf", include=("shelf", "name"), predicate="x > 0"),
            "true",
            {"keys": old_keys("shelf"), "where": "(x > 0) AND is_lost", "include": ("name",)},
        ),
        (
            index("i", "is_lost", include=("id", "name")),
            "true",
            {"keys": keys("id"), "where": "is_lost", "include": ("name",)},
        ),
        (index("i", "mood"), "'low'", {"keys": keys("id"), "where": "mood = 'low'"}),
    ],
)
def test_an_index_on_a_flag_becomes_one_of_the_rows_that_are_asked_for(
    old: Index, value: str, changes: dict[str, Any]
) -> None:
    first = str(old.columns[0])
    of_item = table(ID, LOST, MOOD, column("shelf"), column("name"), old)
    (finding,) = found("index-on-flag", of_item, queries=[asked(first, value)])
    before = CreateIndex(
        ITEM,
        old_keys(*map(str, old.columns)),
        "i",
        old.method,
        include=old.include,
        where=old.predicate,  # type: ignore[arg-type]
    )
    assert finding.remedy == ReplaceIndex(old.name, before, replace(before, name="i_partial", **changes))
    role = "only" if len(old.keys) == 1 else "first"
    assert finding.message == (
        f"the {role} column of public.i, {first}, has two values; only {value} is searched for in 1 query, app.py:7"
    )
    assert not finding.guess


@pytest.mark.parametrize(
    ("queries", "old", "following"),
    [
        ([], index("i", "is_lost"), "what the rows are sorted by"),
        ([], index("i", "is_lost", "shelf", "name"), "shelf, name"),
        ([asked("is_lost", None)], index("i", "is_lost"), "what the rows are sorted by"),
        ([asked("is_lost", "true"), asked("is_lost", "false")], index("i", "is_lost"), "what the rows are sorted by"),
        ([asked("mood", "true")], index("i", "is_lost"), "what the rows are sorted by"),
    ],
)
def test_an_index_on_a_flag_is_a_guess_if_no_value_is_known(
    queries: list[QueryShape], old: Index, following: str
) -> None:
    (finding,) = found("index-on-flag", table(ID, LOST, column("shelf"), old), queries=queries)
    assert finding.guess
    assert finding.remedy == Advice(
        f"If one value is rare and searched for: Index ({following}) WHERE is_lost has that value. Drop public.i."
    )


def test_a_flags_index_of_a_table_without_a_key_needs_other_columns() -> None:
    parts = (ID, LOST, column("shelf"))
    queries = [asked("is_lost", "true")]
    (one,) = found("index-on-flag", table(*parts, index("i", "is_lost"), primary_key=None), queries=queries)
    assert isinstance(one.remedy, Advice)
    (two,) = found("index-on-flag", table(*parts, index("i", "is_lost", "shelf"), primary_key=None), queries=queries)
    assert isinstance(two.remedy, ReplaceIndex)


@pytest.mark.parametrize(
    "old",
    [
        index("i", "is_lost", method="gin"),
        index("i", "is_lost", predicate="is_lost"),
        index("i", "is_lost", predicate=UNKNOWN),
        index("i", "is_lost", unique=True),
        index("i", "id"),
        index("i", "many"),
        index("i", "three"),
        index("i", "two_numbers"),
        index("i", IndexKey(None, "is_lost")),
    ],
)
def test_other_indexes_on_flags(old: Index) -> None:
    three = column("three", DataType("three", "public", "enum", labels=("a", "b", "c")))
    two_numbers = column("two_numbers", DataType("int4", labels=("a", "b")))
    many = column("many", DataType("bool", array=True))
    assert found("index-on-flag", table(ID, LOST, three, many, two_numbers, old)) == []


def soft(*parts: Any, others: tuple[Table, ...] = ()) -> list[tuple[str, Remedy | None]]:
    findings = found("unique-across-soft-deleted", table(ID, GONE, column("mail"), column("tag"), *parts), *others)
    return [(item.object, item.remedy) for item in findings]


def unique_index(name: str | None, *columns: str, **facts: Any) -> CreateIndex:
    return CreateIndex(ITEM, keys(*columns), name, unique=True, where="deleted_at IS NULL", **facts)


def test_a_unique_rule_of_the_rows_that_are_not_deleted() -> None:
    rule = unique("rule", "mail", "tag", include=("id",), nulls_not_distinct=True)
    new = unique_index("rule_partial", "mail", "tag", include=("id",), nulls_not_distinct=True)
    assert soft(rule) == [("public.item(mail, tag)", ReplaceUnique(ITEM, "rule", ("mail", "tag"), new))]
    (finding,) = found("unique-across-soft-deleted", table(ID, GONE, column("mail"), rule))
    assert finding.message == (
        "public.item(mail, tag) is unique among all rows of public.item, also those whose deleted_at is set"
    )
    nameless = ReplaceUnique(ITEM, None, ("mail",), unique_index(None, "mail"))
    assert soft(unique(None, "mail")) == [("public.item(mail)", nameless)]


@pytest.mark.parametrize(
    ("rule", "parts"),
    [
        (unique("rule", "mail", deferrable=True), ()),
        (unique("rule", "mail", nulls_not_distinct=UNKNOWN), ()),
        (unique("rule", "mail", index="rule"), (index("rule", "mail", constraint="rule", replica_identity=True),)),
    ],
)
def test_a_unique_rule_that_others_rest_on_is_for_people(rule: Key, parts: tuple[Index, ...]) -> None:
    advice = "Make it a unique index WHERE deleted_at IS NULL; what rests on this constraint must be changed first."
    assert soft(rule, *parts) == [("public.item(mail)", Advice(advice))]


def test_rules_that_may_hold_for_all_rows_and_the_ones_after_them() -> None:
    child = table(foreign("mail", to=ITEM, referred=("mail",), table=PARENT), name=PARENT)
    exempt = (unique("a", "mail"), unique("b", "deleted_at"), unique("c", "tag", temporal=True))
    made_up = (
        column("number", identity=object()),
        column("counted", sequence=Name("public", "s")),
        column("made", default="gen_random_uuid()"),
        column("made_too", default="uuid_generate_v4()"),
        column("next", default="nextval('s')"),
        column("by_python", python_default="uuid.uuid4"),
        column("version"),
        column("unsaid", default=UNKNOWN, python_default="uuid.uuid4"),
    )
    exempt = (*exempt, *(unique(f"u_{item.name}", item.name) for item in made_up))
    last = unique("last", "tag", "id")
    assert [name for name, _ in soft(*made_up, *exempt, last, others=(child,))] == ["public.item(tag, id)"]
    plain = (
        column("a", default="'x'::text"),
        column("b", python_default="app.new_code"),
        unique("u", "a"),
        unique("v", "b"),
    )
    assert [name for name, _ in soft(*plain)] == ["public.item(a)", "public.item(b)"]


def test_a_unique_index_of_the_rows_that_are_not_deleted() -> None:
    before = CreateIndex(ITEM, old_keys("mail"), "i", unique=True)
    new = replace(before, name="i_partial", where="deleted_at IS NULL")
    assert soft(index("i", "mail", unique=True)) == [("public.i", ReplaceIndex(Name("public", "i"), before, new))]
    before, new = replace(before, where="tag > 0"), replace(new, where="(tag > 0) AND deleted_at IS NULL")
    some = index("i", "mail", unique=True, predicate="tag > 0")
    assert soft(some) == [("public.i", ReplaceIndex(some.name, before, new))]
    identity = index("i", "mail", unique=True, replica_identity=True)
    assert soft(identity) == [("public.i", Advice("Make it partial: WHERE deleted_at IS NULL."))]
    (finding,) = found("unique-across-soft-deleted", table(ID, GONE, some))
    assert finding.message.startswith("public.i is unique among all rows of public.item, also those whose deleted_at ")


def test_unique_indexes_that_may_hold_for_all_rows_and_the_ones_after_them() -> None:
    child = table(foreign("mail", to=ITEM, referred=("mail",), table=PARENT), name=PARENT)
    exempt = (
        index("a", "mail"),
        index("b", "tag", unique=True, constraint="b"),
        index("c", "tag", unique=True, valid=False),
        index("d", "tag", unique=True, parent=Name("public", "p")),
        index("e", "tag", "deleted_at", unique=True),
        index("f", "mail", unique=True),
        index("g", "number", unique=True),
    )
    number = column("number", identity=object())
    # An index on an expression beside the referenced column is another rule.
    more = index("h", "mail", IndexKey(None, "lower(tag)"), unique=True)
    assert [name for name, _ in soft(number, *exempt, more, others=(child,))] == ["public.h"]


STATUS = column("status", "text", default="'pending'")
CREATED, RUN_AT = column("created_at", "timestamptz"), column("run_at", "timestamptz")
POLLED = query(Condition("status", Use.EQUAL, "'pending'"), limit=True)


def test_a_queue_gets_an_index_of_what_waits_in_its_order() -> None:
    (finding,) = found("unindexed-queue", table(ID, STATUS, CREATED, RUN_AT), queries=[POLLED])
    assert finding.remedy == CreateIndex(ITEM, keys("run_at"), where="status = 'pending'")
    assert finding.message == (
        "no index of public.item holds the rows where status = 'pending' in the order of run_at; "
        "they are asked for in 1 query, app.py:7"
    )


@pytest.mark.parametrize(
    ("shape", "supports"),
    [
        (POLLED, True),
        (replace(POLLED, limit=False), False),
        (replace(POLLED, limit=False, lock="update"), True),
        (replace(POLLED, limit=False, order=(OrderKey("created_at"),)), True),
        (replace(POLLED, limit=False, order=(OrderKey("id"),)), False),
        (query(Condition("status", Use.EQUAL), limit=True), True),
        (query(Condition("status", Use.EQUAL, "'done'"), limit=True), False),
        (query(Condition("status", Use.RANGE, "'pending'"), limit=True), False),
        (query(Condition("id", Use.EQUAL), limit=True), False),
    ],
)
def test_which_queries_poll_a_queue(shape: QueryShape, supports: bool) -> None:
    (finding,) = found("unindexed-queue", table(ID, STATUS, CREATED), queries=[shape])
    assert finding.guess is not supports


@pytest.mark.parametrize(
    ("old", "serves"),
    [
        (index("i", "status", "created_at"), True),
        (index("i", "created_at", include=("status",)), True),
        (index("i", "created_at"), False),
        (index("i", "status"), False),
        (index("i", "id", predicate="status = 'pending'"), True),
        (index("i", "created_at", predicate="id > 0"), False),
        (index("i", "id", predicate=UNKNOWN), True),
    ],
)
def test_which_index_serves_a_queue(old: Index, serves: bool) -> None:
    other = table(STATUS, CREATED, name=Name("public", "later"))
    findings = found("unindexed-queue", table(ID, STATUS, CREATED, old), other)
    assert [item.object for item in findings] == ["public.item.status"] * (not serves) + ["public.item.status"]


@pytest.mark.parametrize("moment", [DataType("timestamptz", array=True), DataType("int8")])
def test_a_queue_is_taken_by_a_moment(moment: DataType) -> None:
    assert found("unindexed-queue", table(ID, STATUS, column("created_at", moment))) == []


KEY = column("id", "int8", table=PARENT, nullable=False)
ROOT = table(KEY, column("id2", table=PARENT), name=PARENT)


def test_what_the_models_say_that_lookups_fetch_is_certain() -> None:
    origin = Origin(info={"fetches": ["name", "tag"]})
    old = index("i", "mail", origin=origin)
    (finding,) = found("uncovered-lookup", table(ID, column("mail"), column("name"), column("tag"), old))
    assert finding.message == "public.i does not include what its lookups fetch: name, tag"
    assert not finding.guess
    before = CreateIndex(ITEM, old_keys("mail"), "i")
    new = replace(before, name="i_covering", include=("name", "tag"))
    assert finding.remedy == ReplaceIndex(Name("public", "i"), before, new)
    unsaid = replace(old, predicate=UNKNOWN)
    (finding,) = found("uncovered-lookup", table(ID, column("mail"), column("name"), column("tag"), unsaid))
    assert finding.remedy == Advice("Rebuild public.i with INCLUDE (name, tag).")


def reverse(*parts: Any, queries: tuple[QueryShape, ...] = ()) -> list[Any]:
    link = (column("a"), column("b"), foreign("a"), foreign("b"), *parts)
    return found("uncovered-lookup", table(*link, primary_key=Key(ITEM, "p", ("a", "b"), True)), ROOT, queries=queries)


def test_the_way_back_through_a_link_table() -> None:
    (finding,) = reverse(index("i", "b"), queries=(query(Condition("b", Use.JOIN)),))
    before = CreateIndex(ITEM, old_keys("b"), "i")
    new = CreateIndex(ITEM, (*before.keys, IndexedKey("a")), "i_covering")
    assert finding.remedy == ReplaceIndex(Name("public", "i"), before, new)
    assert finding.message == "public.i finds rows of the link table public.item, and does not hold a"
    assert finding.guess  # until the table is known to be large, or the lookup was recorded
    (guess,) = reverse(index("i", "b"), queries=(query(Condition("a", Use.JOIN)),))
    assert guess.guess


@pytest.mark.parametrize(
    "old",
    [
        index("i", "b", "a"),
        index("i", "a"),
        index("i", "b", include=("a",)),
        index("i", "b", method="hash"),
        index("i", "b", predicate="a > 0"),
        index("i", "b", unique=True),
        index("i", "b", valid=False),
        index("i", "b", parent=Name("public", "p")),
    ],
)
def test_other_indexes_of_a_link_table(old: Index) -> None:
    assert reverse(old) == []
    assert [item.object for item in reverse(old, index("j", "b"))] == ["public.j"]


def lookups(fetches: list[str], old: Index, *rules: Key) -> list[Any]:
    """The remedies for an index whose lookups fetch these columns."""
    others = (*(column(name) for name in ("mail", "a", "b", "c", "d")), column("x", "jsonb"), column("y", "bytea"))
    old = replace(old, origin=Origin(info={"fetches": fetches}))
    return [item.remedy for item in found("uncovered-lookup", table(ID, *others, old, *rules))]


def test_how_much_an_index_can_include() -> None:
    old = index("i", "mail")
    (three,) = lookups(["a", "b", "c"], old)
    assert isinstance(three, ReplaceIndex)
    texts = {
        ("a", "b", "c", "d"): "Fetch fewer columns by this index: at most 3 fit into it.",
        ("x", "a", "y"): "Do not fetch x, y by this index: they are too wide for it.",
        ("p", "a", "q"): "public.item has no column p, q: correct `fetches`.",
    }
    assert [lookups(list(names), old) for names in texts] == [[Advice(text)] for text in texts.values()]
    assert lookups(["a"], replace(old, method="hash")) == [Advice("A hash index cannot hold further columns.")]


def test_an_index_that_cannot_be_replaced_is_left_or_gets_one_beside_it() -> None:
    for old in (index("i", "mail", valid=False), index("i", "mail", parent=Name("public", "p"))):
        assert lookups(["a"], old) == []
    beside = [Advice("Another object depends on public.i: add the covering index beside it.")]
    of_rule = index("i", "mail", unique=True, constraint="i")
    assert lookups(["a"], of_rule, unique("i", "mail", index="i", deferrable=True)) == beside
    assert lookups(["a"], replace(of_rule, replica_identity=True), unique("i", "mail", index="i")) == beside
    (remedy,) = lookups(["a"], of_rule, unique("i", "mail", index="i"))
    assert isinstance(remedy, ReplaceUnique)
