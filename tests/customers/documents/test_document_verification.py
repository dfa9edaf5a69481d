"""Documents are verified, rejected, or neither."""

import pytest

from tests.customers.documents.described import TOMORROW, verdict
from tests.customers.documents.files import document
from tests.customers.dossier import Json, shown
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row

pytestmark = one_database


def test_a_document_is_verified_rejected_with_a_reason_and_neither(acme: Tenant) -> None:
    path = document(acme)["path"]
    me = acme.admin.user_id

    verified = acme.admin.put(f"{path}/verify", {"status": "verified"}).get_json()
    rejected = acme.admin.put(f"{path}/verify", {"status": "rejected", "reason": "Blurred."}).get_json()
    back = acme.admin.put(f"{path}/verify", {"status": "pending"}).get_json()

    assert verdict(verified) == ("verified", None, me)
    assert verdict(rejected) == ("rejected", "Blurred.", me)
    assert verdict(back) == ("pending", None, None)
    assert (verified["verified_at"] is None, back["verified_at"]) == (False, None)


@by_row(
    ("values", "field"),
    [
        ({"status": "rejected"}, "reason"), ({"status": "rejected", "reason": " "}, "reason"), ({}, "status"),
        ({"status": "rejected", "reason": None}, "reason"), ({"status": "fine"}, "status"),
        ({"status": "verified", "verified_by": None}, "verified_by"),
        ({"status": "verified", "reason": "x" * 501}, "reason"),
    ],
)  # fmt: skip
def test_a_verdict_that_does_not_fit_is_refused(acme: Tenant, values: Json, field: str) -> None:
    path = document(acme)["path"]

    answer = acme.admin.put(f"{path}/verify", values)

    assert (answer.status_code, list(answer.get_json()["errors"])) == (400, [field])
    assert shown(acme, path)["verification_status"] == "pending"


@pytest.mark.parametrize("change", [{"number": "2"}, {"expires_on": TOMORROW}, {"document_type": "national_id"}])
def test_a_document_that_claims_something_else_is_not_verified_any_more(acme: Tenant, change: Json) -> None:
    path = document(acme, number="1")["path"]
    acme.admin.put(f"{path}/verify", {"status": "verified"})

    same = acme.admin.patch(path, {"description": "Front.", "number": "1"}).get_json()
    changed = acme.admin.patch(path, change).get_json()

    assert same["verification_status"] == "verified"
    assert (*verdict(changed), changed["verified_at"]) == ("pending", None, None, None)
