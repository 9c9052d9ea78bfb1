"""Declared state converges: the second autogenerate is empty, and the way down restores what was there."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic_pgpatterns.declare import (
    DefaultPrivileges,
    Extension,
    Grant,
    Policy,
    RowSecurity,
    StorageParameters,
    declare,
)
from alembic_pgpatterns.schema.names import quote

TENANT = "tenant_id = (select current_setting('app.tenant')::bigint)"

EXPRESSIONS = {
    "cast": "owner = current_user::text",
    "sub-select": TENANT,
    "correlated": "EXISTS (SELECT 1 FROM member m WHERE m.tenant_id = document.tenant_id AND m.name = current_user)",
    "itself": "id IN (SELECT id FROM document WHERE owner = 'x')",
    "function": "lower(owner) = any(string_to_array(current_setting('app.owners', true), ','))",
    "array": "tags && ARRAY['public', 'shared']",
    "in-list": "owner IN ('a','b') and not id between 3 and 4",
    "case": "CASE WHEN tenant_id > 5 THEN owner LIKE 'x%' ELSE owner ~* '^y' END",
    "json": "(payload ->> 'owner') = owner AND payload @> '{\"a\": 1}'",
    "time": "created > now() - interval '1 day' and created::date < date '2030-01-01'",
    "null": "coalesce(owner, '') <> '' AND tenant_id IS NOT NULL",
    "quoted": "\"Odd \"\"Col\" = 'it''s 100% :sure'",
}


def models(*args: object, schema: str | None = None) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("member", metadata, sa.Column("tenant_id", sa.BigInteger), sa.Column("name", sa.Text))
    sa.Table(
        "document",
        metadata,
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("tenant_id", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("tags", postgresql.ARRAY(sa.Text)),
        sa.Column("payload", postgresql.JSONB),
        sa.Column("created", sa.DateTime(timezone=True)),
        sa.Column('Odd "Col', sa.Text),
        *args,
        schema=schema,
    )
    return metadata


@pytest.mark.sample(2)
def test_policies_converge_however_they_are_spelled(any_lab):
    policies = [Policy(f'Mine "{name}"', using=sql, with_check=sql) for name, sql in EXPRESSIONS.items()]
    code = any_lab.converge(models(RowSecurity(force=True), *policies))
    assert code.count("op.create_policy(") == len(policies) and "pgpatterns" not in code
    # and once more with the table there already: another expression, then back by way of ALTER
    changed = [Policy(policy.name, using="id > 0", with_check="id > 0") for policy in policies]
    assert any_lab.converge(models(RowSecurity(force=True), *changed)).count("op.alter_policy(") == len(policies)
    assert "op.alter_policy(" in any_lab.converge(models(RowSecurity(force=True), *policies))


def test_a_policy_of_a_schema_that_is_not_in_the_search_path(lab):
    lab.database.execute('CREATE SCHEMA "Ten ant"; CREATE SCHEMA other')
    policy = Policy("p", using='id IN (SELECT d.id FROM "Ten ant".document d WHERE d.owner = document.owner)')
    lab.converge(models(RowSecurity(), policy, schema="Ten ant"), include_schemas=True)


def test_what_is_not_declared_is_left_alone(lab, role):
    lab.upgrade(lambda op: models().create_all(op.get_bind()))
    lab.database.execute(
        """
        ALTER TABLE document ENABLE ROW LEVEL SECURITY, SET (fillfactor = 50);
        CREATE POLICY p ON document USING (true);
        GRANT SELECT ON document TO "Reader";
        ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO "Reader";
        CREATE EXTENSION pg_trgm;
        """
    )
    assert lab.autogenerate(models()).upgrade_ops.is_empty()


def test_policies_of_a_managed_table_that_are_not_declared_go_and_come_back(lab):
    lab.upgrade(lambda op: models().create_all(op.get_bind()))
    lab.database.execute(
        "CREATE POLICY a ON document AS RESTRICTIVE FOR UPDATE USING (id > 1) WITH CHECK (id > 2);"
        "CREATE POLICY b ON document FOR INSERT WITH CHECK (owner = 'x');"
        "CREATE POLICY c ON document"
    )
    code = lab.converge(models(RowSecurity(enabled=False)))
    assert code.count("op.drop_policy(") == 3


def test_a_changed_command_or_lost_expression_is_a_new_policy(lab):
    lab.converge(models(RowSecurity(), Policy("p", using="id > 0", with_check="id > 1")))
    assert "op.alter_policy(" not in lab.converge(models(RowSecurity(), Policy("p", using="id > 0")))
    code = lab.converge(models(RowSecurity(), Policy("p", using="id > 0", command="select")))
    assert "op.drop_policy(" in code and "op.create_policy(" in code


def test_a_policy_does_not_stand_in_the_way_of_its_columns(lab):
    lab.converge(models(RowSecurity(), Policy("p", using="owner = 'x'")))
    other = models(RowSecurity(), Policy("p", using="owner = 'x'"))
    other.tables["document"].c.owner.type = sa.String(50)
    code = lab.converge(other)
    assert code.index("op.drop_policy(") < code.index("op.alter_column(") < code.index("op.create_policy(")


def test_what_may_become_a_file_of_its_own_comes_after_the_policies(lab):
    """A concurrent build goes into the next file, and no table may stand without its policies in between."""
    lab.converge(models(RowSecurity(), Policy("p", using="tenant_id > 3")))
    other = models(RowSecurity(), Policy("p", using="tenant_id > 3"), sa.Column("more", sa.Text, index=True))
    other.tables["document"].c.tenant_id.type = sa.Integer()
    sa.Table("zoo", other, sa.Column("id", sa.Integer, primary_key=True), RowSecurity(), Policy("z", using="id > 3"))
    code = lab.converge(other)
    order = ["op.drop_policy(", "op.alter_column(", "op.create_policy('p'", "op.create_policy('z'", "op.create_index("]
    assert sorted(order, key=code.index) == order


def test_a_policy_may_use_a_column_of_the_same_revision(lab):
    lab.converge(models(RowSecurity(), Policy("p", using="id > 0")))
    new = models(sa.Column("region", sa.Text), RowSecurity(), Policy("p", using="region = 'x'"))
    code = lab.converge(new)
    assert code.index("op.add_column(") < code.index("op.alter_policy(")


def test_a_policy_that_was_dumped_and_restored_is_the_same(lab):
    """PostgreSQL prints ``varchar IN (...)`` otherwise once it has read what it printed."""
    metadata = models(sa.Column("kind", sa.String(9)), RowSecurity(), Policy("p", using="kind IN ('a', 'b')"))
    script = lab.autogenerate(metadata).upgrade_ops
    lab.upgrade(lambda op: [op.invoke(operation) for operation in script.ops])
    assert lab.autogenerate(metadata).upgrade_ops.is_empty()
    [(printed,)] = lab.query("SELECT qual FROM pg_policies")
    lab.database.execute(f"ALTER POLICY p ON document USING ({printed})")
    assert lab.query("SELECT qual FROM pg_policies") != [(printed,)]
    assert lab.autogenerate(metadata).upgrade_ops.is_empty()


def test_roles_of_a_policy(lab, role):
    lab.converge(models(RowSecurity(), Policy("p", using="true", roles=(role,))))
    assert "op.alter_policy(" in lab.converge(models(RowSecurity(), Policy("p", using="true")))


def test_declarations_may_stand_in_the_info_and_survive_a_copy(lab):
    metadata = models()
    metadata.tables["document"].info["pgpatterns"] = [RowSecurity(), Policy("p", using="true")]
    copy = sa.MetaData()
    for table in metadata.sorted_tables:
        table.to_metadata(copy)
    code = lab.converge(copy)
    assert "op.enable_row_security('document')" in code and "info=" not in code


def test_autogenerate_locks_nothing_and_leaves_nothing(lab):
    lab.converge(models(RowSecurity(), Policy("p", using="id > 0")))
    before = lab.dump()
    with lab.database.connect() as other:
        other.execute("BEGIN; LOCK TABLE document IN ROW EXCLUSIVE MODE")
        other.execute("SELECT 1")
        lab.autogenerate(models(RowSecurity(), Policy("p", using="id > 1")))
        other.execute("COMMIT")
    assert lab.dump() == before


def test_a_read_only_session_compares_as_text_and_says_so(lab, caplog):
    lab.converge(models(RowSecurity(), Policy("p", using="id > 0"), Policy("q", using="id > 0")))
    lab.database.execute(f"ALTER DATABASE {lab.database.name} SET default_transaction_read_only = on")
    wanted = models(RowSecurity(), Policy("p", using="(id > 0)"), Policy("q", using="id > 1"))
    left = lab.autogenerate(wanted).upgrade_ops.ops
    assert [operation.policy for operation in left] == ["q"]
    assert "policies of document are compared as text" in caplog.text


def test_models_in_several_metadata(lab):
    first, second = models(RowSecurity()), sa.MetaData()
    sa.Table("other", second, sa.Column("id", sa.Integer), RowSecurity(), Policy("p", using="id > 0"))
    declare(second, Extension("btree_gin"))
    code = lab.converge([first, second])
    assert code.count("op.enable_row_security(") == 2 and "btree_gin" in code


def test_storage_parameters(any_lab):
    first = models(StorageParameters({"toast.autovacuum_enabled": False}, fillfactor=70))
    assert "op.set_storage_parameters(" in any_lab.converge(first)
    second = models(StorageParameters(fillfactor=80, autovacuum_vacuum_scale_factor=0.02, autovacuum_enabled=True))
    any_lab.converge(second)
    assert any_lab.autogenerate(models()).upgrade_ops.is_empty()


def test_grants(any_lab):
    role = f'Wr"iter {any_lab.database.name}'
    quoted = quote(role)
    any_lab.database.execute(f"CREATE ROLE {quoted}")
    try:
        _grants(any_lab, role)
    finally:
        any_lab.database.execute(f"DROP OWNED BY {quoted}; DROP ROLE {quoted}")


def _grants(lab, role: str) -> None:
    first = models(Grant(("SELECT", "INSERT"), to=role), Grant("update", to=role, grant_option=True))
    declare(
        first,
        Grant(("USAGE",), to=role, kind="schema", on="public"),
        DefaultPrivileges("ALL", on="tables", to=role),
        DefaultPrivileges("USAGE", on="sequences", to=role, schema="public"),
    )
    lab.converge(first)
    second = models(Grant("ALL", to=role))
    declare(second, DefaultPrivileges("SELECT", on="tables", to=role), Grant("CREATE", role, "public", "schema"))
    lab.converge(second)
    nothing = models(Grant((), to=role))
    declare(nothing, DefaultPrivileges((), on="tables", to=role), DefaultPrivileges((), "functions", "public"))
    lab.converge(nothing)


def test_extensions(any_lab):
    any_lab.database.execute('CREATE SCHEMA "Ext ra"')
    metadata = models()
    declare(metadata, Extension("pg_trgm", schema="Ext ra"), Extension("btree_gin"))
    code = any_lab.converge(metadata)
    assert code.index("op.create_extension(") < code.index("op.create_table(")
    moved = models()
    declare(moved, Extension("pg_trgm", schema="public"))
    assert "op.set_extension_schema('pg_trgm', 'public', previous='Ext ra')" in any_lab.converge(moved)
