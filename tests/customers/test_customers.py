"""What /customers adds to the kernel."""

from __future__ import annotations

import pytest

from tests.support.clients import Tenant


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
    assert len(page) == 3 + decision
    assert len(create) <= 4 + decision
    assert len(patch) == 3 + decision
