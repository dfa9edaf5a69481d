"""Lists of companies: totals, filters and search."""

from typing import Any

import pytest

from tests.companies.founding import PATH, item, names
from tests.support.clients import ApiClient, Tenant


def test_totals_are_exact_for_the_platform_and_for_the_company_itself(acme: Tenant, globex: Tenant) -> None:
    users = [globex.user() for _ in range(4)]
    globex.admin.patch(f"/users/{users[0].user_id}", {"is_active": False})
    globex.admin.delete(f"/users/{users[1].user_id}")
    acme.user()
    made = acme.admin.create(PATH, {"name": "Initech"})

    def totals(client: ApiClient, company_id: object) -> tuple[int, int]:
        shown = client.get(f"{PATH}/{company_id}").get_json()
        return shown["total_users"], shown["total_active_users"]

    listed = {
        row["name"]: (row["total_users"], row["total_active_users"]) for row in acme.admin.get(PATH).get_json()["data"]
    }
    assert listed == {"acme": (2, 2), "globex": (4, 3), "Initech": (0, 0)}
    assert totals(acme.admin, globex.company_id) == totals(globex.admin, globex.company_id) == (4, 3)
    assert totals(acme.admin, made["id"]) == (0, 0)
    [own] = globex.admin.get(PATH).get_json()["data"]
    assert (own["total_users"], own["total_active_users"]) == (4, 3)


def test_answer_to_a_change_carries_the_totals_too(acme: Tenant, globex: Tenant) -> None:
    by_platform = acme.admin.patch(item(globex), {"city": "Springfield"}).get_json()
    by_itself = globex.admin.patch(item(globex), {"city": "Shelbyville"}).get_json()

    assert by_platform["total_users"] == by_itself["total_users"] == 1
    assert by_platform["total_active_users"] == by_itself["total_active_users"] == 1


def test_company_is_never_answered_not_modified_because_totals_move_without_a_version(acme: Tenant) -> None:
    tag = acme.admin.get(item(acme)).headers["ETag"]
    acme.user()

    answer = acme.admin.get(item(acme), headers={"If-None-Match": tag})

    assert answer.status_code == 200
    assert answer.headers["ETag"] == tag
    assert answer.get_json()["total_users"] == 2


@pytest.mark.parametrize("speaker", ["platform", "itself"])
def test_statements_of_a_list_do_not_grow_with_its_companies(
    acme: Tenant, globex: Tenant, statements: Any, speaker: str
) -> None:
    client = acme.admin if speaker == "platform" else globex.admin
    with statements() as few:
        client.get(PATH)
    for number in range(5):
        acme.admin.create(PATH, {"name": f"company {number}"})

    with statements() as many:
        client.get(PATH)

    assert len(many) == len(few) <= 4


# Filters


@pytest.mark.parametrize(
    "query",
    [
        "name=Initech",
        "company_key=INI-1",
        "status=suspended",
        "email=A@initech.example",
        "document_number=7",
        "search=INITE",
    ],
)
def test_company_is_found_by_filter_and_search(acme: Tenant, globex: Tenant, query: str) -> None:
    values = {
        "name": "Initech",
        "company_key": "INI-1",
        "status": "suspended",
        "email": "a@initech.example",
        "document_type": "NIT",
        "document_number": "7",
    }
    acme.admin.create(PATH, values)

    assert names(acme.admin, f"?{query}") == {"Initech"}
    assert names(globex.admin, f"?{query}") == set()
