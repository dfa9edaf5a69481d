"""Tokens as an external auth service that shares the secret would sign them."""

from datetime import timedelta
from typing import Any

import jwt

from tests.accounts.auth.browser import now
from tests.support.clients import ApiClient
from tests.support.databases import SECRET


def mint(person: ApiClient, *, secret: str = SECRET, **changes: Any) -> str:
    """The least claims that are needed; a change to None leaves a claim out."""
    claims: dict[str, Any] = {
        "sub": person.user_id,
        "company_id": person.company_id,
        "exp": now() + timedelta(hours=1),
        **changes,
    }
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, secret, "HS256")
