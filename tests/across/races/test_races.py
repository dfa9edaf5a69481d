"""Several processes that create, delete and change the same rows at once."""

from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, func, select

from app.guardian.models import Role, UserRole
from app.users.models import User
from tests.across.races.competing import Json, make_customer, make_user, new_customer, new_user, statuses
from tests.across.races.fleet import SIZE, Fleet, Wish, by
from tests.support.clients import PASSWORD, ApiClient, Tenant, make_tenant, unique
from tests.support.everything import row_counts

ROUNDS, FEW = 8, 6


# The first initialization


def test_one_of_several_first_initializations_wins(
    fleet: Fleet, emptied: Callable[[], None], everything: Engine, anonymous: ApiClient
) -> None:
    counts = []
    for _ in range(FEW):
        emptied()
        wishes = [Wish("POST", "/init-db", _first(number)) for number in range(SIZE)]

        answers = fleet.race(*wishes)

        assert statuses(answers) == [201, 403, 403, 403]
        assert {answer.body.get("error_code") for answer in answers} == {None, "ALREADY_INITIALIZED"}
        counts.append(row_counts(everything))
    assert counts[0]["company"] == counts[0]["user"] == counts[0]["login_key"] == counts[0]["user_role"] == 1
    assert all(each == counts[0] for each in counts)
    assert anonymous.get("/init-db").get_json() == {"initialized": True}


def _first(number: int) -> Json:
    user = {"email": f"admin{number}@example.com", "password": PASSWORD}
    return {"company": {"name": f"company {number}"}, "user": user}


# What is unique


@pytest.mark.parametrize("field", ["email", "username"])
def test_one_of_several_users_gets_a_sign_in_name(
    acme: Tenant, globex: Tenant, fleet: Fleet, everything: Engine, field: str
) -> None:
    for number in range(ROUNDS):
        clients = [acme.admin, globex.admin] * 2
        taken = {"email": f"same{number}@example.com"} if field == "email" else {"username": f"same{number}"}

        answers = fleet.race(*(by(client, "POST", "/users", new_user() | taken) for client in clients))

        assert statuses(answers) == [201, 409, 409, 409]
        losers = [answer.body["errors"] for answer in answers if answer.status == 409]
        assert losers == [{field: ["Already in use."]}] * 3
    counts = row_counts(everything)
    assert counts["user"] == counts["login_key"] == 2 + ROUNDS


def test_one_of_several_companies_gets_a_name(acme: Tenant, fleet: Fleet, everything: Engine) -> None:
    before = row_counts(everything)["company"]
    for number in range(ROUNDS):
        answers = fleet.race(*[by(acme.admin, "POST", "/companies", {"name": f"Initech {number}"})] * SIZE)

        assert statuses(answers) == [201, 409, 409, 409]
    assert row_counts(everything)["company"] == before + ROUNDS


# Deleting


def test_one_of_several_deletions_of_the_same_row_wins(acme: Tenant, fleet: Fleet) -> None:
    for make in (make_customer, make_user, _unit, _position, _assignment):
        for _ in range(3):
            path = make(acme.admin)

            answers = fleet.race(*[by(acme.admin, "DELETE", path)] * SIZE)

            assert [answer.status for answer in answers].count(204) >= 1, path
            assert {answer.status for answer in answers} <= {204, 404, 409}, path
            assert acme.admin.get(path).status_code == 404


def _unit(admin: ApiClient) -> str:
    return f"/organization_units/{admin.create('/organization_units', {'name': unique('unit')})['id']}"


def _position(admin: ApiClient) -> str:
    place = admin.get("/organization_units").get_json()["data"][0]["id"]
    return f"/positions/{admin.create('/positions', {'title': 'Lead', 'organization_unit_id': place})['id']}"


def _assignment(admin: ApiClient) -> str:
    role = next(row for row in admin.get("/guardian/roles").get_json() if row["code"] == "viewer")
    user = admin.create("/users", new_user())
    made = admin.create("/guardian/user-roles", {"user_id": user["id"], "role_id": role["id"]})
    return f"/guardian/user-roles/{made['id']}"


