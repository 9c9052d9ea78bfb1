"""Each directive: up, down and up again restore the catalog, from rendered code, on each driver and offline."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from alembic.operations import Operations

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.operations.backfill import BackfillOp
from alembic_pgpatterns.operations.columns import AddColumnWithReferenceOp, ConvertSerialToIdentityOp
from alembic_pgpatterns.operations.constraints import (
    CreateCheckNotValidOp,
    CreateForeignKeyNotValidOp,
    ValidateConstraintOp,
)
from alembic_pgpatterns.operations.default_privileges import GrantDefaultPrivilegesOp, RevokeDefaultPrivilegesOp
from alembic_pgpatterns.operations.directive import Directive
from alembic_pgpatterns.operations.enums import AddEnumValueOp
from alembic_pgpatterns.operations.extensions import CreateExtensionOp, DropExtensionOp, SetExtensionSchemaOp
from alembic_pgpatterns.operations.grants import GrantOp, RevokeOp, RevokePublicSchemaOp
from alembic_pgpatterns.operations.indexes import (
    CreateIndexConcurrentlyOp,
    DropIndexConcurrentlyOp,
    ReindexConcurrentlyOp,
)
from alembic_pgpatterns.operations.keys import CreatePrimaryKeyUsingIndexOp, CreateUniqueUsingIndexOp
from alembic_pgpatterns.operations.lock_attempts import LockAttemptsOp
from alembic_pgpatterns.operations.not_null import SetNotNullOp
from alembic_pgpatterns.operations.partitions import AttachPartitionOp, DetachPartitionOp
from alembic_pgpatterns.operations.policies import AlterPolicyOp, CreatePolicyOp, DropPolicyOp
from alembic_pgpatterns.operations.row_security import (
    DisableRowSecurityOp,
    EnableRowSecurityOp,
    ForceRowSecurityOp,
    NoForceRowSecurityOp,
)
from alembic_pgpatterns.operations.settings import (
    AlterDatabaseSetOp,
    AlterRoleSetOp,
    AlterSystemOp,
    ApplyRecommendedSettingsOp,
)
from alembic_pgpatterns.operations.storage import SetStorageParametersOp
from alembic_pgpatterns.operations.upsert import UpsertOp

S = 'My "Sch'
T = 'Or"der; DROP'
C = "%(co)l :x"

SCHEMA = """
CREATE SCHEMA "My ""Sch";
CREATE TABLE "My ""Sch"."Cust'omer" ("Id" bigint PRIMARY KEY);
CREATE TABLE "My ""Sch"."Or""der; DROP" (
    id serial PRIMARY KEY, "%(co)l :x" text, amount int NOT NULL DEFAULT 0, "Id" bigint,
    other int NOT NULL DEFAULT 0);
