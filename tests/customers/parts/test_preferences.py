"""What /customers/{id}/communication-preferences adds to a part: one per channel and topic, and its history."""

from typing import Any

import pytest

from tests.customers.dossier import PREFERENCE, Json, customer, rows, shown
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.roles import user_with
from tests.support.rows import by_row


def preference(company: Tenant, owner: str, **values: Any) -> str:
    """The path of a new preference."""
    path = f"{owner}/communication-preferences"
    return f"{path}/{company.admin.create(path, PREFERENCE | values)['id']}"


def consent(opted_in: bool, source: str | None = None, frequency: str = "immediate") -> Json:
    return {"opted_in": opted_in, "frequency": frequency, "source": source}


def test_there_is_one_preference_for_a_channel_and_topic(acme: Tenant) -> None:
    owner = customer(acme)
    preference(acme, owner)

    again = acme.admin.post(f"{owner}/communication-preferences", PREFERENCE | {"opted_in": False})
    preference(acme, owner, channel="sms")
    preference(acme, customer(acme))

    assert again.status_code == 409
    assert len(rows(acme, f"{owner}/communication-preferences")) == 2


def test_consent_is_dated_while_it_lasts(acme: Tenant) -> None:
    path = preference(acme, customer(acme))
    given = shown(acme, path)

    weekly = acme.admin.patch(path, {"frequency": "weekly"}).get_json()
    withdrawn = acme.admin.patch(path, {"opted_in": False}).get_json()

    assert given["consented_at"] == weekly["consented_at"] is not None
    assert (withdrawn["consented_at"], withdrawn["changed_by"]) == (None, acme.admin.user_id)


def test_every_change_is_kept_with_who_when_from_where_old_and_new(acme: Tenant) -> None:
    path = preference(acme, customer(acme), source="form")
    clerk = user_with(acme, "identity:communication_preference:UPDATE")

    clerk.patch(path, {"opted_in": False, "source": "phone call"})
    clerk.patch(path, {"opted_in": False})

    first, second = rows(acme, f"{path}/history")
    assert (first["old"], first["new"]) == (None, consent(True, "form"))
    assert (second["old"], second["new"]) == (consent(True, "form"), consent(False, "phone call"))
    assert (first["changed_by"], second["changed_by"]) == (acme.admin.user_id, clerk.user_id)
    assert second["ip_address"] == "127.0.0.1"
    assert second["created_at"] > first["created_at"]


def test_history_outlives_the_preference_and_the_user_who_made_it(acme: Tenant) -> None:
    owner, clerk = customer(acme), user_with(acme, "identity:communication_preference:CREATE")
    made = clerk.create(f"{owner}/communication-preferences", PREFERENCE)
    acme.admin.delete(f"{owner}/communication-preferences/{made['id']}")
    acme.admin.delete(f"/users/{clerk.user_id}")

    again = preference(acme, owner, opted_in=False)

    history = rows(acme, f"{again}/history")
    assert [row["new"] and row["new"]["opted_in"] for row in history] == [True, None, False]
    assert history[0]["changed_by"] == clerk.user_id


def test_history_is_that_of_one_preference_of_one_customer(acme: Tenant, globex: Tenant) -> None:
    owner, other = customer(acme), customer(acme)
    path, elsewhere = preference(acme, owner), preference(acme, other)
    preference(acme, owner, channel="sms")

    assert len(rows(acme, f"{path}/history")) == 1
    mixed = acme.admin.get(f"{owner}/communication-preferences/{elsewhere.rpartition('/')[2]}/history")
    assert (mixed.status_code, mixed.get_json()["error_code"]) == (404, "COMMUNICATION_PREFERENCE_NOT_FOUND")
    assert globex.admin.get(f"{path}/history").get_json()["error_code"] == "CUSTOMER_NOT_FOUND"


@pytest.mark.parametrize("moved", [{"channel": "sms"}, {"topic": "survey"}])
def test_consent_to_one_thing_cannot_become_consent_to_another(acme: Tenant, moved: Json) -> None:
    path = preference(acme, customer(acme))

    changed = acme.admin.patch(path, moved)
    saved = acme.admin.put(path, PREFERENCE | {"frequency": "daily"})

    assert list(changed.get_json()["errors"]) == list(moved)
    assert saved.get_json()["frequency"] == "daily"


@one_database
@by_row(
    "values", [{"channel": "pigeon"}, {"topic": "x"}, {"opted_in": "yes"}, {"frequency": None}, {"consented_at": None}]
)
def test_value_that_does_not_fit_is_named(acme: Tenant, values: Json) -> None:
    answer = acme.admin.post(f"{customer(acme)}/communication-preferences", PREFERENCE | values)

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == list(values)
