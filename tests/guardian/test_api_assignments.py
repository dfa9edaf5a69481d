"""Which user has which role: changes, the last administrator, and nobody above themselves."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from app.companies.service import lock_company
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.guardian.models import UserRole
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database, only_postgresql
from tests.support.roles import CONTROL, give, role_id, role_with, user_with
from tests.support.served import Through
from tests.support.waiting import wait_for

PATH = "/guardian/user-roles"
HELD, LACKED = "identity:customer:READ", "identity:customer:DELETE"
Json = dict[str, Any]


def assignments(client: ApiClient, user: ApiClient) -> list[Json]:
    found: list[Json] = client.get(PATH, query_string={"user_id": user.user_id}).get_json()
    return found


def only_assignment(client: ApiClient, user: ApiClient) -> Json:
    [found] = assignments(client, user)
    return found


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error_code"]


@one_database
def test_assignment_is_made_shown_changed_and_removed(acme: Tenant, engine: Through) -> None:
    admin, user, other = engine(acme.admin), acme.user(), acme.user()
    first, second = role_with(acme, HELD), role_with(acme)

    created = admin.post(PATH, {"user_id": user.user_id, "role_id": first})
    made = created.get_json()
    path = f"{PATH}/{made['id']}"
    changed = admin.patch(path, {"role_id": second})
    replaced = admin.put(path, {"user_id": other.user_id, "role_id": first})
    shown = admin.get(path)
    removed = admin.delete(path)

    assert (created.status_code, created.headers["Location"]) == (201, path)
    assert made["role"] == acme.admin.get(f"/guardian/roles/{first}").get_json()
    assert changed.get_json()["role"] == acme.admin.get(f"/guardian/roles/{second}").get_json()
    assert made == {**made, "user_id": user.user_id, "role_id": first, "company_id": acme.admin.company_id}
    assert (changed.status_code, changed.get_json()["role_id"]) == (200, second)
    assert (replaced.status_code, replaced.get_json()["user_id"]) == (200, other.user_id)
    assert shown.get_json() == replaced.get_json() == {**made, "user_id": other.user_id}
    assert (removed.status_code, assignments(admin, other)) == (204, [])


def test_assignments_are_found_by_user_and_by_role(acme: Tenant, engine: Through, statements: Any) -> None:
    admin, users, role = engine(acme.admin), [acme.user(), acme.user()], role_with(acme)
    made = [give(acme, user, role) for user in users]
    give(acme, users[0], role_with(acme))

    with statements() as sent:
        embedded = {each["role"]["id"] for each in acme.admin.get(PATH).get_json()}
    of_user = admin.get(PATH, query_string={"user_id": users[1].user_id}).get_json()
    of_role = admin.get(PATH, query_string={"role_id": role}).get_json()

    assert [each["id"] for each in of_user] == made[1:]
    assert [each["id"] for each in of_role] == made
    assert role in embedded
    assert len(sent) <= 4


def test_change_into_what_is_there_already_is_a_conflict(acme: Tenant, engine: Through) -> None:
    user, roles = acme.user(), [role_with(acme), role_with(acme)]
    made = [give(acme, user, role) for role in roles]

    answer = engine(acme.admin).patch(f"{PATH}/{made[0]}", {"role_id": roles[1]})

    assert (answer.status_code, list(answer.get_json()["errors"])) == (409, ["role_id"])


@one_database
@pytest.mark.parametrize("name", ["user_id", "role_id"])
def test_change_to_what_the_company_does_not_have_is_refused(acme: Tenant, globex: Tenant, name: str) -> None:
    path = f"{PATH}/{give(acme, acme.user(), role_with(acme))}"
    foreign = {"user_id": globex.user().user_id, "role_id": role_with(globex)}[name]

    answers = [acme.admin.patch(path, {name: each}) for each in (foreign, str(uuid4()))]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert [answer.get_json()["errors"] for answer in answers] == [{name: ["Not found."]}] * 2


@one_database
def test_change_that_changes_nothing_is_none(acme: Tenant) -> None:
    path = f"{PATH}/{give(acme, acme.user(), role_with(acme))}"
    before = acme.admin.get(path).get_json()

    answer = acme.admin.patch(path, {})

    assert (answer.status_code, answer.get_json()) == (200, before)


# Nobody above themselves


@one_database
def test_role_above_ones_own_is_not_reached_by_a_change(acme: Tenant, engine: Through) -> None:
    someone = engine(user_with(acme, "guardian:user_role:UPDATE", CONTROL, HELD))
    own = give(acme, someone, role_with(acme, HELD))
    above = give(acme, acme.user(), role_with(acme, LACKED))

    up = someone.patch(f"{PATH}/{own}", {"role_id": role_with(acme, LACKED)})
    to_top = someone.patch(f"{PATH}/{own}", {"role_id": role_id(acme, "administrator")})
    over = someone.patch(f"{PATH}/{above}", {"user_id": someone.user_id})
    level = someone.patch(f"{PATH}/{own}", {"role_id": role_with(acme, HELD)})

    assert [refusal(each) for each in (up, to_top, over)] == [(403, "ROLE_ABOVE_OWN")] * 3
    assert level.status_code == 200


@one_database
def test_assignment_of_an_administrator_is_not_moved_to_oneself(acme: Tenant) -> None:
    someone = user_with(acme, "guardian:user_role:UPDATE", CONTROL)
    path = f"{PATH}/{only_assignment(acme.admin, acme.admin)['id']}"

    answer = someone.patch(path, {"user_id": someone.user_id})

    assert refusal(answer) == (403, "ROLE_ABOVE_OWN")


# The last administrator


@pytest.mark.parametrize(
    "change", [{"role_id": "viewer"}, {"user_id": "other"}, {"role_id": "viewer", "user_id": "other"}]
)
def test_assignment_of_the_last_administrator_is_not_changed(
    acme: Tenant, engine: Through, change: dict[str, str]
) -> None:
    admin, other = engine(acme.admin), acme.user()
    before = only_assignment(admin, admin)
    meant = {"viewer": role_id(acme, "viewer"), "other": other.user_id}

    answer = admin.patch(f"{PATH}/{before['id']}", {name: meant[value] for name, value in change.items()})

    assert refusal(answer) == (409, "LAST_ADMINISTRATOR")
    assert only_assignment(admin, admin) == before


def test_one_of_two_administrators_may_be_changed(acme: Tenant, engine: Through) -> None:
    admin, second = engine(acme.admin), acme.user("administrator")
    path = f"{PATH}/{only_assignment(admin, second)['id']}"

    demoted = admin.patch(path, {"role_id": role_id(acme, "viewer")})
    again = admin.patch(f"{PATH}/{only_assignment(admin, admin)['id']}", {"role_id": role_id(acme, "viewer")})

    assert demoted.status_code == 200
    assert refusal(again) == (409, "LAST_ADMINISTRATOR")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_two_administrators_who_end_each_other_at_once_leave_one(acme: Tenant, method: str) -> None:
    second = acme.user("administrator")
    paths = [f"{PATH}/{only_assignment(acme.admin, each)['id']}" for each in (acme.admin, second)]
    body, together = ({"role_id": role_id(acme, "viewer")} if method == "PATCH" else None), Barrier(2, timeout=30)

    def end(client: ApiClient, path: str) -> int:
        together.wait()
        status: int = client.request(method, path, body).status_code
        return status

    with ThreadPoolExecutor() as pool:
        statuses = list(pool.map(end, (acme.admin, second), reversed(paths)))

    # Who lost the administrator's role before being asked is denied; who comes second would leave nobody.
    assert sorted(statuses) in ([200, 403], [200, 409], [204, 403], [204, 409])
    left = [each for each in (acme.admin, second) if each.get(PATH).status_code == 200 and may_delete(each)]
    assert len(left) == 1


def may_delete(client: ApiClient) -> bool:
    return client.delete(f"{PATH}/{uuid4()}").status_code == 404


WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
"""Who waits for a lock of this transaction. Unlike pg_stat_activity, it is read anew each time."""
UNGUARDED = {"unguarded": "a catalogue of PostgreSQL"}


@only_postgresql
def test_change_of_what_became_the_last_administrator_meanwhile_is_refused(acme: Tenant) -> None:
    user = acme.user("viewer")
    path = f"{PATH}/{only_assignment(acme.admin, user)['id']}"
    top, empty, held = role_id(acme, "administrator"), role_with(acme), Event()
    someone = user_with(acme, "guardian:user_role:UPDATE", CONTROL)

    def hand_over() -> None:
        """The role of the only administrator, while the other request has seen a viewer and waits."""
        with acme.app.app_context(), tenant(acme.company_id), unit_of_work() as session:
            lock_company()
            held.set()
            wait_for(lambda: session.scalar(text(WAITING), execution_options=UNGUARDED))
            for assignment in session.scalars(select(UserRole)):
                if str(assignment.user_id) == user.user_id:
                    assignment.role_id = UUID(top)
                elif str(assignment.role_id) == top:
                    session.delete(assignment)

    with ThreadPoolExecutor() as pool:
        handing_over = pool.submit(hand_over)
        assert held.wait(30)
        answer = someone.patch(path, {"role_id": empty})
        handing_over.result()

    assert refusal(answer) == (409, "LAST_ADMINISTRATOR")
    assert only_assignment(user, user)["role_id"] == top


def test_assignment_that_went_while_it_was_changed_is_a_conflict_or_gone(acme: Tenant) -> None:
    path = f"{PATH}/{give(acme, acme.user(), role_with(acme))}"
    other, together = role_with(acme), Barrier(2, timeout=30)

    def act(method: str) -> int:
        together.wait()
        status: int = acme.admin.request(method, path, {"role_id": other} if method == "PATCH" else None).status_code
        return status

    with ThreadPoolExecutor() as pool:
        changed, removed = pool.map(act, ("PATCH", "DELETE"))

    assert changed in (200, 404, 409)
    assert removed == 204
