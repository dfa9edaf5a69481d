"""What one request asks a remote Guardian about roles, in its caller's name and within one deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, NoReturn
from uuid import UUID

from app.clients.fan_out import MAX_DATA_BYTES, Call
from app.clients.guardian import TokenRefused, headers_of, reason_of
from app.clients.policy import strict_json
from app.clients.told import Told, items_of, object_of
from app.clients.transport import Reply, busy, unusable
from app.core.errors import BadRequest, Conflict, Forbidden, NotFound
from app.core.roles import Asker

WHOLE_PAGE = 1000
"""A list with so many items may have more: our own engine cuts its bare arrays there."""
DONE, REFUSED = (200, 201), (400, 403, 404, 409)


class Answer(NamedTuple):
    status: int
    document: Any


Exchange = Callable[[list[Call], Mapping[str, str], float], list[Answer]]


class Conversation:
    def __init__(self, exchange: Exchange, asker: Asker, deadline: float) -> None:
        self._exchange, self._asker, self._deadline = exchange, asker, deadline
        self._headers = headers_of(asker.token, asker.request_id)

    def assignments_of(self, user_id: UUID) -> list[Told]:
        found = self.listed(f"/user-roles?user_id={user_id}", "user_roles", "roles")
        if any(each.uuid("user_id", user_id) != user_id for each in found):
            raise unusable("assignments of another user")
        return found

    def assignment(self, user_id: UUID, assignment_id: UUID) -> Told:
        """Raises NotFound, also for one of another user or company."""
        found = self.done(Call("GET", f"/user-roles/{assignment_id}"), "user_role")
        told = self._own_item(found, assignment_id, "user_role")
        if told.uuid("user_id") != user_id:
            raise _missing("user_role")
        return told

    def role(self, role_id: UUID) -> Told:
        """Raises NotFound, also for one of another company."""
        found = self.done(Call("GET", f"/roles/{role_id}"), "role")
        return self._own_item(found, role_id, "role")

    def roles_by_id(self, role_ids: Iterable[UUID]) -> dict[UUID, Told]:
        ids = list(role_ids)
        told = [self.told(each) for each in self._read_all(f"/roles/{role_id}" for role_id in ids)]
        return {role_id: _identical(each, role_id) for role_id, each in zip(ids, told, strict=True)}

    def policies_by_role(self, role_ids: Iterable[UUID]) -> dict[UUID, list[Told]]:
        return self._listed_by(role_ids, "/roles/{}/policies", "policies")

    def permissions_by_policy(self, held: Mapping[UUID, list[Told]]) -> dict[UUID, list[Told]]:
        return self._listed_by([each.id for each in unique(held.values())], "/policies/{}/permissions", "permissions")

    def listed(self, path: str, *names: str) -> list[Told]:
        """A whole list."""
        [document] = self._read_all([path])
        return self._completed(path, self._items(document, names), names)

    def done(self, call: Call, kind: str) -> Any:
        """The document of a call about one thing of a kind. Raises Forbidden, NotFound, Conflict and BadRequest."""
        [answer] = self._exchange([call], self._headers, self._deadline)
        if answer.status in REFUSED:
            _refuse(answer, kind)
        return answer.document

    def told(self, document: Any) -> Told:
        """What must be of the asker's company, where it says so."""
        told = Told(object_of(document))
        if self._is_foreign(told):
            raise unusable("something of another company")
        return told

    def _own_item(self, document: Any, wanted: UUID, kind: str) -> Told:
        told = _identical(Told(object_of(document)), wanted)
        if self._is_foreign(told):
            raise _missing(kind)
        return told

    def _is_foreign(self, told: Told) -> bool:
        company_id = self._asker.company_id
        return bool(told.uuid("company_id", company_id) != company_id)

    def _listed_by(self, ids: Iterable[UUID], pattern: str, name: str) -> dict[UUID, list[Told]]:
        paths = {each: pattern.format(each) for each in ids}
        documents = zip(paths.items(), self._read_all(paths.values()), strict=True)
        return {
            each: self._completed(path, self._items(document, (name,)), (name,)) for (each, path), document in documents
        }

    def _read_all(self, paths: Iterable[str]) -> list[Any]:
        """Raises Forbidden, and BadGateway for what the engine itself spoke of and does not find."""
        answers = self._exchange([Call("GET", path) for path in paths], self._headers, self._deadline)
        for answer in answers:
            if answer.status == 403:
                _refuse(answer, "")
            if answer.status != 200:
                raise unusable(f"status {answer.status} for a part")
        return [answer.document for answer in answers]

    def _items(self, document: Any, names: Iterable[str]) -> list[Told]:
        return [self.told(each) for each in items_of(document, names)]

    def _completed(self, path: str, items: list[Told], names: Iterable[str]) -> list[Told]:
        """With the pages that follow. An engine that knows no pages gives the same one again."""
        found = {each.id: each for each in items}
        page, last = 1, items
        while len(last) == WHOLE_PAGE:
            page += 1
            [document] = self._read_all([f"{path}{'&' if '?' in path else '?'}page={page}&limit={WHOLE_PAGE}"])
            last = [each for each in self._items(document, names) if each.id not in found]
            found.update((each.id, each) for each in last)
        return list(found.values())


def answer_of(reply: Reply) -> Answer:
    """Raises Unavailable and BadGateway for whatever says nothing about the question."""
    if reply.status == 429:
        raise busy("status 429")
    if reply.status == 401:
        raise unusable("status 401", TokenRefused)
    if reply.status == 204:
        return Answer(reply.status, None)
    if reply.status not in (*DONE, *REFUSED):
        raise unusable(f"status {reply.status}")
    return Answer(reply.status, strict_json(reply, MAX_DATA_BYTES))


def _refuse(answer: Answer, kind: str) -> NoReturn:
    """The engine's refusal in its own words."""
    told = object_of(answer.document)
    reason, code = reason_of(told), Told(told).code
    if answer.status == 403:
        raise Forbidden(reason, code=code)
    if answer.status == 404:
        raise _missing(kind)
    if answer.status == 409:
        raise Conflict(reason, code=code)
    raise BadRequest(reason)


def _missing(kind: str) -> NotFound:
    return NotFound(f"{kind.replace('_', ' ').capitalize()} not found.", code=f"{kind.upper()}_NOT_FOUND")


def _identical(told: Told, wanted: UUID) -> Told:
    if told.id != wanted:
        raise unusable("another thing than the one asked for")
    return told


def unique(lists: Iterable[Iterable[Told]]) -> list[Told]:
    """Each id once, in order."""
    return list({each.id: each for items in lists for each in items}.values())
