"""A revision that calls every directive, right and wrong; test_op_types.py has mypy read it, and nobody runs it.

Each wrong call carries a ``type: ignore``: under ``--strict`` mypy reports one that is not needed.
"""

import sqlalchemy as sa

from alembic_pgpatterns import op

revision = "1"
down_revision = None


def upgrade() -> None:
    op.create_table("t", sa.Column("id", sa.BigInteger, primary_key=True))
    op.execute("SELECT 1")
    with op.get_context().autocommit_block():
        op.create_extension("pg_trgm", schema="public", version="1.6", cascade=True, if_not_exists=False)
    op.set_extension_schema("pg_trgm", "extensions", previous="public")
    op.enable_row_security("t", schema="app")
    op.force_row_security("t")
    op.create_policy("tenant", "t", using="true", with_check=None, command="ALL", roles=["web"], permissive=False)
    op.alter_policy("tenant", "t", using="false", roles=("web",))
    op.grant(("SELECT", "INSERT"), "t", "web", kind="table", grant_option=True)
    op.revoke("SELECT", "t", ["web"])
    op.revoke_public_schema("public", privileges=("CREATE",), previous=())
    op.grant_default_privileges("SELECT", "tables", "web", schema="app", creator="owner")
    op.revoke_default_privileges("SELECT", "tables", "web")
    op.alter_database_set("lock_timeout", "2s", database="app", previous=None)
    op.alter_role_set("web", "statement_timeout", 30000)
    op.alter_system("work_mem", "64MB", reload=False)
    op.apply_recommended_settings(memory_mb=4096, max_connections=100)
    op.set_storage_parameters("t", {"fillfactor": 70, "autovacuum_enabled": True}, previous={"fillfactor": None})
    op.create_index_concurrently("ix_t_id", "t", ["id", sa.text("lower(name)")], unique=True, postgresql_using="btree")
    op.reindex_concurrently("ix_t_id")
    op.create_foreign_key_not_valid("fk", "t", "u", ["u_id"], ["id"], ondelete="CASCADE")
    op.create_check_not_valid("ck", "t", sa.column("id") > 0)
    op.validate_constraint("ck", "t")
    op.set_not_null("t", "id", schema=None)
    op.create_unique_using_index("uq", "t", ["id"], deferrable=True)
    op.create_primary_key_using_index("pk", "t", index_name="ix_t_id")
    op.add_column_with_reference("t", sa.Column("u_id", sa.BigInteger), "u", "id", ondelete="SET NULL")
    op.convert_serial_to_identity("t", "id", always=True)
    op.add_enum_value("mood", "glad", after="sad")
    op.attach_partition("t", "t_2026", "FOR VALUES FROM (1) TO (2)")
    for attempt in op.lock_attempts("2s", 5, pause=0.5):
        with attempt:
            op.drop_table("u")
    rows: int = op.backfill("t", {"total": sa.text("price * quantity")}, where="total IS NULL", batch_size=500)
    op.upsert("t", [{"id": rows}], conflict=["id"])
    with op.batch_alter_table("t") as batch_op:
        batch_op.add_column(sa.Column("name", sa.Text))
        batch_op.enable_row_security()
        batch_op.create_policy("tenant", using="true")
        batch_op.set_storage_parameters({"fillfactor": 70})


def downgrade() -> None:
    with op.batch_alter_table("t", schema="app") as batch_op:
        batch_op.alter_policy("tenant", using="false")
        batch_op.drop_policy("tenant", if_exists=True)
        batch_op.disable_row_security()
        batch_op.force_row_security()
        batch_op.no_force_row_security()
    op.detach_partition("t", "t_2026", "FOR VALUES FROM (1) TO (2)", partition_schema="app")
    op.convert_identity_to_serial("t", "id")
    op.drop_index_concurrently("ix_t_id", "t", if_exists=False)
    op.reset_settings({"work_mem": "4MB"})
    op.drop_policy("tenant", "t")
    op.no_force_row_security("t")
    op.disable_row_security("t")
    op.drop_extension("pg_trgm", cascade=True)


def wrong() -> None:
    op.create_extension()  # type: ignore[call-arg]
    op.create_extension(1)  # type: ignore[arg-type]
    op.enable_row_security("t", scheme="app")  # type: ignore[call-arg]
    op.create_policy("tenant", "t", "true")  # type: ignore[call-arg]
    op.set_not_null("t", ["id"])  # type: ignore[arg-type]
    op.create_index_concurrently("ix_t_id", "t")  # type: ignore[call-arg]
    op.add_column_with_reference("t", "u_id", "u", "id")  # type: ignore[arg-type]
    op.backfill("t", ["total"], where="total IS NULL")  # type: ignore[arg-type]
    op.lock_attempts(2.5)  # type: ignore[arg-type]
    op.create_indx("t")  # type: ignore[attr-defined]
    with op.batch_alter_table("t") as batch_op:
        batch_op.enable_row_security("t")  # type: ignore[call-arg]
        batch_op.grant("SELECT", "t", "web")  # type: ignore[attr-defined]
    op.create_table(1)  # type: ignore[arg-type]
