"""invoicing

Revision ID: a92b5c1de8f0
Revises: 0d64f92e7b38
Create Date: 2025-03-03 10:18:30.775481

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a92b5c1de8f0"
down_revision: str | Sequence[str] | None = "0d64f92e7b38"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.alter_column(
        "products",
        "price",
        existing_type=sa.Float(),
        type_=sa.Numeric(precision=12, scale=2),
        existing_nullable=False,
    )
    op.add_column("products", sa.Column("currency", sa.CHAR(length=3), nullable=True))
    op.execute("UPDATE products SET currency = 'EUR'")
    op.alter_column("products", "currency", existing_type=sa.CHAR(length=3), nullable=False)
    op.alter_column("orders", "note", existing_type=sa.String(length=500), type_=sa.Text(), existing_nullable=True)
    op.create_foreign_key("jobs_tenant_id_fkey", "jobs", "tenants", ["tenant_id"], ["id"])
    op.execute(
        """
        CREATE VIEW monthly_revenue AS
        SELECT tenant_id, date_trunc('month', created_at) AS month, sum(total) AS revenue
        FROM orders
        WHERE status = 'paid'
        GROUP BY tenant_id, date_trunc('month', created_at)
        """
    )


def downgrade() -> None:
    op.execute("DROP VIEW monthly_revenue")
    op.drop_constraint("jobs_tenant_id_fkey", "jobs", type_="foreignkey")
    op.drop_column("products", "currency")
    op.alter_column(
        "products",
        "price",
        existing_type=sa.Numeric(precision=12, scale=2),
        type_=sa.Float(),
        existing_nullable=False,
    )
