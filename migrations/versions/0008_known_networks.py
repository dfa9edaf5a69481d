"""networks of sessions

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-21 21:40:00.000000
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INDEX = "ix_auth_session_company_id_user_id_network"


def upgrade() -> None:
    op.add_column("auth_session", sa.Column("network", sa.String(length=43), nullable=True))
    op.create_index(INDEX, "auth_session", ["company_id", "user_id", "network"], unique=False)


def downgrade() -> None:
    op.drop_index(INDEX, table_name="auth_session")
    op.drop_column("auth_session", "network")
