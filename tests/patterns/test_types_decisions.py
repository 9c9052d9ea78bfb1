"""What patterns about types and constraints decide and propose, to the last field of the remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.patterns import Finding, Severity, registry
from alembic_pgpatterns.patterns.constraints.unnamed_constraint import BY_HAND, IN_WORDS, SAME_NAMES
from alembic_pgpatterns.remedies.fixable import why_not_fixable
from alembic_pgpatterns.remedies.model import Advice, ChangeType, SetDefault, TypeChange
from alembic_pgpatterns.schema.model import (
    UNKNOWN,
    Check,
    Column,
    DataType,
    Exclusion,
    Identity,
    Key,
    ModelMetaData,
    Name,
    Relationship,
    Schema,
    Table,
)
from alembic_pgpatterns.schema.overlong import overlong_names
from tests.patterns.handmade import ITEM, PARENT, column, foreign, found, index, table, unique

pytestmark = pytest.mark.usefixtures("held_messages")

INTEGER = DataType("int4", display="integer")
COUNTED = column("id", INTEGER, nullable=False, identity=Identity(True))
CHILD = Name("public", "child")
REFERRING = table(column("item_id", INTEGER, table=CHILD), foreign("item_id", to=ITEM, table=CHILD), name=CHILD)


def counted_key(*parts: Any, others: tuple[Table, ...] = (REFERRING,), **facts: Any) -> Finding:
    (finding,) = found("integer-primary-key", table(COUNTED, *parts), *others, **facts)
    return finding


def test_a_key_that_runs_out_changes_with_all_that_reference_it() -> None:
    finding = counted_key()
    assert finding.message == "public.item.id ends at 2,147,483,647"
    changes = (TypeChange(ITEM, "id", "integer", "bigint"), TypeChange(CHILD, "item_id", "integer", "bigint"))
    assert finding.remedy == ChangeType(changes, rewrites=True)
    assert finding.severity is Severity.WARNING


PARTITIONED = replace(REFERRING, kind="partitioned", partition_keys=("item_id",))


def test_the_parent_key_is_named_first_and_then_what_is_in_the_way() -> None:
    """Both patterns: to change the child first would make the foreign key compare two types."""
    by_hand = "Change public.item.id to bigint, together with public.child.item_id, by hand. In the way at "
    by_hand += "public.child.item_id: public.child is partitioned by it."
    assert counted_key(others=(PARTITIONED,)).remedy == Advice(by_hand, decided=True)
    other = Name("public", "a_first")
    wide = table(column("item_id", BIGINT, table=other), foreign("item_id", to=ITEM, table=other), name=other)
    narrow = replace(PARTITIONED, columns=(replace(PARTITIONED.columns[0], type=DataType("int2", display="smallint")),))
    (finding,) = found("foreign-key-type-mismatch", table(COUNTED), wide, narrow)
    assert isinstance(finding.remedy, Advice)
    assert finding.remedy.text.startswith("Change public.item.id to bigint, together with public.child.item_id")


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ((REFERRING,), None),
        ((replace(REFERRING, pinned=(("item_id", "trigger watch"),)),), None),
        ((PARTITIONED,), "manual work"),
    ],
)
def test_manual_work_is_what_no_revision_can_do(others: tuple[Table, ...], why: str | None) -> None:
    """What PostgreSQL refuses because of what is around a column, pgfix drops and makes again; nothing is to decide."""
    assert why_not_fixable(counted_key(others=others).remedy) == why
    assert why_not_fixable(Advice("Say which of the two is right.")) == "a person has to decide"


NAME = column("name", "text")
COLUMNS = tuple(column(name) for name in "abcd")


@pytest.mark.parametrize(
    ("parts", "small"),
    [
        ((NAME, unique("u", "name")), True),
        ((NAME, index("u", "name", unique=True)), True),
        ((NAME, index("u", "name", unique=True, predicate="id > 0")), False),
        ((NAME, index("u", "name")), False),
        ((NAME, *COLUMNS[:3], unique("u", "name")), True),
        ((NAME, *COLUMNS, unique("u", "name")), False),
        ((NAME, COLUMNS[0], unique("u", "name", "a")), False),
        ((COLUMNS[0], unique("u", "a")), False),
        ((column("name", DataType("citext", "public")), unique("u", "name")), True),
        ((NAME, COLUMNS[0], foreign("a", to=PARENT), unique("u", "name")), False),
        ((NAME, COLUMNS[0], unique("u", "a"), index("v", "name", unique=True)), True),
        ((NAME, unique("u", "gone")), False),
    ],
)
def test_a_short_list_is_an_info(parts: tuple[Any, ...], small: bool) -> None:
    expected = Severity.INFO if small else Severity.WARNING
    assert counted_key(*parts).severity is expected


def test_a_list_that_nobody_references_or_that_code_adds_to_is_no_short_list() -> None:
    parts = (NAME, unique("u", "name"))
    assert counted_key(*parts, others=()).severity is Severity.WARNING
    for inserted, severity in (("item", Severity.WARNING), ("public.item", Severity.WARNING), ("other", Severity.INFO)):
        assert counted_key(*parts, inserted=(inserted,)).severity is severity


@pytest.mark.parametrize(
    ("key", "reported"),
    [
        (column("id", "int4", sequence=Name("public", "s")), True),
        (column("id", "int2", identity=Identity(False)), True),
        (column("id", "int4", sequence=UNKNOWN), False),
        (column("id", "int4"), False),
        (column("id", "int8", identity=Identity(True)), False),
        (column("id", "numeric", identity=Identity(True)), False),
        (column("id", DataType("int4", array=True), identity=Identity(True)), False),
        (column("id", DataType("int4", decorated=True), identity=Identity(True)), False),
        (column("other", "int4", identity=Identity(True)), False),
    ],
)
def test_which_keys_count_up(key: Column, reported: bool) -> None:
    assert bool(found("integer-primary-key", table(key))) is reported
    assert found("integer-primary-key", table(key, primary_key=None)) == []


RANDOM = column("id", "uuid", default="gen_random_uuid()")
BY_PYTHON = column("id", "uuid", python_default="uuid.uuid4")


def test_a_random_key_is_made_in_order_by_the_server() -> None:
    (finding,) = found("random-uuid-primary-key", table(RANDOM))
    assert finding.message == "public.item.id is a random UUID, made by gen_random_uuid()"
    assert finding.remedy == SetDefault(ITEM, "id", "uuidv7()", "gen_random_uuid()")


def test_an_old_server_cannot_make_an_ordered_key() -> None:
    for version in (17, None):
        (finding,) = found("random-uuid-primary-key", table(RANDOM), version=version)
        assert finding.remedy == Advice(
            "Use a bigint GENERATED ALWAYS AS IDENTITY as key, with the random UUID beside it where the outside needs "
            "one; from PostgreSQL 18 on, uuidv7() as default (set target_version)."
        )


def test_a_random_key_is_made_in_order_by_python() -> None:
    by_python = "Let the default in Python make a version 7 UUID: uuid.uuid7 (Python 3.14), or a package that has it."
    (old,) = found("random-uuid-primary-key", table(BY_PYTHON), version=17)
    (new,) = found("random-uuid-primary-key", table(BY_PYTHON))
    assert old.message == "public.item.id is a random UUID, made by uuid.uuid4"
    assert old.remedy == Advice(by_python)
    assert new.remedy == Advice(
        f"{by_python} If nothing needs the id before the flush, PostgreSQL can make it: server_default uuidv7()."
    )


@pytest.mark.parametrize(
    ("name", "columns", "reported"),
    [
        ("item", (RANDOM,), True),
        ("login_token", (RANDOM,), False),
        ("login_token", (RANDOM, column("name")), False),
        ("login_token", (RANDOM, column("secret")), True),
        ("item", (RANDOM, column("secret")), True),
        ("item", (column("id", "uuid", default="uuidv7()"),), False),
        ("item", (column("id", "uuid", python_default=UNKNOWN),), False),
        ("item", (column("id", DataType("uuid", array=True), default="gen_random_uuid()"),), False),
        ("item", (column("id", "text", default="gen_random_uuid()"),), False),
        ("item", (column("other", "uuid", default="gen_random_uuid()"),), False),
    ],
)
def test_which_keys_are_random_without_need(name: str, columns: tuple[Column, ...], reported: bool) -> None:
    assert bool(found("random-uuid-primary-key", table(*columns, name=Name("public", name)))) is reported
    secret = column("token", "uuid", default="gen_random_uuid()")
    assert not found("random-uuid-primary-key", table(secret, primary_key=Key(ITEM, "p", ("token",), True)))


def text(name: str, length: int | None = None, **facts: Any) -> DataType:
    modifier = () if length is None else (length,)
    display = name if length is None else f"{name}({length})"
    return DataType(name, modifier=modifier, display=display, **facts)


def mismatch(child: DataType, parent: DataType, **key: Any) -> list[Finding]:
    of_parent = table(column("id", parent, table=PARENT), name=PARENT)
    return found("foreign-key-type-mismatch", table(column("a", child), foreign("a", **key)), of_parent)


BIGINT, NUMERIC = DataType("int8", display="bigint"), DataType("numeric", display="numeric")


@pytest.mark.parametrize(
    ("child", "parent", "reported"),
    [
        (INTEGER, BIGINT, True),
        (BIGINT, INTEGER, False),
        (BIGINT, BIGINT, False),
        (INTEGER, DataType("int8", array=True), True),
        (BIGINT, NUMERIC, True),
        (NUMERIC, DataType("numeric", modifier=(5, 2)), True),
        (NUMERIC, NUMERIC, False),
        (DataType("x", "a"), DataType("x", "b"), True),
        (DataType("", kind="unknown"), BIGINT, False),
        (BIGINT, DataType("", kind="unknown"), False),
        (text("varchar", 5), text("varchar", 9), True),
        (text("varchar", 9), text("varchar", 5), False),
        (text("varchar", 9), text("varchar", 9), False),
        (text("varchar", 9), text("varchar"), True),
        (text("varchar", 9), text("text"), True),
        (text("varchar"), text("varchar", 9), False),
        (text("text"), text("varchar", 9), False),
        (text("text"), text("varchar"), False),
        (text("text", array=True), text("varchar"), True),
        (text("bpchar", 5), text("bpchar", 9), True),
        (text("bpchar"), text("bpchar", 9), False),
        (text("varchar", 5, decorated=True), text("varchar", 9), False),
        (text("varchar", 5), text("varchar", 9, decorated=True), False),
        (DataType("timestamptz", modifier=(0,)), DataType("timestamptz"), True),
    ],
)
def test_which_types_differ(child: DataType, parent: DataType, reported: bool) -> None:
    assert bool(mismatch(child, parent)) is reported


def test_what_a_mismatch_says() -> None:
    (finding,) = mismatch(INTEGER, BIGINT)
    assert finding.message == "public.item.a is integer, but public.parent.id, which it references, is bigint"
    assert finding.fingerprint == "foreign-key-type-mismatch public.item(a)"
    assert finding.remedy == ChangeType((TypeChange(ITEM, "a", "integer", "bigint"),), rewrites=True)
    (finding,) = mismatch(text("varchar", 5), text("varchar", 9))
    assert finding.remedy == ChangeType((TypeChange(ITEM, "a", "varchar(5)", "varchar(9)"),))
    (finding,) = mismatch(BIGINT, NUMERIC)
    assert finding.remedy == Advice("Give all columns that these foreign keys connect the same type, in one revision.")


def test_a_group_changes_to_its_widest_type() -> None:
    small, middle = DataType("int2", display="smallint"), INTEGER
    of_parent = table(column("id", BIGINT, table=PARENT), name=PARENT)
    keys = (column("a", small), column("b", middle), foreign("a"), foreign("b"))
    first, second = found("foreign-key-type-mismatch", table(*keys), of_parent)
    changes = {TypeChange(ITEM, "a", "smallint", "bigint"), TypeChange(ITEM, "b", "integer", "bigint")}
    assert isinstance(first.remedy, ChangeType)
    assert set(first.remedy.changes) == changes
    assert second.remedy == first.remedy


def test_texts_of_several_kinds_become_text_without_a_limit() -> None:
    (finding,) = mismatch(text("varchar", 9), text("text"))
    assert finding.remedy == ChangeType((TypeChange(ITEM, "a", "varchar(9)", "text"),))
    (finding,) = mismatch(text("varchar", 9), text("varchar"))
    assert isinstance(finding.remedy, ChangeType)
    assert {change.new for change in finding.remedy.changes} == {"text"}
    assert {change.check for change in finding.remedy.changes} == {None}


FAMILY = frozenset({Name("pg_catalog", "integer_ops")})


@pytest.mark.parametrize(
    ("child", "parent", "families", "severity"),
    [
        (INTEGER, BIGINT, UNKNOWN, Severity.WARNING),
        (INTEGER, BIGINT, (FAMILY,), Severity.WARNING),
        (INTEGER, BIGINT, (frozenset({Name("pg_catalog", "numeric_ops")}),), Severity.ERROR),
        (INTEGER, BIGINT, (), Severity.WARNING),
        (BIGINT, NUMERIC, UNKNOWN, Severity.ERROR),
        (BIGINT, NUMERIC, (), Severity.ERROR),
        (BIGINT, DataType("other", "public"), UNKNOWN, Severity.WARNING),
        (DataType("other", "public"), BIGINT, UNKNOWN, Severity.WARNING),
    ],
)
def test_a_comparison_that_no_index_can_serve_is_an_error(
    child: DataType, parent: DataType, families: Any, severity: Severity
) -> None:
    (finding,) = mismatch(child, parent, key_opfamilies=families)
    assert finding.severity is severity


def test_each_column_of_a_key_is_a_finding_of_its_own() -> None:
    of_parent = table(column("id", BIGINT, table=PARENT), column("b", BIGINT, table=PARENT), name=PARENT)
    parts = (column("x", INTEGER), column("y", INTEGER), foreign("x", "y", referred=("id", "b")))
    findings = found("foreign-key-type-mismatch", table(*parts), of_parent)
    assert [item.fingerprint.partition(" ")[2] for item in findings] == ["public.item(x, y) x", "public.item(x, y) y"]
    twice = (column("x", INTEGER), foreign("x"), foreign("x", referred=("b",)))
    details = [
        item.fingerprint.partition(") ")[2] for item in found("foreign-key-type-mismatch", table(*twice), of_parent)
    ]
    assert details == ["to public.parent(id)", "to public.parent(b)"]
    assert found("foreign-key-type-mismatch", table(*twice)) == []


def test_what_varchar_length_says() -> None:
    (finding,) = found("varchar-length", table(column("a", text("varchar", 255)), column("b", text("varchar"))))
    assert finding.message == "public.item.a is limited to 255 characters by its type"
    assert finding.remedy == ChangeType((TypeChange(ITEM, "a", "varchar(255)", "text"),))


def unnamed(*convention: str, number: int = 3) -> list[Finding]:
    schema = Schema("models", (), metadatas=(ModelMetaData("app.metadata", frozenset(convention), number),))
    pattern: Any = registry()["unnamed-constraint"]()
    return list(pattern.detect(schema))


def test_a_metadata_without_names() -> None:
    (finding,) = unnamed("uq", "pk")
    assert finding.message == ("app.metadata has 3 constraints without a name, and no naming convention for ck, fk")
    assert finding.remedy == Advice(f"{IN_WORDS[None]} {SAME_NAMES} {BY_HAND}")
    (finding,) = unnamed("uq", "pk", "fk")
    assert finding.remedy == Advice(BY_HAND)
    assert unnamed("uq", "pk", "fk", "ck") == unnamed(number=0) == []


def test_names_that_are_cut() -> None:
    long, fits = "n" * 64, "n" * 63
    facts: dict[str, Any] = {
        "primary_key": Key(ITEM, long, ("id",), True),
        "checks": (Check(ITEM, long, "true"), Check(ITEM, None, "true")),
        "exclusions": (Exclusion(ITEM, long),),
    }
    of_item = table(column(long), column("é" * 32), column(fits), unique(long, "a"), index(long, "a"), **facts)
    schema = Schema("public", (of_item, table(name=ITEM, primary_key=None)))
    pattern: Any = registry()["overlong-identifier"]()
    findings = list(pattern.detect(replace(schema, overlong=overlong_names(schema))))
    assert [item.fingerprint.partition(" ")[2].replace(long, "N") for item in findings] == [
        "public.item.N",
        f'public.item."{"é" * 32}"',
        'public.item(id) "N"',
        'public.item(a) "N"',
        "public.item.N",
        "public.item.N",
        "public.N",
    ]
    assert findings[0].message == f"the name {long} has 64 bytes; PostgreSQL keeps {fits}"
    assert findings[0].remedy == Advice("Choose a name of at most 63 bytes.")


def cascades(*keys: Any, **facts: Any) -> list[Finding]:
    defaults: dict[str, Any] = {"cascade": frozenset({"delete"}), "passive_deletes": True}
    relationship = Relationship("Parent", "items", PARENT, ITEM, ("a",), **{**defaults, **facts})
    schema = Schema("models", (table(*keys),), relationships=(relationship,))
    pattern: Any = registry()["orm-cascade-mismatch"]()
    return list(pattern.detect(schema))


CASCADE = foreign("a", on_delete="CASCADE")


@pytest.mark.parametrize(
    ("key", "facts", "message"),
    [
        (foreign("a"), {}, "leaves deleting children to the database, and public.item(a) has ON DELETE NO ACTION"),
        (CASCADE, {"passive_deletes": False}, "deletes children one by one, and public.item(a) has ON DELETE CASCADE"),
        (
            CASCADE,
            {"passive_deletes": False, "cascade": frozenset({"merge"})},
            "sets the key of children to NULL, and public.item(a) has ON DELETE CASCADE",
        ),
        (CASCADE, {}, None),
        (foreign("a"), {"cascade": frozenset({"merge"})}, None),
        (foreign("a"), {"many_to_one": True}, None),
        (foreign("a"), {"view_only": True}, None),
        (foreign("b"), {}, None),
        (foreign("a", to=CHILD), {}, None),
        (foreign("a"), {"child": CHILD}, None),
    ],
)
def test_cascades(key: Any, facts: dict[str, Any], message: str | None) -> None:
    if "child" in facts:
        relationship = Relationship("Parent", "items", PARENT, CHILD, ("a",), frozenset({"delete"}), True)
        pattern: Any = registry()["orm-cascade-mismatch"]()
        findings = list(pattern.detect(Schema("models", (table(key),), relationships=(relationship,))))
    else:
        findings = cascades(key, **facts)
    assert [item.message for item in findings] == ([f"Parent.items {message}"] if message else [])


@pytest.mark.parametrize(
    ("facts", "guess"),
    [
        ({"passive_deletes": False}, False),
        ({"passive_deletes": False, "eager": True}, True),
        ({"passive_deletes": False, "eager": True, "cascade": frozenset({"merge"})}, False),
    ],
)
def test_nothing_is_spared_where_children_are_loaded_anyway(facts: dict[str, Any], guess: bool) -> None:
    (finding,) = cascades(CASCADE, **facts)
    assert finding.guess is guess


def test_what_to_do_about_a_cascade() -> None:
    (finding,) = cascades(foreign("a"))
    assert finding.remedy == Advice('Declare ForeignKey(…, ondelete="CASCADE"), or remove passive_deletes.')
    (finding,) = cascades(CASCADE, passive_deletes=False)
    assert finding.remedy == Advice('Declare relationship(cascade="all, delete-orphan", passive_deletes=True).')
    # Of two keys on the same columns nobody knows which one is meant.
    assert cascades(foreign("a"), foreign("a", referred=("other",))) == []
