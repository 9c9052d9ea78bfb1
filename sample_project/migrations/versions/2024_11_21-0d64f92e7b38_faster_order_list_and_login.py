"""faster order list and login

Revision ID: 0d64f92e7b38
Revises: e7b8130c95aa
Create Date: 2024-11-21 17:35:44.391275

"""

from collections.abc import Sequence

from alembic import op

revision: str = "0d64f92e7b38"
down_revision: str | Sequence[str] | None = "e7b8130c95aa"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_index("ix_orders_tenant_id_created_at_id", "orders", ["tenant_id", "created_at", "id"])
    op.create_index("ix_orders_created_at_status", "orders", ["created_at", "status"])
    op.create_index("ix_users_tenant_id_email", "users", ["tenant_id", "email"])


def downgrade() -> None:
    op.drop_index("ix_users_tenant_id_email", table_name="users")
    op.drop_index("ix_orders_created_at_status", table_name="orders")
    op.drop_index("ix_orders_tenant_id_created_at_id", table_name="orders")
