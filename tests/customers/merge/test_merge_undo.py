"""A merge is taken back: both customers as they were, unless something stands in the way, which is named."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app.base.clock import utcnow
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.files.stored_file import StoredFile
from app.core.jobs.outbox import Job
from app.core.jobs.worker import Worker
from app.customers.merge import redirects
from app.customers.merge.execute import FORGET, UNDO_WITHIN
from app.customers.merge.models import CustomerMerge
from app.customers.models import Customer, CustomerNotFound
from tests.customers.dossier import (
    ADDRESS,
    CONTACT,
    NOTE,
    PARTS,
    PREFERENCE,
    SERVICE,
    Json,
    customer,
    ids,
    rows,
    shown,
    tag,
)
from tests.customers.merge.merging import code_of, id_of, merged, undo, undone
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.outbox import make_due
from tests.support.pictures import picture, upload

VOLATILE = {"updated_at"}
PREFERENCES = "communication-preferences"


def contents(company: Tenant, path: str) -> Json:
    """All that is shown of a customer, but when it was changed."""
    kept: Json = {"customer": {k: v for k, v in shown(company, path).items() if k not in VOLATILE}}
    for part in (*PARTS, "services", "tags", "subscription-state/history"):
        found = [{k: v for k, v in row.items() if k != "customer_count"} for row in rows(company, f"{path}/{part}")]
        kept[part] = found
    return kept


def pair(company: Tenant) -> tuple[str, str]:
    """Two customers with something of everything, that clash wherever they can."""
    word = tag(company)["id"]
    paths = []
    for name in ("kept", "gone"):
        path = customer(company, name=name, email=f"{name}@example.com", city=name, phone_number=name)
        company.admin.create(f"{path}/addresses", ADDRESS | {"is_primary": True, "label": name})
        company.admin.create(f"{path}/contacts", CONTACT | {"is_primary": True, "first_name": name})
        company.admin.create(f"{path}/{PREFERENCES}", PREFERENCE | {"source": name, "opted_in": name == "kept"})
        company.admin.create(f"{path}/notes", NOTE | {"body": name})
        company.admin.create(f"{path}/services", SERVICE | {"external_id": "same", "description": name})
        company.admin.create(f"{path}/services", SERVICE | {"external_id": name})
        company.admin.put(f"{path}/subscription-state", {"state": "trial", "reason": name})
        company.admin.post(f"{path}/tags/{word}")
        company.admin.post(f"{path}/tags/{tag(company)['id']}")
        paths.append(path)
    return paths[0], paths[1]


ALL = dict.fromkeys(
    (
        *("name", "email", "city", "phone_number", "customer_address", "customer_contact", "communication_preference"),
        *("customer_service", "customer_tag"),
    ),
    "source",
)


@pytest.mark.parametrize("choices", [{}, ALL], ids=["target", "source"])
def test_undo_restores_both(acme: Tenant, choices: dict[str, str]) -> None:
    target, source = pair(acme)
    before = contents(acme, target), contents(acme, source)
    merged(acme, target, source, **choices)

    answer = undone(acme, target, source)

    assert (contents(acme, target), contents(acme, source)) == before
    assert answer == {"customer": shown(acme, target), "restored": shown(acme, source)}
    assert acme.admin.get("/customers").get_json()["pagination"]["total"] == 2
    assert rows(acme, f"{target}/merge") == []
    assert ids(acme, "/customers?search=gone") == [id_of(source)]


def test_consent_that_the_source_had_brought_leaves_with_it_and_that_is_kept(acme: Tenant) -> None:
    target, source = pair(acme)
    mine = ids(acme, f"{target}/{PREFERENCES}")[0]
    merged(acme, target, source, communication_preference="source")
    undone(acme, target, source)

    history = [(row["old"], row["new"]) for row in rows(acme, f"{target}/{PREFERENCES}/{mine}/history")]

    consents = [[each and each["opted_in"] for each in change] for change in history]
    assert consents == [[None, True], [True, False], [False, True]]


def test_versions_go_up(acme: Tenant) -> None:
    target, source = pair(acme)
    tags = {path: acme.admin.get(path).headers["ETag"] for path in (target, source)}
    merged(acme, target, source)
    undone(acme, target, source)

    for path, tagged in tags.items():
        now = acme.admin.get(path).headers["ETag"]
        assert int(now.strip('"')) > int(tagged.strip('"'))
        assert acme.admin.patch(path, {"city": "x"}, headers={"If-Match": tagged}).status_code == 412


def test_a_customer_can_be_merged_again_after_an_undo(acme: Tenant) -> None:
    target, source = pair(acme)
    for _ in range(2):
        merged(acme, target, source, **ALL)
        undone(acme, target, source)
    merged(acme, source, target)

    assert acme.admin.get(target).headers["Location"] == source


def test_a_chain_is_undone_link_by_link(acme: Tenant) -> None:
    (first, second), (third, _) = pair(acme), (customer(acme, name="third"), None)
    acme.admin.create(f"{third}/addresses", ADDRESS | {"is_primary": True})
    acme.admin.create(f"{third}/{PREFERENCES}", PREFERENCE)
    before = [contents(acme, path) for path in (first, second, third)]
    merged(acme, second, first)
    merged(acme, third, second, communication_preference="source")

    assert code_of(undo(acme, third, first)) == (409, "NOT_THE_NEWEST_MERGE")
    undone(acme, third, second)
    undone(acme, second, first)

    assert [contents(acme, path) for path in (first, second, third)] == before


def test_of_several_merges_the_newest_is_undone_first(acme: Tenant) -> None:
    target, first, second = (customer(acme) for _ in range(3))
    merged(acme, target, first)
    merged(acme, target, second)

    answer = undo(acme, target, first)

    assert code_of(answer) == (409, "NOT_THE_NEWEST_MERGE")
    assert id_of(second) in answer.get_json()["detail"]
    undone(acme, target, second)
    undone(acme, target, first)


@one_database
@pytest.mark.parametrize(("method", "status"), [("GET", 307), ("PATCH", 409)])
def test_who_just_missed_an_undo_is_not_told_that_there_is_nothing(acme: Tenant, method: str, status: int) -> None:
    path = customer(acme)
    headers = {"Authorization": f"Bearer {acme.admin.token}"}

    with acme.app.test_request_context(path, method=method, headers=headers):
        acme.app.extensions["identity"].authenticator.authenticate()
        answer = redirects.render_missing_customer(CustomerNotFound())

    assert (answer.status_code, answer.headers.get("Location")) == (status, path if status == 307 else None)


@one_database
def test_what_was_not_merged_cannot_be_undone(acme: Tenant, globex: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    merged(acme, target, source)

    assert code_of(undo(acme, target, target)) == (404, "CUSTOMER_MERGE_NOT_FOUND")
    assert code_of(undo(acme, customer(acme), source)) == (404, "CUSTOMER_MERGE_NOT_FOUND")
    assert code_of(undo(globex, target, source)) == (404, "CUSTOMER_NOT_FOUND")
    undone(acme, target, source)
    assert undo(acme, target, source).status_code == 404


# What was added since


def test_what_the_survivor_got_since_stays_with_it(acme: Tenant) -> None:
    target, source = pair(acme)
    merged(acme, target, source, **ALL)
    note = acme.admin.create(f"{target}/notes", NOTE)["id"]
    acme.admin.create(f"{target}/services", SERVICE | {"performed_on": "2025-08-01"})
    acme.admin.patch(target, {"tax_id": "T9"})

    found = undone(acme, target, source)

    assert note in ids(acme, f"{target}/notes")
    assert (found["customer"]["total_services"], found["customer"]["last_service_date"]) == (3, "2025-08-01")
    assert (found["customer"]["tax_id"], found["restored"]["total_services"]) == ("T9", 2)


# What stands in the way


def edit_note(company: Tenant, target: str, moved: Json) -> None:
    company.admin.patch(f"{target}/notes/{moved['notes']}", {"body": "Changed."})


def delete_note(company: Tenant, target: str, moved: Json) -> None:
    company.admin.delete(f"{target}/notes/{moved['notes']}")


def make_another_primary(company: Tenant, target: str, moved: Json) -> None:
    company.admin.create(f"{target}/addresses", ADDRESS | {"is_primary": True})


def withdraw_consent(company: Tenant, target: str, moved: Json) -> None:
    company.admin.delete(f"{target}/{PREFERENCES}/{moved[PREFERENCES]}")


IN_THE_WAY: dict[str, tuple[Callable[[Tenant, str, Json], None], str]] = {
    "an edit": (edit_note, "notes"),
    "a deletion": (delete_note, "notes"),
    "a new primary": (make_another_primary, "addresses"),
    "a withdrawal": (withdraw_consent, PREFERENCES),
}
KINDS = {"notes": "customer_note", "addresses": "customer_address", PREFERENCES: "communication_preference"}


@one_database
@pytest.mark.parametrize("change", IN_THE_WAY)
def test_a_moved_part_that_changed_since_is_named(acme: Tenant, change: str) -> None:
    target, source = pair(acme)
    moved = {part: ids(acme, f"{source}/{part}")[0] for part in KINDS}
    merged(acme, target, source, **ALL)
    touch, part = IN_THE_WAY[change]
    touch(acme, target, moved)
    before = contents(acme, target)

    answer = undo(acme, target, source)

    assert code_of(answer) == (409, "CHANGED_SINCE_MERGE")
    assert answer.get_json()["errors"] == {KINDS[part]: [moved[part]]}
    assert contents(acme, target) == before
    assert acme.admin.get(source).status_code == 307


@one_database
def test_a_field_that_the_merge_gave_and_that_was_changed_since_is_named(acme: Tenant) -> None:
    target, source = pair(acme)
    merged(acme, target, source, city="source", phone_number="source")
    acme.admin.patch(target, {"city": "Elsewhere", "name": "Renamed"})

    answer = undo(acme, target, source)

    assert code_of(answer) == (409, "CHANGED_SINCE_MERGE")
    assert answer.get_json()["errors"] == {"customer": ["city"]}


def test_an_address_taken_meanwhile_is_named(acme: Tenant) -> None:
    target, source = pair(acme)
    merged(acme, target, source)
    acme.admin.create("/customers", {"name": "New", "email": "gone@example.com"})

    answer = undo(acme, target, source)

    assert (answer.status_code, answer.get_json()["errors"]) == (409, {"email": ["Taken meanwhile."]})


@one_database
def test_the_former_address_of_the_survivor_taken_meanwhile_is_named(acme: Tenant) -> None:
    target, source = pair(acme)
    merged(acme, target, source, email="source")
    acme.admin.create("/customers", {"name": "New", "email": "kept@example.com"})

    answer = undo(acme, target, source)

    assert (answer.status_code, answer.get_json()["errors"]) == (409, {"email": ["Taken meanwhile."]})


@one_database
def test_an_address_that_the_survivor_took_by_itself_is_named(acme: Tenant) -> None:
    target, source = pair(acme)
    merged(acme, target, source)
    acme.admin.patch(target, {"email": "gone@example.com"})

    assert undo(acme, target, source).get_json()["errors"] == {"email": ["Taken meanwhile."]}


@one_database
def test_a_user_taken_meanwhile_is_named(acme: Tenant) -> None:
    user = acme.user()
    target, source = customer(acme), customer(acme, user_id=user.user_id)
    merged(acme, target, source, user_id="target")
    acme.admin.create("/customers", {"name": "New", "user_id": user.user_id})

    assert undo(acme, target, source).get_json()["errors"] == {"user_id": ["Taken meanwhile."]}


def test_what_is_gone_since_is_not_referred_to(acme: Tenant) -> None:
    user, word = acme.user(), tag(acme)["id"]
    target, source = customer(acme), customer(acme, user_id=user.user_id)
    for path in (target, source):
        acme.admin.post(f"{path}/tags/{word}")
    merged(acme, target, source, user_id="target")
    assert acme.admin.delete(f"/users/{user.user_id}").status_code == 204
    assert acme.admin.delete(f"/tags/{word}").status_code == 204

    found = undone(acme, target, source)

    assert found["restored"]["user_id"] is None
    assert rows(acme, f"{source}/tags") == []


# Thirty days


def forgotten_later(company: Tenant, later: timedelta) -> CustomerMerge:
    """The merge after the worker has done what is due then."""
    with company.app.app_context(), tenant(company.company_id), unit_of_work():
        row = db.session.scalars(select(CustomerMerge)).one()
        row.expires_at -= later
    make_due(company.app, Job.kind == FORGET)
    Worker(company.app).drain()
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False):
        return db.session.scalars(select(CustomerMerge)).one()


def test_after_thirty_days_nothing_is_kept_but_the_redirect(acme: Tenant) -> None:
    target, source = pair(acme)
    merged(acme, target, source)

    row = forgotten_later(acme, UNDO_WITHIN)

    assert (row.undo_log, str(row.customer_id)) == (None, id_of(target))
    assert code_of(undo(acme, target, source)) == (409, "MERGE_FINAL")
    assert acme.admin.get(source).status_code == 307


def test_before_thirty_days_all_of_it_is(acme: Tenant) -> None:
    target, source = pair(acme)
    merged(acme, target, source)

    assert forgotten_later(acme, UNDO_WITHIN - timedelta(hours=1)).undo_log is not None
    undone(acme, target, source)


def test_a_merge_is_final_after_thirty_days_before_the_worker_has_come(acme: Tenant) -> None:
    target, source = pair(acme)
    merged(acme, target, source)
    with acme.app.app_context(), tenant(acme.company_id), unit_of_work():
        db.session.execute(update(CustomerMerge).values(expires_at=utcnow()))

    assert code_of(undo(acme, target, source)) == (409, "MERGE_FINAL")


def files(company: Tenant) -> int:
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False):
        return db.session.scalar(select(func.count()).select_from(StoredFile)) or 0


def with_logo(company: Tenant) -> str:
    path = customer(company)
    assert upload(company.admin, f"{path}/logo", picture()).status_code == 201
    return path


@one_database
def test_the_logo_of_the_source_comes_back_with_it(acme: Tenant) -> None:
    target, source = with_logo(acme), with_logo(acme)
    merged(acme, target, source)
    undone(acme, target, source)

    assert acme.admin.get(f"{source}/logo").status_code == 200
    assert acme.admin.get(f"{target}/logo").status_code == 200


@one_database
def test_the_logo_of_the_source_goes_when_it_can_no_longer_come_back(acme: Tenant) -> None:
    target, source = with_logo(acme), with_logo(acme)
    merged(acme, target, source)

    forgotten_later(acme, UNDO_WITHIN)

    assert files(acme) == 1
    assert acme.admin.get(f"{target}/logo").status_code == 200


@one_database
def test_files_of_both_go_with_the_survivor(acme: Tenant) -> None:
    target, source = with_logo(acme), with_logo(acme)
    merged(acme, target, source)

    assert acme.admin.delete(target).status_code == 204

    assert files(acme) == 0


def test_the_count_of_customers_is_right_after_merging_and_undoing(acme: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    totals = []
    for step in (merged, undone):
        step(acme, target, source)
        totals.append(acme.admin.get("/customers").get_json()["pagination"]["total"])
        with acme.app.app_context(), tenant(acme.company_id), unit_of_work(writes=False):
            assert db.session.scalar(select(func.count()).select_from(Customer)) == totals[-1]

    assert totals == [1, 2]


def test_a_frozen_row_is_of_the_tenant_that_is_bound(acme: Tenant, globex: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    merged(acme, target, source)
    with acme.app.app_context(), tenant(acme.company_id), unit_of_work():
        row = db.session.scalars(select(CustomerMerge)).one()
        kept = {**(row.undo_log or {})}
        row.undo_log = kept | {"customer": kept["customer"] | {"company_id": str(globex.company_id)}}

    undone(acme, target, source)

    assert shown(acme, source)["company_id"] == str(acme.company_id)
    assert UUID(id_of(source)) not in {UUID(each) for each in ids(globex, "/customers")}
