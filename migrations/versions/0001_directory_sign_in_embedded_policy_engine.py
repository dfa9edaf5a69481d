"""directory, sign-in, embedded policy engine

Revision ID: 0001
Revises:
Create Date: 2026-11-20 07:56:22.999864
"""

import sqlalchemy as sa
from alembic import op
from uuid_utils.compat import uuid7

from app.base.clock import utcnow
from migrations import ddl

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIMESTAMP = sa.DateTime(timezone=True)
CODE_POINT_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

TENANT_TABLES = (
    "auth_session", "customer", "organization_unit", "policy", "policy_permission", "position", "refresh_token",
    "role", "role_policy", "row_count", "subcontractor", "user", "user_role",
)  # fmt: skip
COUNTED_TABLES = ("user", "organization_unit", "position", "customer", "subcontractor")
DOCUMENT_TYPES = (
    ("cedula", "Cédula de Ciudadanía", "Identity document of citizens of Colombia"),
    ("NIT", "NIT", "Tax identification number of Colombia"),
    ("passport", "Passport", "International travel document"),
    ("national_id", "National identity card", "Identity card issued by a state"),
    ("tax_id", "Tax identification number", "Number under which a person or company pays taxes"),
    ("driving_licence", "Driving licence", "Permission to drive, accepted as identification"),
)


