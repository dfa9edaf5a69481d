"""Questions of one request to a remote Guardian about roles, in its caller's name and within one deadline."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import closing
from typing import Any, NoReturn, TypeVar
from uuid import UUID

from app.base.errors import BadRequest, Conflict, Forbidden, NotFound, known_codes
from app.base.roles import Actor
from app.clients.http.breaker import Breaker
from app.clients.http.message import Request
from app.clients.policy import parsing
from app.clients.policy.guardian import TokenRefused, reason_of
from app.clients.policy.transport import RemoteTransport

MAX_DATA_BYTES = 1024 * 1024
WHOLE_PAGE = 1000
"""A list with so many items may have more: our own engine cuts its bare arrays there."""
REFUSALS = (400, 403, 404, 409)

Key = TypeVar("Key", bound=Hashable)
Lists = dict[UUID, list[parsing.StrictReader]]


class GuardianApi:
    def __init__(self, transport: RemoteTransport, breaker: Breaker, actor: Actor) -> None:
        self._transport, self._breaker, self._actor = transport, breaker, actor
        self._headers = parsing.json_headers(actor.request_id, parsing.token_cookie(actor.token))
        self._deadline = transport.deadline()

    def assignments_of(self, user_id: UUID) -> list[parsing.StrictReader]:
        assignments = self.read_list(f"/user-roles?user_id={user_id}", "user_roles", "roles")
        if any(assignment.uuid("user_id", user_id) != user_id for assignment in assignments):
            raise parsing.unusable("assignments of another user")
        return assignments

    def assignment(self, user_id: UUID, assignment_id: UUID) -> parsing.StrictReader:
        """Raises NotFound, also for one of another user or company."""
        assignment = self._own_item(f"/user-roles/{assignment_id}", assignment_id, "user_role")
        if assignment.uuid("user_id") != user_id:
            raise _missing("user_role")
        return assignment

    def role(self, role_id: UUID) -> parsing.StrictReader:
        """Raises NotFound, also for one of another company."""
        return self._own_item(f"/roles/{role_id}", role_id, "role")

    def roles_by_id(self, role_ids: Iterable[UUID]) -> dict[UUID, parsing.StrictReader]:
        documents = self._read({role_id: f"/roles/{role_id}" for role_id in role_ids})
        return {role_id: _require_id(self.reader_of(document), role_id) for role_id, document in documents.items()}

    def policies_by_role(self, role_ids: Iterable[UUID]) -> Lists:
        return self._lists({role_id: f"/roles/{role_id}/policies" for role_id in role_ids}, "policies")

    def holdings(self, role_ids: Iterable[UUID]) -> tuple[Lists, Lists]:
        """Policies by role and permissions by policy."""
        policies = self.policies_by_role(role_ids)
        paths = {policy.id: f"/policies/{policy.id}/permissions" for policy in unique(policies.values())}
        return policies, self._lists(paths, "permissions")

    def read_list(self, path: str, *names: str) -> list[parsing.StrictReader]:
        """A whole list."""
        return self._lists({path: path}, *names)[path]

    def execute(self, method: str, path: str, kind: str, body: bytes = b"") -> Any:
        """The document of a call about one thing of a kind. Raises Forbidden, NotFound, Conflict and BadRequest."""
        [(status, document)] = self._send({path: self._request(method, path, body)}, answer_of).values()
        if status in REFUSALS:
            _refuse(status, document, kind)
        return document

    def reader_of(self, document: Any) -> parsing.StrictReader:
        """Raises BadGateway for an item that states another company than the actor's."""
        item = parsing.StrictReader(parsing.object_of(document))
        if self._is_foreign(item):
            raise parsing.unusable("something of another company")
        return item

    def _own_item(self, path: str, item_id: UUID, kind: str) -> parsing.StrictReader:
        item = _require_id(parsing.StrictReader(parsing.object_of(self.execute("GET", path, kind))), item_id)
        if self._is_foreign(item):
            raise _missing(kind)
        return item

    def _is_foreign(self, item: parsing.StrictReader) -> bool:
        company_id = self._actor.company_id
        return bool(item.uuid("company_id", company_id) != company_id)

    def _lists(self, paths: Mapping[Key, str], *names: str) -> dict[Key, list[parsing.StrictReader]]:
        lists = {key: self._items(document, names) for key, document in self._read(paths).items()}
        return {key: self._with_further_pages(paths[key], items, names) for key, items in lists.items()}

    def _with_further_pages(
        self, path: str, items: list[parsing.StrictReader], names: Iterable[str]
    ) -> list[parsing.StrictReader]:
        """With the pages that follow. An engine that knows no pages gives the same one again."""
        by_id = {item.id: item for item in items}
        page, last = 1, items
        while len(last) == WHOLE_PAGE:
            page += 1
            further = f"{path}{'&' if '?' in path else '?'}page={page}&limit={WHOLE_PAGE}"
            [document] = self._read({further: further}).values()
            last = [item for item in self._items(document, names) if item.id not in by_id]
            by_id.update((item.id, item) for item in last)
        return list(by_id.values())

    def _items(self, document: Any, names: Iterable[str]) -> list[parsing.StrictReader]:
        return [self.reader_of(item) for item in parsing.items_of(document, names)]

    def _read(self, paths: Mapping[Key, str]) -> dict[Key, Any]:
        """The documents. Raises Forbidden, and BadGateway for an item that the engine named and does not find."""
        return self._send({key: self._request("GET", path) for key, path in paths.items()}, _part) if paths else {}

    def _send(self, requests: Mapping[Key, Request], parse: Callable[[parsing.Reply], Any]) -> dict[Key, Any]:
        """The documents in the order of the requests."""
        with self._breaker.call(), closing(self._transport.send_all(requests, self._deadline)) as replies:
            documents = {key: parse(reply) for key, reply in replies}
        return {key: documents[key] for key in requests}

    def _request(self, method: str, path: str, body: bytes = b"") -> Request:
        return self._transport.request(method, path, body, self._headers, MAX_DATA_BYTES)


