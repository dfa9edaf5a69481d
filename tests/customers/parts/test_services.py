"""What /customers/{id}/services adds to a part: each counts once."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.customers.dossier import SERVICE, Json, customer, ids, shown
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row


def totals(company: Tenant, owner: str) -> tuple[int, str | None]:
    found = shown(company, owner)
    return found["total_services"], found["last_service_date"]


def test_a_service_raises_the_total_and_moves_the_date_forward_only(acme: Tenant) -> None:
    owner = customer(acme)
    before = acme.admin.get(owner).headers["ETag"]

    for day in ("2025-03-01", "2025-07-22", "2024-12-31"):
        acme.admin.create(f"{owner}/services", SERVICE | {"performed_on": day})

    assert totals(acme, owner) == (3, "2025-07-22")
    assert totals(acme, customer(acme)) == (0, None)
    assert acme.admin.get(owner).headers["ETag"] != before


def test_a_service_that_another_system_reports_again_counts_once(acme: Tenant) -> None:
    owner, other = customer(acme), customer(acme)
    values = SERVICE | {"external_id": "job-1"}

    first, again = acme.admin.post(f"{owner}/services", values), acme.admin.post(f"{owner}/services", values)
    elsewhere = acme.admin.post(f"{other}/services", values)

    assert (first.status_code, again.status_code, elsewhere.status_code) == (201, 200, 201)
    assert first.get_json() == again.get_json() == shown(acme, first.headers["Location"])
    assert first.headers["Location"] == again.headers["Location"]
    assert totals(acme, owner)[0] == totals(acme, other)[0] == len(ids(acme, f"{owner}/services")) == 1


def test_services_without_a_number_of_another_system_are_different_ones(acme: Tenant) -> None:
    owner = customer(acme)

    for _ in range(2):
        acme.admin.create(f"{owner}/services", SERVICE)

    assert totals(acme, owner)[0] == 2


def test_services_are_a_history_that_is_not_rewritten(acme: Tenant) -> None:
    path = acme.admin.post(f"{customer(acme)}/services", SERVICE).headers["Location"]

    assert [acme.admin.request(method, path, SERVICE).status_code for method in ("PUT", "PATCH", "DELETE")] == [405] * 3


def test_services_can_be_read_by_the_day_they_were_performed(acme: Tenant) -> None:
    owner = customer(acme)
    days = ("2025-03-01", "2025-07-22", "2024-12-31")
    made = {day: acme.admin.create(f"{owner}/services", SERVICE | {"performed_on": day})["id"] for day in days}
    expected = [made[day] for day in sorted(days)]
    path, walked, cursor = f"{owner}/services?sort=performed_on&limit=1", [], ""

    while cursor is not None:
        page = shown(acme, f"{path}&cursor={cursor}")
        walked += [row["id"] for row in page["data"]]
        cursor = page["pagination"]["next_cursor"]

    assert walked == ids(acme, f"{owner}/services?sort=performed_on") == expected


def _in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


@one_database
@by_row(
    "values", [{"performed_on": "yesterday"}, {"performed_on": _in_days(3)}, {"performed_on": 1}, {"description": None}]
)
def test_value_that_does_not_fit_is_named_and_nothing_is_counted(acme: Tenant, values: Json) -> None:
    owner = customer(acme)

    answer: Any = acme.admin.post(f"{owner}/services", SERVICE | values)

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == list(values)
    assert totals(acme, owner) == (0, None)
