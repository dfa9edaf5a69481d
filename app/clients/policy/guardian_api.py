"""Questions of one request to a remote Guardian about roles, in its caller's name and within one deadline."""

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


class EngineAnswer(NamedTuple):
    status: int
    document: Any


class GuardianApi:
    def __init__(self, fly: Fly, actor: Actor, deadline: float) -> None:
        self._fly, self._actor, self._deadline = fly, actor, deadline
        self._headers = headers_of(actor.token, actor.request_id)

    def assignments_of(self, user_id: UUID) -> list[StrictReader]:
        assignments = self.read_list(f"/user-roles?user_id={user_id}", "user_roles", "roles")
        if any(assignment.uuid("user_id", user_id) != user_id for assignment in assignments):
            raise unusable("assignments of another user")
        return assignments

    def assignment(self, user_id: UUID, assignment_id: UUID) -> StrictReader:
        """Raises NotFound, also for one of another user or company."""
        document = self.execute(Call("GET", f"/user-roles/{assignment_id}"), "user_role")
        assignment = self._own_item(document, assignment_id, "user_role")
        if assignment.uuid("user_id") != user_id:
            raise _missing("user_role")
        return assignment

    def role(self, role_id: UUID) -> StrictReader:
        """Raises NotFound, also for one of another company."""
        document = self.execute(Call("GET", f"/roles/{role_id}"), "role")
        return self._own_item(document, role_id, "role")

    def roles_by_id(self, role_ids: Iterable[UUID]) -> dict[UUID, StrictReader]:
        documents = self._read({role_id: f"/roles/{role_id}" for role_id in role_ids})
        return {role_id: _require_id(self.reader_of(document), role_id) for role_id, document in documents.items()}

    def policies_by_role(self, role_ids: Iterable[UUID]) -> Lists:
        return self._lists({role_id: _policies(role_id) for role_id in role_ids}, "policies")

    def permissions_by_policy(self, policy_ids: Iterable[UUID]) -> Lists:
        return self._lists({policy_id: _permissions(policy_id) for policy_id in policy_ids}, "permissions")

    def holdings(self, role_ids: Iterable[UUID]) -> tuple[Lists, Lists]:
        """Policies by role and permissions by policy; permissions are asked for as soon as their policy is known."""
        policies: Lists = {}
        permissions: Lists = {}
        paths: dict[tuple[str, UUID], str] = {("policies", role_id): _policies(role_id) for role_id in role_ids}
        for (name, owner), document, more in self._read_each(paths):
            items = self._items(document, (name,))
            if name == "permissions":
                permissions[owner] = items
                continue
            policies[owner] = items
            more({("permissions", policy.id): _permissions(policy.id) for policy in items})
        policies = self._with_all_pages(policies, _policies, "policies")
        permissions = self._with_all_pages(permissions, _permissions, "permissions")
        late = [policy.id for policy in unique(policies.values()) if policy.id not in permissions]
        return policies, permissions | self.permissions_by_policy(late)

    def read_list(self, path: str, *names: str) -> list[StrictReader]:
        """A whole list."""
        [document] = self._read({path: path}).values()
        return self._with_further_pages(path, self._items(document, names), names)

    def execute(self, call: Call, kind: str) -> Any:
        """The document of a call about one thing of a kind. Raises Forbidden, NotFound, Conflict and BadRequest."""
        with self._fly(self._headers, self._deadline) as flight:
            flight.add(call)
            [answer] = [answer_of(reply) for _, reply in flight]
        if answer.status in REFUSED:
            _refuse(answer, kind)
        return answer.document

    def reader_of(self, document: Any) -> StrictReader:
        """Raises BadGateway for an item that states another company than the actor's."""
        item = StrictReader(object_of(document))
        if self._is_foreign(item):
            raise unusable("something of another company")
        return item

    def _own_item(self, document: Any, item_id: UUID, kind: str) -> StrictReader:
        item = _require_id(StrictReader(object_of(document)), item_id)
        if self._is_foreign(item):
            raise _missing(kind)
        return item

    def _is_foreign(self, item: StrictReader) -> bool:
        company_id = self._actor.company_id
        return bool(item.uuid("company_id", company_id) != company_id)

    def _lists(self, paths: Mapping[UUID, str], name: str) -> Lists:
        lists = {owner: self._items(document, (name,)) for owner, document in self._read(paths).items()}
        return self._with_all_pages(lists, paths.__getitem__, name)

    def _read(self, paths: Mapping[Key, str]) -> dict[Key, Any]:
        """The documents in the order of the paths."""
        documents = {key: document for key, document, _ in self._read_each(paths)}
        return {key: documents[key] for key in paths}

    def _read_each(self, paths: Mapping[Key, str]) -> Iterator[tuple[Key, Any, Callable[[Mapping[Key, str]], None]]]:
        """Documents as they come, and a way to ask for more; a key is asked for once.

        Raises Forbidden, and BadGateway for an item that the engine itself named and does not find.
        """
        requested: set[Key] = set()

        def add(more: Mapping[Key, str]) -> None:
            for key, path in more.items():
                if key not in requested:
                    requested.add(key)
                    flight.add(Call("GET", path, about=key))

        if not paths:
            return
        with self._fly(self._headers, self._deadline) as flight:
            add(paths)
            for key, reply in flight:
                yield key, _part(answer_of(reply)), add

    def _items(self, document: Any, names: Iterable[str]) -> list[StrictReader]:
        return [self.reader_of(item) for item in items_of(document, names)]

    def _with_all_pages(self, lists: Lists, path_of: Callable[[UUID], str], name: str) -> Lists:
        return {owner: self._with_further_pages(path_of(owner), items, (name,)) for owner, items in lists.items()}

    def _with_further_pages(self, path: str, items: list[StrictReader], names: Iterable[str]) -> list[StrictReader]:
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


