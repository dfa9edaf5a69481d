"""What /companies adds to the kernel: the platform company sees all, everyone else sees their own."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table, func, insert, select
from uuid_utils.compat import uuid7

from app.core.db.models import Model, db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from tests.support.clients import PASSWORD, ApiClient, Tenant, make_tenant, unique
from tests.support.declared import owner_of, synthetic_row, tenant_tables
from tests.support.marks import one_database
from tests.support.pictures import picture, upload
from tests.support.rows import by_row

PATH = "/companies"
Json = dict[str, Any]


def item(company: Tenant) -> str:
    return f"{PATH}/{company.company_id}"


def names(client: ApiClient, query: str = "") -> set[str]:
    return {row["name"] for row in client.get(f"{PATH}{query}").get_json()["data"]}


def fill(company: Tenant) -> None:
    """One row or more of everything that a company can hold."""
    admin = company.admin
    unit = admin.create("/organization_units", {"name": unique("unit")})
    position = admin.create("/positions", {"title": "Lead", "organization_unit_id": unit["id"]})
    admin.create("/users", {"email": f"{unique('p')}@example.com", "password": PASSWORD, "position_id": position["id"]})
    admin.create("/customers", {"name": "Customer"})
    assert upload(admin, f"/users/{admin.user_id}/avatar", picture()).status_code == 201
    admin.create("/subcontractors", {"name": "Subcontractor"})
    complete(company)


def complete(company: Tenant) -> None:
    """A row in every table that is still empty, behind the service's back."""
    there: dict[str, Json] = {}
    for table in tenant_tables():
        own = select(table).where(owner_of(table) == company.company_id).limit(1)
        there[table.name] = _first(company, own) or _put(company, table, there)


def _first(company: Tenant, statement: Any) -> Json | None:
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False) as session:
        row = session.execute(statement, execution_options={"unguarded": "a test"}).mappings().first()
    return dict(row) if row else None


def _put(company: Tenant, table: Table, there: dict[str, Json]) -> Json:
    with company.app.app_context(), tenant(company.company_id):
        row = synthetic_row(table, company.company_id, there)
        with unit_of_work() as session:
            session.execute(insert(table).values(row), execution_options={"unguarded": "a test"})
    return row


def tenant_rows(company: Tenant) -> dict[str, int]:
    """How many rows each table has of the company, as far as it has any."""
    found: dict[str, int] = {}
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False):
        for table in Model.metadata.sorted_tables:
            column = table.c.id if table.name == "company" else table.c.get("company_id")
            if column is not None:
                statement = select(func.count()).select_from(table).where(column == company.company_id)
                options = {"unguarded": "every table of a test"}
                found[table.name] = db.session.execute(statement, execution_options=options).scalar_one()
    return found


# Who sees and does what


def test_platform_users_list_and_read_every_company(acme: Tenant, globex: Tenant) -> None:
    manager = acme.user("manager")

    assert names(manager) == {"acme", "globex"}
    assert manager.get(item(globex)).get_json()["name"] == "globex"
    assert acme.admin.get(item(acme)).get_json()["is_platform"] is True


def test_everyone_else_lists_and_reads_exactly_their_own(acme: Tenant, globex: Tenant) -> None:
    listed = globex.admin.get(PATH).get_json()

    assert [row["name"] for row in listed["data"]] == ["globex"]
    assert listed["pagination"]["total"] == 1
    assert globex.admin.get(item(globex)).get_json()["is_platform"] is False
    assert names(globex.admin, "?search=acme") == names(globex.admin, f"?id__in={acme.company_id}") == set()


@by_row("method", ["GET", "PUT", "PATCH"])
def test_another_company_is_as_unknown_as_none(acme: Tenant, globex: Tenant, method: str) -> None:
    json = None if method == "GET" else {"name": "Mine"}

    answers = [globex.admin.request(method, path, json) for path in (item(acme), f"{PATH}/{uuid7()}")]

    shown = [answer.get_json() for answer in answers]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert shown[0]["detail"] == shown[1]["detail"]
    assert acme.admin.get(item(acme)).get_json()["name"] == "acme"


