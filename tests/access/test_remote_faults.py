"""A failing part of a remote answer is an error, never a shorter list."""

from uuid import uuid4

import pytest

from tests.access.conftest import moved
from tests.access.remote import Json, path_of
from tests.fakes.guardian import Behaviour, FakeGuardian, answer, answers, closes, dribbles, hangs, resets, sends
from tests.fakes.roles import FakeRoles, wide
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import flaky, one_database
from tests.support.rows import by_row
from tests.support.variants import Variant

# The roles are elsewhere.
pytestmark = one_database
PARTS = {
    "roles": ("GET /user-roles", "GET /roles/"),
    "policies": ("GET /user-roles", "GET /roles/"),
    "permissions": ("GET /user-roles", "GET /roles/", "GET /policies/"),
}
EACH_PART = [(kind, part) for kind, parts in PARTS.items() for part in parts]
FAULTS: list[tuple[str, Behaviour, int]] = [
    ("denied", answers(403, {"message": "No."}), 403),
    ("unauthorized", answers(401, {"message": "Who?"}), 502),
    ("missing", answers(404, {"message": "Gone."}), 502),
    ("odd", answers(400, {"message": "Odd."}), 502),
    ("created", answers(201, []), 502),
    ("empty", sends(b"HTTP/1.1 204 Reason\r\n\r\n"), 502),
    ("busy", answers(429, {}), 503),
    ("broken", answers(500, {"message": "Bug."}), 502),
    ("moved", sends(b"HTTP/1.1 302 Reason\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n"), 502),
    ("page", answers(200, b"<html></html>", "text/html"), 502),
    ("null", answers(200, None), 502),
    ("text", answers(200, "roles"), 502),
    ("other name", answers(200, {"items": []}), 502),
    ("no list", answers(200, {"data": {}}), 502),
    ("no objects", answers(200, [None]), 502),
    ("no ids", answers(200, [{}]), 502),
    ("bad ids", answers(200, [{"id": "../roles"}]), 502),
    ("not json", answers(200, b"[{]"), 502),
    ("twice", answers(200, b'{"data": [], "data": []}'), 502),
    ("nan", answers(200, b"[NaN]"), 502),
    ("not utf-8", answers(200, b'["\xff"]'), 502),
    ("endless", answers(200, b"[" + b" " * (1024 * 1024) + b"]"), 502),
    ("cut short", sends(b"HTTP/1.1 200 Reason\r\nContent-Length: 99\r\n\r\n[", closes=True), 502),
    ("reset", resets, 503),
    ("closed", closes, 503),
    ("hanging", hangs, 504),
    ("dribbling", dribbles(answer(200, []), 0.2), 504),
]  # fmt: skip


@flaky
@by_row(("name", "fault", "status"), FAULTS, ids=[name for name, _, _ in FAULTS])
def test_fault_in_any_part_is_an_error(
    acme: Tenant, engine: FakeGuardian, variant: Variant, user: ApiClient, name: str, fault: Behaviour, status: int
) -> None:
    data = wide(0, acme.admin.company_id, user.user_id, roles=3, policies=2)
    engine.behaviour = data
    timeout = "0.3" if status == 504 else "5"
    admin = moved(acme.admin, variant(GUARDIAN_SERVICE_URL=engine.url, GUARDIAN_SERVICE_TIMEOUT=timeout))

    for kind, part in EACH_PART:
        data.faults = {}
        # Five failures in a row would open the circuit.
        assert admin.get(path_of(user, kind)).status_code == 200
        data.faults = {part: fault}
        found = admin.get(path_of(user, kind))
        assert found.status_code == status, (kind, part, found.text)


def test_fault_in_the_last_of_many_parts_is_an_error_too(
    acme: Tenant, engine: FakeGuardian, admin: ApiClient, user: ApiClient
) -> None:
    data = wide(0, acme.admin.company_id, user.user_id, roles=10, policies=5)
    engine.behaviour = data
    whole = admin.get(path_of(user, "permissions"))

    data.faults[f"GET /policies/{list(data.permissions)[-1]}/"] = answers(500, {})
    broken = admin.get(path_of(user, "permissions"))

    assert (whole.status_code, len(whole.get_json()["permissions"])) == (200, 50)
    assert broken.status_code == 502


@pytest.mark.parametrize("kind", ["roles", "policies", "permissions"])
def test_assignments_of_another_user_or_company_are_not_passed_on(
    data: FakeRoles, admin: ApiClient, user: ApiClient, kind: str
) -> None:
    for foreign in ({"user_id": str(uuid4())}, {"company_id": str(uuid4())}):
        made = data.assign(user.user_id, data.role())
        data.faults["GET /user-roles"] = answers(200, [made | foreign])
        assert admin.get(path_of(user, kind)).status_code == 502


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("roles", {"company_id": str(uuid4())}),
        ("roles", {"id": str(uuid4())}),
        ("roles", {"name": None}),
        ("roles", {"name": "\ud800"}),
        ("roles", {"description": 7}),
        ("roles", {"created_at": "yesterday"}),
        ("roles", {"created_at": "0001-01-01T00:00:00+14:00"}),
        ("roles", {"created_at": 7}),
        ("roles", {"is_system": "yes"}),
    ],
)
def test_role_that_is_told_wrongly_is_an_error(
    data: FakeRoles, admin: ApiClient, user: ApiClient, kind: str, fault: Json
) -> None:
    role_id = data.role()
    data.assign(user.user_id, role_id)
    data.roles[role_id].update(fault)

    assert admin.get(path_of(user, kind)).status_code == 502