INSERT INTO "My ""Sch"."Or""der; DROP" ("%(co)l :x", amount) SELECT 'v' || i, i FROM generate_series(1, 25) i;
CREATE POLICY old ON "My ""Sch"."Or""der; DROP" AS RESTRICTIVE FOR UPDATE USING (id > 7) WITH CHECK (id > 8);
CREATE TYPE "My ""Sch".mood AS ENUM ('it''s', 'ok');
CREATE TABLE "My ""Sch".parted (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE "My ""Sch".parted_1 PARTITION OF "My ""Sch".parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE "My ""Sch".parted_2 PARTITION OF "My ""Sch".parted FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
    PARTITION BY RANGE (id);
CREATE TABLE "My ""Sch".parted_2a PARTITION OF "My ""Sch".parted_2 FOR VALUES FROM (0) TO (100);
CREATE TABLE "My ""Sch".loose (id int NOT NULL, at date NOT NULL);
INSERT INTO "My ""Sch".loose VALUES (1, '2027-05-05');
CREATE TABLE "My ""Sch".keyless ("N o" int NOT NULL, other int);
INSERT INTO "My ""Sch".keyless SELECT i, i FROM generate_series(1, 9) i;
"""


ROLE = """DO $$ BEGIN CREATE ROLE "Reader"; EXCEPTION WHEN duplicate_object THEN NULL; END $$"""


@dataclass(frozen=True)
class Case:
    name: str
    operations: tuple[Directive, ...]
    offline: bool = True
    restores: bool = True
    role: bool = False
    prepare: str = ""
    down: str | None = None


def case(name: str, *operations: Directive, **options: object) -> Case:
    return Case(name, operations, **options)


CASES = [
    case("row security", EnableRowSecurityOp(T, schema=S), ForceRowSecurityOp(T, schema=S)),
    case(
        "no row security",
        DisableRowSecurityOp(T, schema=S),
        NoForceRowSecurityOp(T, schema=S),
        prepare='ALTER TABLE "My ""Sch"."Or""der; DROP" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
    ),
    case("create policy", CreatePolicyOp("a; b\"'", T, using="\"%(co)l :x\" LIKE '5%:y'", command="select", schema=S)),
    case(
        "alter policy",
        AlterPolicyOp("old", T, using="id > 1", schema=S, _reverse=AlterPolicyOp("old", T, using="id > 7", schema=S)),
    ),
    case(
        "drop policy",
        DropPolicyOp(
            "old",
            T,
            schema=S,
            _reverse=CreatePolicyOp(
                "old", T, using="id > 7", with_check="id > 8", command="UPDATE", permissive=False, schema=S
            ),
        ),
    ),
    case("create extension", CreateExtensionOp("pg_trgm", schema=S)),
    case("drop extension", DropExtensionOp("pg_trgm", schema=S), prepare='CREATE EXTENSION pg_trgm SCHEMA "My ""Sch"'),
    case(
        "move extension",
        SetExtensionSchemaOp("pg_trgm", S, previous="public"),
        prepare="CREATE EXTENSION pg_trgm SCHEMA public",
    ),
    case(
        "grant",
        GrantOp(("SELECT", "update"), T, "Reader", schema=S, grant_option=True),
        GrantOp("USAGE", S, ["Reader", "public"], kind="schema"),
        GrantOp("ALL", S, "Reader", kind="all sequences"),
        GrantOp("USAGE", "mood", "Reader", kind="type", schema=S),
        role=True,
    ),
    case(
        "revoke",
        RevokeOp("SELECT", T, "Reader", schema=S),
        RevokeOp("USAGE", S, "Reader", kind="schema"),
        RevokePublicSchemaOp(S, previous=("CREATE",)),
        role=True,
        prepare='GRANT SELECT ON "My ""Sch"."Or""der; DROP" TO "Reader"; GRANT USAGE ON SCHEMA "My ""Sch" TO "Reader";'
        'GRANT CREATE ON SCHEMA "My ""Sch" TO PUBLIC',
    ),
    case(
        "default privileges",
        GrantDefaultPrivilegesOp("SELECT", "tables", "Reader", schema=S),
        GrantDefaultPrivilegesOp("ALL", "sequences", "Reader"),
        RevokeDefaultPrivilegesOp("EXECUTE", "functions", "public"),
        role=True,
    ),
    case(
        "database settings",
        AlterDatabaseSetOp("statement_timeout", "3s", previous=None),
        AlterDatabaseSetOp("app.tenant", "it's 100% \\ :x $$", previous="old"),
        AlterDatabaseSetOp("search_path", [S, "public"]),
        ApplyRecommendedSettingsOp(memory_mb=8192, previous={"lock_timeout": "1s"}),
        prepare="""DO $$ BEGIN EXECUTE format('ALTER DATABASE %1$I SET app.tenant = ''old''', current_database());
            EXECUTE format('ALTER DATABASE %1$I SET lock_timeout = ''1s''', current_database()); END $$""",
    ),
    case("role settings", AlterRoleSetOp("Reader", "work_mem", "5MB"), role=True),
    case("system settings", AlterSystemOp("log_min_duration_statement", 500)),
    case(
        "storage parameters",
        SetStorageParametersOp(
            T,
            {"fillfactor": 70, "autovacuum_enabled": None, "toast.autovacuum_enabled": False},
            previous={"autovacuum_enabled": "off"},
            schema=S,
        ),
        prepare='ALTER TABLE "My ""Sch"."Or""der; DROP" SET (autovacuum_enabled = off)',
    ),
    case(
        "index",
        CreateIndexConcurrentlyOp(
            'I"x %', T, [C, sa.text('lower("%(co)l \\:x")')], schema=S, postgresql_where=sa.text("id > 3")
        ),
    ),
    case(
        "unique index",
        CreateIndexConcurrentlyOp("ux", T, ["amount"], schema=S, unique=True, postgresql_include=["id"]),
    ),
    case(
        "drop index",
        DropIndexConcurrentlyOp('I"x', T, schema=S, _reverse=CreateIndexConcurrentlyOp('I"x', T, ["amount"], schema=S)),
        prepare='CREATE INDEX "I""x" ON "My ""Sch"."Or""der; DROP" (amount)',
    ),
    case("partitioned index", CreateIndexConcurrentlyOp("px", "parted", ["id", "at"], schema=S), offline=False),
    case("reindex", ReindexConcurrentlyOp(table_name=T, schema=S)),
    case(
        "foreign key",
        CreateForeignKeyNotValidOp(
            'f"k', T, "Cust'omer", ["Id"], ["Id"], source_schema=S, referent_schema=S, ondelete="CASCADE"
        ),
        ValidateConstraintOp('f"k', T, schema=S),
    ),
    case(
        "check",
        CreateCheckNotValidOp('c"k', T, "\"%(co)l :x\" <> '5% :y'", schema=S),
        ValidateConstraintOp('c"k', T, schema=S),
    ),
    case("not null", SetNotNullOp(T, C, schema=S)),
    case("unique", CreateUniqueUsingIndexOp('u"q', T, [C], schema=S, deferrable=True)),
    case("primary key", CreatePrimaryKeyUsingIndexOp('p"k', "keyless", ["N o"], schema=S)),
    case(
        "column with reference",
        AddColumnWithReferenceOp(
            T,
            sa.Column("c%1", sa.BigInteger, comment="it's"),
            "Cust'omer",
            "Id",
            constraint_name='f"k',
            referent_schema=S,
            ondelete="SET NULL",
            deferrable=True,
            schema=S,
        ),
    ),
    case(
        "identity",
        ConvertSerialToIdentityOp(T, "id", schema=S),
        role=True,
        prepare="""
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA "My ""Sch" TO "Reader" """,
    ),
    case("enum value", AddEnumValueOp("mood", "it's; \\", before="it's", schema=S), restores=False),
    case(
        "attach",
        AttachPartitionOp("parted", "loose", "FROM ('2027-01-01') TO ('2028-01-01')", schema=S),
        offline=False,
    ),
    case(
        "detach",
        DetachPartitionOp("parted", "parted_1", "FROM ('2025-01-01') TO ('2026-01-01')", schema=S),
        offline=False,
    ),
    case(
        "lock attempts",
        LockAttemptsOp("2s", 3, _ops=[EnableRowSecurityOp(T, schema=S), ForceRowSecurityOp(T, schema=S)]),
    ),
    case(
        "backfill",
        BackfillOp(T, {"other": sa.text("amount * 2"), C: "it's 5% :x"}, "other = 0", 10, schema=S),
        offline=False,
        restores=False,
    ),
    case(
        "upsert",
        UpsertOp("Cust'omer", [{"Id": 1}, {"Id": 2}], ["Id"], schema=S),
        UpsertOp(T, [{"id": 1, C: "x'; \\ 5% :y"}, {"id": 99, C: None}], ["id"], schema=S),
        restores=False,
    ),
]


@pytest.mark.sample(6)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_up_down_up(any_lab, case, rendered, as_migration):
    if case.role:
        any_lab.database.execute(ROLE)
    any_lab.database.execute(SCHEMA)
    any_lab.database.execute(case.prepare or "SELECT 1")
    up = as_migration(rendered(*case.operations))
    down = as_migration(rendered(*[operation.reverse() for operation in reversed(case.operations)]))
    before = any_lab.dump()

    any_lab.upgrade(up, "asyncpg")
    after = any_lab.dump()
    assert (after != before) or case.name in ("reindex", "system settings")
    any_lab.upgrade(down, "psycopg_async")
    if case.restores:
        assert any_lab.dump() == before
    any_lab.upgrade(up, "psycopg2")
    any_lab.upgrade(down, "psycopg")

    if not case.offline and case.name not in ("partitioned index", "detach"):
        with pytest.raises(PgPatternsError, match=r"cannot be written as SQL \(--sql\)"):
            any_lab.sql(up)
    elif case.offline:
        any_lab.psql(any_lab.sql(up))
        assert any_lab.dump() == after
        any_lab.psql(any_lab.sql(down, "asyncpg"))
    assert not case.restores or any_lab.dump() == before


def test_directives_made_from_models_render_and_run(lab, rendered, as_migration):
    metadata = sa.MetaData()
    sa.Table("parent", metadata, sa.Column("id", sa.BigInteger, primary_key=True), schema=S)
    child = sa.Table(
        "child",
        metadata,
        sa.Column("id", sa.BigInteger),
        sa.Column("a", sa.Text),
        sa.Column("parent_id", sa.BigInteger),
        sa.Index("ix", "a", sa.text("lower(a) DESC"), postgresql_where=sa.text("a <> 'x'")),
        sa.CheckConstraint("a <> '12:30'", name="ck_text"),
        sa.UniqueConstraint("a", "id", name="uq", deferrable=True, initially="DEFERRED"),
        schema=S,
    )
    expression = sa.CheckConstraint(child.c.id > 5, name="ck_expression")
    child.append_constraint(expression)
    key = sa.ForeignKeyConstraint(["parent_id"], [f"{S}.parent.id"], name="fk", ondelete="SET NULL")
    child.append_constraint(key)
    later = sa.Column("later_id", sa.ForeignKey(f"{S}.parent.id", name="fk2", onupdate="CASCADE"))
    child.append_column(later)
    pk = sa.PrimaryKeyConstraint("id", name="pk")
    child.append_constraint(pk)
    [index], [unique] = child.indexes, [c for c in child.constraints if isinstance(c, sa.UniqueConstraint)]
    checks = [c for c in child.constraints if isinstance(c, sa.CheckConstraint)]
    operations = [
        AddColumnWithReferenceOp.from_column(later),
        CreateIndexConcurrentlyOp.from_index(index),
        CreateForeignKeyNotValidOp.from_constraint(key),
        *map(CreateCheckNotValidOp.from_constraint, checks),
        CreateUniqueUsingIndexOp.from_constraint(unique),
        CreatePrimaryKeyUsingIndexOp.from_constraint(pk),
    ]
    lab.database.execute(
        'CREATE SCHEMA "My ""Sch"; CREATE TABLE "My ""Sch".parent (id bigint PRIMARY KEY);'
        'CREATE TABLE "My ""Sch".child (id bigint, a text, parent_id bigint)'
    )
    before = lab.dump()
    lab.upgrade(as_migration(rendered(*operations)))
    names = lab.query("SELECT conname FROM pg_constraint WHERE conrelid::regclass::text LIKE '%child'")
    made = {name for (name,) in names}
    assert made >= {"fk", "fk2", "ck_text", "ck_expression", "uq", "pk"}
    lab.upgrade(as_migration(rendered(*[each.reverse() for each in reversed(operations)])))
    lab.database.execute('ALTER TABLE "My ""Sch".child ALTER id DROP NOT NULL')
    assert lab.dump() == before
    assert str(DropIndexConcurrentlyOp.from_index(index).to_diff_tuple())


def test_every_directive_is_a_method_that_says_what_it_locks():
    names = {operation.name for each in CASES for operation in each.operations} | {"lock_attempts", "reset_settings"}
    assert names >= {cls.name for cls in _subclasses(Directive) if hasattr(Operations, getattr(cls, "name", " "))} - {
        "convert_identity_to_serial"
    }
    for name in names:
        text = getattr(Operations, name).__doc__
        for word in ("Lock:", "Errors:", "Reversible:", "Offline:"):
            assert word in re.sub(r"Errors, needs:", "Errors:", text), (name, word)


def _subclasses(cls: type) -> set[type]:
    return {sub for each in cls.__subclasses__() for sub in {each, *_subclasses(each)}}