def test_only_platform_users_create_companies(acme: Tenant, globex: Tenant) -> None:
    refused = globex.admin.post(PATH, {"name": "Initech"})
    created = acme.admin.post(PATH, {"name": "Initech"})

    assert refused.status_code == 403
    assert created.status_code == 201
    assert created.headers["Location"] == f"{PATH}/{created.get_json()['id']}"
    assert created.get_json() | {"status": "active", "is_platform": False, "total_users": 0} == created.get_json()


@pytest.mark.parametrize("query", ["", "?cascade=true", "?dry_run=true"])
def test_only_platform_users_delete_companies(acme: Tenant, globex: Tenant, query: str) -> None:
    own = globex.admin.delete(f"{item(globex)}{query}")
    foreign = globex.admin.delete(f"{item(acme)}{query}")

    assert own.status_code == foreign.status_code == 403
    assert names(acme.admin) == {"acme", "globex"}


def test_platform_user_without_the_permission_is_refused(acme: Tenant, globex: Tenant) -> None:
    viewer = acme.user("viewer")

    answers = [
        viewer.post(PATH, {"name": "Initech"}),
        viewer.patch(item(globex), {"name": "Initech"}),
        viewer.delete(item(globex)),
    ]

    assert [answer.get_json()["error_code"] for answer in answers] == ["ACCESS_DENIED"] * 3


def test_own_company_may_be_updated_when_granted(acme: Tenant, globex: Tenant) -> None:
    granted = globex.admin.patch(item(globex), {"city": "Springfield"})
    denied = globex.user("manager").patch(item(globex), {"city": "Shelbyville"})

    assert granted.get_json()["city"] == "Springfield"
    assert denied.status_code == 403
    assert acme.admin.get(item(globex)).get_json()["city"] == "Springfield"


def test_platform_users_read_nothing_else_of_another_company(acme: Tenant, globex: Tenant) -> None:
    fill(globex)

    for path in ("users", "organization_units", "positions", "customers", "subcontractors", "guardian/user-roles"):
        found = globex.admin.get(f"/{path}").get_json()
        rows = found if isinstance(found, list) else found["data"]
        assert rows, path
        assert acme.admin.get(f"/{path}/{rows[-1]['id']}").status_code == 404


def test_new_company_has_its_default_roles_and_nothing_of_the_platform(acme: Tenant) -> None:
    made = acme.admin.create(PATH, {"name": "Initech"})

    company = Tenant(acme.app, UUID(made["id"]), acme.admin)
    counted = {name: count for name, count in tenant_rows(company).items() if count}
    assert counted.pop("role") == 4
    assert set(counted) == {"company", "policy", "role_policy", "policy_permission"}


# Status


@pytest.mark.parametrize("status", ["suspended", "inactive"])
def test_tokens_of_a_stopped_company_stop_at_once_and_nobody_logs_in(
    acme: Tenant, globex: Tenant, anonymous: ApiClient, status: str
) -> None:
    login = {"email": "admin@globex.example", "password": PASSWORD}
    pair = anonymous.post("/auth/login?token=body", login).get_json()
    assert globex.admin.get("/users/me").status_code == 200

    acme.admin.patch(item(globex), {"status": status})

    refused = [
        globex.admin.get("/users/me"),
        globex.admin.get("/customers"),
        globex.admin.patch(item(globex), {"status": "active"}),
        anonymous.post("/auth/login", login),
        anonymous.post("/auth/refresh", {"refresh_token": pair["refresh_token"]}),
    ]
    assert [(answer.status_code, answer.get_json()["error_code"]) for answer in refused] == [
        (403, "COMPANY_NOT_ACTIVE")
    ] * len(refused)
    assert anonymous.post("/auth/login", login | {"password": "wrong"}).status_code == 401
    assert acme.admin.get("/users/me").status_code == 200