def _part(reply: parsing.Reply) -> Any:
    """Raises Forbidden and BadGateway."""
    status, document = answer_of(reply)
    if status == 403:
        _refuse(status, document, "")
    if status != 200:
        raise parsing.unusable(f"status {status} for a part")
    return document


def answer_of(reply: parsing.Reply) -> tuple[int, Any]:
    """Status and document. Raises Unavailable and BadGateway for a reply that says nothing about the question."""
    parsing.check_status(reply, (200, 201, 204, *REFUSALS), TokenRefused)
    return reply.status, None if reply.status == 204 else parsing.strict_json(reply, MAX_DATA_BYTES)


def _refuse(status: int, document: Any, kind: str) -> NoReturn:
    """The engine's refusal in its own words."""
    values = parsing.object_of(document)
    reason, code = reason_of(values), values.get("error_code")
    if not isinstance(code, str) or code not in known_codes():
        code = None  # the contract names every code
    if status == 403:
        raise Forbidden(reason, code=code)
    if status == 404:
        raise _missing(kind)
    if status == 409:
        # There is one way in which giving a role contradicts anything.
        raise Conflict(reason, code=code, errors={"role_id": ["Already in use."]} if kind == "role" else None)
    raise BadRequest(reason)


def _missing(kind: str) -> NotFound:
    return NotFound(f"{kind.replace('_', ' ').capitalize()} not found.", code=f"{kind.upper()}_NOT_FOUND")


def _require_id(item: parsing.StrictReader, item_id: UUID) -> parsing.StrictReader:
    if item.id != item_id:
        raise parsing.unusable("another thing than the one asked for")
    return item


def unique(lists: Iterable[Iterable[parsing.StrictReader]]) -> list[parsing.StrictReader]:
    """Every id once, in order."""
    return list({item.id: item for items in lists for item in items}.values())
