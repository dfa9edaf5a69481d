"""The AuthZEN protocol: OpenID AuthZEN Authorization API 1.0, single and batch evaluation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from app.clients.policy.discovery import Discovery
from app.clients.policy.parsing import ACCEPT, Reply, check_status, json_headers, parse_object, printable, unusable
from app.clients.policy.request import AccessRequest, denial
from app.clients.policy.transport import RemoteTransport

MAX_BATCH = 50
"""Evaluations in one request: Cerbos takes no more, and an answer to so many stays below 64 KB."""
NO_BATCHES = (404, 405, 501)

Json = dict[str, Any]
RolesOf = Callable[[AccessRequest], Sequence[str]]
"""The roles of the question's user, where the token states none."""


class AuthZenClient:
    """Believes nothing but ``"decision": true`` in an answer of 200.

    Every other status is a failure, 400, 403 and 404 too: none is a decision (Transport, Error
    Responses). The caller's token is not passed on; the engine knows us by ``secret``.
    """

    def __init__(self, url: str, timeout: float, max_in_flight: int, *, roles_of: RolesOf, secret: str = "") -> None:
        """Raises ValueError for a URL that is not ``http(s)://host[:port][/prefix]``."""
        self._transport = RemoteTransport(url.removesuffix(urlsplit(url).path), timeout, max_in_flight)
        self._discovery = Discovery(url, self._transport)
        self._roles_of = roles_of
        self._credentials = {"Authorization": f"Bearer {secret}"} if secret else {}

    def check(self, *questions: AccessRequest, token: str, request_id: str) -> None:
        """Raises Forbidden, BadGateway, Unavailable, GatewayTimeout; ValueError for questions of several users."""
        common, headers = self._common(questions[0], request_id), json_headers(request_id, self._credentials)
        if len(questions) == 1:
            return self._check_singly(questions, common, headers)
        if len({(question.user_id, question.company_id, question.roles) for question in questions}) > 1:
            raise ValueError("The questions are about several subjects.")
        for first in range(0, len(questions), MAX_BATCH):
            self._check_batch(questions[first : first + MAX_BATCH], common, headers)

    def check_health(self) -> None:
        """The protocol has no health endpoint: any answer that is no failure will do."""
        reply = self._transport.send("GET", self._discovery.path, b"", ACCEPT)
        if reply.status >= 500:
            raise unusable(f"status {reply.status}")

    def _check_batch(self, questions: Sequence[AccessRequest], common: Json, headers: Mapping[str, str]) -> None:
        deadline = self._transport.deadline()
        path = self._discovery.endpoints(deadline).evaluations
        if path is None or len(questions) == 1:
            return self._check_singly(questions, common, headers)
        body = orjson.dumps({**common, "evaluations": [_evaluation(question) for question in questions]})
        reply = self._transport.send("POST", path, body, headers, deadline=deadline)
        if reply.status in NO_BATCHES:
            return self._check_singly(questions, common, headers)
        _judge_all(questions, _parse_answer(reply))

    def _check_singly(self, questions: Sequence[AccessRequest], common: Json, headers: Mapping[str, str]) -> None:
        for question in questions:
            deadline = self._transport.deadline()
            path = self._discovery.endpoints(deadline).evaluation
            body = orjson.dumps({**common, **_evaluation(question)})
            _judge(question, _parse_answer(self._transport.send("POST", path, body, headers, deadline=deadline)))

    def _common(self, question: AccessRequest, request_id: str) -> Json:
        """The shared part of several questions of one request; Cerbos insists on a context."""
        roles = list(self._roles_of(question) if question.roles is None else question.roles)
        of_company = {"company_id": question.company_id, "is_platform": question.is_platform}
        properties = {**of_company, "roles": roles, "cerbos.roles": roles}
        return {
            "subject": {"type": "user", "id": question.user_id, "properties": properties},
            "context": {"request_id": request_id},
        }


def _evaluation(question: AccessRequest) -> Json:
    """Two services may use one name, so policies can tell them apart by ``service``."""
    properties = {"company_id": question.company_id, "service": question.service}
    if question.parent_kind:
        properties["within"] = question.parent_kind
    resource = {"type": question.resource_name, "id": question.resource_id, "properties": properties}
    return {"action": {"name": question.operation.lower()}, "resource": resource}


def _parse_answer(reply: Reply) -> Mapping[str, Any]:
    check_status(reply, (200,))
    return parse_object(reply)


def _judge_all(questions: Sequence[AccessRequest], answer: Mapping[str, Any]) -> None:
    """A missing item is a denial; one too many, and the two sides are out of step."""
    items = answer.get("evaluations")
    if not isinstance(items, list) or len(items) > len(questions):
        raise unusable("no decision for each question")
    missing = [{"decision": False}] * (len(questions) - len(items))
    for question, item in zip(questions, (*items, *missing), strict=True):
        if not isinstance(item, dict):
            raise unusable("no boolean decision")
        _judge(question, item)


def _judge(question: AccessRequest, answer: Mapping[str, Any]) -> None:
    decision = answer.get("decision")
    if not isinstance(decision, bool):
        raise unusable("no boolean decision")
    if not decision:
        raise denial(question, _reason(answer.get("context")))


def _reason(context: object) -> str | None:
    """The reason for users; ``reason_admin`` is not meant for them (Reason Object)."""
    if not isinstance(context, dict):
        return None
    reason = context.get("reason_user", context.get("reason"))
    texts = reason.values() if isinstance(reason, dict) else [reason]
    return next((line for text in texts if isinstance(text, str) and (line := printable(text))), None)