def test_company_that_is_active_again_goes_on_with_the_same_tokens(acme: Tenant, globex: Tenant) -> None:
    acme.admin.patch(item(globex), {"status": "suspended"})

    acme.admin.patch(item(globex), {"status": "active"})

    assert globex.admin.get("/users/me").status_code == 200


@pytest.mark.parametrize("status", ["suspended", "inactive"])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_platform_company_is_always_active(acme: Tenant, status: str, method: str) -> None:
    answer = acme.admin.request(method, item(acme), {"name": "acme", "status": status})

    assert (answer.status_code, answer.get_json()["error_code"]) == (409, "PLATFORM_COMPANY")
    assert acme.admin.get(item(acme)).get_json()["status"] == "active"


@pytest.mark.parametrize("query", ["", "?cascade=true"])
def test_platform_company_cannot_be_deleted(acme: Tenant, query: str) -> None:
    answer = acme.admin.delete(f"{item(acme)}{query}")

    assert (answer.status_code, answer.get_json()["error_code"]) == (409, "PLATFORM_COMPANY")
    assert acme.admin.get("/users/me").status_code == 200


def test_nobody_makes_a_second_platform_company(acme: Tenant, globex: Tenant) -> None:
    created = acme.admin.post(PATH, {"name": "Initech", "is_platform": True})
    changed = acme.admin.patch(item(globex), {"is_platform": True})

    assert created.status_code == changed.status_code == 400
    assert list(created.get_json()["errors"]) == list(changed.get_json()["errors"]) == ["is_platform"]


# What is unique across companies


def test_name_is_unique_in_any_case(acme: Tenant, globex: Tenant) -> None:
    acme.admin.create(PATH, {"name": "Straße"})

    created = acme.admin.post(PATH, {"name": " STRASSE "})
    renamed = globex.admin.patch(item(globex), {"name": "ACME"})

    assert created.status_code == renamed.status_code == 409
    assert created.get_json()["errors"] == renamed.get_json()["errors"] == {"name": ["Already in use."]}
    assert names(acme.admin) == {"acme", "globex", "Straße"}


def test_company_key_is_unique(acme: Tenant, globex: Tenant) -> None:
    acme.admin.create(PATH, {"name": "Initech", "company_key": "LOGISTIC-001"})

    answer = globex.admin.patch(item(globex), {"company_key": "LOGISTIC-001"})

    assert answer.status_code == 409
    assert answer.get_json()["errors"] == {"company_key": ["Already in use."]}


def test_document_number_is_unique_per_document_type(acme: Tenant, globex: Tenant) -> None:
    acme.admin.patch(item(acme), {"document_type": "NIT", "document_number": "900-1"})

    again = globex.admin.patch(item(globex), {"document_type": "NIT", "document_number": "900-1"})
    other = globex.admin.patch(item(globex), {"document_type": "tax_id", "document_number": "900-1"})

    assert again.status_code == 409
    assert again.get_json()["errors"] == {"document_number": ["Already in use."]}
    assert other.status_code == 200


@one_database
@by_row(
    "values",
    [
        {"document_type": "unheard of"},
        {"status": "closed"},
        {"customer_registration": "maybe"},
        {"days_credit": -1},
        {"days_credit": 2**31},
        {"website": "javascript:alert(1)"},
        {"email": "nobody"},
        {"postal_code": "1" * 21},
        {"name": " "},
        {"name": "x" * 101},
    ],
)
def test_value_that_does_not_fit_is_named(acme: Tenant, globex: Tenant, values: Json) -> None:
    changed = acme.admin.patch(item(globex), values)
    created = acme.admin.post(PATH, {"name": "Initech"} | values)

    assert changed.status_code == created.status_code == 400
    assert list(changed.get_json()["errors"]) == list(created.get_json()["errors"]) == list(values)
    assert names(acme.admin) == {"acme", "globex"}


# Totals


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


# Deleting


