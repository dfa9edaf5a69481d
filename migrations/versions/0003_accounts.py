"""outbox, one-time links, reset codes, invitations, registrations

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-20 10:30:33.603017
"""

import sqlalchemy as sa
from alembic import op

from migrations import ddl

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIMESTAMP = sa.DateTime(timezone=True)
TENANT_TABLES = ("one_time_link", "password_reset_otp", "invitation")


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("due_at", TIMESTAMP, nullable=False),
        sa.Column("leased_until", TIMESTAMP, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failed_at", TIMESTAMP, nullable=True),
        sa.Column("error", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_due_at",
        "outbox",
        ["due_at", "id"],
        unique=False,
        postgresql_where=sa.text("failed_at IS NULL"),
        sqlite_where=sa.text("failed_at IS NULL"),
    )
    op.create_table(
        "one_time_link",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("expires_at", TIMESTAMP, nullable=False),
        sa.Column("used_at", TIMESTAMP, nullable=True),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_one_time_link_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_one_time_link")),
    )
    op.create_index(
        "uq_one_time_link_company_id_purpose_subject_id",
        "one_time_link",
        ["company_id", "purpose", "subject_id"],
        unique=True,
    )
    op.create_index(
        "uq_one_time_link_company_id_token_hash", "one_time_link", ["company_id", "token_hash"], unique=True
    )
    op.create_table(
        "invitation",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column("expires_at", TIMESTAMP, nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "invited_by"],
            ["user.company_id", "user.id"],
            name=op.f("fk_invitation_company_id_invited_by"),
        ),
        sa.ForeignKeyConstraint(
            ["company_id", "user_id"], ["user.company_id", "user.id"], name=op.f("fk_invitation_company_id_user_id")
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_invitation_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_invitation")),
    )
    op.create_index(
        "ix_invitation_company_id_created_at_id", "invitation", ["company_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_invitation_company_id_invited_by", "invitation", ["company_id", "invited_by"], unique=False)
    op.create_index(
        "ix_invitation_company_id_updated_at_id", "invitation", ["company_id", "updated_at", "id"], unique=False
    )
    op.create_index("uq_invitation_company_id_user_id", "invitation", ["company_id", "user_id"], unique=True)
    op.create_table(
        "password_reset_otp",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("otp_code", sa.String(length=255), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("expires_at", TIMESTAMP, nullable=False),
        sa.Column("used_at", TIMESTAMP, nullable=True),
        sa.ForeignKeyConstraint(
            ["company_id", "user_id"],
            ["user.company_id", "user.id"],
            name=op.f("fk_password_reset_otp_company_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_password_reset_otp_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_password_reset_otp")),
    )
    op.create_index(
        "ix_password_reset_otp_company_id_user_id",
        "password_reset_otp",
        ["company_id", "user_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "registration",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("wish", sa.Text(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("expires_at", TIMESTAMP, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration")),
    )
    op.create_index("ix_registration_address_hash_id", "registration", ["address_hash", "id"], unique=False)
    op.create_index("uq_registration_token_hash", "registration", ["token_hash"], unique=True)
    for table in TENANT_TABLES:
        ddl.protect(op.execute, op.get_bind().dialect.name, table)


def downgrade() -> None:
    for table in ("registration", *reversed(TENANT_TABLES), "outbox"):
        op.drop_table(table)
