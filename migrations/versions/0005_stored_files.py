"""what is in storage

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-20 10:50:33.603017
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import ddl

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

JSON_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "stored_file",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bucket_type", sa.String(length=20), nullable=False),
        sa.Column("bucket_id", sa.Uuid(), nullable=False),
        sa.Column("objects", JSON_DOCUMENT, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_stored_file_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_stored_file")),
    )
    op.create_index(
        "ix_stored_file_company_id_bucket", "stored_file", ["company_id", "bucket_type", "bucket_id"], unique=False
    )
    ddl.protect(op.execute, op.get_bind().dialect.name, "stored_file")


def downgrade() -> None:
    op.drop_table("stored_file")
