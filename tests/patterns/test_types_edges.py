"""What patterns of types decide at their edges, on schemas written by hand: sequences, flags, moments, limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.patterns import Finding, registry
from alembic_pgpatterns.schema.model import (
    UNKNOWN,
    Check,
    Column,
    DataType,
    Identity,
    Key,
    Name,
    Schema,
    Sequence,
    Table,
)
from tests.patterns.handmade import ITEM, PARENT, column, foreign, index, table, unique

pytestmark = pytest.mark.usefixtures("held_messages")

SERIAL = Name("public", "item_id_seq")
INT4, INT8 = 2**31 - 1, 2**63 - 1


def sequence(**facts: Any) -> Sequence:
    given = {"type": "bigint", "start": 1, "minimum": 1, "maximum": INT8, "increment": 1, "cycle": False}
    return Sequence(SERIAL, **{**given, "used_by": frozenset({(ITEM, "id")}), **facts})


def found(name: str, *tables: Table, version: int = 18, **facts: Any) -> list[Finding]:
    pattern: Any = registry()[name](target_version=version)
    return list(pattern.detect(Schema("database", tables, **{"server_version": version, **facts})))


def said(name: str, *tables: Table, **facts: Any) -> list[str]:
    return [finding.message for finding in found(name, *tables, **facts)]


def counted(type_: str | DataType = "int8", **facts: Any) -> Table:
    return table(column("id", type_, nullable=False, default="nextval('item_id_seq'::regclass)"), **facts)


DOWN = {"increment": -1, "minimum": -100, "maximum": -1, "start": -1}


@pytest.mark.parametrize(
    ("type_", "facts", "expected"),
    [
        ("int8", {"maximum": 100, "last_value": 50}, None),
        ("int8", {"maximum": 101, "last_value": 60}, "59%"),
        ("int8", {"maximum": 101, "last_value": 61}, "60%"),
        ("int8", {"maximum": 101, "last_value": 90}, "89%"),
        ("int8", {"maximum": 101, "last_value": 91}, "90%"),
        ("int8", {"maximum": 1, "last_value": 1}, "100%"),
        ("int8", {"maximum": INT8, "last_value": INT8}, "100%"),
        ("int4", {"last_value": INT4}, "100%"),
        ("int2", {"last_value": 30000}, "92%"),
        ("int8", {"last_value": None}, None),
        ("int8", {"maximum": 101, "last_value": 91, "cycle": True}, None),
        ("int8", {**DOWN, "last_value": -91}, "91%"),
        ("int8", {**DOWN, "last_value": -10}, None),
        ("int2", {**DOWN, "minimum": -INT8 - 1, "last_value": -32768}, "100%"),
        ("int2", {**DOWN, "minimum": -INT8 - 1, "last_value": -32767}, "100%"),
    ],
)
def test_how_much_of_a_sequence_is_used(type_: str, facts: dict[str, Any], expected: str | None) -> None:
    findings = found("sequence-too-narrow", counted(type_), sequences=(sequence(**facts),))
    used = [finding for finding in findings if "% of the numbers" in finding.message]
    limits: Any = registry()["sequence-too-narrow"].Options()
    percent = int(expected.removesuffix("%")) if expected else None
    if percent is None or percent < limits.warn_above:
        assert used == []
    else:
        (finding,) = used
        assert finding.message == f"{expected} of the numbers of public.item_id_seq are used"
        assert str(finding.severity) == ("error" if percent >= limits.error_above else "warning")


@pytest.mark.parametrize(
    ("type_", "facts", "expected"),
    [
        ("int8", {"maximum": INT4}, 1),
        ("int8", {"maximum": 32767}, 1),
        ("int8", {"maximum": 5000}, 0),
        ("int8", {}, 0),
        ("int4", {"maximum": INT4}, 0),
        ("int8", {"increment": -1, "minimum": -(2**31), "maximum": -1}, 1),
        ("int8", {"increment": -1, "minimum": -(2**63), "maximum": -1}, 0),
        ("int4", {}, 0),
        ("text", {"maximum": INT4}, 0),
        ("int8", {"maximum": INT4, "used_by": frozenset({(Name("public", "gone"), "id")})}, 0),
        ("int8", {"maximum": INT4, "used_by": frozenset({(ITEM, "gone")})}, 0),
        ("int8", {"maximum": INT4, "used_by": frozenset()}, 0),
        ("int8", {"maximum": INT4, "used_by": frozenset(), "owned_by": (ITEM, "id")}, 0),
        ("int8", {"maximum": INT4, "used_by": frozenset(), "owned_by": (ITEM, "id"), "internal": True}, 1),
        ("int8", {"maximum": INT4, "used_by": frozenset(), "internal": True}, 0),
    ],
)
def test_a_sequence_and_its_column(type_: str, facts: dict[str, Any], expected: int) -> None:
    assert len(found("sequence-too-narrow", counted(type_), sequences=(sequence(**facts),))) == expected


def test_a_sequence_of_several_columns() -> None:
    narrow = column("number", "int2", nullable=False)
    wide = replace(
        counted(), columns=(*counted().columns, narrow, replace(narrow, name="plain", type=DataType("text")))
    )
    places = frozenset({(ITEM, "id"), (ITEM, "number"), (ITEM, "plain")})
    (finding,) = found("sequence-too-narrow", wide, sequences=(sequence(used_by=places),))
    assert "public.item.number ends at 32,767" in finding.message and "Widen public.item.number" in str(finding.remedy)
    (used,) = found("sequence-too-narrow", wide, sequences=(sequence(used_by=places, last_value=32767),))
    assert used.message.startswith("100%")
    part = replace(wide, partition_of=PARENT)
    assert found("sequence-too-narrow", part, sequences=(sequence(used_by=places, maximum=INT4),)) == []
    arrays = table(column("id", DataType("int8", array=True)))
    assert found("sequence-too-narrow", arrays, sequences=(sequence(maximum=INT4),)) == []


@pytest.mark.parametrize(
    ("item", "facts", "expected"),
    [
        (counted(), {}, 1),
        (counted("int2"), {}, 1),
        (counted("int4"), {"minimum": -INT8, "cycle": True}, 1),
        (counted(kind="partitioned"), {}, 1),
        (table(column("id", nullable=False)), {}, 0),
        (table(column("id", "numeric", nullable=False, default="nextval('x'::regclass)")), {}, 0),
        (table(column("id", nullable=False, default="lastval()")), {}, 0),
        (table(column("id", nullable=False, default=UNKNOWN)), {}, 0),
        (table(column("id", default="nextval('x'::regclass)")), {}, 1),
        (
            table(column("id", DataType("int8", domains=(PARENT,)), nullable=False, default="nextval('x'::regclass)")),
            {},
            1,
        ),
        (counted(), {"internal": True}, 0),
        (counted(), {"used_by": frozenset({(ITEM, "id"), (PARENT, "id")})}, 0),
        (counted(), {"used_by": frozenset()}, 0),
    ],
)
def test_serials(item: Table, facts: dict[str, Any], expected: int) -> None:
    counter = sequence(**{"owned_by": (ITEM, "id"), **facts})
    for version in (16, 17):
        findings = found(
            "serial-not-identity", item, sequences=(counter,), version=version, server_version=version * 10000
        )
        assert len(findings) == expected
        unknown = found("serial-not-identity", item, sequences=(counter,), server_version=None)
        assert len(unknown) == expected
    part = replace(item, name=PARENT, partition_of=ITEM)
    shared = replace(counter, used_by=counter.used_by | {(PARENT, "id")})
    if not facts:
        assert len(found("serial-not-identity", item, part, sequences=(shared,))) == expected


@pytest.mark.parametrize(
    ("item", "facts", "expected"),
    [
        (counted(), {}, 1),
        (counted(), {"cycle": False}, 0),
        (counted(primary_key=None), {}, 0),
        (table(column("id"), unique("u", "id"), primary_key=None), {}, 1),
        (table(column("id"), unique("u", "id", "x"), primary_key=None), {}, 0),
        (table(column("id"), index("i", "id", unique=True), primary_key=None), {}, 1),
        (table(column("id"), index("i", "id"), primary_key=None), {}, 0),
        (table(column("id"), index("i", "id", unique=True, predicate="(id > 0)"), primary_key=None), {}, 0),
        (counted(), {"used_by": frozenset({(PARENT, "id")})}, 0),
        (counted(), {"used_by": frozenset({(ITEM, "gone")})}, 0),
        (counted(), {"used_by": frozenset(), "owned_by": (ITEM, "id")}, 0),
        (counted(), {"used_by": frozenset(), "owned_by": (ITEM, "id"), "internal": True}, 1),
        (counted(), {"used_by": frozenset(), "internal": True}, 0),
    ],
)
def test_keys_that_start_again(item: Table, facts: dict[str, Any], expected: int) -> None:
    assert len(found("cycling-key", item, sequences=(sequence(**{"cycle": True, **facts}),))) == expected


def frozen(**facts: Any) -> int:
    return len(
        found("frozen-time-default", table(column("id"), column("at", facts.pop("type", "timestamptz"), **facts)))
    )


def test_moments() -> None:
    moment = "datetime.datetime(2026, 1, 2, 3, 4, 5)"
    assert frozen(python_default=moment) == frozen(python_default=moment, type="timestamp") == 1
    assert frozen(python_default="datetime.datetime(2026, 1, 2, 3, 4)") == 0
    assert frozen(python_default="datetime.datetime(2026, 1, 2, 3, 4, 5, 6)") == 1
    assert frozen(python_default="later(1, 2, 3, 4, 5, 6)") == frozen(python_default=UNKNOWN) == frozen() == 0
    assert frozen(default="'2026-01-02 03:04:05'::timestamp", type="timestamp") == 1
    assert frozen(default="'2026-01-01'::date", type="date") == frozen(default="now()", python_default=moment) == 0
    assert frozen(python_default=moment, type=DataType("timestamptz", array=True)) == 0


def flag(name: str = "flag", type_: Any = "text", checks: tuple[Any, ...] = (), **facts: Any) -> Table:
    made = tuple(
        item if isinstance(item, Check) else Check(ITEM, f"c{number}", item) for number, item in enumerate(checks)
    )
    parts = facts.pop("parts", ())
    return table(column("id"), column(name, type_, **{"nullable": False, **facts}), *parts, checks=made)


YES = "(flag = ANY (ARRAY['yes'::text, 'no'::text]))"
WHOLE = "(flag = ANY (ARRAY[0, 1]))"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"checks": (YES,)}, 1),
        ({"checks": ("(flag = ANY (ARRAY['yes'::text, 'maybe'::text]))",)}, 0),
        ({"checks": ("(flag = ANY (ARRAY['yes'::text, 'no'::text, 'x'::text]))",)}, 0),
        ({"checks": (UNKNOWN,)}, 0),
        ({}, 0),
        ({"default": "'true'::text"}, 1),
        ({"default": "'False'::text"}, 1),
        ({"default": "'y'::text"}, 0),
        ({"default": "'y'::bpchar", "type_": DataType("bpchar", modifier=(1,), display="character(1)")}, 1),
        ({"default": "'F'::bpchar", "type_": DataType("bpchar", modifier=(1,), display="character(1)")}, 1),
        ({"default": "'x'::bpchar", "type_": DataType("bpchar", modifier=(1,), display="character(1)")}, 0),
        ({"default": "'n'::bpchar", "type_": DataType("bpchar", modifier=(2,), display="character(2)")}, 0),
        ({"default": "''::text"}, 0),
        ({"name": "is_paid"}, 1),
        ({"name": "is"}, 0),
        ({"name": "is_paid", "default": "'soon'::text"}, 0),
        ({"name": "is_paid", "type_": DataType("text", array=True)}, 0),
        ({"name": "is_paid", "type_": DataType("text", decorated=True)}, 0),
    ],
)
def test_flags_as_text(facts: dict[str, Any], expected: int) -> None:
    assert len(found("flag-as-text", flag(**facts))) == expected


def check(expression: Any, name: str | None = "c", **facts: Any) -> Check:
    return Check(ITEM, name, expression, **facts)


@pytest.mark.parametrize(
    ("facts", "by_hand"),
    [
        ({}, False),
        ({"default": "'yes'::text"}, False),
        ({"default": "lower('YES')"}, True),
        ({"checks": (check(YES, None),)}, True),
        ({"checks": (check(YES, validated=False),)}, True),
        ({"checks": (check(YES, "It's"),)}, False),
        ({"checks": (check(YES), check("(flag <> 'x'::text)", "d"))}, True),
        ({"checks": (check(YES), check("(id > 0)", "d"))}, False),
        ({"checks": (check(YES), check(UNKNOWN, "d"))}, True),
        ({"checks": (check(YES), check(UNKNOWN, "d", not_null_column="id"))}, False),
        ({"parts": (index("i", "id", predicate="(flag = 'yes'::text)"),)}, True),
        ({"parts": (index("i", "id", predicate="(id > 1)"),)}, False),
        ({"parts": (index("i", "id", predicate=UNKNOWN),)}, True),
        ({"nullable": True}, True),
        ({"nullable": True, "checks": (check(YES), check("(flag IS NOT NULL)", "d"))}, None),
    ],
)
def test_how_a_flag_becomes_a_boolean(facts: dict[str, Any], by_hand: bool | None) -> None:
    (finding,) = found("flag-as-text", flag(**{"checks": (check(YES),), **facts}))
    assert by_hand is None or (type(finding.remedy).__name__ == "Advice") is by_hand


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"checks": (WHOLE,)}, 1),
        ({"checks": (WHOLE,), "default": "1"}, 1),
        ({"checks": (WHOLE,), "default": "2"}, 0),
        ({"checks": ("(flag = ANY (ARRAY[0, 1, 2]))",)}, 0),
        ({"checks": (WHOLE,), "identity": Identity(True, SERIAL)}, 0),
        ({"checks": (WHOLE,), "sequence": SERIAL}, 0),
        ({"checks": (WHOLE,), "parts": (foreign("flag"),)}, 0),
        ({"name": "is_paid"}, 1),
        ({"name": "status", "default": "0"}, 0),
    ],
)
def test_flags_as_numbers(facts: dict[str, Any], expected: int) -> None:
    assert len(found("flag-as-integer", flag(**{"type_": "int4", **facts}))) == expected


@pytest.mark.parametrize(
    ("pattern", "type_", "expected"),
    [
        ("rounded-timestamp", DataType("timestamptz", modifier=(3,), display="timestamptz(3)"), 1),
        ("rounded-timestamp", DataType("timestamptz", modifier=(6,), display="timestamptz(6)"), 0),
        ("rounded-timestamp", DataType("timestamptz", modifier=(3,), decorated=True), 1),
        ("money-type", DataType("money", display="money"), 1),
        ("money-type", DataType("money", domains=(PARENT,)), 1),
        ("integer-primary-key", DataType("int4", display="integer", decorated=True), 0),
        ("json-not-jsonb", DataType("json", display="json", decorated=True, decorator="app.types.Json"), 1),
        ("json-not-jsonb", DataType("json", display="json"), 1),
        ("timestamp-without-time-zone", DataType("timestamp", decorated=True, decorator="app.types.Moment"), 1),
        ("varchar-length", DataType("varchar", modifier=(255,), decorated=True), 0),
        ("varchar-length", DataType("varchar", modifier=(255,), decorated=True, decorator="app.types.Email"), 0),
        ("fixed-char", DataType("bpchar", modifier=(9,), display="character(9)"), 1),
    ],
)
def test_types_that_somebody_chose(pattern: str, type_: DataType, expected: int) -> None:
    name = "id" if pattern == "integer-primary-key" else "payload"
    item = table(*([] if name == "id" else [column("id")]), column(name, type_, nullable=False))
    assert len(found(pattern, item)) == expected


def pair(child: str | DataType, parent: str | DataType, **facts: Any) -> list[Finding]:
    up: Column = column("up", child)
    parents = table(column("id", parent, table=PARENT, nullable=False), name=PARENT)
    return found("foreign-key-type-mismatch", table(column("id"), up, foreign("up", **facts)), parents)


def test_keys_of_other_types() -> None:
    assert len(pair("int4", "int8")) == len(pair("int2", "int8")) == 1
    assert pair("int8", "int8") == pair("int8", "int4") == []
    short, long = (DataType("varchar", modifier=(length,), display=f"varchar({length})") for length in (5, 9))
    assert len(pair(short, long)) == 1 and pair("varchar", long) == pair(long, short) == []
    assert len(pair(DataType("int4", array=True), "int8")) == 1
    twice = table(column("id"), column("up", "int4"), foreign("up", name="a"), foreign("up", name="b"))
    parents = table(column("id", table=PARENT), name=PARENT)
    assert len(found("foreign-key-type-mismatch", twice, parents)) == 2
    both = foreign("up", "down", referred=("id", "code"))
    keys = Key(PARENT, "k", ("id", "code"), True)
    item = table(column("id"), column("up", "int4"), column("down", "int4"), both)
    wide = table(column("id", table=PARENT), column("code", table=PARENT), name=PARENT, primary_key=keys)
    assert len(found("foreign-key-type-mismatch", item, wide)) == 2
