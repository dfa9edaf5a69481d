"""/customers/profile: what users say of themselves as customers."""

from typing import Any
from uuid import uuid4

import pytest

from tests.customers.dossier import Json, customer, rows
from tests.customers.merge.merging import code_of, merged
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import both_databases, one_database
from tests.support.rows import by_row

pytestmark = one_database

PROFILE, CHECK = "/customers/profile", "/customers/profile/check"
# As document 004 sends it.
GIVEN = {
    "street_address": "123 Test Lane",
    "city": "Portland",
    "state": "Oregon",
    "postal_code": "97201",
    "country": "USA",
    "company_name": "Test Company",
}


def somebody(company: Tenant, **values: Any) -> ApiClient:
    return company.user("customer", **({"first_name": "Ada", "last_name": "Byron"} | values))


# Who may


@pytest.mark.parametrize("role", ["customer", "viewer", "manager", "administrator"])
def test_every_default_role_has_a_profile_of_its_own(acme: Tenant, role: str) -> None:
    user = acme.user(role, first_name="Ada")

    assert user.post(PROFILE, {}).status_code == 201
    assert user.get(PROFILE).status_code == 200
    assert user.patch(PROFILE, {"city": "x"}).status_code == 200
    assert user.delete(PROFILE).status_code == 204


def test_who_has_no_role_has_no_profile(acme: Tenant) -> None:
    user = acme.user()

    assert [user.get(PROFILE).status_code, user.post(PROFILE, {}).status_code] == [403, 403]
    assert user.post(CHECK, {}).status_code == 403


def test_the_role_of_customers_reaches_nothing_but_the_own_profile(acme: Tenant) -> None:
    user, other = somebody(acme), customer(acme)
    own = f"/customers/{user.create(PROFILE, {})['id']}"

    for path in (own, other, "/customers", f"{own}/notes", "/customers/stats", "/users"):
        assert user.get(path).status_code == 403, path
    assert user.patch(own, {"email": "x@example.com"}).status_code == 403


# Making one


@both_databases
def test_profile_is_a_customer_that_is_linked_to_the_caller(acme: Tenant) -> None:
    user = somebody(acme)

    answer = user.post(PROFILE, GIVEN)

    made = answer.get_json()
    assert (answer.status_code, answer.headers["Location"]) == (201, PROFILE)
    assert made.items() >= (GIVEN | {"country": "US", "user_id": user.user_id, "email": None}).items()
    assert acme.admin.get(f"/customers/{made['id']}").get_json() == made
    assert user.get(PROFILE).get_json() == made


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"name": "Mine"}, "Mine"),
        ({"name": "Mine", "company_name": "Ours"}, "Mine"),
        ({"company_name": "Ours"}, "Ours"),
        ({"company_name": "Long " * 50}, ("Long " * 50)[:100].strip()),
        ({"company_name": None}, "Ada Byron"),
        ({}, "Ada Byron"),
    ],
)
def test_name_of_a_profile_is_the_one_given_or_the_companys_or_the_users(acme: Tenant, given: Json, name: str) -> None:
    assert somebody(acme).create(PROFILE, given)["name"] == name


def test_who_has_no_name_is_asked_for_one(acme: Tenant) -> None:
    user = acme.user("customer")

    assert list(user.post(PROFILE, {}).get_json()["errors"]) == ["name"]
    assert user.create(PROFILE, {"name": "Mine"})["name"] == "Mine"


@both_databases
def test_there_is_one_profile_of_a_user(acme: Tenant) -> None:
    user = somebody(acme)
    user.create(PROFILE, {})

    assert code_of(user.post(PROFILE, {})) == (409, "PROFILE_EXISTS")
    assert len(rows(acme, "/customers")) == 1


@both_databases
def test_the_customer_that_staff_linked_is_the_profile(acme: Tenant) -> None:
    user = somebody(acme)
    made = acme.admin.create("/customers", {"name": "Linked", "user_id": user.user_id})

    assert user.get(PROFILE).get_json()["id"] == made["id"]
    assert user.post(PROFILE, {}).status_code == 409


