"""What /document-types adds to the kernel: a global list that only the platform changes."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete

from app.core.db.models import db
from app.core.db.transaction import unit_of_work
from app.document_types.models import DocumentType
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row

PATH = "/document-types"
SEEDED = {"cedula", "NIT", "passport", "national_id", "tax_id", "driving_licence"}


@pytest.fixture(autouse=True)
def _only_the_seeded_ones_stay(app: Flask) -> Iterator[None]:
    """The table is kept between tests, because a migration fills it."""
    _forget_all_but_the_seeded_ones(app)
    yield
    _forget_all_but_the_seeded_ones(app)


def _forget_all_but_the_seeded_ones(app: Flask) -> None:
    with app.app_context(), unit_of_work():
        db.session.execute(delete(DocumentType).where(DocumentType.code.not_in(SEEDED)))


def listed(client: ApiClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(PATH).get_json()
    return found


def passport(client: ApiClient) -> dict[str, Any]:
    return next(row for row in listed(client) if row["code"] == "passport")


@one_database
def test_list_is_a_plain_array_of_what_the_migration_seeds(globex: Tenant) -> None:
    rows = listed(globex.user("viewer"))

    assert {row["code"] for row in rows} == SEEDED
    assert all(set(row) == {"id", "name", "code", "description", "active", "created_at"} for row in rows)
    assert all(row["active"] is True for row in rows)


def test_one_is_read_by_everybody_with_the_permission(globex: Tenant) -> None:
    row = passport(globex.admin)

    assert globex.user("viewer").get(f"{PATH}/{row['id']}").get_json() == row
    assert globex.user().get(f"{PATH}/{row['id']}").status_code == 403
    assert globex.user().get(PATH).status_code == 403


@one_database
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_only_platform_users_write(acme: Tenant, globex: Tenant, method: str) -> None:
    path = PATH if method == "POST" else f"{PATH}/{passport(globex.admin)['id']}"
    json = None if method == "DELETE" else {"name": "Stamp", "code": "stamp"}

    answers = [client.request(method, path, json) for client in (globex.admin, acme.user("manager"))]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert {row["code"] for row in listed(acme.admin)} == SEEDED


def test_new_type_can_be_used_by_every_company(acme: Tenant, globex: Tenant) -> None:
    made = acme.admin.create(PATH, {"name": "Stamp", "code": "stamp"})
    values = {"email": "a@example.com", "password": PASSWORD, "document_type": "stamp"}

    user = globex.admin.create("/users", values)

    assert user["document_type"] == "stamp"
    assert made in listed(globex.admin)
    globex.admin.delete(f"/users/{user['id']}")


def test_type_is_changed_replaced_and_deleted(acme: Tenant) -> None:
    path = f"{PATH}/{acme.admin.create(PATH, {'name': 'Stamp', 'code': 'stamp'})['id']}"

    changed = acme.admin.patch(path, {"active": False})
    replaced = acme.admin.put(path, {"name": "Seal", "code": "seal"})
    stale = acme.admin.delete(path, headers={"If-Match": changed.headers["ETag"]})
    deleted = acme.admin.delete(path, headers={"If-Match": replaced.headers["ETag"]})

    assert changed.get_json()["active"] is False
    assert replaced.get_json() | {"name": "Seal", "code": "seal", "active": False} == replaced.get_json()
    assert (stale.status_code, deleted.status_code) == (412, 204)
    assert acme.admin.get(path).status_code == 404


def test_code_is_unique(acme: Tenant) -> None:
    answer = acme.admin.post(PATH, {"name": "Another", "code": "passport"})

    assert answer.status_code == 409
    assert answer.get_json()["errors"] == {"code": ["Already in use."]}


@pytest.mark.parametrize("holder", ["company", "user"])
@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_type_in_use_keeps_its_code(acme: Tenant, globex: Tenant, holder: str, method: str) -> None:
    made = acme.admin.create(PATH, {"name": "Stamp", "code": "stamp"})
    held = f"/companies/{globex.company_id}" if holder == "company" else f"/users/{globex.admin.user_id}"
    assert globex.admin.patch(held, {"document_type": "stamp"}).status_code == 200

    answer = acme.admin.request(method, f"{PATH}/{made['id']}", None if method == "DELETE" else {"code": "seal"})

    assert answer.status_code == 409
    assert made in listed(acme.admin)
    assert globex.admin.get(held).get_json()["document_type"] == "stamp"
    globex.admin.patch(held, {"document_type": None})


@one_database
@by_row("values", [{"code": " "}, {"code": None}, {"name": "x" * 256}, {"active": "no"}, {"id": None}])
def test_value_that_does_not_fit_is_named(acme: Tenant, values: dict[str, Any]) -> None:
    answer = acme.admin.post(PATH, {"name": "Stamp", "code": "stamp"} | values)

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == list(values)
