"""customers that were merged into others

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-20 11:20:00.000000
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import ddl

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

JSON_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TIMESTAMP = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "customer_merge",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("expires_at", TIMESTAMP, nullable=False),
        sa.Column("merged_by", sa.Uuid(), nullable=True),
        sa.Column("kept", JSON_DOCUMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["company_id", "customer_id"],
            ["customer.company_id", "customer.id"],
            name=op.f("fk_customer_merge_company_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_customer_merge_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_customer_merge")),
    )
    op.create_index(
        "ix_customer_merge_company_id_customer_id",
        "customer_merge",
        ["company_id", "customer_id", "created_at", "id"],
        unique=False,
    )
    ddl.protect(op.execute, op.get_bind().dialect.name, "customer_merge")


def downgrade() -> None:
    op.drop_table("customer_merge")
