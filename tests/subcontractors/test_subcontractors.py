"""What /subcontractors adds to the kernel."""

import pytest

from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row

PATH = "/subcontractors"


def test_subcontractor_shows_every_field_of_the_directory(acme: Tenant) -> None:
    given = {
        "name": "Initech",
        "description": "Printers",
        "contact_person": "Bill",
        "phone_number": "1",
        "email": "bill@example.com",
        "address": "Desert",
    }

    made = acme.admin.create(PATH, given)

    assert made | given == made
    assert set(made) == {*given, "id", "company_id", "logo_file_id", "has_logo", "created_at", "updated_at"}
    assert (made["has_logo"], made["logo_file_id"]) == (False, None)


def test_two_subcontractors_may_share_an_email_and_a_name(acme: Tenant) -> None:
    values = {"name": "Initech", "email": "bill@example.com"}

    first, second = acme.admin.create(PATH, values), acme.admin.create(PATH, values)

    assert first["id"] != second["id"]


@pytest.mark.parametrize("text", ["INITE", "printers", "biLL", "@example"])
def test_search_looks_at_name_description_contact_person_and_email(acme: Tenant, text: str) -> None:
    values = {"name": "Initech", "description": "Printers", "contact_person": "Bill", "email": "b@example.com"}
    made = acme.admin.create(PATH, values)
    acme.admin.create(PATH, {"name": "Other", "address": "Initech printers Bill @example"})

    found = acme.admin.get(PATH, query_string={"search": text}).get_json()["data"]

    assert [row["id"] for row in found] == [made["id"]]


@pytest.mark.parametrize("query", ["name=Initech", "email=B@Example.com"])
def test_filters_find_by_name_and_email(acme: Tenant, query: str) -> None:
    made = acme.admin.create(PATH, {"name": "Initech", "email": "b@example.com"})
    acme.admin.create(PATH, {"name": "Other"})

    found = acme.admin.get(f"{PATH}?{query}").get_json()["data"]

    assert [row["id"] for row in found] == [made["id"]]


@one_database
@by_row("field", ["has_logo", "logo_file_id", "id", "created_at", "logo"])
def test_what_the_service_owns_cannot_be_written(acme: Tenant, field: str) -> None:
    answer = acme.admin.post(PATH, {"name": "Initech", field: None})

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == [field]
