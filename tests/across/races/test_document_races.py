"""Several processes upload documents at the same moment: no limit is passed, and no file is left that nobody shows."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from app.core.services import services
from app.customers.documents.files import MOST_DOCUMENTS
from tests.across.races.fleet import SIZE, Answer, Fleet, Wish, by
from tests.core.files.conftest import variant
from tests.core.files.stored import drained, files_of
from tests.customers.documents.kept import elsewhere, totals
from tests.customers.dossier import customer, ids
from tests.support.clients import Tenant
from tests.support.variants import Variant

__all__ = ["variant"]
BOUNDARY = "limit"
PART = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="


def uploading(company: Tenant, owner: str, size: int = 100) -> Wish:
    file = f'{PART}"file"; filename="a.txt"\r\n\r\n{"x" * size}\r\n--{BOUNDARY}--\r\n'
    form = f'{PART}"document_type"\r\n\r\npassport\r\n{file}'
    return by(
        company.admin, "POST", f"{owner}/documents", form, Content_Type=f"multipart/form-data; boundary={BOUNDARY}"
    )


def counted(answers: list[list[Answer]]) -> Counter[tuple[int, Any]]:
    return Counter((answer.status, answer.body.get("error_code")) for batch in answers for answer in batch)


@pytest.fixture
def stored(fleet: Fleet, variant: Variant, acme: Tenant) -> Callable[[], int]:
    """How many files of the company the storage of the fleet has, once the outbox is worked off."""
    there = elsewhere(variant(STORAGE_PATH=fleet.environ["STORAGE_PATH"]), acme)

    def found() -> int:
        drained(there.app)
        with there.app.app_context():
            return sum(each.key.company_id == there.company_id for each in services().storage.stored())

    return found


def test_twenty_uploads_at_once_do_not_pass_the_quota(acme: Tenant, fleet: Fleet, stored: Callable[[], int]) -> None:
    owners = [customer(acme) for _ in range(SIZE)]

    answers = fleet.run(*([uploading(acme, owner, 100_000)] * 5 for owner in owners))

    assert counted(answers) == {(201, None): 10, (409, "DOCUMENT_QUOTA_EXCEEDED"): 10}
    assert totals(acme) == (1_000_000, 1_000_000)
    assert len(files_of(acme)) == stored() == sum(len(ids(acme, f"{owner}/documents")) for owner in owners) == 10


def test_twenty_uploads_at_once_do_not_pass_the_number_of_one_customer(
    acme: Tenant, fleet: Fleet, stored: Callable[[], int]
) -> None:
    owner = customer(acme)
    fleet.run(*([uploading(acme, owner)] * 23 for _ in range(SIZE)))

    answers = fleet.run(*([uploading(acme, owner)] * 5 for _ in range(SIZE)))

    assert counted(answers) == {(201, None): 8, (409, "TOO_MANY_DOCUMENTS"): 12}
    assert len(files_of(acme)) == stored() == len(ids(acme, f"{owner}/documents?limit=1000")) == MOST_DOCUMENTS


def test_a_customer_that_is_deleted_while_documents_arrive_takes_all_of_them_along(
    acme: Tenant, fleet: Fleet, stored: Callable[[], int]
) -> None:
    for _ in range(4):
        owner = customer(acme)
        leaving = [by(acme.admin, "GET", owner)] * 2 + [by(acme.admin, "DELETE", owner)] * 6

        [*arriving, ending] = fleet.run(*[[uploading(acme, owner)] * 6] * (SIZE - 1), leaving)

        assert {answer.status for batch in arriving for answer in batch} <= {201, 404, 409}
        assert [answer.status for answer in ending].count(204) == 1
        assert (files_of(acme), totals(acme), stored()) == ([], (0, 0), 0)
