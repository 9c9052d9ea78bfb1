"""Type patterns on models: what they mean, and that what they enforce comes to rest."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

import pytest
from sqlalchemy import (
    CHAR,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    MetaData,
    Numeric,
    Sequence,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    Unicode,
    Uuid,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, registry
from alembic_pgpatterns.remedies.apply import apply
from alembic_pgpatterns.remedies.model import Advice, ChangeType
from alembic_pgpatterns.schema.catalog import reader as catalog
from tests import reader as metadata

pytestmark = pytest.mark.usefixtures("held_messages")

ROUNDS = 10
ENFORCED = [
    pattern(target_version=18)
    for pattern in registry().values()
    if pattern.folder == "types" and pattern.action is Action.ENFORCE and issubclass(pattern, SchemaPattern)
]


class Lower(TypeDecorator[str]):
    impl = String(40)
    cache_ok = True


def find(name: str, declared: MetaData, target: int | None = 18, **options: object) -> list[Finding]:
    kind = registry()[name]
    schema = metadata.read(declared, target_version=target)
    return list(kind(kind.Options(**options), target_version=target).detect(schema))


def objects(name: str, declared: MetaData, **options: object) -> set[str]:
    return {finding.object for finding in find(name, declared, **options)}


def settle(declared: MetaData) -> int:
    """Apply what is enforced until it is silent, as autogenerate does; the rounds it took."""
    for number in range(ROUNDS):
        schema = metadata.read(declared, target_version=18)
        findings = [finding for pattern in ENFORCED for finding in pattern.detect(schema)]
        remedies = {finding.remedy for finding in findings if not isinstance(finding.remedy, Advice | None)}
        changed = [apply(remedy, declared, "public") for remedy in sorted(remedies, key=repr)]
        assert all(changed), "a remedy that models cannot express"
        if not remedies:
            return number
    raise AssertionError(f"still found: {sorted(finding.fingerprint for finding in findings)}")


def strings() -> MetaData:
    declared = MetaData()
    Table(
        "account",
        declared,
        Column("id", BigInteger, primary_key=True),
        Column("plain", String(50)),
        Column("unicode", Unicode(50)),
        Column("collated", String(50, collation="C")),
        Column("listed", postgresql.ARRAY(String(255, collation="C"))),
        Column("few", postgresql.ARRAY(String(5))),
        Column("variant", String(9).with_variant(String(20), "postgresql")),
        Column("fixed", CHAR(3)),
        Column("unlimited", String),
        Column("text", Text),
        Column("elsewhere", String(9).with_variant(Text(), "postgresql")),
        Column("decorated", Lower),
        Column("enum", Enum("a", "b", native_enum=False)),
        Column("native", Enum("a", "b", name="letter")),
        Column("source", String(9)),
        Column("made", Text, Computed("lower(source)")),
    )
    return declared


def test_which_strings_are_meant() -> None:
    found = {name.removeprefix("public.account.") for name in objects("varchar-length", strings())}
    assert found == {"plain", "unicode", "collated", "listed", "few", "variant", "source"}
    assert objects("fixed-char", strings()) == {"public.account.fixed"}


def test_type_decorators_are_meant_by_setting_and_enums_never() -> None:
    more = objects("varchar-length", strings(), type_decorators=True) - objects("varchar-length", strings())
    assert more == {"public.account.decorated"}


def test_what_stands_in_the_way_is_described() -> None:
    remedies = {item.object.rpartition(".")[2]: item.remedy for item in find("varchar-length", strings())}
    texts = [remedy.text for remedy in (remedies["source"], remedies["few"]) if isinstance(remedy, Advice)]
    assert texts == [
        "alembic pgfix changes public.account.source to text. PostgreSQL refuses the statement alone, since the "
        "generated column made reads it: the revision drops that and creates it again.",
        "public.account.few must be changed by a person: no CHECK can keep the limit of an array's elements.",
    ]


def test_strings_settle_and_keep_collation_arrays_and_what_is_not_meant() -> None:
    declared = strings()
    before = {column.name: column.type for column in declared.tables["account"].columns}
    settle(declared)
    types = {column.name: column.type for column in declared.tables["account"].columns}
    assert isinstance(types["collated"], Text)
    assert types["collated"].collation == "C"
    assert isinstance(types["listed"], postgresql.ARRAY)
    assert (type(types["listed"].item_type), types["listed"].item_type.collation) == (Text, "C")
    for name in ("decorated", "enum", "native", "elsewhere", "source", "unlimited", "few"):
        assert types[name] is before[name]


LIMITS = "varchar-length"


@pytest.mark.parametrize(
    ("length", "options", "kept", "severity"),
    [
        (255, {}, False, "warning"),
        (80, {}, True, "info"),
        (80, {"guessed_limits": (80,)}, False, "warning"),
        (255, {"guessed_limits": (80,)}, True, "info"),
        (80, {"keep_limit": "never"}, False, "info"),
        (255, {"keep_limit": "always"}, True, "warning"),
        *((length, {}, False, "warning") for length in (191, 250, 256, 500, 1000, 4000)),
    ],
)
def test_a_limit_that_somebody_chose_is_kept_as_a_check(length: int, options: Any, kept: bool, severity: str) -> None:
    declared = MetaData()
    Table("account", declared, Column("id", BigInteger, primary_key=True), Column("Full Name", String(length)))
    (found,) = find(LIMITS, declared, **options)
    assert isinstance(found.remedy, ChangeType)
    assert (found.remedy.changes[0].check is not None, str(found.severity)) == (kept, severity)
    apply(found.remedy, declared, "public")
    checks = [item for item in declared.tables["account"].constraints if isinstance(item, CheckConstraint)]
    assert [str(item.sqltext) for item in checks] == ([f'char_length("Full Name") <= {length}'] if kept else [])


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("char_length(code) <= 9", True),
        ("code IN ('a', 'bc')", True),
        ("length(code) BETWEEN 1 AND 5 AND code <> ''", True),
        ("char_length(code) <= 10", False),
        ("char_length(other) <= 3", False),
        ("code ~ '^[a-z]{3}$'", False),
    ],
)
def test_a_limit_that_a_check_keeps_already_is_not_repeated(condition: str, kept: bool) -> None:
    declared = MetaData()
    columns = (Column("id", BigInteger, primary_key=True), Column("code", String(9)), Column("other", Text))
    Table("account", declared, *columns, CheckConstraint(condition, name="c"))
    (found,) = find(LIMITS, declared)
    assert isinstance(found.remedy, ChangeType)
    assert (found.remedy.changes[0].check is None) == kept


@pytest.mark.parametrize(
    ("template", "label", "name"),
    [
        (None, "ck_account_code_length", "ck_account_code_length"),
        ("ck_%(table_name)s_%(constraint_name)s", "code_length", "ck_account_code_length"),
        ("%(constraint_name)s_%(table_name)s", "code_length", "code_length_account"),
        ("ck_%(of_our_own)s_%(constraint_name)s", "ck_account_code_length", "ck_account_code_length"),
    ],
)
def test_the_check_has_the_name_that_the_models_convention_makes(template: str | None, label: str, name: str) -> None:
    declared = MetaData(naming_convention={"ck": template} if template else None)
    Table("account", declared, Column("id", BigInteger, primary_key=True), Column("code", String(9)))
    (found,) = find(LIMITS, declared)
    assert isinstance(found.remedy, ChangeType)
    (change,) = found.remedy.changes
    assert (change.check_label, change.check_name) == (label, name)
    if template and "own" not in template:
        table = Table("account", MetaData(naming_convention={"ck": template}), CheckConstraint("true", name=label))
        assert name in str(CreateTable(table))


def test_a_referencing_column_needs_no_check_of_its_own_and_a_free_name_is_taken() -> None:
    declared = MetaData()
    taken = CheckConstraint("code <> ''", name="ck_parent_code_length")
    Table("parent", declared, Column("code", String(9), primary_key=True), taken)
    Table("child", declared, Column("code", String(9), ForeignKey("parent.code"), primary_key=True))
    (remedy,) = {found.remedy for found in find(LIMITS, declared)}
    assert isinstance(remedy, ChangeType)
    assert {change.table.name: change.check_name for change in remedy.changes} == {
        "parent": "ck_parent_code_limit",
        "child": None,
    }


def keys() -> MetaData:
    """A chain of foreign keys, a fork, a composite key, a key of text, and one that a TypeDecorator holds back."""
    declared = MetaData()
    Table("author", declared, Column("id", Integer, primary_key=True))
    Table(
        "book",
        declared,
        Column("id", Integer, Identity(), primary_key=True),
        Column("author_id", ForeignKey("author.id")),
    )
    Table("cover", declared, Column("book_id", Integer, ForeignKey("book.id"), primary_key=True))
    Table("scan", declared, Column("id", BigInteger, primary_key=True), Column("cover_id", ForeignKey("cover.book_id")))
    Table("small", declared, Column("id", SmallInteger, Sequence("small_seq"), primary_key=True))
    Table("both", declared, Column("id", BigInteger, primary_key=True), Column("x", Integer))
    declared.tables["both"].append_constraint(ForeignKeyConstraint(["x"], ["small.id"]))
    declared.tables["both"].append_constraint(ForeignKeyConstraint(["x"], ["author.id"]))
    Table("country", declared, Column("iso", String(2), primary_key=True))
    Table("city", declared, Column("iso", String(3), ForeignKey("country.iso"), primary_key=True))
    Table("slug", declared, Column("id", Lower, primary_key=True))
    Table("page", declared, Column("slug", String(40), ForeignKey("slug.id"), primary_key=True))
    Table("code", declared, Column("id", Integer, primary_key=True, autoincrement=False))
    return declared


def test_a_key_and_all_that_points_at_it_change_together() -> None:
    (found,) = [item for item in find("integer-primary-key", keys()) if item.object == "public.author.id"]
    assert isinstance(found.remedy, ChangeType)
    assert found.remedy.rewrites
    changed = {f"{change.table.name}.{change.column}" for change in found.remedy.changes}
    assert changed == {"author.id", "book.author_id", "both.x", "small.id"}
    (found,) = [item for item in find("integer-primary-key", keys()) if item.object == "public.book.id"]
    assert {change.table.name for change in found.remedy.changes} == {"book", "cover", "scan"}


def test_a_code_that_nothing_counts_is_no_finding() -> None:
    assert objects("integer-primary-key", keys()) == {"public.author.id", "public.book.id", "public.small.id"}


def test_a_group_that_one_member_holds_back_stays_as_it_is() -> None:
    (found,) = [item for item in find("varchar-length", keys()) if item.object == "public.page.slug"]
    assert isinstance(found.remedy, Advice)
    assert "public.slug.id" in found.remedy.text


def test_keys_settle_and_the_database_made_from_them_agrees(database) -> None:
    declared = keys()
    assert settle(declared) <= 3
    declared.create_all(database.engine())
    with database.connect() as connection:
        schema = catalog.read(connection)
    left = {finding.object for pattern in ENFORCED for finding in pattern.detect(schema)}
    # The type decorator's own column: the database alone cannot tell that Python chose it.
    assert left <= {"public.slug.id", "public.page.slug"}


@pytest.mark.parametrize("name", ["integer-primary-key", "foreign-key-type-mismatch", "varchar-length"])
def test_one_pattern_alone_settles(name: str) -> None:
    declared = keys()
    pattern = registry()[name](target_version=18)
    for finding in list(pattern.detect(metadata.read(declared, target_version=18))):
        if isinstance(finding.remedy, ChangeType):
            apply(finding.remedy, declared, "public")
    left = list(pattern.detect(metadata.read(declared, target_version=18)))
    assert all(isinstance(finding.remedy, Advice) for finding in left)


def test_only_a_narrower_child_is_a_mismatch_of_whole_numbers() -> None:
    declared = MetaData()
    Table("wide", declared, Column("id", BigInteger, primary_key=True), Column("n", ForeignKey("narrow.id")))
    declared.tables["wide"].c.n.type = BigInteger()
    Table("narrow", declared, Column("id", Integer, primary_key=True, autoincrement=False))
    Table("x", declared, Column("id", Integer, ForeignKey("wide.id"), primary_key=True))
    changes = {
        (change.table.name, change.column, change.new)
        for finding in find("foreign-key-type-mismatch", declared)
        for change in finding.remedy.changes
    }
    assert changes == {("x", "id", "bigint")}


def test_the_length_of_an_enum_is_no_mismatch() -> None:
    declared = MetaData()
    Table("kind", declared, Column("id", Enum("llm", "code", native_enum=False), primary_key=True))
    Table("one", declared, Column("kind", Enum("llm", native_enum=False), ForeignKey("kind.id"), primary_key=True))
    Table("two", declared, Column("kind", Text, ForeignKey("kind.id"), primary_key=True))
    assert objects("foreign-key-type-mismatch", declared) == set()


def test_a_mismatch_that_no_type_covers_is_described() -> None:
    declared = MetaData()
    # SQLAlchemy before 2.1 makes a serial of a numeric key that may count.
    Table("price", declared, Column("id", Numeric, primary_key=True, autoincrement=False))
    Table("item", declared, Column("id", BigInteger, primary_key=True), Column("p", BigInteger, ForeignKey("price.id")))
    (found,) = find("foreign-key-type-mismatch", declared)
    assert isinstance(found.remedy, Advice)
    assert str(found.severity) == "error"


def test_python_side_uuids_are_seen() -> None:
    declared = MetaData()
    Table("device", declared, Column("id", Uuid, primary_key=True, default=uuid.uuid4))
    Table("token", declared, Column("id", Uuid, primary_key=True))
    Table("upload", declared, Column("id", String(36), primary_key=True, default=lambda: str(uuid.uuid4())))
    (found,) = find("random-uuid-primary-key", declared)
    assert found.object == "public.device.id"
    # The application may need the id before the flush: the default stays in Python.
    assert isinstance(found.remedy, Advice)
    (found,) = find("uuid-as-text", declared)
    assert (found.object, type(found.remedy)) == ("public.upload.id", Advice)


@pytest.mark.parametrize("target", [None, 15, 17])
def test_uuidv7_is_not_proposed_below_18(target: int | None) -> None:
    declared = MetaData()
    Table("device", declared, Column("id", Uuid, primary_key=True, default=uuid.uuid4))
    (found,) = find("random-uuid-primary-key", declared, target=target)
    assert isinstance(found.remedy, Advice)


def test_the_suggestions_see_models_as_they_see_databases(database) -> None:
    declared = MetaData()
    Table(
        "mixed",
        declared,
        Column("id", BigInteger, primary_key=True),
        Column("at", DateTime),
        Column("rounded", postgresql.TIMESTAMP(timezone=True, precision=0)),
        Column("clock", postgresql.TIME(timezone=True)),
        Column("price", Float),
        Column("amount", postgresql.MONEY),
        Column("payload", JSON),
        Column("file_uuid", String(36)),
        Column("is_open", Integer),
        Column("active", CHAR(1), CheckConstraint("active IN ('Y', 'N')", name="active_check")),
        Column("flag", Boolean),
        Column("number", Integer, Identity()),
    )
    declared.create_all(database.engine())
    with database.connect() as connection:
        from_database = catalog.read(connection)
    from_models = metadata.read(declared, target_version=18)
    patterns = [kind(target_version=18) for kind in registry().values() if kind.folder == "types"]
    for pattern in patterns:
        both = [[finding.fingerprint for finding in pattern.detect(schema)] for schema in (from_models, from_database)]
        assert both[0] == both[1]
    assert sum(1 for pattern in patterns if list(pattern.detect(from_models))) >= 9


@pytest.mark.parametrize("clock", [datetime.datetime.utcnow, datetime.datetime.now, datetime.datetime.today])
def test_a_clock_without_a_zone_is_told(clock) -> None:
    declared = MetaData()
    Table("visit", declared, Column("at", DateTime, default=clock), Column("to", DateTime))
    pattern = registry()["timestamp-without-time-zone"](target_version=18)
    messages = {finding.at.name: finding.message for finding in pattern.detect(metadata.read(declared))}
    assert "default=lambda: datetime.now(timezone.utc)" in messages["at"]
    assert "default" not in messages["to"]
