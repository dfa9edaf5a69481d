"""Lists of users, and their positions."""

import pytest
from uuid_utils.compat import uuid7

from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.roles import user_with
from tests.users.people import PATH, emails, new, position


@pytest.mark.parametrize("where", ["another company", "nowhere"])
def test_position_must_be_one_of_the_same_company(acme: Tenant, globex: Tenant, where: str) -> None:
    user = acme.user()
    foreign = position(globex)["id"] if where == "another company" else str(uuid7())

    created = acme.admin.post(PATH, new(position_id=foreign))
    changed = acme.admin.patch(f"{PATH}/{user.user_id}", {"position_id": foreign})

    assert created.status_code == changed.status_code == 400
    assert created.get_json()["errors"] == changed.get_json()["errors"] == {"position_id": ["Not found."]}
    assert globex.admin.get(f"/positions/{position(globex)['id']}/users").get_json()["data"] == []


def test_position_is_given_and_taken_again(acme: Tenant) -> None:
    user, held = acme.user(), position(acme)

    given = acme.admin.patch(f"{PATH}/{user.user_id}", {"position_id": held["id"]})
    taken = acme.admin.patch(f"{PATH}/{user.user_id}", {"position_id": None})

    assert given.get_json()["position_id"] == held["id"]
    assert taken.get_json()["position_id"] is None


# Looking


def test_filters_find_by_name_state_and_position(acme: Tenant) -> None:
    held = position(acme)
    acme.admin.create(PATH, new(username="Coyote", is_verified=True, position_id=held["id"]))
    acme.admin.create(PATH, new(email="off@example.com", is_active=False))

    wile, off, admin = "wile@example.com", "off@example.com", "admin@acme.example"
    assert emails(acme.admin, "?email=WILE@example.com") == {wile}
    assert emails(acme.admin, "?username=Coyote") == {wile}
    assert emails(acme.admin, "?is_active=false") == {off}
    assert emails(acme.admin, "?is_verified=true") == {wile, admin}
    assert emails(acme.admin, f"?position_id={held['id']}") == {wile}
    assert emails(acme.admin, "?position_id=null") == {off}


@pytest.mark.parametrize("text", ["WILE@", "oyot", "ethelb", "vuNDt"])
def test_search_looks_at_email_username_and_both_names(acme: Tenant, text: str) -> None:
    acme.admin.create(PATH, new(username="coyote", first_name="Ethelbert", last_name="Vundt"))

    assert emails(acme.admin, f"?search={text}") == {"wile@example.com"}


@pytest.mark.parametrize("sort", ["created_at", "updated_at", "email", "last_name", "last_login_at"])
def test_users_are_sorted_by_each_declared_field(acme: Tenant, sort: str) -> None:
    for name in ("Zoe", "adam", None):
        acme.admin.create(PATH, new(email=f"{name}@example.com", last_name=name))

    rows = acme.admin.get(f"{PATH}?sort={sort}&limit=2").get_json()
    rest = acme.admin.get(f"{PATH}?sort={sort}&page=2&limit=2").get_json()

    found = [row[sort] and row[sort].casefold() for row in rows["data"] + rest["data"]]
    assert found == sorted(found, key=lambda value: (value is None, value))


def test_expand_embeds_position_and_company(acme: Tenant) -> None:
    held = position(acme)
    made = acme.admin.create(PATH, new(position_id=held["id"]))

    one = acme.admin.get(f"{PATH}/{made['id']}?expand=position,company").get_json()
    rows = acme.admin.get(f"{PATH}?expand=company,position").get_json()["data"]

    unit_id = held["organization_unit_id"]
    shown = ("id", "title", "description", "level", "organization_unit_id")
    assert one["position"] == {name: held[name] for name in shown}
    assert (one["position"]["title"], one["position"]["organization_unit_id"]) == ("Lead", unit_id)
    assert one["company"] == {"id": acme.admin.company_id, "name": "acme", "status": "active"}
    assert [row["position"] and row["position"]["id"] for row in rows if row["id"] == made["id"]] == [held["id"]]
    assert {row["company"]["name"] for row in rows} == {"acme"}


@one_database
def test_expand_needs_the_permission_of_what_it_embeds(acme: Tenant) -> None:
    clerk = user_with(acme, "identity:user:LIST", "identity:user:READ", "identity:company:LIST")

    assert clerk.get(f"{PATH}?expand=company").status_code == 200
    assert clerk.get(f"{PATH}?expand=position").status_code == 403
    assert clerk.get(f"{PATH}/{clerk.user_id}?expand=company,position").status_code == 403


def test_users_of_a_position_are_listed_with_the_permission_for_users(acme: Tenant) -> None:
    held = position(acme)
    acme.admin.create(PATH, new(position_id=held["id"]))
    reader, stranger = user_with(acme, "identity:user:LIST"), user_with(acme, "identity:position:LIST")

    found = reader.get(f"/positions/{held['id']}/users?is_active=true").get_json()

    assert [row["email"] for row in found["data"]] == ["wile@example.com"]
    assert stranger.get(f"/positions/{held['id']}/users").status_code == 403