def _policies(role_id: UUID) -> str:
    return f"/roles/{role_id}/policies"


def _permissions(policy_id: UUID) -> str:
    return f"/policies/{policy_id}/permissions"


def _part(answer: EngineAnswer) -> Any:
    """Raises Forbidden and BadGateway."""
    if answer.status == 403:
        _refuse(answer, "")
    if answer.status != 200:
        raise unusable(f"status {answer.status} for a part")
    return answer.document


def answer_of(reply: Reply) -> EngineAnswer:
    """Raises Unavailable and BadGateway for a reply that says nothing about the question."""
    if reply.status == 429:
        raise busy("status 429")
    if reply.status == 401:
        raise unusable("status 401", TokenRefused)
    if reply.status == 204:
        return EngineAnswer(reply.status, None)
    if reply.status not in (*DONE, *REFUSED):
        raise unusable(f"status {reply.status}")
    return EngineAnswer(reply.status, strict_json(reply, MAX_DATA_BYTES))


def _refuse(answer: EngineAnswer, kind: str) -> NoReturn:
    """The engine's refusal in its own words."""
    values = object_of(answer.document)
    reason, code = reason_of(values), _contract_code(StrictReader(values).code)
    if answer.status == 403:
        raise Forbidden(reason, code=code)
    if answer.status == 404:
        raise _missing(kind)
    if answer.status == 409:
        # There is one way in which giving a role contradicts anything.
        raise Conflict(reason, code=code, errors={"role_id": ["Already in use."]} if kind == "role" else None)
    raise BadRequest(reason)


def _contract_code(code: str | None) -> str | None:
    """The contract names every code, so a foreign one is left out."""
    return code if code in known_codes() else None


def _missing(kind: str) -> NotFound:
    return NotFound(f"{kind.replace('_', ' ').capitalize()} not found.", code=f"{kind.upper()}_NOT_FOUND")


def _require_id(item: StrictReader, item_id: UUID) -> StrictReader:
    if item.id != item_id:
        raise unusable("another thing than the one asked for")
    return item


def unique(lists: Iterable[Iterable[StrictReader]]) -> list[StrictReader]:
    """Every id once, in order."""
    return list({item.id: item for items in lists for item in items}.values())
