"""tenant isolation

Revision ID: 64c3f08ad215
Revises: a92b5c1de8f0
Create Date: 2025-06-16 13:47:09.152260

"""

from collections.abc import Sequence

from alembic import op

revision: str = "64c3f08ad215"
down_revision: str | Sequence[str] | None = "a92b5c1de8f0"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


POLICIES = {
    "users": "CREATE POLICY tenant_isolation ON users"
    " USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::integer)",
    "products": "CREATE POLICY tenant_isolation ON products"
    " USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::integer)",
    "orders": "CREATE POLICY tenant_isolation ON orders"
    " USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::integer)",
}


def upgrade() -> None:
    for table, policy in POLICIES.items():
        op.execute(policy)
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    for table in POLICIES:
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        op.execute(f"DROP POLICY tenant_isolation ON {table}")
