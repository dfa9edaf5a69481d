"""policy version of a company

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-20 08:50:00.000000
"""

import sqlalchemy as sa
from alembic import op

from migrations import ddl

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DECIDING_TABLES = ("role", "role_policy", "policy_permission", "user_role")


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.add_column("company", sa.Column("policy_version", sa.Integer(), server_default="0", nullable=False))
    ddl.create_policy_version(op.execute, dialect)
    for table in DECIDING_TABLES:
        ddl.raise_policy_version(op.execute, dialect, table)


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    for table in DECIDING_TABLES:
        ddl.keep_policy_version(op.execute, dialect, table)
    ddl.drop_policy_version(op.execute, dialect)
    op.drop_column("company", "policy_version")
