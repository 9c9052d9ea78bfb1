"""What counts as drift, what to do about it, and which drift does no harm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.checks.model_drift import drifts_between, head_takes_more, prefix_of
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.revisions.model import Drift
from alembic_pgpatterns.schema.catalog.difference import Difference
from alembic_pgpatterns.schema.model import (
    Check,
    Column,
    DataType,
    Exclusion,
    ForeignKey,
    Identity,
    Index,
    IndexKey,
    Key,
    Location,
    Name,
    Origin,
    Policy,
    Schema,
    Sequence,
    Table,
)


@pytest.mark.parametrize(
    ("aspect", "models", "head", "harmless"),
    [
        ("type", "integer", "bigint", True),
        ("type", "bigint", "integer", False),
        ("type", "character varying(5)", "character varying", True),
        ("type", "character varying", "character varying(5)", False),
        ("type", "character varying(5)", "character varying(9)", True),
        ("type", "character varying(9)", "character varying(5)", False),
        ("type", "character varying(5)", "character varying(5)", True),
        ("type", "character varying(9)", "text", True),
        ("type", "not a type", "integer", False),
        ("type", "integer", "not a type", False),
        ("type", "character varying(9)[]", "text", False),
        ("type", "text", "character varying(9)", False),
        ("type", "text", "character varying", True),
        ("type", "character varying", "text", True),
        ("type", "smallint", "integer", True),
        ("type", "smallint", "bigint", True),
        ("type", "integer", "smallint", False),
        ("type", "json", "jsonb", True),
        ("type", "jsonb", "json", False),
        ("type", "json", "text", False),
        ("type", "numeric(5,2)", "numeric", False),
        ("default", "", "now()", True),
        ("default", "now()", "", False),
        ("nullability", "NOT NULL", "NULL", False),
    ],
)
def test_harm(aspect: str, models: str, head: str, harmless: bool) -> None:
    item = Difference("changed", "column", "public.t.c", Name("public", "t"), aspect, models, head)
    assert head_takes_more(item) is harmless


def test_only_a_changed_column_can_be_harmless() -> None:
    for kind, object_type in (("missing", "column"), ("extra", "column"), ("changed", "table")):
        item = Difference(kind, object_type, "public.t.c", TABLE, "type", "integer", "bigint")  # type: ignore[arg-type]
        assert not head_takes_more(item)


TABLE = Name("public", "t")
LINE = Location("a1.py", 5)


def column(name: str = "c", type_: str = "text", **facts: Any) -> Column:
    return Column(TABLE, name, DataType(type_, display=type_), True, **facts)


def table(*columns: Column, **facts: Any) -> Table:
    return Table(TABLE, columns=columns, **facts)


def drifts(models: Table | Schema, head: Table | Schema, *, plugin: bool = True, **settings: Any) -> list[Drift]:
    first, second = (item if isinstance(item, Schema) else Schema("database", (item,)) for item in (models, head))
    return list(drifts_between(first, second, Settings(**settings), plugin=plugin))


def whats(models: Table, head: Table) -> list[str]:
    return [item.object for item in drifts(models, head)]


def test_what_a_drift_says() -> None:
    head = table(column("a", "integer"), column("b", comment="x"), origin=Origin(LINE))
    missing, extra = drifts(table(column("a", "integer"), column("c")), replace(head, columns=head.columns[:2]))
    assert missing.message == "column public.t.c is in the models, but not in the head"
    assert extra.message == "column public.t.b is in the head, but not in the models"
    (changed,) = drifts(table(column("a", "bigint")), replace(head, columns=head.columns[:1]))
    message = "column public.t.a: type is bigint in the models, integer at head"
    assert changed == Drift(TABLE, "public.t.a type", message, LINE, values="column type bigint integer")
    own = replace(LINE, line=7)
    declared = replace(head, columns=(column("a", "integer", origin=Origin(own)),))
    assert [item.location for item in drifts(table(column("a", "bigint")), declared)] == [own]


def test_a_serial_column_that_is_an_identity_column_at_head_is_said_once() -> None:
    serial = table(column("a", "integer", default="nextval('public.t_a_seq'::regclass)"))
    head = table(column("a", "integer", identity=Identity(False)))
    (said,) = drifts(serial, head)
    assert said.object == "public.t.a identity" and said.harmless
    (default,) = drifts(table(column()), table(column(default="now()")))
    assert default.message == "column public.t.c: default is none in the models, now() at head"
    assert default.harmless
    (default,) = drifts(table(column(default="now()")), table(column()))
    assert default.message == "column public.t.c: default is now() in the models, none at head"
    assert not default.harmless


def test_a_primary_key_that_the_head_lacks_is_said_of_the_table() -> None:
    open_parts = (column("a", "integer"), column("b", "integer"))
    parts = tuple(replace(part, nullable=False) for part in open_parts)
    key = Key(TABLE, "t_pkey", ("a",), True)
    listed = drifts(table(*parts, primary_key=key), table(*open_parts))
    assert {item.object: item.restated for item in listed} == {
        "public.t.t_pkey": True,
        "public.t.a nullability": True,
        "public.t.b nullability": False,
    }
    # Where the head has another key, that is no finding of the table's.
    other = table(*parts, primary_key=replace(key, columns=("b",)))
    assert not any(item.restated for item in drifts(table(*parts, primary_key=key), other))


def test_a_table_that_is_not_at_head_is_one_drift_and_others_follow() -> None:
    other = Name("public", "u")
    models = Schema("database", (Table(other, columns=(column(),)), table(column())))
    assert drifts(models, table()) == [
        Drift(other, "public.u", "public.u is in the models, but not at head"),
        Drift(TABLE, "public.t.c", "column public.t.c is in the models, but not in the head", side="models"),
    ]
    assert drifts(Schema("database", ()), models) == []


def test_excluded_tables_do_not_count() -> None:
    other = Name("public", "u")
    enum = (column("e", "mood"),)
    labels = tuple(replace(e, type=DataType("mood", "public", kind="enum", labels=("a", "b"))) for e in enum)
    fewer = tuple(replace(e, type=DataType("mood", "public", kind="enum", labels=("a",))) for e in enum)
    sequence = Sequence(other, "bigint", 1, 1, 9, 1, False)
    models = Schema("database", (Table(other), table(*labels, column())), sequences=(sequence,))
    head = Schema("database", (table(*fewer),))
    everything = [item.object for item in drifts(models, head)]
    assert everything == ["public.mood labels", "public.u", "public.u", "public.t.c"]
    assert drifts(models, head)[0].remedy is None
    assert (drifts(models, head, plugin=False)[0].remedy or "").startswith(BY_HAND)
    assert [item.object for item in drifts(models, head, exclude_tables=("u",))] == ["public.mood labels", "public.t.c"]
    assert [item.object for item in drifts(models, head, exclude_tables=("t",))] == ["public.u", "public.u"]
    assert drifts(models, head, exclude_schemas=("pub*",)) == []


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        ({"comment": "words"}, "comment"),
        ({"options": ("fillfactor=70",)}, "storage parameters"),
        ({"row_security": True}, "row security"),
        ({"force_row_security": True}, "forced row security"),
    ],
)
def test_what_counts_only_if_the_models_say_it(facts: dict[str, Any], what: str) -> None:
    assert whats(table(**facts), table()) == [f"public.t {what}"]
    assert whats(table(), table(**facts)) == []


def test_policies_count_if_the_models_have_any() -> None:
    first, second = (Policy(TABLE, name, "ALL", True, ("public",), "true", None) for name in "pq")
    assert whats(table(), table(policies=(first,))) == []
    assert whats(table(policies=(first,)), table(policies=(second,))) == ["public.t.p", "public.t.q"]


@pytest.mark.parametrize(
    ("models", "head", "counts"),
    [
        ("0", "'0'::bigint", False),
        ("0", "1", True),
        ("now()", "CURRENT_TIMESTAMP", False),
        ("now()", "clock_timestamp()", True),
        ("nextval('t_id_seq'::regclass)", "nextval('old_id_seq'::regclass)", False),
        ("nextval('t_id_seq'::regclass)", "1", True),
        ("nextval('t_id_seq'::regclass)", None, True),
        (None, "nextval('t_id_seq'::regclass)", True),
    ],
)
def test_defaults_that_are_the_same_in_another_form(models: str | None, head: str | None, counts: bool) -> None:
    assert bool(whats(table(column(default=models)), table(column(default=head)))) is counts


def test_a_partition_is_not_compared_by_its_parent() -> None:
    assert whats(table(), table(partition_of=Name("public", "parent"))) == []
    assert whats(table(), table(kind="partitioned")) == ["public.t kind"]


def named(kind: str, name: str | None, **changes: Any) -> Table:
    """A table with one constraint of a kind and name."""
    columns = changes.pop("columns", ("a",))
    if kind == "primary":
        return table(primary_key=Key(TABLE, name, columns, True, **changes))
    if kind == "unique":
        return table(unique_constraints=(Key(TABLE, name, columns, False, **changes),))
    if kind == "foreign":
        facts = {"referred_table": Name("public", "p"), "referred_columns": ("id",), **changes}
        return table(foreign_keys=(ForeignKey(TABLE, name, columns, **facts),))
    if kind == "check":
        return table(checks=(Check(TABLE, name, changes.get("text", "a > 0")),))
    return table(exclusions=(Exclusion(TABLE, name, definition=changes.get("text", "USING gist (a WITH &&)")),))


@pytest.mark.parametrize("kind", ["primary", "unique", "foreign", "check", "exclusion"])
def test_another_name_of_a_constraint_is_no_drift(kind: str) -> None:
    assert whats(named(kind, "chosen"), named(kind, "other")) == []
    assert whats(named(kind, "Chosen by hand"), named(kind, "Another Name")) == []
    assert whats(named(kind, "chosen"), table()) == ["public.t.chosen"]
    assert whats(table(), named(kind, "other")) == ["public.t.other"]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("primary", {"columns": ("b",)}),
        ("unique", {"columns": ("a", "b")}),
        ("foreign", {"columns": ("b",)}),
        ("foreign", {"referred_table": Name("public", "q")}),
        ("foreign", {"referred_columns": ("key",)}),
        ("foreign", {"on_delete": "CASCADE"}),
        ("foreign", {"on_update": "CASCADE"}),
        ("foreign", {"match_full": True}),
        ("foreign", {"deferrable": True}),
        ("unique", {"deferrable": True, "initially_deferred": True}),
        ("unique", {"nulls_not_distinct": True}),
        ("unique", {"include": ("b",)}),
        ("primary", {"include": ("b",)}),
        ("check", {"text": "a > 1"}),
        ("exclusion", {"text": "USING gist (b WITH &&)"}),
    ],
)
def test_another_name_and_another_meaning_is_drift(kind: str, changes: dict[str, Any]) -> None:
    assert whats(named(kind, "chosen"), named(kind, "other", **changes)) == ["public.t.chosen", "public.t.other"]


def test_another_name_and_another_comment_is_no_drift() -> None:
    assert whats(named("unique", "chosen", comment="one"), named("unique", "other", comment="two")) == []


def test_what_comes_after_another_name_counts() -> None:
    rest = named("check", "rest")
    models = replace(rest, unique_constraints=named("unique", "chosen").unique_constraints)
    assert whats(models, named("unique", "other")) == ["public.t.rest"]


def test_a_unique_rule_does_not_replace_the_primary_key() -> None:
    assert whats(named("primary", "chosen"), named("unique", "other")) == ["public.t.chosen", "public.t.other"]


def test_another_name_of_an_index_is_drift() -> None:
    first, second = (table(indexes=(Index(Name("public", name), TABLE, "btree", (IndexKey("a"),)),)) for name in "ij")
    assert whats(first, second) == ["public.i", "public.j"]


BY_HAND = "Alembic alone may not see this."


@pytest.mark.parametrize(
    ("models", "head", "remedy", "without_plugin"),
    [
        (table(), table(column()), "Declare the column in the models.", "Declare the column in the models."),
        (table(column()), table(), "", ""),
        (table(column()), table(column(default="1")), "Declare it in the model, with", "Declare it in the model, with"),
        (table(column(default="1")), table(column()), "", BY_HAND),
        (table(column()), table(column("c", "integer")), "", ""),
        (table(kind="partitioned"), table(), "PostgreSQL cannot make one", "PostgreSQL cannot make one"),
        (table(comment="x"), table(), "", ""),
        (table(persistence="unlogged"), table(), "", BY_HAND),
        (named("check", "c"), table(), "", BY_HAND),
        (named("unique", "c"), table(), "", ""),
        (named("foreign", "c"), named("foreign", "c", on_update="CASCADE"), "", ""),
        (named("foreign", "c"), named("foreign", "c", match_full=True), "", BY_HAND),
    ],
)
def test_what_to_do(models: Table, head: Table, remedy: str, without_plugin: str) -> None:
    (drift,) = drifts(models, head)
    assert (drift.remedy or "")[: len(remedy) or None] == remedy
    (drift,) = drifts(models, head, plugin=False)
    assert (drift.remedy or "")[: len(without_plugin) or None] == without_plugin


@pytest.mark.parametrize(
    ("models", "head", "prefix"),
    [
        (("__APP__a", "__APP__b"), ("a", "b", "c"), "__APP__"),
        (("__APP__a", "b"), ("a", "b"), ""),
        (("__APP__a", "__APP__d"), ("a", "b"), ""),
        (("a", "b"), ("a", "b"), ""),
        (("__APP__a",), ("a",), ""),
        ((), ("a",), ""),
    ],
)
def test_a_prefix_that_each_table_has(models: tuple[str, ...], head: tuple[str, ...], prefix: str) -> None:
    first, second = (
        Schema("database", tuple(Table(Name("public", name)) for name in names)) for names in (models, head)
    )
    assert prefix_of(first, second) == prefix
