"""Customers that several processes merge, part and write to at the same moment: nothing lost, nothing twice."""

from typing import Any

from tests.across.races.fleet import SIZE, Answer, Fleet, Wish, by
from tests.customers.dossier import ADDRESS, CONTACT, NOTE, PREFERENCE, SERVICE, customer, ids, rows, tag
from tests.customers.merge.merging import id_of, merged
from tests.support.clients import ApiClient, Tenant, unique

ROUNDS = 8
PREFERENCES = "communication-preferences"


def merging(company: Tenant, target: str, source: str, **choices: str) -> Wish:
    body: dict[str, Any] = {"source_id": id_of(source), "fields": choices}
    return by(company.admin, "POST", f"{target}/merge", body)


def undoing(company: Tenant, target: str, source: str) -> Wish:
    return by(company.admin, "POST", f"{target}/merge/{id_of(source)}/undo")


def statuses(answers: list[Answer]) -> list[int]:
    return sorted(answer.status for answer in answers)


def noted(company: Tenant) -> tuple[str, str]:
    """A customer with a note, and the note."""
    path = customer(company)
    note: str = company.admin.create(f"{path}/notes", NOTE)["id"]
    return path, note


def total(company: Tenant) -> int:
    found: int = company.admin.get("/customers").get_json()["pagination"]["total"]
    return found


