"""/tags, the tags of a customer, the filter by tag, and many customers at once."""

from typing import Any

import pytest
from uuid_utils.compat import uuid7

from app.customers.parts import bulk_tag
from tests.customers.dossier import Json, customer, ids, rows, shown, tag
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.roles import user_with
from tests.support.rows import by_row


def id_of(path: str) -> str:
    return path.rpartition("/")[2]


def count(company: Tenant, made: Json) -> int:
    found: int = shown(company, f"/tags/{made['id']}")["customer_count"]
    return found


def test_name_of_a_tag_is_unique_in_the_company_in_any_case(acme: Tenant, globex: Tenant) -> None:
    tag(acme, "Straße")
    other = tag(acme, "Other")
    tag(globex, "STRASSE")

    created = acme.admin.post("/tags", {"name": "strasse"})
    renamed = acme.admin.patch(f"/tags/{other['id']}", {"name": "STRASSE"})

    assert created.status_code == renamed.status_code == 409
    assert created.get_json()["errors"] == renamed.get_json()["errors"] == {"name": ["Already in use."]}


@one_database
@by_row("values", [{"name": " "}, {"name": "x" * 51}, {"color": "blue"}, {"color": "#12345g"}, {"customer_count": 1}])
def test_value_that_does_not_fit_is_named(acme: Tenant, values: Json) -> None:
    answer = acme.admin.post("/tags", {"name": "VIP"} | values)

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == list(values)


def test_a_tag_is_put_on_a_customer_once_and_taken_off(acme: Tenant) -> None:
    owner, other, made = customer(acme), customer(acme), tag(acme)
    path = f"{owner}/tags/{made['id']}"
    acme.admin.post(f"{other}/tags/{made['id']}")

    first, again = acme.admin.post(path), acme.admin.post(path)
    listed = rows(acme, f"{owner}/tags")
    off, off_again = acme.admin.delete(path), acme.admin.delete(path)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.get_json() == again.get_json() == listed[0] == made | {"customer_count": 2}
    assert (off.status_code, off_again.status_code) == (204, 204)
    assert (rows(acme, f"{owner}/tags"), count(acme, made)) == ([], 1)


def test_tag_and_customer_must_be_of_the_same_company(acme: Tenant, globex: Tenant) -> None:
    own, foreign = tag(acme), tag(globex)

    for path, code in (
        (f"{customer(globex)}/tags/{own['id']}", "CUSTOMER_NOT_FOUND"),
        (f"{customer(acme)}/tags/{foreign['id']}", "TAG_NOT_FOUND"),
        (f"{customer(acme)}/tags/{uuid7()}", "TAG_NOT_FOUND"),
    ):
        for method in ("POST", "DELETE"):
            answer = acme.admin.request(method, path)
            assert (answer.status_code, answer.get_json()["error_code"]) == (404, code)
    assert (count(acme, own), count(globex, foreign)) == (0, 0)


def test_a_deleted_tag_is_on_nobody_and_a_deleted_customer_counts_no_more(acme: Tenant) -> None:
    owner, gone, kept, dropped = customer(acme), customer(acme), tag(acme), tag(acme)
    for each in (kept, dropped):
        for path in (owner, gone):
            acme.admin.post(f"{path}/tags/{each['id']}")

    acme.admin.delete(f"/tags/{dropped['id']}")
    acme.admin.delete(gone)

    assert ids(acme, f"{owner}/tags") == [kept["id"]]
    assert count(acme, kept) == 1


def test_customers_are_found_by_the_name_or_id_of_all_their_tags(acme: Tenant, globex: Tenant) -> None:
    both, one, first, second = customer(acme), customer(acme), tag(acme, "Très VIP"), tag(acme, "Slow")
    for path, each in ((both, first), (both, second), (one, first)):
        acme.admin.post(f"{path}/tags/{each['id']}")

    def found(*tags: str) -> list[str]:
        answer = acme.admin.get("/customers", query_string=[("tag", each) for each in tags])
        return [f"/customers/{row['id']}" for row in answer.get_json()["data"]]

    assert found("très vip") == found(first["id"]) == found(first["id"], "TRÈS VIP") == [both, one]
    assert found("Très VIP", second["id"]) == [both]
    assert found("nothing") == found(str(uuid7())) == found(tag(globex)["id"]) == []


def test_a_cursor_belongs_to_all_its_tags(acme: Tenant) -> None:
    for made in (first := tag(acme), second := tag(acme)):
        for path in (customer(acme), customer(acme)):
            acme.admin.post(f"{path}/tags/{made['id']}")
    asked = f"/customers?limit=1&tag={first['id']}"
    cursor = shown(acme, asked)["pagination"]["next_cursor"]

    assert acme.admin.get(f"{asked}&cursor={cursor}").status_code == 200
    assert acme.admin.get(f"{asked}&tag={second['id']}&cursor={cursor}").status_code == 400


# Many at once


def bulk(company: Tenant, made: Json, query: str = "", **values: Any) -> Any:
    return company.admin.post(f"/customers/bulk-tag{query}", {"tag_id": made["id"]} | values)


