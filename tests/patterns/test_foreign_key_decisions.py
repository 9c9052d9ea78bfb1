"""What unindexed-foreign-key decides: which index, in which order of columns, and when it is for people."""

from __future__ import annotations

from typing import Any

import pytest

from alembic_pgpatterns.patterns import Severity
from alembic_pgpatterns.remedies.model import Advice, CreateIndex, IndexedKey
from alembic_pgpatterns.schema.model import DataType, Key, Table
from tests.patterns.handmade import ITEM, PARENT, column, foreign, found, index, table

pytestmark = pytest.mark.usefixtures("held_messages")

ID = column("id", nullable=False)
KEY = column("id", "int8", table=PARENT, nullable=False)
ROOT = table(KEY, column("id2", table=PARENT), name=PARENT)


def unindexed(*parts: Any, others: tuple[Table, ...] = (ROOT,)) -> dict[str, Any]:
    findings = found("unindexed-foreign-key", table(ID, *parts), *others)
    return {item.object.partition("(")[2].rstrip(")"): item for item in findings}


def test_a_foreign_key_without_an_index_gets_one() -> None:
    (finding,) = unindexed(column("a"), column("x"), foreign("a")).values()
    assert finding.message == "no index of public.item starts with a"
    assert finding.remedy == CreateIndex.on(ITEM, "a")
    assert finding.severity is Severity.WARNING
    (finding,) = unindexed(column("a"), column("b"), foreign("a", "b", referred=("id", "id2"))).values()
    assert finding.message == "no index of public.item starts with a, b"


def test_an_index_on_a_part_of_the_key_makes_it_an_info() -> None:
    parts = (column("a"), column("b"), column("x"), foreign("a", "b", referred=("id", "id2")))
    (finding,) = unindexed(*parts, index("i", "b")).values()
    assert finding.severity is Severity.INFO
    (finding,) = unindexed(*parts, index("i", "x")).values()
    assert finding.severity is Severity.WARNING


def test_a_key_that_is_cast_is_for_people() -> None:
    text, number = column("a", "text"), column("b", "int4")
    (finding,) = unindexed(text, number, foreign("a", "b", referred=("id", "id2"))).values()
    assert finding.remedy == Advice(
        "Give a the type of the column it references: it is cast for each comparison, so that no index on it can serve "
        "public.item's foreign key."
    )
    both = unindexed(text, column("b", "text"), foreign("a", "b", referred=("id", "id2")))
    assert both["a, b"].remedy.text.startswith("Give a, b the type of")


@pytest.mark.parametrize(
    ("child", "cast"),
    [
        (DataType("int4"), False),
        (DataType("numeric"), True),
        (DataType("int4", array=True), True),
        (DataType("int4", "other"), True),
        (DataType("", kind="unknown"), False),
        (DataType("isbn", "other"), True),
    ],
)
def test_which_types_are_cast(child: DataType, cast: bool) -> None:
    (finding,) = unindexed(column("a", child), column("x"), foreign("a")).values()
    assert isinstance(finding.remedy, Advice) is cast


def test_a_parent_or_column_that_is_not_known_is_no_reason() -> None:
    assert unindexed(column("a", "text"), column("x"), foreign("a"), others=())["a"].remedy == CreateIndex.on(ITEM, "a")
    for key in (foreign("a", referred=("gone",)), foreign("gone")):
        (finding,) = unindexed(column("a", "text"), column("x"), key).values()
        assert isinstance(finding.remedy, CreateIndex)


def test_the_second_key_of_a_link_table_takes_both_columns() -> None:
    link = table(column("a"), column("b"), foreign("a"), foreign("b"), primary_key=Key(ITEM, "p", ("a", "b"), True))
    findings = found("unindexed-foreign-key", link, ROOT)
    assert [item.remedy for item in findings] == [CreateIndex.on(ITEM, "a"), CreateIndex.on(ITEM, "b", "a")]


def test_a_temporal_key_gets_a_gist_index_in_its_own_order() -> None:
    key = foreign("b", "a", referred=("id", "id2"), temporal=True)
    remedies = {name: item.remedy for name, item in unindexed(column("a"), column("b"), foreign("a"), key).items()}
    assert remedies["b, a"] == CreateIndex(ITEM, (IndexedKey("b"), IndexedKey("a")), method="gist")
    assert remedies["a"] == CreateIndex.on(ITEM, "a")


def test_keys_within_keys_share_the_widest_index() -> None:
    three = foreign("c", "b", "a", referred=("id", "id2", "id"))
    two, one = foreign("b", "a", referred=("id", "id2")), foreign("a")
    parts = tuple(column(name) for name in "abcx")
    remedies = {name: item.remedy for name, item in unindexed(*parts, two, three, one).items()}
    # The narrowest key comes first, so the widest index begins with it; the middle one has an index of its own columns.
    assert remedies["c, b, a"] == remedies["a"] == CreateIndex.on(ITEM, "a", "c", "b")
    assert remedies["b, a"] == CreateIndex.on(ITEM, "a", "b")


def test_of_two_keys_within_a_key_the_narrowest_is_first() -> None:
    wide = foreign("a", "b", "c", referred=("id", "id2", "id"))
    parts = (*(column(name) for name in "abcx"), foreign("a", "c", referred=("id", "id2")), foreign("b"))
    remedies = {name: item.remedy for name, item in unindexed(*parts, wide).items()}
    assert remedies["a, b, c"] == remedies["b"] == CreateIndex.on(ITEM, "b", "a", "c")