def test_two_that_are_merged_into_each_other_become_one(acme: Tenant, fleet: Fleet) -> None:
    for number in range(ROUNDS):
        (one, first), (other, second) = noted(acme), noted(acme)
        wishes = [merging(acme, one, other), merging(acme, other, one)] * (SIZE // 2)

        answers = fleet.race(*wishes)

        assert statuses(answers) == [201, 409, 409, 409]
        [survivor] = {answer.body["customer"]["id"] for answer in answers if answer.status == 201}
        assert {answer.body["error_code"] for answer in answers if answer.status == 409} == {"CUSTOMER_MERGED"}
        assert set(ids(acme, f"/customers/{survivor}/notes")) == {first, second}
        assert total(acme) == number + 1


def test_merges_around_a_circle_end_in_one_customer(acme: Tenant, fleet: Fleet) -> None:
    for _ in range(ROUNDS):
        made = [noted(acme) for _ in range(SIZE)]
        paths = [path for path, _ in made]
        circle = list(zip(paths, paths[1:] + paths[:1], strict=True))

        answers = fleet.race(*(merging(acme, target, source) for target, source in circle))

        assert set(statuses(answers)) == {201, 409}
        left = {acme.admin.get(path, follow_redirects=True).get_json()["id"] for path in paths}
        notes = [note for each in left for note in ids(acme, f"/customers/{each}/notes")]
        assert sorted(notes) == sorted(note for _, note in made)
        assert len(left) == SIZE - [answer.status for answer in answers].count(201)


def test_parts_made_while_their_customer_is_merged_are_refused_or_moved(acme: Tenant, fleet: Fleet) -> None:
    word = tag(acme)["id"]
    for _ in range(ROUNDS):
        target, source = customer(acme), customer(acme)
        making = [
            [by(acme.admin, "POST", f"{source}/notes", NOTE)] * 3,
            [
                by(acme.admin, "POST", f"{source}/contacts", CONTACT | {"is_primary": True}),
                by(acme.admin, "POST", f"{source}/services", SERVICE),
                by(acme.admin, "POST", f"{source}/tags/{word}"),
            ],
            [
                by(acme.admin, "POST", f"{source}/{PREFERENCES}", PREFERENCE),
                by(acme.admin, "POST", f"{source}/addresses", ADDRESS | {"is_primary": True}),
                by(acme.admin, "PUT", f"{source}/subscription-state", {"state": "trial"}),
            ],
        ]

        *made, [merged_answer] = fleet.run(*making, [merging(acme, target, source)])

        assert merged_answer.status == 201
        kept = [answer for batch in made for answer in batch if answer.status < 400]
        assert {answer.status for batch in made for answer in batch} <= {200, 201, 409}
        parts = ("notes", "contacts", "services", "tags", PREFERENCES, "addresses", "subscription-state/history")
        assert sum(len(rows(acme, f"{target}/{part}")) for part in parts) == len(kept)
        survivor = acme.admin.get(target).get_json()
        assert survivor["total_services"] == len(rows(acme, f"{target}/services"))


def test_parts_changed_while_their_customer_is_merged_and_parted_again_are_kept(acme: Tenant, fleet: Fleet) -> None:
    for number in range(ROUNDS):
        target, source = customer(acme), customer(acme)
        place = f"{source}/{PREFERENCES}"
        preference = acme.admin.create(place, PREFERENCE)["id"]
        contact = acme.admin.create(f"{source}/contacts", CONTACT)["id"]
        changes = [
            [by(acme.admin, "PATCH", f"{place}/{preference}", {"source": f"{number} {n}"}) for n in range(3)],
            [by(acme.admin, "PATCH", f"{source}/contacts/{contact}", {"title": f"{number} {n}"}) for n in range(3)],
        ]
        there_and_back = [merging(acme, target, source), undoing(acme, target, source)]

        *changed, back = fleet.run(*changes, there_and_back)

        done = [[answer.status for answer in batch] for batch in changed]
        assert {status for batch in done for status in batch} <= {200, 409}
        assert back[0].status == 201
        owner = source if back[1].status == 200 else target
        found = rows(acme, f"{owner}/{PREFERENCES}")[0]["source"], rows(acme, f"{owner}/contacts")[0]["title"]
        last = [max((n for n, status in enumerate(batch) if status == 200), default=None) for batch in done]
        assert found == tuple(None if n is None else f"{number} {n}" for n in last)


def test_one_of_several_undoes(acme: Tenant, fleet: Fleet) -> None:
    for number in range(ROUNDS):
        (target, first), (source, second) = noted(acme), noted(acme)
        merged(acme, target, source)

        answers = fleet.race(*[undoing(acme, target, source)] * SIZE)

        assert statuses(answers) == [200, 404, 404, 404]
        assert [ids(acme, f"{path}/notes") for path in (target, source)] == [[first], [second]]
        assert total(acme) == 2 * (number + 1)


def test_undoing_while_the_survivor_is_merged_or_deleted_loses_nothing(acme: Tenant, fleet: Fleet) -> None:
    for _ in range(ROUNDS):
        (target, first), (source, second), third = noted(acme), noted(acme), customer(acme)
        merged(acme, target, source)

        answers = fleet.race(undoing(acme, target, source), merging(acme, third, target))

        assert set(statuses(answers)) <= {200, 201, 404, 409}
        assert 201 in statuses(answers)
        left = {acme.admin.get(path, follow_redirects=True).get_json()["id"] for path in (target, source, third)}
        notes = [note for each in left for note in ids(acme, f"/customers/{each}/notes")]
        assert sorted(notes) == sorted([first, second])


def test_tagging_many_while_some_are_merged_or_deleted_ends_without_a_deadlock(acme: Tenant, fleet: Fleet) -> None:
    for _ in range(ROUNDS):
        word, paths = tag(acme)["id"], [customer(acme) for _ in range(12)]
        body = {"tag_id": word, "ids": [id_of(path) for path in reversed(paths[2:])]}

        answers = fleet.race(
            by(acme.admin, "POST", "/customers/bulk-tag", body),
            merging(acme, paths[0], paths[1]),
            merging(acme, paths[11], paths[2]),
            by(acme.admin, "DELETE", paths[5]),
        )

        assert [answer.status for answer in answers[1:]] == [201, 201, 204]
        assert answers[0].status in (200, 400, 409)


def test_a_user_makes_one_profile_at_a_time(acme: Tenant, fleet: Fleet) -> None:
    for number in range(ROUNDS):
        user: ApiClient = acme.user("customer", first_name=unique("User"))

        answers = fleet.race(*[by(user, "POST", "/customers/profile", {})] * SIZE)

        assert statuses(answers) == [201, 409, 409, 409]
        assert total(acme) == number + 1
        assert all("user_id" in answer.body["errors"] for answer in answers if answer.status == 409)
