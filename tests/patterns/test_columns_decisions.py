"""Which columns change together, and what prevents it, on schemas written by hand: no server is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alembic_pgpatterns.patterns._columns import Group, Linked, Obstacles, checked_columns, together
from alembic_pgpatterns.remedies.fixable import carried_out, why_not_fixable
from alembic_pgpatterns.remedies.model import Advice, ChangeType, TypeChange
from alembic_pgpatterns.schema.model import UNKNOWN, Column, DataType, Key, Name, Schema, Table, View
from alembic_pgpatterns.schema.parts import Generated, Policy
from tests.patterns.handmade import ITEM, PARENT, column, foreign, index, table

CHILD = Name("public", "child")
DOMAIN = DataType("int4", display="integer", domains=(Name("public", "amount"),))


def schema(*tables: Table, views: tuple[View, ...] = ()) -> Schema:
    return Schema("database", tables, views=views, server_version=18)


def names(columns: tuple[Column, ...]) -> list[str]:
    return [f"{item.table.name}.{item.name}" for item in columns]


def test_an_inherited_column_is_checked_on_the_parent_alone() -> None:
    parent = table(column("id", table=PARENT), name=PARENT)
    child = table(column("id", table=CHILD), column("note", table=CHILD), name=CHILD, inherits=(PARENT,))
    assert [item.identifier for _, item in checked_columns(schema(parent, child))] == [
        "public.parent.id",
        "public.child.note",
    ]
    orphan = replace(child, inherits=(Name("public", "elsewhere"),))
    assert names(tuple(item for _, item in checked_columns(schema(orphan)))) == ["child.id", "child.note"]


def test_foreign_keys_connect_columns_and_the_referenced_one_comes_first() -> None:
    middle = table(column("id"), column("parent_id"), foreign("parent_id"))
    parent = table(column("id", table=PARENT), name=PARENT)
    child = table(column("a", table=CHILD), foreign("a", to=ITEM, referred=("parent_id",), table=CHILD), name=CHILD)
    linked = Linked(schema(middle, child, parent))
    group = linked.group(middle.columns[1])
    assert group.complete
    assert names(group.columns) == ["item.parent_id", "parent.id", "child.a"]
    assert linked.group(child.columns[0]) is group, "computed once for all of them"
    assert linked.referred == {(PARENT, "id"), (ITEM, "parent_id")}
    assert linked.referring == {(ITEM, "parent_id"), (CHILD, "a")}
    assert linked.bound == linked.referring
    alone = linked.group(middle.columns[0])
    assert names(alone.columns) == ["item.id"] and alone.complete


def test_a_group_with_a_table_that_is_not_there_is_not_complete() -> None:
    item = table(column("id"), column("parent_id"), foreign("parent_id"))
    group = Linked(schema(item)).group(item.columns[1])
    assert names(group.columns) == ["item.parent_id"] and not group.complete


def test_partitions_count_as_their_root() -> None:
    middle, leaf = Name("public", "middle"), Name("public", "leaf")
    root = table(column("id"), column("parent_id"), kind="partitioned")
    tables = (
        root,
        table(column("id", table=middle), name=middle, partition_of=ITEM),
        table(column("parent_id", table=leaf), foreign("parent_id", table=leaf), name=leaf, partition_of=middle),
        table(column("id", table=PARENT), name=PARENT),
    )
    linked = Linked(schema(*tables))
    assert linked.referring == {(ITEM, "parent_id")}
    assert names(linked.group(root.columns[1]).columns) == ["parent.id", "item.parent_id"]


def test_what_binds_a_column_to_the_values_of_another() -> None:
    itself = foreign("id", to=ITEM)
    tree = foreign("above", to=ITEM)
    several = foreign("a", "b", referred=("a", "b"))
    free = foreign("c", enforced=False)
    columns = tuple(column(name) for name in ("id", "above", "a", "b", "c"))
    linked = Linked(schema(table(*columns, itself, tree, several, free)))
    assert linked.bound == {(ITEM, "above")}


@pytest.mark.parametrize(
    ("table_facts", "type_", "obstacle"),
    [
        ({}, "int4", None),
        ({}, DOMAIN, "its type is the domain public.amount"),
        ({"kind": "view"}, "int4", "public.item is not a table that can be changed"),
        ({"kind": "partitioned"}, "int4", None),
        ({"pinned": (("id", "trigger watch"),)}, "int4", None),
        ({"kind": "partitioned", "partition_keys": ("id",)}, "int4", "public.item is partitioned by it"),
        ({"inherits": (PARENT,)}, "int4", "public.item inherits it"),
    ],
)  # fmt: skip
def test_obstacles(table_facts: dict[str, object], type_: str | DataType, obstacle: str | None) -> None:
    item = table(column("id", type_), column("other"), **table_facts)
    parent = table(column("id", table=PARENT), name=PARENT)
    assert Obstacles(schema(item, parent)).of(item.columns[0]) == obstacle


def test_obstacles_of_neighbours() -> None:
    item = table(column("id"), column("other"))
    view = View(Name("public", "seen"), "SELECT id FROM item", "owner", False, False, reads=((ITEM, "id"),))
    obstacles = Obstacles(schema(item, views=(view,)))
    assert [obstacles.around(part) for part in item.columns] == ["the view public.seen reads it", None]
    assert [obstacles.of(part) for part in item.columns] == [None, None]
    nothing = Obstacles(schema())
    assert nothing.of(item.columns[0]) == "public.item is not a table that can be changed"
    assert nothing.around(item.columns[0]) is None


def test_what_a_trigger_names_is_dropped_and_created_again() -> None:
    item = table(column("id", "int4"), column("other"), pinned=(("id", "trigger watch"),))
    obstacles = Obstacles(schema(item))
    assert [obstacles.around(part) for part in item.columns] == ["the trigger watch uses it", None]
    change = TypeChange(ITEM, "id", "integer", "bigint")
    remedy = together(Group(item.columns[:1], True), obstacles, lambda _: change, lambda _: True)
    assert remedy == Advice(
        "alembic pgfix changes public.item.id to bigint. PostgreSQL refuses the statement alone, since the trigger "
        "watch uses it: the revision drops that and creates it again.",
        decided=True,
        change=ChangeType((change,), rewrites=True),
    )
    assert why_not_fixable(remedy) is None and carried_out(remedy) == ChangeType((change,), rewrites=True)


def test_a_generated_column_and_a_policy_read_it() -> None:
    total = column("total", generated=Generated("price * 2", True))
    unknown = column("guess", generated=Generated(UNKNOWN, True))
    policy = Policy(ITEM, "mine", "SELECT", True, (), "owner = current_user", None)
    check = Policy(ITEM, "theirs", "INSERT", True, (), None, "team > 0")
    item = table(
        *(column(name) for name in ("price", "owner", "team", "other")), unknown, total, policies=(policy, check)
    )
    obstacles = Obstacles(schema(item))
    assert [obstacles.around(part) for part in item.columns[:4]] == [
        "the generated column total reads it",
        "the policy mine reads it",
        "the policy theirs reads it",
        None,
    ]


def test_tables_that_inherit_a_key() -> None:
    item = table(column("id"), column("other"))
    child = table(column("note", table=CHILD), name=CHILD, inherits=(ITEM,))
    obstacles = Obstacles(schema(item, child))
    assert [obstacles.of(part) for part in item.columns] == ["tables inherit it", None]
    keyless = Obstacles(schema(replace(item, primary_key=None), child))
    assert keyless.of(item.columns[0]) is None
    own = Obstacles(schema(item, child))
    assert own.of(child.columns[0]) is None, "the parent has no such column"
    unrelated = Obstacles(schema(replace(item, primary_key=Key(ITEM, "k", ("other",), True)), child))
    assert unrelated.of(item.columns[0]) is None


def change_of(columns: tuple[Column, ...], problem: str | None = None) -> ChangeType | Advice:
    """The remedy for a group whose columns become bigint; ``problem``: at the last one."""
    item = table(*columns)
    last = columns[-1]

    def change(part: Column) -> TypeChange | str | None:
        return problem if problem and part is last else TypeChange(part.table, part.name, "integer", "bigint")

    return together(Group(columns, True), Obstacles(schema(item)), change, lambda part: part is last)


def integers(number: int) -> tuple[Column, ...]:
    return tuple(column(name, "int4") for name in "abcdefg"[:number])


def test_a_group_changes_as_a_whole() -> None:
    changes = tuple(TypeChange(ITEM, name, "integer", "bigint") for name in "ab")
    assert change_of(integers(2)) == ChangeType(changes, rewrites=True)
    item = table(*integers(1))
    unchanged = together(Group(item.columns, True), Obstacles(schema(item)), lambda _: None, lambda _: True)
    assert unchanged == ChangeType((), rewrites=False)
    left_out = together(Group(item.columns, False), Obstacles(schema(item)), lambda _: None, lambda _: True)
    assert left_out == Advice(
        "A foreign key connects it with a table that is left out of this check: change both together."
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "public.item.a must be changed by a person: it is odd."),
        (2, "Change public.item.a to bigint, together with public.item.b, by hand. In the way at public.item.b: "
            "it is odd."),
        (4, "Change public.item.a to bigint, together with public.item.d, public.item.b, public.item.c, by hand. "
            "In the way at public.item.d: it is odd."),
        (5, "Change public.item.a to bigint, together with public.item.e, public.item.b, public.item.c and 1 more, by "
            "hand. In the way at public.item.e: it is odd."),
        (7, "Change public.item.a to bigint, together with public.item.g, public.item.b, public.item.c and 3 more, by "
            "hand. In the way at public.item.g: it is odd."),
    ],
)  # fmt: skip
def test_what_a_person_must_change(number: int, text: str) -> None:
    assert change_of(integers(number), "it is odd") == Advice(text, decided=True)


def test_the_first_column_itself_is_in_the_way() -> None:
    first = column("a", DOMAIN)
    text = "Change public.item.a to bigint, together with public.item.b, by hand: its type is the domain public.amount."
    assert change_of((first, *integers(2)[1:])) == Advice(text, decided=True)


def test_an_operator_class_of_the_old_type() -> None:
    item = table(column("id", "int4"), index("i", "id"))
    special = replace(item, indexes=tuple(
        replace(part, keys=tuple(replace(key, opclass_default=False) for key in part.keys)) for part in item.indexes
    ))  # fmt: skip
    assert Obstacles(schema(item)).of(item.columns[0]) is None
    assert Obstacles(schema(special)).of(item.columns[0]) == "the index i has an operator class of the old type"
    text = replace(special, columns=(column("id", "text"),))
    assert Obstacles(schema(text)).of(text.columns[0]) is None
