"""Ids that the token and the path determine, repeated by clients in bodies and queries."""

import io
from typing import Any
from uuid import uuid4

from tests.support.clients import ApiClient, Tenant
from tests.support.declared import Json
from tests.support.marks import one_database
from tests.support.pictures import picture
from tests.support.rows import by_row


def unit_of(client: ApiClient) -> str:
    unit: str = client.get("/organization_units").get_json()["data"][0]["id"]
    return unit


BODIES: dict[str, tuple[str, Json]] = {
    "a customer": ("/customers", {"name": "Wile"}),
    "a unit": ("/organization_units", {"name": "Stores"}),
    "a subcontractor": ("/subcontractors", {"name": "Rex"}),
    "a user": ("/users", {"email": "wile@acme.example", "password": "lantern-otter-42"}),
    "a role": ("/guardian/roles", {"name": "Night shift"}),
    "a policy": ("/guardian/policies", {"name": "Reads customers"}),
}


@by_row("what", BODIES)
@one_database
def test_the_callers_company_may_stand_in_a_body(globex: Tenant, what: str) -> None:
    path, body = BODIES[what]
    row = globex.admin.create(path, body | {"company_id": str(globex.company_id).upper()})

    assert row["company_id"] == str(globex.company_id)
    changed = globex.admin.patch(f"{path}/{row['id']}", {"company_id": str(globex.company_id)})
    assert changed.status_code == 200, changed.text


@by_row("value", [str(uuid4()), None, "", 1, [], {}, ["x"], "null"])
@one_database
def test_no_other_company_may(globex: Tenant, acme: Tenant, value: Any) -> None:
    for company_id in (value, str(acme.company_id)):
        for path, body in BODIES.values():
            answer = globex.admin.post(path, body | {"company_id": company_id})

            assert (answer.status_code, list(answer.get_json()["errors"])) == (400, ["company_id"])


@one_database
def test_assignments_and_compositions_take_the_company_too(globex: Tenant) -> None:
    own = {"company_id": str(globex.company_id)}
    role = globex.admin.create("/guardian/roles", {"name": "Night shift"})["id"]
    policy = globex.admin.create("/guardian/policies", {"name": "Reads customers"})["id"]
    reader = globex.user()
    [permission] = globex.admin.get(
        "/guardian/permissions?service=identity&resource_name=customer&operation=READ"
    ).get_json()

    both = {"role_id": role, "policy_id": policy}
    globex.admin.create(f"/guardian/roles/{role}/policies", both | own)
    globex.admin.create(f"/guardian/policies/{policy}/permissions", {"permission_id": permission["id"]} | own)
    globex.admin.create("/guardian/user-roles", {"user_id": reader.user_id, "role_id": role} | own)
    globex.admin.create(f"/users/{globex.user().user_id}/roles", {"role_id": role} | own)

    other = globex.admin.post(f"/guardian/roles/{role}/policies", both | {"role_id": policy})
    assert (other.status_code, list(other.get_json()["errors"])) == (400, ["role_id"])


@one_database
def test_the_callers_company_may_stand_in_a_query(globex: Tenant, acme: Tenant) -> None:
    row = globex.admin.create("/customers", {"name": "Wile"})
    own = str(globex.company_id)

    for path in ("/customers", "/users", "/guardian/roles", f"/customers/{row['id']}", "/version", "/users/me"):
        assert globex.admin.get(path, query_string={"company_id": own}).status_code == 200, path
        for other in (str(acme.company_id), "", "x", f"{own},{own}"):
            answer = globex.admin.get(path, query_string={"company_id": other})
            assert (answer.status_code, list(answer.get_json()["errors"])) == (400, ["company_id"]), (path, other)
        assert globex.admin.get(f"{path}?company_id={own}&company_id={acme.company_id}").status_code == 400, path


@one_database
def test_a_page_of_the_own_company_is_followed_by_its_cursor(globex: Tenant) -> None:
    for name in "abc":
        globex.admin.create("/customers", {"name": name})
    own = {"company_id": str(globex.company_id), "limit": "2"}

    cursor = globex.admin.get("/customers", query_string=own | {"cursor": ""}).get_json()["pagination"]["next_cursor"]
    rest = globex.admin.get("/customers", query_string={"cursor": cursor, "limit": "2"}).get_json()["data"]

    assert [row["name"] for row in rest] == ["c"]


def test_the_parent_in_the_path_may_stand_in_the_body(acme: Tenant) -> None:
    unit = unit_of(acme.admin)
    customer = acme.admin.create("/customers", {"name": "Wile"})["id"]
    path = f"/organization_units/{unit}/positions"

    made = acme.admin.create(path, {"title": "Clerk", "organization_unit_id": unit})
    note = acme.admin.create(f"/customers/{customer}/notes", {"body": "Hello.", "customer_id": customer.upper()})

    assert made["organization_unit_id"] == unit
    assert note["customer_id"] == customer
    for other in (str(uuid4()), None, "", 7):
        answer = acme.admin.post(path, {"title": "Clerk", "organization_unit_id": other})
        assert (answer.status_code, list(answer.get_json()["errors"])) == (400, ["organization_unit_id"])
    changed = acme.admin.patch(f"/customers/{customer}/notes/{note['id']}", {"customer_id": customer})
    assert changed.status_code == 400


@one_database
def test_a_form_takes_the_company_too(acme: Tenant) -> None:
    customer = acme.admin.create("/customers", {"name": "Wile"})["id"]

    for company_id, status in ((str(acme.company_id), 201), (str(uuid4()), 400)):
        form = {"logo": (io.BytesIO(picture()), "logo.png"), "company_id": company_id}
        assert acme.admin.post(f"/customers/{customer}/logo", data=form).status_code == status


@one_database
def test_a_stranger_has_no_company_to_repeat(acme: Tenant, anonymous: ApiClient) -> None:
    own = str(acme.company_id)

    assert anonymous.get("/health/live", query_string={"company_id": own}).status_code == 400
    login = {"email": acme.admin.email, "password": "x", "company_id": own}
    assert anonymous.post("/auth/login", login).status_code == 400
