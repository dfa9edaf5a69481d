"""failures per account, attempts in flight, sweep of ended sessions

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-21 22:00:00.000000
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ENDED, SWEPT = "ix_auth_session_company_id_expires_at", "ix_auth_session_company_id_last_used_at"


def upgrade() -> None:
    in_flight = sa.Column("in_flight", sa.Integer(), server_default="0", nullable=False)
    op.add_column("login_failure", in_flight)
    op.create_table(
        "account_failure",
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("in_flight", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_account_failure")),
    )
    op.create_index("ix_account_failure_last_attempt_at", "account_failure", ["last_attempt_at"], unique=False)
    has_tokens = sa.Column("has_tokens", sa.Boolean(), server_default=sa.true(), nullable=False)
    op.add_column("auth_session", has_tokens)
    for name, column, rows in ((ENDED, "expires_at", "has_tokens"), (SWEPT, "last_used_at", "NOT has_tokens")):
        where = {"postgresql_where": sa.text(rows), "sqlite_where": sa.text(rows)}
        op.create_index(name, "auth_session", ["company_id", column], unique=False, **where)


def downgrade() -> None:
    for name in (SWEPT, ENDED):
        op.drop_index(name, table_name="auth_session")
    op.drop_column("auth_session", "has_tokens")
    op.drop_table("account_failure")
    op.drop_column("login_failure", "in_flight")
