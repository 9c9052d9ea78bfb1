"""catalogue search and tags

Revision ID: 51e9a7034cfd
Revises: c40d6e2f81ab
Create Date: 2024-05-27 14:22:58.067733

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "51e9a7034cfd"
down_revision: str | Sequence[str] | None = "c40d6e2f81ab"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


SEARCH = "to_tsvector('english'::regconfig, name::text || ' '::text || sku::text)"


def upgrade() -> None:
    op.alter_column("products", "attributes", server_default=None)
    op.alter_column(
        "products",
        "attributes",
        existing_type=sa.JSON(),
        type_=postgresql.JSONB(astext_type=sa.Text()),
        existing_nullable=False,
        server_default=sa.text("'{}'::jsonb"),
        postgresql_using="attributes::jsonb",
    )
    op.create_index("ix_products_attributes", "products", ["attributes"])
    op.add_column(
        "products",
        sa.Column("search", postgresql.TSVECTOR(), sa.Computed(SEARCH, persisted=True), nullable=True),
    )
    op.create_index("ix_products_search", "products", ["search"], postgresql_using="gin")
    op.create_table(
        "tags",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant_id", "name"),
    )
    op.create_table(
        "product_tags",
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("product_id", "tag_id"),
    )


def downgrade() -> None:
    op.drop_table("product_tags")
    op.drop_table("tags")
    op.drop_index("ix_products_search", table_name="products", postgresql_using="gin")
    op.drop_column("products", "search")
    op.drop_index("ix_products_attributes", table_name="products")
    op.alter_column("products", "attributes", server_default=None)
    op.alter_column(
        "products",
        "attributes",
        existing_type=postgresql.JSONB(astext_type=sa.Text()),
        type_=sa.JSON(),
        existing_nullable=False,
        server_default=sa.text("'{}'"),
        postgresql_using="attributes::json",
    )
