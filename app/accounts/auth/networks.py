"""The networks from which an account signed in."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, select

from app.accounts.auth.models import REUSE, AuthSession
from app.base.clock import utcnow
from app.base.network import network_of
from app.core.db.models import UtcDateTime
from app.core.db.tenancy import TenantQuery
from app.core.db.transaction import read

KNOWN_FOR = timedelta(days=90)
"""How long a network is known after the last use of a session that began there."""


def client_network(address: str | None) -> str:
    """The /24 or /64 of an address."""
    return network_of(address, 24)


def is_known_network(user_id: UUID, network: str) -> bool:
    """Whether the user signed in from the ``client_network`` lately. Inside the tenant's unit of work."""
    return bool(read(_KNOWN, {"user_id": user_id, "network": network, "since": utcnow() - KNOWN_FOR}))


_KNOWN = TenantQuery(
    select(AuthSession.id)
    .where(
        AuthSession.user_id == bindparam("user_id"),
        AuthSession.network == bindparam("network"),
        AuthSession.last_used_at > bindparam("since", type_=UtcDateTime),
        AuthSession.revoked_reason.is_distinct_from(REUSE),
    )
    .limit(1)
)