def test_company_that_holds_anything_stays_and_the_message_counts_it(acme: Tenant, globex: Tenant) -> None:
    fill(globex)
    before = tenant_rows(globex)

    answer = acme.admin.delete(item(globex))

    found = answer.get_json()
    assert (answer.status_code, found["error_code"]) == (409, "COMPANY_NOT_EMPTY")
    for part in ("2 user", "2 organization_unit", "2 position", "1 customer", "1 subcontractor"):
        assert part in found["detail"]
    assert tenant_rows(globex) == before


def test_empty_company_is_deleted_with_its_roles(acme: Tenant) -> None:
    made = acme.admin.create(PATH, {"name": "Initech"})

    answer = acme.admin.delete(f"{PATH}/{made['id']}")

    assert answer.status_code == 204
    assert set(tenant_rows(Tenant(acme.app, UUID(made["id"]), acme.admin)).values()) == {0}


def test_dry_run_counts_and_changes_nothing(acme: Tenant, globex: Tenant) -> None:
    fill(globex)
    before = tenant_rows(globex)

    answer = acme.admin.delete(f"{item(globex)}?dry_run=true&cascade=true")

    assert answer.status_code == 200
    held = {"user": 2, "organization_unit": 2, "position": 2, "customer": 1, "subcontractor": 1}
    assert answer.get_json() == held
    assert tenant_rows(globex) == before


@pytest.mark.parametrize("status", ["active", "suspended"])
def test_only_an_inactive_company_goes_with_all_that_it_holds(acme: Tenant, globex: Tenant, status: str) -> None:
    acme.admin.patch(item(globex), {"status": status})
    before = tenant_rows(globex)

    answer = acme.admin.delete(f"{item(globex)}?cascade=true")

    assert (answer.status_code, answer.get_json()["error_code"]) == (409, "COMPANY_NOT_INACTIVE")
    assert tenant_rows(globex) == before


def test_cascade_leaves_no_row_of_the_company_in_any_table(acme: Tenant, globex: Tenant) -> None:
    """The tables come from the metadata: a new one is covered without an edit."""
    initech = make_tenant(acme.app, "initech")
    for company in (globex, initech):
        fill(company)
    bystanders = [tenant_rows(company) for company in (acme, initech)]
    assert all(tenant_rows(globex).values()), tenant_rows(globex)
    acme.admin.patch(item(globex), {"status": "inactive"})

    answer = acme.admin.delete(f"{item(globex)}?cascade=true")

    assert answer.status_code == 204
    assert set(tenant_rows(globex).values()) == {0}
    assert [tenant_rows(company) for company in (acme, initech)] == bystanders
    assert globex.admin.get("/users/me").status_code == 401
    assert names(acme.admin) == {"acme", "initech"}


def test_addresses_and_names_of_a_deleted_company_are_free_again(acme: Tenant, globex: Tenant) -> None:
    acme.admin.patch(item(globex), {"status": "inactive"})
    acme.admin.delete(f"{item(globex)}?cascade=true")

    again = make_tenant(acme.app, "globex")

    assert again.admin.get("/users/me").get_json()["email"] == "admin@globex.example"


def test_deleting_an_unknown_company_is_not_found(acme: Tenant) -> None:
    assert acme.admin.delete(f"{PATH}/{uuid7()}?cascade=true").status_code == 404


@one_database
@by_row("query", ["?cascade=1", "?casade=true", "?cascade=true&dryrun=true"])
def test_misspelt_parameter_deletes_nothing(acme: Tenant, globex: Tenant, query: str) -> None:
    acme.admin.patch(item(globex), {"status": "inactive"})

    answer = acme.admin.delete(f"{item(globex)}{query}")

    assert answer.status_code == 400
    assert names(acme.admin) == {"acme", "globex"}


def test_stale_if_match_deletes_nothing(acme: Tenant, globex: Tenant) -> None:
    tag = acme.admin.get(item(globex)).headers["ETag"]
    acme.admin.patch(item(globex), {"status": "inactive"})

    answer = acme.admin.delete(f"{item(globex)}?cascade=true", headers={"If-Match": tag})

    assert answer.status_code == 412
    assert names(acme.admin) == {"acme", "globex"}