def test_company_deleted_while_its_users_write_leaves_nothing_behind(
    acme: Tenant, fleet: Fleet, everything: Engine
) -> None:
    before = row_counts(everything)
    for _ in range(FEW):
        company = make_tenant(acme.app, unique("leaving"))
        path = f"/companies/{company.company_id}"
        leaving = [by(acme.admin, "PATCH", path, {"status": "inactive"})]
        leaving += [by(acme.admin, "DELETE", f"{path}?cascade=true")] * 10

        [*writing, ending] = fleet.run(*[[new_customer(company.admin)] * 10] * (SIZE - 1), leaving)

        assert {answer.status for batch in writing for answer in batch} <= {201, 401, 403, 409}
        assert {answer.status for answer in ending} <= {200, 204, 404, 409}
        assert [answer.status for answer in ending].count(204) == 1
        assert row_counts(everything) == before


# The last administrator

Means = Callable[[Tenant, ApiClient, ApiClient], Wish]


def _deactivate(_company: Tenant, actor: ApiClient, victim: ApiClient) -> Wish:
    return by(actor, "PATCH", f"/users/{victim.user_id}", {"is_active": False})


def _delete(_company: Tenant, actor: ApiClient, victim: ApiClient) -> Wish:
    return by(actor, "DELETE", f"/users/{victim.user_id}")


def _unassign(company: Tenant, actor: ApiClient, victim: ApiClient) -> Wish:
    [found] = company.admin.get(f"/guardian/user-roles?user_id={victim.user_id}").get_json()
    return by(actor, "DELETE", f"/guardian/user-roles/{found['id']}")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (_deactivate, _deactivate),
        (_delete, _delete),
        (_unassign, _unassign),
        (_deactivate, _unassign),
        (_delete, _unassign),
    ],
)
def test_of_two_administrators_who_remove_each_other_one_remains(
    acme: Tenant, fleet: Fleet, everything: Engine, first: Means, second: Means
) -> None:
    for _ in range(FEW):
        company = make_tenant(acme.app, unique("two"))
        one, other = company.admin, company.user("administrator")

        wishes = [first(company, one, other), second(company, other, one)] * 2
        answers = fleet.race(*wishes)

        assert {answer.status for answer in answers} <= {200, 204, 401, 403, 404, 409}
        assert _administrators(everything, company) == 1


def _administrators(everything: Engine, company: Tenant) -> int:
    user, role, assigned = User.__table__, Role.__table__, UserRole.__table__
    statement = (
        select(func.count(user.c.id.distinct()))
        .join(assigned, assigned.c.user_id == user.c.id)
        .join(role, role.c.id == assigned.c.role_id)
        .where(role.c.is_system, user.c.is_active, user.c.company_id == company.company_id)
    )
    with everything.connect() as connection:
        return int(connection.execute(statement).scalar_one())


# Lost updates


def test_every_change_that_was_accepted_is_a_version_and_the_rest_are_conflicts(acme: Tenant, fleet: Fleet) -> None:
    path = make_customer(acme.admin)

    answers = fleet.run(
        *([by(acme.admin, "PATCH", path, {"address": f"{who} {at}"}) for at in range(25)] for who in range(SIZE))
    )

    counted = Counter(answer.status for batch in answers for answer in batch)
    last = acme.admin.get(path)
    accepted = {answer.etag: answer.body["address"] for batch in answers for answer in batch if answer.status == 200}
    assert set(counted) <= {200, 409}
    assert len(accepted) == counted[200]
    assert last.headers["ETag"] == f'"{1 + counted[200]}"'
    assert accepted[last.headers["ETag"]] == last.get_json()["address"]


def test_one_of_several_changes_of_the_same_version_wins(acme: Tenant, fleet: Fleet) -> None:
    for _ in range(ROUNDS):
        path = make_customer(acme.admin)
        tag = acme.admin.get(path).headers["ETag"]

        answers = fleet.race(
            *(by(acme.admin, "PATCH", path, {"address": str(who)}, If_Match=tag) for who in range(SIZE))
        )

        [winner] = [answer for answer in answers if answer.status == 200]
        assert statuses(answers) == [200, 412, 412, 412]
        assert acme.admin.get(path).get_json() == winner.body