@by_row("field", ["user_id", "email", "subscription_state", "is_verified", "total_services", "id"])
def test_what_is_not_ones_own_to_say_is_refused(acme: Tenant, field: str) -> None:
    user = somebody(acme)

    assert list(user.post(PROFILE, {field: None}).get_json()["errors"]) == [field]
    user.create(PROFILE, {})
    assert list(user.patch(PROFILE, {field: None}).get_json()["errors"]) == [field]


@pytest.mark.parametrize("values", [{"name": ""}, {"name": None}, {"country": "Atlantis"}, {"document_type": "none"}])
def test_fields_of_a_profile_are_checked_like_a_customers(acme: Tenant, values: Json) -> None:
    user = somebody(acme)

    assert user.post(PROFILE, values).status_code == 400
    user.create(PROFILE, {})
    assert list(user.patch(PROFILE, values).get_json()["errors"]) == list(values)


# Reading, changing, deleting


def test_profile_that_is_not_there_is_not_found(acme: Tenant) -> None:
    user = somebody(acme)

    for answer in (user.get(PROFILE), user.patch(PROFILE, {}), user.delete(PROFILE)):
        assert code_of(answer) == (404, "PROFILE_NOT_FOUND")


def test_nobody_sees_or_changes_anothers_profile(acme: Tenant, globex: Tenant) -> None:
    users = [somebody(acme), somebody(acme), somebody(globex)]
    for number, user in enumerate(users):
        user.create(PROFILE, {"name": f"Profile {number}"})

    users[0].patch(PROFILE, {"city": "Portland"})
    users[1].delete(PROFILE)

    assert [users[0].get(PROFILE).get_json()[name] for name in ("name", "city")] == ["Profile 0", "Portland"]
    assert users[1].get(PROFILE).status_code == 404
    assert users[2].get(PROFILE).get_json()["city"] is None


def test_profile_carries_a_version(acme: Tenant) -> None:
    user = somebody(acme)
    tagged = user.post(PROFILE, {}).headers["ETag"]

    assert user.get(PROFILE, headers={"If-None-Match": tagged}).status_code == 304
    assert user.patch(PROFILE, {"city": "x"}, headers={"If-Match": tagged}).status_code == 200
    assert user.patch(PROFILE, {"city": "y"}, headers={"If-Match": tagged}).status_code == 412
    assert user.delete(PROFILE, headers={"If-Match": tagged}).status_code == 412
    assert user.get(PROFILE).get_json()["city"] == "x"


@both_databases
def test_profile_is_deleted_with_everything_in_it(acme: Tenant) -> None:
    user = somebody(acme)
    path = f"/customers/{user.create(PROFILE, {})['id']}"
    acme.admin.create(f"{path}/notes", {"body": "Of the customer."})
    other = customer(acme)
    merged(acme, path, other)

    assert user.delete(PROFILE).status_code == 204

    assert [acme.admin.get(each).status_code for each in (path, other)] == [404, 404]
    assert user.create(PROFILE, {})["id"] not in path


@both_databases
def test_profile_follows_its_user_into_another_customer(acme: Tenant) -> None:
    user, target = somebody(acme), customer(acme, name="Survivor")
    source = f"/customers/{user.create(PROFILE, {})['id']}"

    merged(acme, target, source)

    assert user.get(PROFILE).get_json()["name"] == "Survivor"


# Whether there is one


def test_check_says_whether_there_is_a_profile(acme: Tenant) -> None:
    user = somebody(acme)

    before = user.post(CHECK).get_json()
    made = user.create(PROFILE, {})
    after = [user.post(CHECK, body).get_json() for body in ({}, {"user_id": None}, {"user_id": user.user_id})]

    assert before == {"exists": False, "customer_id": None}
    assert after == [{"exists": True, "customer_id": made["id"]}] * 3


def test_checking_anothers_profile_needs_customer_read(acme: Tenant, globex: Tenant) -> None:
    users = [somebody(acme), somebody(acme), somebody(globex)]
    made = [user.create(PROFILE, {})["id"] for user in users]
    viewer = acme.user("viewer")

    assert users[0].post(CHECK, {"user_id": users[1].user_id}).status_code == 403
    assert viewer.post(CHECK, {"user_id": users[1].user_id}).get_json() == {"exists": True, "customer_id": made[1]}
    for unknown in (users[2].user_id, str(uuid4())):
        assert viewer.post(CHECK, {"user_id": unknown}).get_json() == {"exists": False, "customer_id": None}