def test_customers_are_tagged_by_filter_and_by_their_ids(acme: Tenant, globex: Tenant) -> None:
    made, foreign = tag(acme), customer(globex, kind="business")
    firms = [customer(acme, kind="business", city="Bonn") for _ in range(3)]
    people = [customer(acme), customer(acme, city="Bonn")]

    dry = bulk(acme, made, "?dry_run=true", filter={"kind": "business"}).get_json()
    before = count(acme, made)
    wet = bulk(acme, made, filter={"kind": "business", "is_verified": False}).get_json()
    more = bulk(acme, made, ids=[id_of(firms[0]), id_of(people[0]), id_of(people[0])]).get_json()

    assert dry == {"matched": 3, "changed": 3, "dry_run": True}
    assert before == 0
    assert wet == {"matched": 3, "changed": 3, "dry_run": False}
    assert more == {"matched": 2, "changed": 1, "dry_run": False}
    assert set(ids(acme, f"/customers?tag={made['id']}")) == {*map(id_of, firms), id_of(people[0])}
    assert rows(globex, f"{foreign}/tags") == []


def test_a_tag_is_taken_off_many_customers(acme: Tenant) -> None:
    made, other, paths = tag(acme, "VIP"), tag(acme), [customer(acme) for _ in range(3)]
    bulk(acme, made, ids=[id_of(path) for path in paths[:2]])
    bulk(acme, other, ids=[id_of(path) for path in paths])

    dry = bulk(acme, made, "?dry_run=true", filter={"tag": ["vip"]}, remove=True).get_json()
    wet = bulk(acme, made, ids=[id_of(path) for path in paths], remove=True).get_json()

    assert dry == {"matched": 2, "changed": 2, "dry_run": True}
    assert wet == {"matched": 3, "changed": 2, "dry_run": False}
    assert (count(acme, made), count(acme, other)) == (0, 3)


@one_database
@by_row(
    ("values", "field"),
    [
        ({}, "filter"), ({"filter": {"kind": "x"}, "ids": []}, "ids"), ({"filter": {}}, "filter"), ({"ids": []}, "ids"),
        ({"filter": {"knid": "business"}}, "knid"), ({"filter": {"t": "x"}}, "t"), ({"filter": {"_": "x"}}, "_"),
        ({"filter": {"name": "a\u0316\u0301" * 10_000}}, "filter"),
        ({"filter": {"limit": "1"}}, "limit"), ({"filter": {"tag": []}}, "filter"),
        ({"filter": {"is_verified": "maybe"}}, "is_verified"), ({"filter": {"kind": 1}}, "filter"),
        ({"ids": ["x"]}, "ids"), ({"ids": [str(uuid7())]}, "ids"), ({"filter": {"user_id": "x"}}, "user_id"),
    ],
)  # fmt: skip
def test_a_choice_that_does_not_fit_is_named_and_nobody_is_tagged(acme: Tenant, values: Json, field: str) -> None:
    made = tag(acme)
    customer(acme)

    answer = bulk(acme, made, **values)

    assert answer.status_code == 400, answer.text
    assert field in answer.get_json()["errors"]
    assert count(acme, made) == 0


def test_customers_and_tags_of_another_company_are_not_found(acme: Tenant, globex: Tenant) -> None:
    made, foreign = tag(acme), id_of(customer(globex))

    assert list(bulk(acme, made, ids=[foreign]).get_json()["errors"]) == ["ids"]
    assert list(bulk(globex, made, ids=[foreign]).get_json()["errors"]) == ["tag_id"]


@one_database
def test_taking_off_needs_the_permission_to_delete(acme: Tenant) -> None:
    made, chosen = tag(acme), [id_of(customer(acme))]
    giver = user_with(acme, "identity:customer_tag:CREATE", "identity:customer:READ")
    body = {"tag_id": made["id"], "ids": chosen}

    assert giver.post("/customers/bulk-tag", body).status_code == 200
    assert giver.post("/customers/bulk-tag", body | {"remove": True}).status_code == 403
    by_filter = {"tag_id": made["id"], "filter": {"search": "secret"}}
    assert giver.post("/customers/bulk-tag?dry_run=true", by_filter).status_code == 403
    blind = user_with(acme, "identity:customer_tag:CREATE")
    assert blind.post("/customers/bulk-tag", body).status_code == 403
    assert user_with(acme, "identity:tag:CREATE").post("/customers/bulk-tag", body).status_code == 403
    assert count(acme, made) == 1


def test_as_many_as_are_allowed_are_tagged_in_one_statement_and_one_more_is_refused(
    acme: Tenant, statements: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bulk_tag.MOST_CUSTOMERS == 10_000
    monkeypatch.setattr(bulk_tag, "MOST_CUSTOMERS", 5)
    made, chosen = tag(acme), {"kind": "individual"}
    for _ in range(5):
        customer(acme)

    with statements() as sent:
        answer = bulk(acme, made, filter=chosen).get_json()
    customer(acme)
    refused = bulk(acme, made, filter=chosen, remove=True)

    assert answer == {"matched": 5, "changed": 5, "dry_run": False}
    assert len([each for each in sent if each.startswith("INSERT INTO customer_tag")]) == 1
    assert (refused.status_code, list(refused.get_json()["errors"])) == (400, ["filter"])
    assert count(acme, made) == 5