def upgrade() -> None:
    op.create_table(
        "document_type",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("code", sa.String(length=50), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_type")),
        sa.UniqueConstraint("code", name=op.f("uq_document_type_code")),
    )
    op.create_table(
        "login_failure",
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_attempt_at", TIMESTAMP, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_login_failure")),
    )
    op.create_index(op.f("ix_login_failure_last_attempt_at"), "login_failure", ["last_attempt_at"], unique=False)
    op.create_table(
        "permission",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.String(length=50), nullable=False),
        sa.Column("resource_name", sa.String(length=100), nullable=False),
        sa.Column("operation", sa.String(length=50), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permission")),
        sa.UniqueConstraint(
            "service",
            "resource_name",
            "operation",
            name=op.f("uq_permission_service_resource_name_operation"),
        ),
    )
    op.create_table(
        "row_count",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("counted", sa.String(length=40), nullable=False),
        sa.Column("delta", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_row_count")),
    )
    op.create_index("ix_row_count_company_id_counted", "row_count", ["company_id", "counted"], unique=False)
    op.create_table(
        "company",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_key", CODE_POINT_TEXT, nullable=False),
        sa.Column("search_text", CODE_POINT_TEXT, nullable=False),
        sa.Column("business_name", sa.String(length=500), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("website", sa.String(length=255), nullable=True),
        sa.Column("phone_number", sa.String(length=50), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("address", sa.String(length=255), nullable=True),
        sa.Column("postal_code", sa.String(length=20), nullable=True),
        sa.Column("city", sa.String(length=100), nullable=True),
        sa.Column("country", sa.String(length=100), nullable=True),
        sa.Column("document_type", sa.String(length=50), nullable=True),
        sa.Column("document_number", sa.String(length=100), nullable=True),
        sa.Column("company_key", sa.String(length=50), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("customer_registration", sa.String(length=10), nullable=False),
        sa.Column("days_credit", sa.Integer(), nullable=True),
        sa.Column("is_platform", sa.Boolean(), nullable=False),
        sa.Column("logo_file_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["document_type"], ["document_type.code"], name=op.f("fk_company_document_type")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_company")),
        sa.UniqueConstraint("company_key", name=op.f("uq_company_company_key")),
        sa.UniqueConstraint("document_type", "document_number", name=op.f("uq_company_document_type_document_number")),
        sa.UniqueConstraint("name_key", name=op.f("uq_company_name_key")),
    )
    op.create_index("ix_company_created_at_id", "company", ["created_at", "id"], unique=False)
    op.create_index(
        "uq_company_is_platform",
        "company",
        ["is_platform"],
        unique=True,
        postgresql_where=sa.text("is_platform"),
        sqlite_where=sa.text("is_platform"),
    )
    op.create_table(
        "customer",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_key", CODE_POINT_TEXT, nullable=False),
        sa.Column("search_text", CODE_POINT_TEXT, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("contact_person", sa.String(length=100), nullable=True),
        sa.Column("phone_number", sa.String(length=50), nullable=True),
        sa.Column("address", sa.String(length=255), nullable=True),
        sa.Column("logo_file_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_customer_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_customer")),
        sa.UniqueConstraint("company_id", "email", name=op.f("uq_customer_company_id_email")),
    )
    op.create_index(
        "ix_customer_company_id_created_at_id", "customer", ["company_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_customer_company_id_name_key_id", "customer", ["company_id", "name_key", "id"], unique=False)
    op.create_index(
        "ix_customer_company_id_updated_at_id", "customer", ["company_id", "updated_at", "id"], unique=False
    )
    op.create_table(
        "organization_unit",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_key", CODE_POINT_TEXT, nullable=False),
        sa.Column("search_text", CODE_POINT_TEXT, nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("path", CODE_POINT_TEXT, nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "parent_id"],
            ["organization_unit.company_id", "organization_unit.id"],
            name=op.f("fk_organization_unit_company_id_parent_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_organization_unit_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_organization_unit")),
        sa.UniqueConstraint(
            "company_id", "parent_id", "name", name=op.f("uq_organization_unit_company_id_parent_id_name")
        ),
    )
    op.create_index(
        "ix_organization_unit_company_id_created_at_id",
        "organization_unit",
        ["company_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_organization_unit_company_id_name_key_id",
        "organization_unit",
        ["company_id", "name_key", "id"],
        unique=False,
    )
    op.create_index("ix_organization_unit_company_id_path", "organization_unit", ["company_id", "path"], unique=False)
    op.create_index(
        "uq_organization_unit_company_id_name",
        "organization_unit",
        ["company_id", "name"],
        unique=True,
        postgresql_where=sa.text("parent_id IS NULL"),
        sqlite_where=sa.text("parent_id IS NULL"),
    )
    op.create_table(
        "policy",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_key", CODE_POINT_TEXT, nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_policy_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_policy")),
        sa.UniqueConstraint("company_id", "name_key", name=op.f("uq_policy_company_id_name_key")),
    )
    op.create_index("ix_policy_company_id_created_at_id", "policy", ["company_id", "created_at", "id"], unique=False)
    op.create_table(
        "role",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_key", CODE_POINT_TEXT, nullable=False),
        sa.Column("code", sa.String(length=50), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_system", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_role_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_role")),
        sa.UniqueConstraint("company_id", "name_key", name=op.f("uq_role_company_id_name_key")),
    )
    op.create_index("ix_role_company_id_created_at_id", "role", ["company_id", "created_at", "id"], unique=False)
    op.create_table(
        "subcontractor",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_key", CODE_POINT_TEXT, nullable=False),
        sa.Column("search_text", CODE_POINT_TEXT, nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("contact_person", sa.String(length=100), nullable=True),
        sa.Column("phone_number", sa.String(length=50), nullable=True),
        sa.Column("address", sa.String(length=255), nullable=True),
        sa.Column("logo_file_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_subcontractor_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_subcontractor")),
    )
    op.create_index(
        "ix_subcontractor_company_id_created_at_id",
        "subcontractor",
        ["company_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_subcontractor_company_id_name_key_id",
        "subcontractor",
        ["company_id", "name_key", "id"],
        unique=False,
    )
    op.create_index(
        "ix_subcontractor_company_id_updated_at_id",
        "subcontractor",
        ["company_id", "updated_at", "id"],
        unique=False,
    )
    op.create_table(
        "policy_permission",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("permission_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "policy_id"],
            ["policy.company_id", "policy.id"],
            name=op.f("fk_policy_permission_company_id_policy_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_policy_permission_company_id")),
        sa.ForeignKeyConstraint(["permission_id"], ["permission.id"], name=op.f("fk_policy_permission_permission_id")),
        sa.PrimaryKeyConstraint("company_id", "policy_id", "permission_id", name=op.f("pk_policy_permission")),
    )
    op.create_table(
        "position",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("title_key", CODE_POINT_TEXT, nullable=False),
        sa.Column("search_text", CODE_POINT_TEXT, nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("organization_unit_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "organization_unit_id"],
            ["organization_unit.company_id", "organization_unit.id"],
            name=op.f("fk_position_company_id_organization_unit_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_position_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_position")),
    )
    op.create_index(
        "ix_position_company_id_created_at_id", "position", ["company_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_position_company_id_organization_unit_id",
        "position",
        ["company_id", "organization_unit_id", "created_at", "id"],
        unique=False,
    )
    op.create_index("ix_position_company_id_title_key_id", "position", ["company_id", "title_key", "id"], unique=False)
    op.create_table(
        "role_policy",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("role_id", sa.Uuid(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "policy_id"],
            ["policy.company_id", "policy.id"],
            name=op.f("fk_role_policy_company_id_policy_id"),
        ),
        sa.ForeignKeyConstraint(
            ["company_id", "role_id"],
            ["role.company_id", "role.id"],
            name=op.f("fk_role_policy_company_id_role_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_role_policy_company_id")),
        sa.PrimaryKeyConstraint("company_id", "role_id", "policy_id", name=op.f("pk_role_policy")),
    )
    op.create_index("ix_role_policy_company_id_policy_id", "role_policy", ["company_id", "policy_id"], unique=False)
    op.create_table(
        "user",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "email",
            sa.String(length=254).with_variant(sa.String(length=254, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("username", sa.String(length=100), nullable=True),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("first_name", sa.String(length=50), nullable=True),
        sa.Column("last_name", sa.String(length=50), nullable=True),
        sa.Column("last_name_key", CODE_POINT_TEXT, nullable=True),
        sa.Column("search_text", CODE_POINT_TEXT, nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("phone_number", sa.String(length=50), nullable=True),
        sa.Column("address", sa.String(length=255), nullable=True),
        sa.Column("document_type", sa.String(length=50), nullable=True),
        sa.Column("document_number", sa.String(length=100), nullable=True),
        sa.Column("position_id", sa.Uuid(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_verified", sa.Boolean(), nullable=False),
        sa.Column("avatar_file_id", sa.Uuid(), nullable=True),
        sa.Column("password_reset_required", sa.Boolean(), nullable=False),
        sa.Column("last_password_change", TIMESTAMP, nullable=True),
        sa.Column("last_login_at", TIMESTAMP, nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "position_id"],
            ["position.company_id", "position.id"],
            name=op.f("fk_user_company_id_position_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_user_company_id")),
        sa.ForeignKeyConstraint(["document_type"], ["document_type.code"], name=op.f("fk_user_document_type")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_user")),
    )
    op.create_index("ix_user_company_id_created_at_id", "user", ["company_id", "created_at", "id"], unique=False)
    op.create_index("ix_user_company_id_email_id", "user", ["company_id", "email", "id"], unique=False)
    op.create_index("ix_user_company_id_last_login_at_id", "user", ["company_id", "last_login_at", "id"], unique=False)
    op.create_index("ix_user_company_id_last_name_key_id", "user", ["company_id", "last_name_key", "id"], unique=False)
    op.create_index(
        "ix_user_company_id_position_id",
        "user",
        ["company_id", "position_id", "created_at", "id"],
        unique=False,
    )
    op.create_index("ix_user_company_id_updated_at_id", "user", ["company_id", "updated_at", "id"], unique=False)
    op.create_table(
        "auth_session",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("last_used_at", TIMESTAMP, nullable=False),
        sa.Column("expires_at", TIMESTAMP, nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=255), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("revoked_at", TIMESTAMP, nullable=True),
        sa.Column("revoked_reason", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["company_id", "user_id"],
            ["user.company_id", "user.id"],
            name=op.f("fk_auth_session_company_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_auth_session_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_auth_session")),
    )
    op.create_index(
        "ix_auth_session_company_id_user_id",
        "auth_session",
        ["company_id", "user_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "login_key",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("email_key", CODE_POINT_TEXT, nullable=False),
        sa.Column("username_key", CODE_POINT_TEXT, nullable=True),
        sa.ForeignKeyConstraint(
            ["company_id", "user_id"],
            ["user.company_id", "user.id"],
            name=op.f("fk_login_key_company_id_user_id"),
        ),
        sa.PrimaryKeyConstraint("company_id", "user_id", name=op.f("pk_login_key")),
        sa.UniqueConstraint("email_key", name=op.f("uq_login_key_email_key")),
        sa.UniqueConstraint("username_key", name=op.f("uq_login_key_username_key")),
    )
    op.create_table(
        "user_role",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id", "role_id"],
            ["role.company_id", "role.id"],
            name=op.f("fk_user_role_company_id_role_id"),
        ),
        sa.ForeignKeyConstraint(
            ["company_id", "user_id"],
            ["user.company_id", "user.id"],
            name=op.f("fk_user_role_company_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_user_role_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_user_role")),
        sa.UniqueConstraint("company_id", "user_id", "role_id", name=op.f("uq_user_role_company_id_user_id_role_id")),
    )
    op.create_index("ix_user_role_company_id_role_id", "user_role", ["company_id", "role_id"], unique=False)
    op.create_table(
        "refresh_token",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("rotated_at", TIMESTAMP, nullable=True),
        sa.ForeignKeyConstraint(
            ["company_id", "session_id"],
            ["auth_session.company_id", "auth_session.id"],
            name=op.f("fk_refresh_token_company_id_session_id"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_refresh_token_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_refresh_token")),
    )
    op.create_index(
        "ix_refresh_token_company_id_session_id", "refresh_token", ["company_id", "session_id"], unique=False
    )
    op.create_index(
        "uq_refresh_token_company_id_token_hash", "refresh_token", ["company_id", "token_hash"], unique=True
    )
    dialect = op.get_bind().dialect.name
    ddl.create_functions(op.execute, dialect)
    for table in TENANT_TABLES:
        ddl.protect(op.execute, dialect, table)
    ddl.protect(op.execute, dialect, "company", ddl.OWN_COMPANY)
    for table in COUNTED_TABLES:
        ddl.count(op.execute, dialect, table)
    ddl.count_active_users(op.execute, dialect)
    seed_document_types()


def seed_document_types() -> None:
    table = sa.table(
        "document_type",
        sa.column("id", sa.Uuid()),
        sa.column("code", sa.String()),
        sa.column("name", sa.String()),
        sa.column("description", sa.String()),
        sa.column("active", sa.Boolean()),
        sa.column("created_at", TIMESTAMP),
        sa.column("updated_at", TIMESTAMP),
        sa.column("row_version", sa.Integer()),
    )
    common = {"active": True, "created_at": utcnow(), "updated_at": utcnow(), "row_version": 1}
    rows = [
        {"id": uuid7(), "code": code, "name": name, "description": description, **common}
        for code, name, description in DOCUMENT_TYPES
    ]
    op.bulk_insert(table, rows)


def downgrade() -> None:
    op.drop_index("uq_refresh_token_company_id_token_hash", table_name="refresh_token")
    op.drop_index("ix_refresh_token_company_id_session_id", table_name="refresh_token")
    op.drop_table("refresh_token")
    op.drop_index("ix_user_role_company_id_role_id", table_name="user_role")
    op.drop_table("user_role")
    op.drop_table("login_key")
    op.drop_index("ix_auth_session_company_id_user_id", table_name="auth_session")
    op.drop_table("auth_session")
    op.drop_index("ix_user_company_id_updated_at_id", table_name="user")
    op.drop_index("ix_user_company_id_position_id", table_name="user")
    op.drop_index("ix_user_company_id_last_name_key_id", table_name="user")
    op.drop_index("ix_user_company_id_last_login_at_id", table_name="user")
    op.drop_index("ix_user_company_id_email_id", table_name="user")
    op.drop_index("ix_user_company_id_created_at_id", table_name="user")
    op.drop_table("user")
    op.drop_index("ix_role_policy_company_id_policy_id", table_name="role_policy")
    op.drop_table("role_policy")
    op.drop_index("ix_position_company_id_title_key_id", table_name="position")
    op.drop_index("ix_position_company_id_organization_unit_id", table_name="position")
    op.drop_index("ix_position_company_id_created_at_id", table_name="position")
    op.drop_table("position")
    op.drop_table("policy_permission")
    op.drop_index("ix_subcontractor_company_id_updated_at_id", table_name="subcontractor")
    op.drop_index("ix_subcontractor_company_id_name_key_id", table_name="subcontractor")
    op.drop_index("ix_subcontractor_company_id_created_at_id", table_name="subcontractor")
    op.drop_table("subcontractor")
    op.drop_index("ix_role_company_id_created_at_id", table_name="role")
    op.drop_table("role")
    op.drop_index("ix_policy_company_id_created_at_id", table_name="policy")
    op.drop_table("policy")
    op.drop_index(
        "uq_organization_unit_company_id_name",
        table_name="organization_unit",
        postgresql_where=sa.text("parent_id IS NULL"),
        sqlite_where=sa.text("parent_id IS NULL"),
    )
    op.drop_index("ix_organization_unit_company_id_path", table_name="organization_unit")
    op.drop_index("ix_organization_unit_company_id_name_key_id", table_name="organization_unit")
    op.drop_index("ix_organization_unit_company_id_created_at_id", table_name="organization_unit")
    op.drop_table("organization_unit")
    op.drop_index("ix_customer_company_id_updated_at_id", table_name="customer")
    op.drop_index("ix_customer_company_id_name_key_id", table_name="customer")
    op.drop_index("ix_customer_company_id_created_at_id", table_name="customer")
    op.drop_table("customer")
    op.drop_index(
        "uq_company_is_platform",
        table_name="company",
        postgresql_where=sa.text("is_platform"),
        sqlite_where=sa.text("is_platform"),
    )
    op.drop_index("ix_company_created_at_id", table_name="company")
    op.drop_table("company")
    op.drop_index("ix_row_count_company_id_counted", table_name="row_count")
    op.drop_table("row_count")
    op.drop_table("permission")
    op.drop_index(op.f("ix_login_failure_last_attempt_at"), table_name="login_failure")
    op.drop_table("login_failure")
    op.drop_table("document_type")
    ddl.drop_functions(op.execute, op.get_bind().dialect.name)
