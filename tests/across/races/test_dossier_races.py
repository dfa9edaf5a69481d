"""Several processes change one customer's dossier at the same moment: no rule of it is broken, nothing is lost."""

from collections import Counter

from sqlalchemy import Engine

from tests.across.races.fleet import SIZE, Fleet, by
from tests.customers.dossier import ADDRESS, CONTACT, PREFERENCE, SERVICE, Json, customer, ids, rows, shown, tag
from tests.support.clients import Tenant
from tests.support.everything import row_counts

ROUNDS = 6


def test_one_of_several_new_primary_addresses_is_the_primary(acme: Tenant, fleet: Fleet) -> None:
    for _ in range(ROUNDS):
        owner = customer(acme)
        new = [
            by(acme.admin, "POST", f"{owner}/addresses", ADDRESS | {"line1": str(n), "is_primary": True})
            for n in range(SIZE)
        ]

        answers = fleet.race(*new)

        assert [answer.status for answer in answers] == [201] * SIZE
        assert [row["is_primary"] for row in rows(acme, f"{owner}/addresses")].count(True) == 1


def test_two_addresses_that_become_the_primary_again_and_again_never_both_are(acme: Tenant, fleet: Fleet) -> None:
    owner = customer(acme)
    paths = [f"{owner}/addresses/{acme.admin.create(f'{owner}/addresses', ADDRESS)['id']}" for _ in range(2)]

    answers = fleet.run(*([by(acme.admin, "PATCH", path, {"is_primary": True})] * 20 for path in paths * 2))

    statuses = Counter(answer.status for batch in answers for answer in batch)
    assert set(statuses) <= {200, 409}
    assert [row["is_primary"] for row in rows(acme, f"{owner}/addresses")].count(True) == 1


def test_a_service_reported_by_sixteen_requests_counts_once(acme: Tenant, fleet: Fleet) -> None:
    owner = customer(acme)
    report = by(acme.admin, "POST", f"{owner}/services", SERVICE | {"external_id": "job-1"})

    answers = fleet.run(*[[report] * 4] * SIZE)

    statuses = Counter(answer.status for batch in answers for answer in batch)
    assert statuses == {201: 1, 200: 15}
    assert len({answer.body["id"] for batch in answers for answer in batch}) == 1
    assert shown(acme, owner)["total_services"] == len(ids(acme, f"{owner}/services")) == 1


def test_no_service_is_lost_and_the_date_is_the_last(acme: Tenant, fleet: Fleet) -> None:
    owner = customer(acme)
    days = [[f"2025-0{1 + who}-{10 + at}" for at in range(10)] for who in range(SIZE)]

    fleet.run(
        *(
            [by(acme.admin, "POST", f"{owner}/services", SERVICE | {"performed_on": day}) for day in batch]
            for batch in days
        )
    )

    found = shown(acme, owner)
    assert (found["total_services"], found["last_service_date"]) == (SIZE * 10, days[-1][-1])


def test_every_contact_that_was_added_at_once_is_found(acme: Tenant, fleet: Fleet) -> None:
    owners = [customer(acme) for _ in range(ROUNDS * 2)]
    changes = [by(acme.admin, "PATCH", owner, {"city": "Bonn"}) for owner in owners]

    fleet.run(
        *([by(acme.admin, "POST", f"{each}/contacts", named(who)) for each in owners] for who in range(3)), changes
    )

    for who in range(3):
        assert ids(acme, f"/customers?search=lovelace{who}") == [owner.rpartition("/")[2] for owner in owners]


def named(who: int) -> Json:
    return CONTACT | {"last_name": f"Lovelace{who}"}


def test_a_tag_that_is_put_on_by_several_is_there_once(acme: Tenant, fleet: Fleet) -> None:
    for _ in range(ROUNDS):
        owner, made = customer(acme), tag(acme)
        path = f"{owner}/tags/{made['id']}"
        bulk = {"tag_id": made["id"], "ids": [owner.rpartition("/")[2]]}

        answers = fleet.race(*[by(acme.admin, "POST", path)] * 3, by(acme.admin, "POST", "/customers/bulk-tag", bulk))

        assert sum(answer.status == 201 for answer in answers) + answers[3].body["changed"] == 1
        assert {answer.status for answer in answers} <= {200, 201}
        assert ids(acme, f"{owner}/tags") == [made["id"]]


def test_one_of_several_tags_gets_a_name_and_one_preference_a_channel(acme: Tenant, fleet: Fleet) -> None:
    for number in range(ROUNDS):
        owner = customer(acme)
        names = ("straße", "STRASSE", "Strasse", "strasse")
        tags = [by(acme.admin, "POST", "/tags", {"name": f"{name} {number}"}) for name in names]
        preferences = [by(acme.admin, "POST", f"{owner}/communication-preferences", PREFERENCE)] * SIZE

        for answers in (fleet.race(*tags), fleet.race(*preferences)):
            assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
        [made] = rows(acme, f"{owner}/communication-preferences")
        assert len(rows(acme, f"{owner}/communication-preferences/{made['id']}/history")) == 1


def test_every_step_of_a_subscription_is_one_that_was_allowed_then(acme: Tenant, fleet: Fleet) -> None:
    owner = customer(acme)
    path = f"{owner}/subscription-state"
    acme.admin.put(path, {"state": "active"})
    wishes = ["past_due", "suspended", "active", "cancelled", "prospect"]

    fleet.run(
        *([by(acme.admin, "PUT", path, {"state": wishes[(who + at) % 5]}) for at in range(10)] for who in range(SIZE))
    )

    steps = rows(acme, f"{path}/history")
    assert [step["old_state"] for step in steps] == ["prospect", *(step["new_state"] for step in steps[:-1])]
    assert steps[-1]["new_state"] == shown(acme, path)["state"]


def test_a_customer_deleted_while_its_dossier_is_written_leaves_nothing_behind(
    acme: Tenant, fleet: Fleet, everything: Engine
) -> None:
    before = row_counts(everything)
    for _ in range(ROUNDS):
        owner = customer(acme)
        writing = [
            by(acme.admin, "POST", f"{owner}/addresses", ADDRESS | {"is_primary": True}),
            by(acme.admin, "POST", f"{owner}/contacts", CONTACT),
            by(acme.admin, "POST", f"{owner}/services", SERVICE),
        ]

        [*written, gone] = fleet.run(*[writing * 2] * (SIZE - 1), [by(acme.admin, "DELETE", owner)] * 10)

        assert {answer.status for batch in written for answer in batch} <= {201, 404, 409}
        assert [answer.status for answer in gone].count(204) == 1
    after = row_counts(everything)
    assert {name for name in after if after[name] != before[name]} <= {"row_count"}
