"""What /customers adds to the kernel."""

import pytest

from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row


def test_email_of_a_customer_is_unique_within_the_company_only(acme: Tenant, globex: Tenant) -> None:
    acme.admin.create("/customers", {"name": "Wile", "email": "Wile@Example.com"})

    again = acme.admin.post("/customers", {"name": "Coyote", "email": " wile@example.COM "})
    elsewhere = globex.admin.post("/customers", {"name": "Wile", "email": "wile@example.com"})

    assert again.status_code == 409
    assert again.get_json()["errors"] == {"email": ["Already in use."]}
    assert elsewhere.status_code == 201


@pytest.mark.parametrize("text", ["wILe", "e@EXAMPLE", "straSSE"])
def test_search_finds_a_substring_of_name_email_or_contact_person_in_any_case(acme: Tenant, text: str) -> None:
    found = acme.admin.create("/customers", {"name": "Wile", "email": "e@example.com", "contact_person": "Straße"})
    acme.admin.create("/customers", {"name": "Other"})

    answer = acme.admin.get("/customers", query_string={"search": text})

    assert [row["id"] for row in answer.get_json()["data"]] == [found["id"]]


def test_reading_and_writing_cost_a_fixed_number_of_statements(acme: Tenant, statements) -> None:  # type: ignore[no-untyped-def]
    rows = [acme.admin.create("/customers", {"name": f"Customer {n}"}) for n in range(5)]
    path, decision = f"/customers/{rows[0]['id']}", 1

    with statements() as item:
        acme.admin.get(path)
    with statements() as page:
        acme.admin.get("/customers?limit=2")
    with statements() as create:
        acme.admin.post("/customers", {"name": "New"})
    with statements() as patch:
        acme.admin.patch(path, {"name": "Changed"})

    assert len(item) == 2 + decision
    assert len(page) <= 3 + decision
    assert len(create) <= 4 + decision
    assert len(patch) == 3 + decision


def test_customer_shows_every_field_of_the_directory(acme: Tenant) -> None:
    given = {
        "name": "Wile",
        "email": "wile@example.com",
        "contact_person": "Ethelbert",
        "phone_number": "1",
        "address": "Desert",
    }

    made = acme.admin.create("/customers", given)

    assert made | given == made
    assert set(made) >= {*given, "id", "company_id", "logo_file_id", "has_logo", "created_at", "updated_at"}
    assert (made["has_logo"], made["logo_file_id"]) == (False, None)


def test_many_customers_may_have_no_email(acme: Tenant) -> None:
    for name in ("Wile", "Coyote"):
        assert acme.admin.create("/customers", {"name": name})["email"] is None


def test_taken_email_is_refused_in_a_change_and_free_after_a_delete(acme: Tenant) -> None:
    first = acme.admin.create("/customers", {"name": "Wile", "email": "wile@example.com"})
    second = acme.admin.create("/customers", {"name": "Coyote"})
    path = f"/customers/{second['id']}"

    taken = acme.admin.patch(path, {"email": "WILE@example.com"})
    acme.admin.delete(f"/customers/{first['id']}")
    free = acme.admin.patch(path, {"email": "WILE@example.com"})

    assert taken.status_code == 409
    assert taken.get_json()["errors"] == {"email": ["Already in use."]}
    assert free.get_json()["email"] == "wile@example.com"


@pytest.mark.parametrize("query", ["name=Wile", "email=WILE@Example.com"])
def test_filters_find_by_name_and_email(acme: Tenant, query: str) -> None:
    made = acme.admin.create("/customers", {"name": "Wile", "email": "wile@example.com"})
    acme.admin.create("/customers", {"name": "wile e."})

    found = acme.admin.get(f"/customers?{query}").get_json()["data"]

    assert [row["id"] for row in found] == [made["id"]]


@one_database
@by_row("values", [{"name": None}, {"name": "x" * 101}, {"email": "nobody"}, {"has_logo": True}])
def test_value_that_does_not_fit_is_named(acme: Tenant, values: dict[str, object]) -> None:
    answer = acme.admin.post("/customers", {"name": "Wile"} | values)

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == list(values)


def test_name_is_enough_for_a_put_and_the_rest_stays(acme: Tenant) -> None:
    made = acme.admin.create("/customers", {"name": "Wile", "email": "wile@example.com"})

    replaced = acme.admin.put(f"/customers/{made['id']}", {"name": "Coyote"})
    refused = acme.admin.put(f"/customers/{made['id']}", {"email": "coyote@example.com"})

    assert replaced.get_json()["email"] == "wile@example.com"
    assert list(refused.get_json()["errors"]) == ["name"]
