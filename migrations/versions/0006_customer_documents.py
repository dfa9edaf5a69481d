"""documents of customers

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-20 11:10:00.000000
"""

import sqlalchemy as sa
from alembic import op

from migrations import ddl

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLE = "customer_document"
TIMESTAMP = sa.DateTime(timezone=True)
CODE_POINT_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.create_table(
        TABLE,
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("document_type", sa.String(length=50), nullable=False),
        sa.Column("number", sa.String(length=100), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("description", sa.String(length=500), nullable=True),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("search_text", CODE_POINT_TEXT, nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("uploaded_by", sa.Uuid(), nullable=True),
        sa.Column("verification_status", sa.String(length=10), nullable=False),
        sa.Column("verification_reason", sa.String(length=500), nullable=True),
        sa.Column("verified_at", TIMESTAMP, nullable=True),
        sa.Column("verified_by", sa.Uuid(), nullable=True),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        *(_within_tenant(name, target) for name, target in REFERENCES),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f(f"fk_{TABLE}_company_id")),
        sa.ForeignKeyConstraint(["document_type"], ["document_type.code"], name=op.f(f"fk_{TABLE}_document_type")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f(f"pk_{TABLE}")),
    )
    listed = ["company_id", "customer_id", "created_at", "id"]
    op.create_index(f"ix_{TABLE}_company_id_customer_id", TABLE, listed, unique=False)
    for name in ("uploaded_by", "verified_by"):
        op.create_index(f"ix_{TABLE}_company_id_{name}", TABLE, ["company_id", name], unique=False)
    ddl.protect(op.execute, dialect, TABLE)
    ddl.create_sizes(op.execute, dialect)
    ddl.add_sizes(op.execute, dialect, TABLE)


REFERENCES = (("customer_id", "customer"), ("uploaded_by", "user"), ("verified_by", "user"))


def _within_tenant(name: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["company_id", name],
        [f"{target}.company_id", f"{target}.id"],
        name=op.f(f"fk_{TABLE}_company_id_{name}"),
    )


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.drop_table(TABLE)
    ddl.drop_sizes(op.execute, dialect)
    if dialect == "postgresql":
        op.execute("ALTER TABLE row_count NO FORCE ROW LEVEL SECURITY")
    op.execute(f"DELETE FROM row_count WHERE counted = '{TABLE}.size'")
    if dialect == "postgresql":
        op.execute("ALTER TABLE row_count FORCE ROW LEVEL SECURITY")
