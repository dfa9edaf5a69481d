"""What the survivor of a merge has, and what merging costs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from io import BytesIO
from time import perf_counter
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from app.core.db.models import db
from app.core.db.reparent import referring_columns
from app.core.db.row_json import columns_of, to_json
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.customers.merge.models import CustomerMerge
from app.customers.models import Customer
from app.customers.parts.contacts import CustomerContact
from app.customers.parts.notes import CustomerNote
from app.customers.parts.preferences import ConsentChange
from app.customers.parts.services import CustomerService
from tests.customers.dossier import CONTACT, NOTE, PARTS, PREFERENCE, SERVICE, customer, ids, rows, shown, tag
from tests.customers.merge.merging import code_of, id_of, merge, merged, undone
from tests.support.clients import Tenant
from tests.support.marks import flaky, one_database

Counting = Callable[[], AbstractContextManager[list[str]]]


# What the survivor has of it


def test_every_kind_of_part_moves(acme: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    made = {part: acme.admin.create(f"{source}/{part}", body)["id"] for part, body in PARTS.items()}
    made["services"] = acme.admin.create(f"{source}/services", SERVICE)["id"]
    made["tags"] = tag(acme)["id"]
    acme.admin.post(f"{source}/tags/{made['tags']}")
    acme.admin.put(f"{source}/subscription-state", {"state": "trial"})
    upload = {"file": (BytesIO(b"A contract."), "contract.txt"), "document_type": "passport"}
    document = acme.admin.post(f"{source}/documents", data=upload, content_type="multipart/form-data")
    assert document.status_code == 201, document.text
    made["documents"] = document.get_json()["id"]

    found = merged(acme, target, source)

    for part, row_id in made.items():
        assert ids(acme, f"{target}/{part}") == [row_id], part
    assert len(rows(acme, f"{target}/subscription-state/history")) == 1
    assert acme.admin.get(f"{target}/documents/{made['documents']}/download").data == b"A contract."
    kinds = {each.name for each in referring_columns(Customer)}
    assert set(found["moved"]) == kinds
    assert sum(found["moved"].values()) == len(made) + 2  # the consent's history, and the subscription's
    assert [row["source_id"] for row in rows(acme, f"{target}/merge")] == [id_of(source)]


def test_no_row_of_any_kind_stays_behind(acme: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    for part, body in PARTS.items():
        acme.admin.create(f"{source}/{part}", body)

    merged(acme, target, source)

    with acme.app.app_context(), tenant(acme.company_id), unit_of_work(writes=False):
        assert [each.name for each in referring_columns(Customer) if each.count(UUID(id_of(source)))] == []


def test_the_survivor_keeps_what_it_has_and_takes_what_it_lacks(acme: Tenant) -> None:
    target = customer(acme, name="Kept", city="Eastmere")
    given = {"tax_id": "T1", "email": "gone@example.com", "customer_since": "2020-01-01"}
    source = customer(acme, name="Gone", city="Larkmoor", **given)

    found = merged(acme, target, source)["customer"]

    assert (found["name"], found["city"], found["tax_id"]) == ("Kept", "Eastmere", "T1")
    assert (found["email"], found["customer_since"]) == ("gone@example.com", "2020-01-01")
    assert shown(acme, target) == found


@one_database
def test_either_side_can_be_chosen_for_every_field(acme: Tenant) -> None:
    target = customer(acme, name="Kept", city="Eastmere")
    source = customer(acme, name="Gone", city="Larkmoor", tax_id="T1", phone_number="1")

    found = merged(acme, target, source, name="source", city="source", tax_id="target", phone_number="source")

    names = ("name", "city", "tax_id", "phone_number")
    assert [found["customer"][name] for name in names] == ["Gone", "Larkmoor", None, "1"]
    assert ids(acme, "/customers?search=gone") == [id_of(target)]


@one_database
def test_an_address_is_as_verified_as_where_it_comes_from(acme: Tenant) -> None:
    target, source = customer(acme, email="kept@example.com"), customer(acme, email="gone@example.com")
    with acme.app.app_context(), tenant(acme.company_id), unit_of_work():
        row = db.session.scalars(select(Customer).where(Customer.id == UUID(id_of(target)))).one()
        row.is_verified = True

    assert merged(acme, target, source, email="source")["customer"]["is_verified"] is False


def test_the_version_of_the_survivor_goes_up(acme: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    tagged = acme.admin.get(target).headers["ETag"]

    merged(acme, target, source)

    assert acme.admin.patch(target, {"name": "x"}, headers={"If-Match": tagged}).status_code == 412


def test_what_moved_is_another_version_of_itself(acme: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    made = acme.admin.post(f"{source}/notes", NOTE)
    merged(acme, target, source)

    path, tagged = f"{target}/notes/{made.get_json()['id']}", {"If-Match": made.headers["ETag"]}
    assert acme.admin.patch(path, {"body": "x"}, headers=tagged).status_code == 412
    assert acme.admin.get(path).get_json()["updated_at"] == made.get_json()["updated_at"]


@one_database
def test_contacts_of_the_source_lead_to_the_survivor(acme: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    acme.admin.create(f"{source}/contacts", CONTACT | {"first_name": "Wilhelmina"})

    merged(acme, target, source)

    assert ids(acme, "/customers?search=wilhelmina") == [id_of(target)]


# A look at it first


def test_a_dry_run_shows_the_result_and_changes_nothing(acme: Tenant) -> None:
    target = customer(acme, name="Kept", city="Eastmere")
    source = customer(acme, name="Gone", city="Larkmoor", tax_id="T1")
    for path in (target, source):
        acme.admin.create(f"{path}/contacts", CONTACT | {"is_primary": True})
        acme.admin.create(f"{path}/communication-preferences", PREFERENCE)
        acme.admin.create(f"{path}/services", SERVICE | {"external_id": "same"})
    before = [acme.admin.get(path).get_json() for path in (target, source)]

    plan = merge(acme, target, source, dry_run=True, city="source", communication_preference="source")
    after = [acme.admin.get(path).get_json() for path in (target, source)]
    done = merged(acme, target, source, city="source", communication_preference="source")

    assert (plan.status_code, plan.get_json()["dry_run"], before) == (200, True, after)
    planned = plan.get_json()
    assert planned["moved"] == done["moved"]
    assert planned["conflicts"] == done["conflicts"]
    changing = ("updated_at",)
    assert {k: v for k, v in planned["customer"].items() if k not in changing} == {
        k: v for k, v in done["customer"].items() if k not in changing
    }
    assert {(each["kind"], each["field"], each["winner"]) for each in planned["conflicts"]} == {
        ("customer", "name", "target"),
        ("customer", "city", "source"),
        ("customer_contact", "is_primary", "target"),
        ("communication_preference", "channel, topic", "source"),
        ("customer_service", "external_id", "target"),
    }


@one_database
def test_a_dry_run_refuses_what_a_merge_refuses(acme: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    merged(acme, target, source)

    assert code_of(merge(acme, target, source, dry_run=True)) == (409, "CUSTOMER_MERGED")
    assert merge(acme, target, target, dry_run=True).status_code == 400


# When the survivor goes


def test_deleting_the_survivor_leaves_nothing_of_either(acme: Tenant) -> None:
    target, source = customer(acme), customer(acme, name="Gone", email="gone@example.com")
    acme.admin.create(f"{source}/communication-preferences", PREFERENCE)
    acme.admin.create(f"{target}/communication-preferences", PREFERENCE)
    merged(acme, target, source)

    assert acme.admin.delete(target).status_code == 204

    for path in (target, source):
        assert acme.admin.get(path).status_code == 404
        assert acme.admin.patch(path, {"name": "x"}).status_code == 404
    with acme.app.app_context(), tenant(acme.company_id), unit_of_work(writes=False):
        for model in (Customer, CustomerMerge, ConsentChange):
            assert db.session.scalar(select(func.count()).select_from(model)) == 0


# What it costs


def fill(company: Tenant, path: str, count: int) -> None:
    """With as many rows of four kinds together."""
    each = {"customer_id": UUID(id_of(path))}
    with company.app.app_context(), tenant(company.company_id), unit_of_work():
        for number in range(count // 4):
            db.session.add(CustomerNote(body=f"Note {number}", **each))
            db.session.add(CustomerContact(first_name=f"Contact {number}", **each))
            performed = {"description": "Repair", "performed_on": func.current_date()}
            db.session.add(CustomerService(external_id=f"job {number}", **performed, **each))
            db.session.add(ConsentChange(channel="email", topic="outage", **each))


@one_database
@flaky
def test_a_thousand_parts_each_cost_little_and_no_more_statements_than_four(acme: Tenant, statements: Counting) -> None:
    sent = []
    for parts in (4, 1000):
        target, source = customer(acme), customer(acme)
        for path in (target, source):
            fill(acme, path, parts)
        started = perf_counter()
        with statements() as seen:
            merged(acme, target, source)
        took, begun = perf_counter() - started, perf_counter()
        with statements() as undoing:
            undone(acme, target, source)
        sent.append((len(seen), len(undoing)))
        assert max(took, perf_counter() - begun) < 2

    assert sent[0] == sent[1]
    assert max(sent[1]) <= 60


def test_a_row_survives_being_frozen(acme: Tenant) -> None:
    path = customer(acme, customer_since="2020-01-01", notification_preferences={"news": True})
    with acme.app.app_context(), tenant(acme.company_id), unit_of_work(writes=False):
        row: Any = db.session.execute(select(*columns_of(Customer)).where(Customer.id == UUID(id_of(path)))).one()

    kept = to_json(row._mapping)

    assert set(kept) == {each.key for each in columns_of(Customer)}
    assert (kept["customer_since"], kept["notification_preferences"]) == ("2020-01-01", {"news": True})
