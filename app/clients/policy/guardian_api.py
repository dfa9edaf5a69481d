"""What one request asks a remote Guardian about roles, in its caller's name and within one deadline."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, NoReturn, TypeVar
from uuid import UUID

from app.base.errors import BadRequest, Conflict, Forbidden, NotFound, known_codes
from app.base.roles import Actor
from app.clients.policy.flight import MAX_DATA_BYTES, Call, Flight
from app.clients.policy.guardian import TokenRefused, headers_of, reason_of
from app.clients.policy.parsing import Reply, StrictReader, busy, items_of, object_of, strict_json, unusable

WHOLE_PAGE = 1000
"""A list with so many items may have more: our own engine cuts its bare arrays there."""
DONE, REFUSED = (200, 201), (400, 403, 404, 409)


Key = TypeVar("Key", bound=Hashable)
Fly = Callable[[Mapping[str, str], float], AbstractContextManager[Flight]]
Lists = dict[UUID, list[StrictReader]]


class Answer(NamedTuple):
    status: int
    document: Any


class GuardianApi:
    def __init__(self, fly: Fly, actor: Actor, deadline: float) -> None:
        self._fly, self._asker, self._deadline = fly, actor, deadline
        self._headers = headers_of(actor.token, actor.request_id)

    def assignments_of(self, user_id: UUID) -> list[StrictReader]:
        found = self.listed(f"/user-roles?user_id={user_id}", "user_roles", "roles")
        if any(each.uuid("user_id", user_id) != user_id for each in found):
            raise unusable("assignments of another user")
        return found

    def assignment(self, user_id: UUID, assignment_id: UUID) -> StrictReader:
        """Raises NotFound, also for one of another user or company."""
        found = self.done(Call("GET", f"/user-roles/{assignment_id}"), "user_role")
        told = self._own_item(found, assignment_id, "user_role")
        if told.uuid("user_id") != user_id:
            raise _missing("user_role")
        return told

    def role(self, role_id: UUID) -> StrictReader:
        """Raises NotFound, also for one of another company."""
        found = self.done(Call("GET", f"/roles/{role_id}"), "role")
        return self._own_item(found, role_id, "role")

    def roles_by_id(self, role_ids: Iterable[UUID]) -> dict[UUID, StrictReader]:
        found = self._read({role_id: f"/roles/{role_id}" for role_id in role_ids})
        return {role_id: _identical(self.told(each), role_id) for role_id, each in found.items()}

    def policies_by_role(self, role_ids: Iterable[UUID]) -> Lists:
        return self._lists({role_id: _policies(role_id) for role_id in role_ids}, "policies")

    def permissions_by_policy(self, policy_ids: Iterable[UUID]) -> Lists:
        return self._lists({policy_id: _permissions(policy_id) for policy_id in policy_ids}, "permissions")

    def holdings(self, role_ids: Iterable[UUID]) -> tuple[Lists, Lists]:
        """Policies by role and permissions by policy, each asked for as soon as its policy is known."""
        policies: Lists = {}
        permissions: Lists = {}
        paths: dict[tuple[str, UUID], str] = {("policies", each): _policies(each) for each in role_ids}
        for (name, owner), document, more in self._reading(paths):
            items = self._items(document, (name,))
            if name == "permissions":
                permissions[owner] = items
                continue
            policies[owner] = items
            more({("permissions", each.id): _permissions(each.id) for each in items})
        policies = self._all_completed(policies, _policies, "policies")
        permissions = self._all_completed(permissions, _permissions, "permissions")
        late = [each.id for each in unique(policies.values()) if each.id not in permissions]
        return policies, permissions | self.permissions_by_policy(late)

    def listed(self, path: str, *names: str) -> list[StrictReader]:
        """A whole list."""
        [document] = self._read({path: path}).values()
        return self._completed(path, self._items(document, names), names)

    def done(self, call: Call, kind: str) -> Any:
        """The document of a call about one thing of a kind. Raises Forbidden, NotFound, Conflict and BadRequest."""
        with self._fly(self._headers, self._deadline) as flight:
            flight.add(call)
            [answer] = [answer_of(reply) for _, reply in flight]
        if answer.status in REFUSED:
            _refuse(answer, kind)
        return answer.document

    def told(self, document: Any) -> StrictReader:
        """What must be of the actor's company, where it says so."""
        told = StrictReader(object_of(document))
        if self._is_foreign(told):
            raise unusable("something of another company")
        return told

    def _own_item(self, document: Any, wanted: UUID, kind: str) -> StrictReader:
        told = _identical(StrictReader(object_of(document)), wanted)
        if self._is_foreign(told):
            raise _missing(kind)
        return told

    def _is_foreign(self, told: StrictReader) -> bool:
        company_id = self._asker.company_id
        return bool(told.uuid("company_id", company_id) != company_id)

    def _lists(self, paths: Mapping[UUID, str], name: str) -> Lists:
        found = {each: self._items(document, (name,)) for each, document in self._read(paths).items()}
        return self._all_completed(found, paths.__getitem__, name)

    def _read(self, paths: Mapping[Key, str]) -> dict[Key, Any]:
        """The documents in the order of the paths."""
        found = {key: document for key, document, _ in self._reading(paths)}
        return {key: found[key] for key in paths}

    def _reading(self, paths: Mapping[Key, str]) -> Iterator[tuple[Key, Any, Callable[[Mapping[Key, str]], None]]]:
        """Documents as they come, and a way to ask for more; a key is asked for once.

        Raises Forbidden, and BadGateway for what the engine itself spoke of and does not find.
        """
        asked: set[Key] = set()

        def ask(wanted: Mapping[Key, str]) -> None:
            for key, path in wanted.items():
                if key not in asked:
                    asked.add(key)
                    flight.add(Call("GET", path, about=key))

        if not paths:
            return
        with self._fly(self._headers, self._deadline) as flight:
            ask(paths)
            for key, reply in flight:
                yield key, _part(answer_of(reply)), ask

    def _items(self, document: Any, names: Iterable[str]) -> list[StrictReader]:
        return [self.told(each) for each in items_of(document, names)]

    def _all_completed(self, lists: Lists, path_of: Callable[[UUID], str], name: str) -> Lists:
        return {each: self._completed(path_of(each), items, (name,)) for each, items in lists.items()}

    def _completed(self, path: str, items: list[StrictReader], names: Iterable[str]) -> list[StrictReader]:
        """With the pages that follow. An engine that knows no pages gives the same one again."""
        found = {each.id: each for each in items}
        page, last = 1, items
        while len(last) == WHOLE_PAGE:
            page += 1
            further = f"{path}{'&' if '?' in path else '?'}page={page}&limit={WHOLE_PAGE}"
            [document] = self._read({further: further}).values()
            last = [each for each in self._items(document, names) if each.id not in found]
            found.update((each.id, each) for each in last)
        return list(found.values())


