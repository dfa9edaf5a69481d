"""Asks the policy engine in the caller's name, each question once per request."""

from __future__ import annotations

from collections.abc import Iterable

from flask import g

from app.base.text import CANONICAL_UUID
from app.clients.policy.request import ANY, AccessRequest
from app.core.services import services
from app.core.web.principal import principal


def require(
    resource_name: str, operation: str, *, service: str = "identity", within: str = "", resource_id: str = ANY
) -> None:
    """Raises what the engine's client raises."""
    _ask_all([_question(resource_name, operation, service, within, resource_id)])


def require_all(needed: Iterable[tuple[str, str]]) -> None:
    """Each ``(resource_name, operation)``, in as few calls as the engine's protocol can."""
    _ask_all([_question(resource_name, operation, "identity", "", ANY) for resource_name, operation in needed])


def resource_id_of(text: str | None) -> str:
    """A part of a path as a question names it. What is no id is refused later, and no item until then."""
    return text.lower() if text and CANONICAL_UUID.fullmatch(text) else ANY


def _question(*what: str) -> AccessRequest:
    resource_name, operation, service, within, resource_id = what
    caller = principal()
    return AccessRequest(
        caller.user_id,
        caller.company_id,
        resource_name,
        operation,
        within,
        service,
        resource_id,
        caller.claimed_roles,
        caller.policy_version,
    )


def _ask_all(questions: list[AccessRequest]) -> None:
    asked: set[AccessRequest] = g.setdefault("asked", set())
    new = [each for each in dict.fromkeys(questions) if each not in asked]
    engine, token = services().engine, principal().token
    if len(new) == 1:
        engine.check(new[0], token=token, request_id=g.request_id)
    elif new:
        engine.check_all(new, token=token, request_id=g.request_id)
    asked.update(new)
