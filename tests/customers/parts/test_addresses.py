"""What /customers/{id}/addresses adds to a part: one primary of each type, and verification."""

import pytest

from tests.customers.dossier import ADDRESS, Json, customer, rows, shown
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.roles import user_with
from tests.support.rows import by_row


def address(company: Tenant, owner: str, **values: object) -> str:
    """The path of a new address."""
    return f"{owner}/addresses/{company.admin.create(f'{owner}/addresses', ADDRESS | values)['id']}"


def primaries(company: Tenant, owner: str) -> set[tuple[str, str]]:
    return {(row["type"], row["line1"]) for row in rows(company, f"{owner}/addresses") if row["is_primary"]}


def test_a_new_primary_takes_the_place_of_the_one_of_its_type(acme: Tenant) -> None:
    owner, other = customer(acme), customer(acme)
    first = address(acme, owner, line1="First", is_primary=True)
    address(acme, owner, line1="Parcels", type="shipping", is_primary=True)
    address(acme, other, line1="Elsewhere", is_primary=True)
    before = acme.admin.get(first).headers["ETag"]

    address(acme, owner, line1="Second", is_primary=True)

    assert primaries(acme, owner) == {("billing", "Second"), ("shipping", "Parcels")}
    assert primaries(acme, other) == {("billing", "Elsewhere")}
    assert acme.admin.get(first).headers["ETag"] != before


def test_a_primary_that_changes_its_type_takes_the_place_there(acme: Tenant) -> None:
    owner = customer(acme)
    moved = address(acme, owner, line1="Moved", is_primary=True)
    address(acme, owner, line1="Parcels", type="shipping", is_primary=True)

    acme.admin.patch(moved, {"type": "shipping"})

    assert primaries(acme, owner) == {("shipping", "Moved")}


def test_saving_a_primary_again_leaves_it_the_primary(acme: Tenant) -> None:
    owner = customer(acme)
    path = address(acme, owner, is_primary=True)

    saved = acme.admin.put(path, ADDRESS | {"is_primary": True})

    assert saved.get_json()["is_primary"] is True


@one_database
@pytest.mark.parametrize(
    ("given", "stored"), [("USA", "US"), ("united kingdom", "GB"), (" fr ", "FR"), ("Türkiye", "TR")]
)
def test_country_is_stored_as_its_code(acme: Tenant, given: str, stored: str) -> None:
    path = address(acme, customer(acme), country=given)

    assert shown(acme, path)["country"] == stored


@one_database
@by_row(
    "values",
    [
        {"type": "home"}, {"country": "Atlantis"}, {"country": None}, {"line1": " "}, {"latitude": 91},
        {"longitude": "1"}, {"latitude": True}, {"is_verified": True}, {"verified_at": None}, {"is_primary": "true"},
        {"city": "x" * 101},
    ],
)  # fmt: skip
def test_value_that_does_not_fit_is_named(acme: Tenant, values: Json) -> None:
    answer = acme.admin.post(f"{customer(acme)}/addresses", ADDRESS | values)

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == list(values)


def test_verification_says_who_and_when_and_can_be_taken_back(acme: Tenant) -> None:
    path = address(acme, customer(acme))

    verified = acme.admin.put(f"{path}/verify", {"verified": True, "note": "Seen."}).get_json()
    back = acme.admin.put(f"{path}/verify", {"verified": False}).get_json()

    assert (verified["is_verified"], verified["verified_by"]) == (True, acme.admin.user_id)
    assert (verified["verified_at"] is not None, verified["verification_note"]) == (True, "Seen.")
    assert (back["is_verified"], back["verified_by"], back["verified_at"]) == (False, None, None)


@pytest.mark.parametrize("change", [{"line1": "13 Mill Lane"}, {"country": "FR"}, {"latitude": 51.5}])
def test_a_verified_address_whose_place_changes_is_not_verified_any_more(acme: Tenant, change: Json) -> None:
    path = address(acme, customer(acme))
    acme.admin.put(f"{path}/verify", {"verified": True})

    same = acme.admin.patch(path, {"label": "Office", "line1": ADDRESS["line1"], "is_primary": True}).get_json()
    moved = acme.admin.patch(path, change).get_json()

    assert same["is_verified"] is True
    assert (moved["is_verified"], moved["verified_at"], moved["verified_by"]) == (False, None, None)


@one_database
def test_verifying_needs_update_and_the_version_that_if_match_names(acme: Tenant, globex: Tenant) -> None:
    path = address(acme, customer(acme))
    reader = user_with(acme, "identity:customer_address:READ")

    assert reader.put(f"{path}/verify", {"verified": True}).status_code == 403
    assert globex.admin.put(f"{path}/verify", {"verified": True}).status_code == 404
    assert acme.admin.put(f"{path}/verify", {"verified": True}, headers={"If-Match": '"9"'}).status_code == 412
    assert acme.admin.put(f"{path}/verify", {}).status_code == 400
    assert shown(acme, path)["is_verified"] is False


def test_an_address_stays_verified_when_the_user_who_did_it_is_deleted(acme: Tenant) -> None:
    path, clerk = address(acme, customer(acme)), user_with(acme, "identity:customer_address:UPDATE")
    clerk.put(f"{path}/verify", {"verified": True})

    acme.admin.delete(f"/users/{clerk.user_id}")

    found = shown(acme, path)
    assert (found["is_verified"], found["verified_by"]) == (True, None)