def _policies(role_id: UUID) -> str:
    return f"/roles/{role_id}/policies"


def _permissions(policy_id: UUID) -> str:
    return f"/policies/{policy_id}/permissions"


def _part(answer: Answer) -> Any:
    """Raises Forbidden and BadGateway."""
    if answer.status == 403:
        _refuse(answer, "")
    if answer.status != 200:
        raise unusable(f"status {answer.status} for a part")
    return answer.document


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
    reason, code = reason_of(told), _known(StrictReader(told).code)
    if answer.status == 403:
        raise Forbidden(reason, code=code)
    if answer.status == 404:
        raise _missing(kind)
    if answer.status == 409:
        # There is one way in which giving a role contradicts anything.
        raise Conflict(reason, code=code, errors={"role_id": ["Already in use."]} if kind == "role" else None)
    raise BadRequest(reason)


def _known(code: str | None) -> str | None:
    """The contract names every code, so a foreign one is left out."""
    return code if code in known_codes() else None


def _missing(kind: str) -> NotFound:
    return NotFound(f"{kind.replace('_', ' ').capitalize()} not found.", code=f"{kind.upper()}_NOT_FOUND")


def _identical(told: StrictReader, wanted: UUID) -> StrictReader:
    if told.id != wanted:
        raise unusable("another thing than the one asked for")
    return told


def unique(lists: Iterable[Iterable[StrictReader]]) -> list[StrictReader]:
    """Each id once, in order."""
    return list({each.id: each for items in lists for each in items}.values())
