"""the customer's dossier: addresses, contacts, consent, notes, tags, services, subscriptions

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-20 10:50:00.000000
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import ddl

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIMESTAMP = sa.DateTime(timezone=True)
CODE_POINT_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TENANT_TABLES = (
    "communication_preference", "consent_change", "customer_address", "customer_contact", "customer_note",
    "customer_service", "customer_tag", "subscription_change", "tag",
)  # fmt: skip


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    _widen_customer(dialect)
    op.create_table(
        "tag",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("name_key", CODE_POINT_TEXT, nullable=False),
        sa.Column("search_text", CODE_POINT_TEXT, nullable=False),
        sa.Column("color", sa.String(length=7), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_tag_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_tag")),
        sa.UniqueConstraint("company_id", "name_key", name=op.f("uq_tag_company_id_name_key")),
    )
    op.create_index("ix_tag_company_id_created_at_id", "tag", ["company_id", "created_at", "id"], unique=False)
    op.create_table(
        "communication_preference",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("topic", sa.String(length=10), nullable=False),
        sa.Column("opted_in", sa.Boolean(), nullable=False),
        sa.Column("frequency", sa.String(length=10), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=True),
        sa.Column("consented_at", TIMESTAMP, nullable=True),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "changed_by"],
            ["user.company_id", "user.id"],
            name=op.f("fk_communication_preference_company_id_changed_by"),
        ),
        sa.ForeignKeyConstraint(
            ["company_id", "customer_id"],
            ["customer.company_id", "customer.id"],
            name=op.f("fk_communication_preference_company_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_communication_preference_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_communication_preference")),
        sa.UniqueConstraint(
            "company_id",
            "customer_id",
            "channel",
            "topic",
            name=op.f("uq_communication_preference_company_id_customer_id_channel_topic"),
        ),
    )
    op.create_index(
        "ix_communication_preference_company_id_changed_by",
        "communication_preference",
        ["company_id", "changed_by"],
        unique=False,
    )
    op.create_index(
        "ix_communication_preference_company_id_customer_id",
        "communication_preference",
        ["company_id", "customer_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "consent_change",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("topic", sa.String(length=10), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("ip_address", sa.String(length=45), nullable=True),
        sa.Column("old", JSON_DOCUMENT, nullable=True),
        sa.Column("new", JSON_DOCUMENT, nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "customer_id"],
            ["customer.company_id", "customer.id"],
            name=op.f("fk_consent_change_company_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_consent_change_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_consent_change")),
    )
    op.create_index(
        "ix_consent_change_company_id_customer_id",
        "consent_change",
        ["company_id", "customer_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_consent_change_company_id_customer_id_channel_topic",
        "consent_change",
        ["company_id", "customer_id", "channel", "topic"],
        unique=False,
    )
    op.create_table(
        "customer_address",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=10), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=True),
        sa.Column("line1", sa.String(length=255), nullable=False),
        sa.Column("line2", sa.String(length=255), nullable=True),
        sa.Column("city", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=100), nullable=True),
        sa.Column("postal_code", sa.String(length=20), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("verified_at", TIMESTAMP, nullable=True),
        sa.Column("verified_by", sa.Uuid(), nullable=True),
        sa.Column("verification_note", sa.String(length=500), nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "customer_id"],
            ["customer.company_id", "customer.id"],
            name=op.f("fk_customer_address_company_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["company_id", "verified_by"],
            ["user.company_id", "user.id"],
            name=op.f("fk_customer_address_company_id_verified_by"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_customer_address_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_customer_address")),
    )
    op.create_index(
        "ix_customer_address_company_id_customer_id",
        "customer_address",
        ["company_id", "customer_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_customer_address_company_id_verified_by", "customer_address", ["company_id", "verified_by"], unique=False
    )
    op.create_index(
        "uq_customer_address_company_id_customer_id_type_primary",
        "customer_address",
        ["company_id", "customer_id", "type"],
        unique=True,
        postgresql_where=sa.text("is_primary"),
        sqlite_where=sa.text("is_primary"),
    )
    op.create_table(
        "customer_contact",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("first_name", sa.String(length=100), nullable=False),
        sa.Column("last_name", sa.String(length=100), nullable=True),
        sa.Column("search_text", CODE_POINT_TEXT, nullable=False),
        sa.Column("title", sa.String(length=100), nullable=True),
        sa.Column("relationship", sa.String(length=100), nullable=True),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("methods", JSON_DOCUMENT, nullable=False),
        sa.Column("notes", sa.String(length=2000), nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "customer_id"],
            ["customer.company_id", "customer.id"],
            name=op.f("fk_customer_contact_company_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_customer_contact_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_customer_contact")),
    )
    op.create_index(
        "ix_customer_contact_company_id_customer_id",
        "customer_contact",
        ["company_id", "customer_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "uq_customer_contact_company_id_customer_id_primary",
        "customer_contact",
        ["company_id", "customer_id"],
        unique=True,
        postgresql_where=sa.text("is_primary"),
        sqlite_where=sa.text("is_primary"),
    )
    op.create_table(
        "customer_note",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("is_pinned", sa.Boolean(), nullable=False),
        sa.Column("visibility", sa.String(length=10), nullable=False),
        sa.Column("author", sa.Uuid(), nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "author"], ["user.company_id", "user.id"], name=op.f("fk_customer_note_company_id_author")
        ),
        sa.ForeignKeyConstraint(
            ["company_id", "customer_id"],
            ["customer.company_id", "customer.id"],
            name=op.f("fk_customer_note_company_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_customer_note_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_customer_note")),
    )
    op.create_index("ix_customer_note_company_id_author", "customer_note", ["company_id", "author"], unique=False)
    op.create_index(
        "ix_customer_note_company_id_customer_id",
        "customer_note",
        ["company_id", "customer_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "customer_service",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=False),
        sa.Column("performed_on", sa.Date(), nullable=False),
        sa.Column("external_id", sa.String(length=100), nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "customer_id"],
            ["customer.company_id", "customer.id"],
            name=op.f("fk_customer_service_company_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_customer_service_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_customer_service")),
        sa.UniqueConstraint(
            "company_id",
            "customer_id",
            "external_id",
            name=op.f("uq_customer_service_company_id_customer_id_external_id"),
        ),
    )
    op.create_index(
        "ix_customer_service_company_id_customer_id",
        "customer_service",
        ["company_id", "customer_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_customer_service_company_id_performed_on", "customer_service", ["company_id", "performed_on"], unique=False
    )
    op.create_table(
        "customer_tag",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("tag_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "customer_id"],
            ["customer.company_id", "customer.id"],
            name=op.f("fk_customer_tag_company_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["company_id", "tag_id"], ["tag.company_id", "tag.id"], name=op.f("fk_customer_tag_company_id_tag_id")
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_customer_tag_company_id")),
        sa.PrimaryKeyConstraint("company_id", "customer_id", "tag_id", name=op.f("pk_customer_tag")),
    )
    op.create_index(
        "ix_customer_tag_company_id_tag_id", "customer_tag", ["company_id", "tag_id", "customer_id"], unique=False
    )
    op.create_table(
        "subscription_change",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("old_state", sa.String(length=10), nullable=False),
        sa.Column("new_state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "customer_id"],
            ["customer.company_id", "customer.id"],
            name=op.f("fk_subscription_change_company_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_subscription_change_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_subscription_change")),
    )
    op.create_index(
        "ix_subscription_change_company_id_customer_id",
        "subscription_change",
        ["company_id", "customer_id", "created_at", "id"],
        unique=False,
    )
    for table in TENANT_TABLES:
        ddl.protect(op.execute, dialect, table)


def downgrade() -> None:
    op.drop_index("ix_subscription_change_company_id_customer_id", table_name="subscription_change")
    op.drop_table("subscription_change")
    op.drop_index("ix_customer_tag_company_id_tag_id", table_name="customer_tag")
    op.drop_table("customer_tag")
    op.drop_index("ix_customer_service_company_id_performed_on", table_name="customer_service")
    op.drop_index("ix_customer_service_company_id_customer_id", table_name="customer_service")
    op.drop_table("customer_service")
    op.drop_index("ix_customer_note_company_id_customer_id", table_name="customer_note")
    op.drop_index("ix_customer_note_company_id_author", table_name="customer_note")
    op.drop_table("customer_note")
    op.drop_index(
        "uq_customer_contact_company_id_customer_id_primary",
        table_name="customer_contact",
        postgresql_where=sa.text("is_primary"),
        sqlite_where=sa.text("is_primary"),
    )
    op.drop_index("ix_customer_contact_company_id_customer_id", table_name="customer_contact")
    op.drop_table("customer_contact")
    op.drop_index(
        "uq_customer_address_company_id_customer_id_type_primary",
        table_name="customer_address",
        postgresql_where=sa.text("is_primary"),
        sqlite_where=sa.text("is_primary"),
    )
    op.drop_index("ix_customer_address_company_id_verified_by", table_name="customer_address")
    op.drop_index("ix_customer_address_company_id_customer_id", table_name="customer_address")
    op.drop_table("customer_address")
    op.drop_index("ix_consent_change_company_id_customer_id_channel_topic", table_name="consent_change")
    op.drop_index("ix_consent_change_company_id_customer_id", table_name="consent_change")
    op.drop_table("consent_change")
    op.drop_index("ix_communication_preference_company_id_customer_id", table_name="communication_preference")
    op.drop_index("ix_communication_preference_company_id_changed_by", table_name="communication_preference")
    op.drop_table("communication_preference")
    op.drop_index("ix_tag_company_id_created_at_id", table_name="tag")
    op.drop_table("tag")
    _narrow_customer(op.get_bind().dialect.name)


def _customer_columns() -> tuple[sa.Column, ...]:
    return (
        sa.Column("contacts_text", CODE_POINT_TEXT, server_default="", nullable=False),
        sa.Column("kind", sa.String(length=10), server_default="individual", nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("street_address", sa.String(length=255), nullable=True),
        sa.Column("city", sa.String(length=100), nullable=True),
        sa.Column("state", sa.String(length=100), nullable=True),
        sa.Column("postal_code", sa.String(length=20), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("company_name", sa.String(length=255), nullable=True),
        sa.Column("business_type", sa.String(length=100), nullable=True),
        sa.Column("tax_id", sa.String(length=50), nullable=True),
        sa.Column("document_type", sa.String(length=50), nullable=True),
        sa.Column("document_number", sa.String(length=100), nullable=True),
        sa.Column("emergency_contact_name", sa.String(length=100), nullable=True),
        sa.Column("emergency_contact_phone", sa.String(length=50), nullable=True),
        sa.Column("emergency_contact_relationship", sa.String(length=100), nullable=True),
        sa.Column("preferred_contact_method", sa.String(length=10), nullable=True),
        sa.Column("notification_preferences", JSON_DOCUMENT, server_default="{}", nullable=False),
        sa.Column("customer_since", sa.Date(), nullable=True),
        sa.Column("subscription_state", sa.String(length=10), server_default="prospect", nullable=False),
        sa.Column("is_verified", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("email_verified_at", TIMESTAMP, nullable=True),
        sa.Column("total_services", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_service_date", sa.Date(), nullable=True),
    )


def _widen_customer(dialect: str) -> None:
    # SQLite adds no constraint to a table: it is made anew, and its triggers with it.
    with op.batch_alter_table("customer") as customer:
        for column in _customer_columns():
            customer.add_column(column)
        customer.create_unique_constraint(op.f("uq_customer_company_id_user_id"), ["company_id", "user_id"])
        customer.create_foreign_key(op.f("fk_customer_document_type"), "document_type", ["document_type"], ["code"])
        customer.create_foreign_key(
            op.f("fk_customer_company_id_user_id"), "user", ["company_id", "user_id"], ["company_id", "id"]
        )
    _count_again(dialect)
    for name in ("city", "subscription_state"):
        op.create_index(f"ix_customer_company_id_{name}", "customer", ["company_id", name, "created_at", "id"])
    _search_phone_numbers(dialect)


def _search_phone_numbers(dialect: str) -> None:
    """The last of the folded columns. Digits fold to themselves; lower() is for the word before an extension."""
    newline = "chr(10)" if dialect == "postgresql" else "char(10)"
    statement = f"UPDATE customer SET search_text = search_text || {newline} || lower(phone_number)"
    if dialect == "postgresql":
        op.execute("ALTER TABLE customer NO FORCE ROW LEVEL SECURITY")
    op.execute(f"{statement} WHERE phone_number <> ''")
    if dialect == "postgresql":
        op.execute("ALTER TABLE customer FORCE ROW LEVEL SECURITY")


def _narrow_customer(dialect: str) -> None:
    for name in ("city", "subscription_state"):
        op.drop_index(f"ix_customer_company_id_{name}", table_name="customer")
    with op.batch_alter_table("customer") as customer:
        customer.drop_constraint(op.f("fk_customer_company_id_user_id"), type_="foreignkey")
        customer.drop_constraint(op.f("fk_customer_document_type"), type_="foreignkey")
        customer.drop_constraint(op.f("uq_customer_company_id_user_id"), type_="unique")
        for column in _customer_columns():
            customer.drop_column(column.name)
    _count_again(dialect)


def _count_again(dialect: str) -> None:
    if dialect == "sqlite":
        ddl.count(op.execute, dialect, "customer")
