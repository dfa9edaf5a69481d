"""control of accounts: whoever changed, reset or removed users and their roles goes on doing so

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-21 21:55:00.000000
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import NAMESPACE_URL, UUID, uuid5

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NAMES = ("identity", "user_account", "UPDATE")
SUFFICIENT = (
    ("identity", "user", "UPDATE"),
    ("identity", "user", "DELETE"),
    ("identity", "admin_password_reset", "UPDATE"),
    ("identity", "invitation", "DELETE"),
    ("identity", "user_role", "CREATE"),
    ("identity", "user_role", "DELETE"),
    ("guardian", "user_role", "CREATE"),
    ("guardian", "user_role", "UPDATE"),
    ("guardian", "user_role", "DELETE"),
    ("guardian", "role", "DELETE"),
)
"""Each of these sufficed until now. By itself the new permission allows nothing."""
PERMISSION = sa.table(
    "permission",
    sa.column("id", sa.Uuid()),
    *(sa.column(name, sa.String()) for name in ("service", "resource_name", "operation")),
)
KEYS = ("company_id", "policy_id", "permission_id")
HELD = sa.table("policy_permission", *(sa.column(name, sa.Uuid()) for name in KEYS))


def upgrade() -> None:
    with _every_company():
        _grant(_id_of(*NAMES))


def downgrade() -> None:
    with _every_company():
        op.execute(sa.delete(HELD).where(HELD.c.permission_id == _id_of(*NAMES)))
    op.execute(sa.delete(PERMISSION).where(PERMISSION.c.id == _id_of(*NAMES)))


def _grant(permission_id: UUID) -> None:
    sufficient = HELD.c.permission_id.in_([_id_of(*names) for names in SUFFICIENT])
    if op.get_bind().execute(sa.select(HELD.c.policy_id).where(sufficient).limit(1)).first() is None:
        return
    values = dict(zip(("service", "resource_name", "operation"), NAMES, strict=True))
    # Both may be there: "flask guardian sync" of this release can run before its migrations.
    if op.get_bind().execute(sa.select(PERMISSION.c.id).where(PERMISSION.c.id == permission_id)).first() is None:
        op.execute(sa.insert(PERMISSION).values(id=permission_id, **values))
    given = HELD.alias()
    is_given = sa.exists().where(
        given.c.company_id == HELD.c.company_id,
        given.c.policy_id == HELD.c.policy_id,
        given.c.permission_id == permission_id,
    )
    holders = sa.select(HELD.c.company_id, HELD.c.policy_id, sa.literal(permission_id, sa.Uuid()))
    op.execute(sa.insert(HELD).from_select(KEYS, holders.where(sufficient, ~is_given).distinct()))


def _id_of(*names: str) -> UUID:
    """As ``app.guardian.models.permission_id``."""
    return uuid5(uuid5(NAMESPACE_URL, "urn:guardian:permission"), "\n".join(names))


@contextmanager
def _every_company() -> Iterator[None]:
    """Row-level security binds the owner too, except in here."""
    if op.get_bind().dialect.name != "postgresql":
        yield
        return
    op.execute("ALTER TABLE policy_permission NO FORCE ROW LEVEL SECURITY")
    yield
    op.execute("ALTER TABLE policy_permission FORCE ROW LEVEL SECURITY")
