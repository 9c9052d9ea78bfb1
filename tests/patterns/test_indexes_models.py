"""What only models say of indexes."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from alembic_pgpatterns.patterns import Finding, SchemaPattern, registry
from alembic_pgpatterns.remedies.apply import apply
from alembic_pgpatterns.remedies.model import Advice, CreateIndex, ReplaceIndex, ReplaceUnique
from alembic_pgpatterns.remedies.naming import index_name
from tests import reader as metadata

pytestmark = pytest.mark.usefixtures("held_messages")


def table(*parts: Any, name: str = "person") -> Table:
    return Table(name, MetaData(), Column("id", BigInteger, primary_key=True), *parts)


def found(pattern: str, made: Table) -> list[Finding]:
    kind: Any = registry()[pattern]
    checked: SchemaPattern = kind(target_version=18)
    return list(checked.detect(metadata.read(made.metadata, target_version=18)))


def fetching(*columns: str) -> dict[str, Any]:
    return {"pgpatterns": {"fetches": list(columns)}}


@pytest.mark.parametrize("unique", [False, True], ids=["plain", "unique"])
def test_what_an_index_fetches_can_be_said_of_its_column(unique: bool) -> None:
    column = Column("mail", Text, unique=unique, index=True, info=fetching("name"))
    made = table(column, Column("name", Text))
    (finding,) = found("uncovered-lookup", made)
    assert isinstance(finding.remedy, ReplaceIndex)
    assert finding.remedy.new.include == ("name",)
    assert finding.remedy.new.unique is bool(column.unique)
    assert apply(finding.remedy, made.metadata, "public")
    assert found("uncovered-lookup", made) == []


def test_a_unique_column_is_covered_by_a_unique_index() -> None:
    made = table(Column("mail", Text, unique=True, info=fetching("name")), Column("name", Text))
    (finding,) = found("uncovered-lookup", made)
    assert isinstance(finding.remedy, ReplaceUnique)
    assert finding.remedy.constraint is None
    assert (finding.remedy.new.unique, finding.remedy.new.include) == (True, ("name",))
    assert apply(finding.remedy, made.metadata, "public")
    assert found("uncovered-lookup", made) == []


def test_a_unique_constraint_says_it_too() -> None:
    rule = UniqueConstraint("mail", "kind", name="rule", info=fetching("name"))
    made = table(Column("mail", Text), Column("kind", Text), Column("name", Text), rule)
    (finding,) = found("uncovered-lookup", made)
    assert isinstance(finding.remedy, ReplaceUnique)
    assert finding.remedy.constraint == "rule"


@pytest.mark.parametrize(
    ("fetched", "why"),
    [
        (["doc"], "too wide"),
        (["blob"], "too wide"),
        (["name", "a", "b", "c"], "at most 3"),
        (["nome"], "no column nome"),
    ],
)
def test_what_cannot_be_kept_in_an_index_is_described(fetched: list[str], why: str) -> None:
    others = (Column("doc", JSONB), Column("blob", LargeBinary), *(Column(name, Integer) for name in "abc"))
    made = table(Column("mail", Text, index=True, info=fetching(*fetched)), Column("name", Text), *others)
    (finding,) = found("uncovered-lookup", made)
    assert isinstance(finding.remedy, Advice)
    assert why in finding.remedy.text


def test_a_key_that_others_point_at_keeps_its_constraint() -> None:
    made = table(Column("mail", Text, unique=True, info=fetching("name")), Column("name", Text))
    Table("letter", made.metadata, Column("mail", Text, ForeignKey("person.mail"), primary_key=True))
    (finding,) = found("uncovered-lookup", made)
    assert isinstance(finding.remedy, Advice)


def test_what_is_included_or_a_key_is_covered() -> None:
    made = table(Column("mail", Text), Column("name", Text), Column("age", Integer))
    Index("by_mail", made.c.mail, made.c.age, postgresql_include=["name"], info=fetching("name", "age"))
    assert found("uncovered-lookup", made) == []


def test_predicates_written_in_python_are_understood() -> None:
    made = table(Column("name", Text), Column("deleted_at", DateTime(timezone=True)))
    Index("living", made.c.name, postgresql_where=made.c.deleted_at.is_(None))
    assert found("index-on-soft-deleted", made) == []
    Index("all", made.c.name)
    assert [finding.object for finding in found("index-on-soft-deleted", made)] == ['public."all"']


def test_an_unnamed_unique_constraint_is_replaced_by_its_columns() -> None:
    made = table(Column("mail", Text, unique=True), Column("deleted_at", DateTime(timezone=True)))
    (finding,) = found("unique-across-soft-deleted", made)
    assert isinstance(finding.remedy, ReplaceUnique)
    assert (finding.remedy.constraint, finding.remedy.columns) == (None, ("mail",))
    assert apply(finding.remedy, made.metadata, "public")
    assert found("unique-across-soft-deleted", made) == []


def test_uuids_made_in_python_never_come_back() -> None:
    made = table(Column("tag", Text, unique=True, default=uuid.uuid4), Column("deleted_at", DateTime))
    assert found("unique-across-soft-deleted", made) == []


@pytest.mark.parametrize("default", ["pending", "QUEUED"])
def test_a_default_of_python_makes_a_queue(default: str) -> None:
    made = table(Column("status", Text, default=default), Column("created_at", DateTime))
    (finding,) = found("unindexed-queue", made)
    assert isinstance(finding.remedy, CreateIndex)
    assert finding.remedy.where == f"status = '{default}'"


@pytest.mark.parametrize("default", ["draft", 7, lambda: "pending"])
def test_other_defaults_of_python_do_not(default: Any) -> None:
    made = table(Column("status", Text, default=default), Column("created_at", DateTime))
    assert found("unindexed-queue", made) == []


def test_flags_of_models() -> None:
    kind = Enum("on", "off", name="switch")
    made = table(
        Column("is_open", Boolean, default=True, index=True),
        Column("side", kind, index=True),
        Column("text_side", Enum("on", "off", native_enum=False), index=True),
    )
    findings = {finding.object: finding.remedy for finding in found("index-on-flag", made)}
    assert findings.keys() == {"public.ix_person_is_open", "public.ix_person_side"}
    # Which value is searched for is not known from the models.
    assert all(isinstance(remedy, Advice) for remedy in findings.values())


def test_one_index_serves_two_keys_of_which_one_is_part_of_the_other() -> None:
    made = MetaData()
    Table("tenant", made, Column("id", BigInteger, primary_key=True))
    account = Table(
        "account",
        made,
        Column("tenant_id", BigInteger, primary_key=True),
        Column("id", Integer, primary_key=True),
    )
    booking = Table(
        "booking",
        made,
        Column("id", BigInteger, primary_key=True),
        Column("tenant_id", BigInteger, ForeignKey("tenant.id")),
        Column("account_id", Integer),
    )
    booking.append_constraint(ForeignKeyConstraint(["account_id", "tenant_id"], [account.c.id, account.c.tenant_id]))
    findings = found("unindexed-foreign-key", booking)
    remedies = {finding.object: finding.remedy for finding in findings}
    single = remedies["public.booking(tenant_id)"]
    assert isinstance(single, CreateIndex)
    assert [key.column for key in single.keys] == ["tenant_id", "account_id"]
    assert remedies["public.booking(account_id, tenant_id)"] == single
    assert apply(single, made, "public")
    assert found("unindexed-foreign-key", booking) == []


def test_two_tables_never_get_an_index_of_one_name() -> None:
    made = MetaData()
    Table("parent", made, Column("id", BigInteger, primary_key=True))
    for name, column in (("a_b", "c_id"), ("a", "b_c_id"), ("other", "c_id")):
        Table(name, made, Column("id", BigInteger, primary_key=True), Column(column, ForeignKey("parent.id")))
    remedies = [finding.remedy for finding in found("unindexed-foreign-key", made.tables["parent"])]
    names = [index_name(remedy) for remedy in remedies if isinstance(remedy, CreateIndex)]
    assert sorted(names) == ["ix_a_b_c_id", "ix_a_b_c_id_2", "ix_other_c_id"]
