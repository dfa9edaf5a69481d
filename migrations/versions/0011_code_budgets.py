"""budgets of mailed codes

Revision ID: 0011
Revises: 0010
Create Date: 2026-11-21 22:30:00.000000
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Codes of the former release belong to the budget of all unknown networks."""
    op.add_column("password_reset_otp", sa.Column("network", sa.String(length=43), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("password_reset_otp", "network")
