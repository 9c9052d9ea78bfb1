"""soft deletion of users

Revision ID: 8b52e0d9c617
Revises: 3f1c7a90b2d4
Create Date: 2023-12-14 16:40:05.220917

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "8b52e0d9c617"
down_revision: str | Sequence[str] | None = "3f1c7a90b2d4"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("users", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("users", "deleted_at")
