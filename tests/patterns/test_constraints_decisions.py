"""What patterns of constraints decide, on schemas written by hand: no server is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.patterns._check_names import check_names
from alembic_pgpatterns.patterns.constraints.quoted_identifier import _suggestion, needs_quotes
from alembic_pgpatterns.patterns.constraints.unnamed_constraint import _advice
from alembic_pgpatterns.schema.model import (
    UNKNOWN,
    Check,
    DataType,
    Generated,
    Key,
    ModelMetaData,
    Name,
    Origin,
    Schema,
)
from tests.patterns.handmade import ITEM, PARENT, column, foreign, found, index, table, unique

pytestmark = pytest.mark.usefixtures("held_messages")

OTHER, THIRD = Name("public", "other"), Name("app", "Third")


def check(name: str | None, expression: Any, **facts: Any) -> Check:
    return Check(ITEM, name, expression, **facts)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("autovacuum_enabled=false",), 1),
        (("fillfactor=70", "autovacuum_enabled=off"), 1),
        (("autovacuum_enabled=true",), 0),
        (("fillfactor=70",), 0),
        (UNKNOWN, 0),
    ],
)
@pytest.mark.parametrize("kind", ["table", "materialized view", "partitioned"])
def test_autovacuum(kind: str, options: Any, expected: int) -> None:
    item = table(column("id"), options=options, kind=kind)
    assert len(found("autovacuum-off", item)) == (expected if kind != "partitioned" else 0)


def circle(*steps: tuple[Name, Name], **facts: Any) -> list[Any]:
    names = dict.fromkeys(name for step in steps for name in step)
    return [
        table(
            column("id", table=name, nullable=False),
            column("up", table=name, nullable=False),
            *(
                foreign("up", table=name, to=to, name=None if twice else f"fk_{to.name}", **facts)
                for start, to in steps
                if start == name
                for twice in (False, True)[: 2 if start == THIRD else 1]
            ),
            name=name,
        )
        for name in names
    ]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(ITEM, OTHER), (OTHER, ITEM)], 1),
        ([(ITEM, OTHER), (OTHER, PARENT), (PARENT, ITEM)], 1),
        ([(ITEM, OTHER), (OTHER, PARENT), (PARENT, ITEM), (PARENT, OTHER)], 2),
        ([(ITEM, OTHER), (OTHER, PARENT), (PARENT, OTHER)], 1),
        ([(ITEM, OTHER), (OTHER, PARENT)], 0),
        ([(ITEM, ITEM)], 0),
        ([(THIRD, ITEM), (ITEM, THIRD)], 1),
    ],
)
def test_circles(steps: list[tuple[Name, Name]], expected: int) -> None:
    assert len(found("circular-required-keys", *circle(*steps))) == expected
    assert found("circular-required-keys", *circle(*steps, deferrable=True)) == []
    assert found("circular-required-keys", *circle(*steps, enforced=False)) == []


VARCHAR = DataType("varchar", modifier=(3,), display="varchar(3)")


@pytest.mark.parametrize(
    ("type_", "default", "expression", "expected"),
    [
        (VARCHAR, "'abcd'", None, "is longer than varchar(3)"),
        (VARCHAR, "'abc   '", None, None),
        (VARCHAR, "'abc'", None, None),
        (replace(VARCHAR, array=True), "'{abcd}'", None, None),
        (replace(VARCHAR, schema="app", modifier=()), "'x'", "(code = 'a'::text)", None),
        ("text", "'b'", "(code = ANY (ARRAY['a'::text, 'c'::text]))", "refuses: it allows a, c"),
        ("text", "'a'", "(code = ANY (ARRAY['a'::text, 'c'::text]))", None),
        ("text", "'a '", "(code = ANY (ARRAY['a'::text, 'c'::text]))", None),
        ("text", "'a'", "(code = ANY (ARRAY['a '::text, 'c'::text]))", None),
        ("text", "' a'", "(code = ANY (ARRAY['a'::text, 'c'::text]))", "refuses"),
        ("text", "'a'", "(code = ANY (ARRAY[' a'::text, 'c'::text]))", "refuses"),
        ("text", "'aX'", "(code = ANY (ARRAY['a'::text, 'c'::text]))", "refuses"),
        ("text", "'a'", "(code = ANY (ARRAY['aX'::text, 'c'::text]))", "refuses"),
        ("text", "E'a\\t'", "(code = ANY (ARRAY['a'::text, 'c'::text]))", "refuses"),
        ("text", "'a'", "(code = ANY (ARRAY[E'a\\t'::text, 'c'::text]))", "refuses"),
        ("text", "'b'", "(other = ANY (ARRAY['a'::text, 'c'::text]))", None),
        ("text", "now()", "(code = ANY (ARRAY['a'::text]))", None),
        ("text", "'b'", UNKNOWN, None),
        ("text", UNKNOWN, "(code = 'a'::text)", None),
    ],
)
@pytest.mark.parametrize("name", ["codes", None])
def test_defaults(type_: Any, default: Any, expression: Any, expected: str | None, name: str | None) -> None:
    code = column("code", type_, default=default)
    checks = (check(name, expression),) if expression is not None else ()
    findings = found("default-breaks-check", table(column("id"), code, checks=checks))
    assert len(findings) == (expected is not None)
    assert all(expected in finding.message for finding in findings if expected)
    off = tuple(replace(item, enforced=False) for item in checks)
    assert len(found("default-breaks-check", table(code, checks=off))) == (expected == "is longer than varchar(3)")


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([check("a", "(id > 0)"), check("b", "(id > 0)")], ["b"]),
        ([check("b", "(id > 0)", validated=False), check("c", "(id > 0)")], ["b"]),
        ([check("a", "(id > 0)", validated=False), check("c", "(id > 0)", validated=False)], ["c"]),
        ([check(None, "(id > 0)"), check("c", "(id > 0)", no_inherit=True)], ["c"]),
        ([check("a", "(id > 0)"), check("b", "(id > 1)")], []),
        ([check("a", "(id > 0)"), check("b", "(id > 0)", inherited=True)], []),
        ([check("a", "(id > 0)"), check("b", "(id > 0)", enforced=False)], []),
        ([check("a", UNKNOWN), check("b", UNKNOWN)], []),
        ([check("a", "id IS NOT NULL"), check("n", "id IS NOT NULL", not_null_column="id")], []),
    ],
)
def test_repeated_checks(checks: list[Check], expected: list[str]) -> None:
    findings = found("duplicate-check", table(column("id"), checks=tuple(checks)))
    assert [finding.remedy.constraint for finding in findings] == expected  # type: ignore[union-attr]
    others = tuple(replace(item, name=None) for item in checks)
    assert len(found("duplicate-check", table(column("id"), checks=others))) == len(expected)


def test_repeated_foreign_keys() -> None:
    first = foreign("a", "b", name="k1", referred=("x", "y"))
    turned = foreign("b", "a", name="k2", referred=("y", "x"))

    def repeats(*keys: Any) -> list[Any]:
        return found("duplicate-foreign-key", table(column("id"), *keys))

    assert len(repeats(first, turned)) == 1
    assert repeats(first, foreign("a", "b", name="k3", referred=("y", "x"))) == []
    assert repeats(first, foreign("a", "b", name="k3", referred=("x", "y"), to=OTHER)) == []
    assert repeats(first, replace(turned, inherited=True)) == []
    assert repeats(first) == []
    for other in (
        {"match_full": True},
        {"deferrable": True},
        {"deferrable": True, "initially_deferred": True},
        {"on_delete": "CASCADE"},
        {"on_update": "SET NULL"},
    ):
        assert len(repeats(first, replace(turned, **other))) == 1
        assert len(repeats(replace(first, **other), replace(turned, **other))) == 1
    # What holds for all rows stays.
    for worse in ({"validated": False}, {"enforced": False, "validated": False}):
        (finding,) = repeats(replace(first, **worse), turned)
        assert finding.message.startswith("k1 ")
    (finding,) = repeats(replace(first, name=None), turned)
    assert finding.message.startswith("k2 of public.item repeats an unnamed foreign key")
    (finding,) = repeats(replace(first, name=None), replace(turned, name=None))
    assert finding.message.startswith("an unnamed foreign key")


HALF = [column("id"), column("a"), column("b"), column("c", nullable=False)]


@pytest.mark.parametrize(
    ("columns", "checks", "expected"),
    [
        (("a", "b"), [], "Declare the key MATCH FULL"),
        (("a", "b", "c"), [], "Make a, b NOT NULL"),
        (("a", "c"), [], "Make a NOT NULL"),
        (("a", "gone"), [], "Make a NOT NULL"),
        (("a",), [], None),
        (("c", "gone"), [], None),
        (("a", "b"), [check("c", "(a IS NOT NULL)")], "Make b NOT NULL"),
        (("a", "b"), [check("c", "(a IS NOT NULL)"), check("d", "(b IS NOT NULL)")], None),
        (("a", "b"), [check("c", "(a IS NOT NULL)", validated=False)], "Declare the key MATCH FULL"),
        (("a", "b"), [check("c", "(a IS NOT NULL)", enforced=False, validated=False)], "Declare the key MATCH FULL"),
        (("a", "b"), [check("c", "((a IS NULL) = (b IS NULL))")], None),
        (("a", "b"), [check("c", "((a IS NULL) = (b IS NULL))", enforced=False, validated=False)], "Declare the key"),
        (("a", "b"), [check("c", UNKNOWN)], None),
        (("a", "b"), [check("c", UNKNOWN, not_null_column="c")], "Declare the key MATCH FULL"),
    ],
)
def test_half_null_keys(columns: tuple[str, ...], checks: list[Check], expected: str | None) -> None:
    key = foreign(*columns, referred=columns)

    def texts(*keys: Any) -> list[str]:
        item = table(*HALF, *keys, checks=tuple(checks))
        return [finding.remedy.text for finding in found("half-null-foreign-key", item)]  # type: ignore[union-attr]

    assert len(texts(key)) == (expected is not None)
    assert all(expected in text for text in texts(key) if expected)
    assert len(texts(key, replace(key, name="again"))) == 2 * (expected is not None)
    assert texts(replace(key, match_full=True)) == texts(replace(key, enforced=False)) == []
    assert texts(replace(key, inherited=True)) == []


@pytest.mark.parametrize(
    ("columns", "facts", "expected"),
    [
        (("c",), {"on_delete": "SET NULL"}, ["delete"]),
        (("c",), {"on_update": "SET NULL"}, ["update"]),
        (("c", "d"), {"on_delete": "SET NULL", "on_update": "SET NULL"}, ["delete", "update"]),
        (("a", "c"), {"on_delete": "SET NULL"}, []),
        (("gone",), {"on_delete": "SET NULL"}, []),
        (("made",), {"on_delete": "SET NULL"}, []),
        (("c",), {"on_delete": "SET NULL", "enforced": False}, []),
        (("c",), {"on_delete": "SET DEFAULT"}, ["delete"]),
        (("filled",), {"on_delete": "SET DEFAULT"}, []),
        (("filled",), {"on_delete": "SET NULL"}, ["delete"]),
        (("c",), {"on_delete": "CASCADE"}, []),
    ],
)
def test_actions_that_fail(columns: tuple[str, ...], facts: dict[str, Any], expected: list[str]) -> None:
    parts = [
        *HALF,
        column("d", nullable=False),
        column("made", nullable=False, generated=Generated("a", True)),
        column("filled", nullable=False, default="1"),
    ]
    key = foreign(*columns, **facts)
    findings = found("impossible-set-null", table(*parts, key))
    assert [finding.fingerprint.rpartition(" ")[2] for finding in findings] == expected
    assert len(found("impossible-set-null", table(*parts, key, replace(key, name="again")))) == 2 * len(expected)


CODE = column("code", "text", nullable=False)


def primary(key: Key, *more: Any, others: tuple[Any, ...] = (), **facts: Any) -> list[str]:
    item = table(column("id"), CODE, key, *more, primary_key=None, **facts)
    (finding,) = found("missing-primary-key", item, *others)
    return list(getattr(finding.remedy, "up", ()))


def test_which_unique_constraint_becomes_the_primary_key() -> None:
    key = unique("codes", "code")
    dropped, kept = ", DROP CONSTRAINT codes", "ADD CONSTRAINT item_pkey PRIMARY KEY (code)"
    assert primary(key) == [f"ALTER TABLE public.item {kept}{dropped}"]
    stays = [f"ALTER TABLE public.item {kept}"]
    assert primary(replace(key, name=None)) == primary(replace(key, include=("id",))) == stays
    assert primary(replace(key, inherited=True)) == stays
    behind = index("codes", "code", constraint="codes", unique=True)
    assert primary(key, behind)[0].endswith(dropped)
    assert (
        primary(key, replace(behind, replica_identity=True)) == primary(key, replace(behind, clustered=True)) == stays
    )
    assert primary(key, replace(behind, constraint="else", clustered=True))[0].endswith(dropped)
    child = table(column("id", table=OTHER), foreign("up", table=OTHER, to=ITEM, referred=("code",)), name=OTHER)
    assert primary(key, others=(child,)) == []
    by_id = table(column("id", table=OTHER), foreign("up", table=OTHER, to=ITEM, referred=("id",)), name=OTHER)
    assert primary(key, others=(by_id,))[0].endswith(dropped)
    elsewhere = table(column("id", table=OTHER), foreign("up", table=OTHER, to=THIRD, referred=("code",)), name=OTHER)
    assert primary(key, others=(elsewhere,))[0].endswith(dropped)
    assert primary(replace(key, deferrable=True)) == primary(replace(key, temporal=True)) == []
    assert primary(replace(key, columns=("code", "id"))) == primary(replace(key, columns=("gone",))) == []


@pytest.mark.parametrize(
    ("facts", "checks", "expected"),
    [
        ({}, [], 1),
        ({"nullable": False}, [], 0),
        ({"of_subclass": True}, [], 0),
        ({"null_stated": True, "python_default": None}, [], 0),
        ({"null_stated": True, "python_default": None, "default": "true"}, [], 1),
        ({"null_stated": True, "python_default": "True"}, [], 1),
        ({"generated": Generated("true", True)}, [], 0),
        ({}, [check("c", "(flag IS NOT NULL)")], 0),
        ({}, [check("c", "((kind = 'a'::text) = (flag IS NULL))")], 0),
        ({}, [check("c", "(flag IS NOT NULL)", enforced=False)], 1),
        ({}, [check("c", "(other IS NOT NULL)"), check("d", UNKNOWN)], 1),
    ],
)
def test_flags_that_may_be_null(facts: dict[str, Any], checks: list[Check], expected: int) -> None:
    item = table(column("id"), column("flag", "bool", **facts), checks=tuple(checks))
    assert len(found("nullable-flag", item)) == expected


def test_names_that_need_quotes() -> None:
    named = table(column("id"), primary_key=Key(ITEM, "Item key", ("id",), True))
    (finding,) = found("quoted-identifier", named)
    assert "Item key" in finding.message
    plain = ("größe", "a$b", "_x", "名前", "value", "timestamp")
    assert not any(map(needs_quotes, plain))
    assert all(map(needs_quotes, ("Größe", "$a", "1st", "user", "two words", "", "Ö")))
    names = ("userName", "two  words", "1st", "user", "Größe", "--", "__", "X_", "HTTPServer", "a-", "XX")
    assert [_suggestion(name) for name in names] == [
        "user_name",
        "two_words",
        "_1st",
        "user_",
        "größe",
        "another name",
        "another name",
        "x",
        "httpserver",
        "a",
        "xx",
    ]


@pytest.mark.parametrize(("missing", "call"), [(["ck"], None), (["uq"], "Base"), (["uq"], "SQLModel"), (["fk"], "?")])
def test_advice_for_names(missing: list[str], call: str | None) -> None:
    metadata = ModelMetaData("app.metadata", frozenset({"pk"}), 3, origin=Origin(None, call=call))
    text = _advice(metadata, missing)
    assert ("naming_convention" in text.split(" needs ")[0].split("Write name=")[0]) is (missing != ["ck"])


@pytest.mark.parametrize(
    ("templates", "expected"),
    [
        ([], ("ck_item_size", "ck_item_size")),
        (["ck_%(table_name)s_%(constraint_name)s"], ("size", "ck_item_size")),
        (["c_%(constraint_name)s"], ("size", "c_size")),
        (["fixed"], ("ck_item_size", "ck_item_size")),
        (["%(constraint_name)s_%(mine)s"], ("ck_item_size", "ck_item_size")),
        (["%(constraint_name)s %"], ("ck_item_size", "ck_item_size")),
        ([None], ("ck_item_size", "ck_item_size")),
        (["a_%(constraint_name)s", "b_%(constraint_name)s"], ("ck_item_size", "ck_item_size")),
        (["a_%(constraint_name)s", "a_%(constraint_name)s"], ("size", "a_size")),
    ],
)
def test_names_of_checks(templates: list[str | None], expected: tuple[str, str]) -> None:
    metadatas = tuple(ModelMetaData("m", frozenset(), 0, check_template=item) for item in templates)
    assert check_names(Schema("models", (), metadatas=metadatas), "item", "size") == expected
    long = check_names(Schema("models", (), metadatas=metadatas), "item" * 20, "size")
    assert max(map(len, long)) <= 63
