"""networks of sessions

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-21 21:40:00.000000
"""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INDEX = "ix_auth_session_company_id_user_id_network"
BATCH = 1000
SESSION = sa.table(
    "auth_session",
    sa.column("company_id", sa.Uuid()),
    sa.column("id", sa.Uuid()),
    sa.column("ip", sa.String()),
    sa.column("network", sa.String()),
)
KEY = (SESSION.c.company_id, SESSION.c.id)


def upgrade() -> None:
    op.add_column("auth_session", sa.Column("network", sa.String(length=43), nullable=True))
    with _every_company():
        _name_networks()
    op.create_index(INDEX, "auth_session", ["company_id", "user_id", "network"], unique=False)


def downgrade() -> None:
    op.drop_index(INDEX, table_name="auth_session")
    op.drop_column("auth_session", "network")


def _name_networks() -> None:
    """Sessions of the former release make their networks known as well."""
    bind, found = op.get_bind(), sa.select(*KEY, SESSION.c.ip).order_by(*KEY).limit(BATCH)
    change = (
        sa.update(SESSION)
        .where(SESSION.c.company_id == sa.bindparam("company"), SESSION.c.id == sa.bindparam("session"))
        .values(network=sa.bindparam("its_network"))
    )
    rows = bind.execute(found).all()
    while rows:
        bind.execute(change, [_change_of(*row) for row in rows])
        last = sa.tuple_(*(sa.literal(each, sa.Uuid()) for each in rows[-1][:2]))
        rows = bind.execute(found.where(sa.tuple_(*KEY) > last)).all()


def _change_of(company_id: Any, id: Any, address: str | None) -> dict[str, Any]:
    return {"company": company_id, "session": id, "its_network": _network_of(address)}


def _network_of(address: str | None) -> str:
    """As ``app.accounts.auth.networks.client_network`` when this was released: the /24 or /64."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip.packed, 24 if ip.version == 4 else 64), strict=False))


@contextmanager
def _every_company() -> Iterator[None]:
    """Row-level security binds the owner too, except in here."""
    if op.get_bind().dialect.name != "postgresql":
        yield
        return
    op.execute("ALTER TABLE auth_session NO FORCE ROW LEVEL SECURITY")
    yield
    op.execute("ALTER TABLE auth_session FORCE ROW LEVEL SECURITY")
