"""Where both customers have what only one can have, one of the two loses."""

import pytest

from tests.customers.dossier import ADDRESS, CONTACT, PREFERENCE, SERVICE, customer, ids, rows
from tests.customers.merge.merging import merged
from tests.support.clients import Tenant


@pytest.mark.parametrize("winner", ["target", "source"])
def test_one_address_of_each_type_stays_the_primary_one(acme: Tenant, winner: str) -> None:
    target, source = customer(acme), customer(acme)
    primary = ADDRESS | {"is_primary": True}
    kept = {
        "target": acme.admin.create(f"{target}/addresses", primary)["id"],
        "source": acme.admin.create(f"{source}/addresses", primary)["id"],
    }
    other = acme.admin.create(f"{source}/addresses", primary | {"type": "shipping"})["id"]

    merged(acme, target, source, customer_address=winner)

    found = {row["id"] for row in rows(acme, f"{target}/addresses") if row["is_primary"]}
    assert found == {kept[winner], other}
    assert len(rows(acme, f"{target}/addresses")) == 3


def test_a_primary_that_meets_none_stays_one_beside_another_that_does(acme: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    primary, shipping = ADDRESS | {"is_primary": True}, ADDRESS | {"type": "shipping"}
    billed = acme.admin.create(f"{target}/addresses", primary)["id"]
    acme.admin.create(f"{target}/addresses", shipping)
    acme.admin.create(f"{source}/addresses", primary)
    shipped = acme.admin.create(f"{source}/addresses", shipping | {"is_primary": True})["id"]

    merged(acme, target, source)

    assert {row["id"] for row in rows(acme, f"{target}/addresses") if row["is_primary"]} == {billed, shipped}


@pytest.mark.parametrize("winner", ["target", "source"])
def test_one_contact_stays_the_primary_one(acme: Tenant, winner: str) -> None:
    target, source = customer(acme), customer(acme)
    kept = {
        "target": acme.admin.create(f"{target}/contacts", CONTACT | {"is_primary": True})["id"],
        "source": acme.admin.create(f"{source}/contacts", CONTACT | {"is_primary": True})["id"],
    }

    merged(acme, target, source, customer_contact=winner)

    assert [row["id"] for row in rows(acme, f"{target}/contacts") if row["is_primary"]] == [kept[winner]]


@pytest.mark.parametrize("winner", ["target", "source"])
def test_one_preference_stays_for_a_channel_and_topic(acme: Tenant, winner: str) -> None:
    target, source = customer(acme), customer(acme)
    place = "communication-preferences"
    kept = {
        "target": acme.admin.create(f"{target}/{place}", PREFERENCE)["id"],
        "source": acme.admin.create(f"{source}/{place}", PREFERENCE | {"opted_in": False})["id"],
    }
    other = acme.admin.create(f"{source}/{place}", PREFERENCE | {"topic": "billing"})["id"]

    merged(acme, target, source, communication_preference=winner)

    assert set(ids(acme, f"{target}/{place}")) == {kept[winner], other}


def test_consent_that_the_source_brings_is_in_the_history(acme: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    acme.admin.create(f"{target}/communication-preferences", PREFERENCE)
    theirs = acme.admin.create(f"{source}/communication-preferences", PREFERENCE | {"opted_in": False})["id"]

    merged(acme, target, source, communication_preference="source")

    history = rows(acme, f"{target}/communication-preferences/{theirs}/history")
    last = history[-1]
    assert (last["old"]["opted_in"], last["new"]["opted_in"]) == (True, False)
    assert last["changed_by"] == acme.admin.user_id


def test_a_service_that_both_were_counted_for_counts_once(acme: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    for path, days in ((target, ("2025-01-01", "2025-02-01")), (source, ("2025-03-01", "2025-04-01"))):
        for day in days:
            acme.admin.create(f"{path}/services", SERVICE | {"performed_on": day, "external_id": f"job of {day}"})
        acme.admin.create(f"{path}/services", SERVICE | {"performed_on": days[0], "external_id": "same"})

    found = merged(acme, target, source)["customer"]

    assert (found["total_services"], found["last_service_date"]) == (5, "2025-04-01")
    assert len(rows(acme, f"{target}/services")) == 5
