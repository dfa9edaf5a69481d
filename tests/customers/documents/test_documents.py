"""Documents of customers: what is known of them, and who may see them."""

from hashlib import sha256
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from uuid_utils.compat import uuid7

from tests.core.files.stored import drained, files_of, objects_of
from tests.customers.documents.described import TODAY, TOMORROW, YESTERDAY, verdict
from tests.customers.documents.files import PDF, TEXT, TYPE, document, samples, send
from tests.customers.dossier import Json, customer, ids, rows, shown
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import both_databases, one_database
from tests.support.roles import user_with
from tests.support.rows import by_row

pytestmark = one_database


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error_code"]


def test_a_document_is_described_by_its_sender_and_by_its_content(acme: Tenant) -> None:
    owner = customer(acme)
    described = {"document_type": TYPE, "number": "X-1", "issued_on": YESTERDAY, "expires_on": TOMORROW}

    answer = send(acme.admin, owner, PDF, "Ausweis.pdf", description=" Front and back ", **described)

    made = answer.get_json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{owner}/documents/{made['id']}")
    assert made | described | {"description": "Front and back", "customer_id": owner.rpartition("/")[2]} == made
    assert (made["file_name"], made["media_type"], made["size"]) == ("Ausweis.pdf", "application/pdf", len(PDF))
    assert (made["sha256"], made["uploaded_by"]) == (sha256(PDF).hexdigest(), acme.admin.user_id)
    assert (made["is_expired"], *verdict(made)) == (False, "pending", None, None)
    found = acme.admin.get(answer.headers["Location"])
    assert (found.get_json(), found.headers["ETag"]) == (made, answer.headers["ETag"])
    assert rows(acme, f"{owner}/documents") == [made]


@pytest.mark.parametrize("ending", samples())
def test_every_kind_comes_back_byte_for_byte_and_is_never_shown(acme: Tenant, ending: str) -> None:
    data = samples()[ending]
    made = document(acme, "", data, f"a{ending}", media_type="text/html")

    answer = acme.admin.get(f"{made['path']}/download")

    assert (answer.status_code, answer.data, answer.mimetype) == (200, data, made["media_type"])
    assert answer.headers["Content-Disposition"] == f"attachment; filename=a{ending}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["ETag"] == f'"{sha256(data).hexdigest()}"'


@by_row(
    "values",
    [
        {"document_type": None}, {"document_type": "library card"}, {"number": "x" * 101}, {"issued_on": "tomorrow"},
        {"expires_on": "2025-02-30"}, {"sha256": "0" * 64}, {"size": "1"}, {"verification_status": "verified"},
        {"customer_id": str(uuid7())}, {"is_expired": "false"}, {"description": "x" * 501}, {"number": "a\x00"},
    ],
)  # fmt: skip
def test_a_field_that_does_not_fit_is_named_and_nothing_is_stored(acme: Tenant, values: Json) -> None:
    answer = send(acme.admin, customer(acme), **values)

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == list(values)
    assert (files_of(acme), objects_of(acme)) == ([], set())


def test_a_document_cannot_expire_before_it_was_issued(acme: Tenant) -> None:
    made = document(acme, issued_on=TODAY.isoformat(), expires_on=TOMORROW)

    answers = [
        send(acme.admin, customer(acme), issued_on=TODAY.isoformat(), expires_on=YESTERDAY),
        acme.admin.patch(made["path"], {"expires_on": YESTERDAY}),
        acme.admin.patch(made["path"], {"issued_on": "2999-01-01"}),
    ]

    assert [(each.status_code, list(each.get_json()["errors"])) for each in answers] == [(400, ["expires_on"])] * 3
    assert acme.admin.patch(made["path"], {"issued_on": None, "expires_on": YESTERDAY}).status_code == 200


@both_databases
def test_a_document_expires_when_its_day_is_over(acme: Tenant) -> None:
    owner = customer(acme)
    dates = {"never": None, "yesterday": YESTERDAY, "today": TODAY.isoformat(), "tomorrow": TOMORROW}
    made = {name: document(acme, owner, number=name, expires_on=date)["id"] for name, date in dates.items()}

    assert [row["number"] for row in rows(acme, f"{owner}/documents") if row["is_expired"]] == ["yesterday"]
    assert ids(acme, f"{owner}/documents?is_expired=true") == [made["yesterday"]]
    assert set(ids(acme, f"{owner}/documents?is_expired=false")) == {*made.values()} - {made["yesterday"]}
    assert acme.admin.get(f"{owner}/documents?is_expired=perhaps").status_code == 400


@both_databases
def test_documents_are_found_by_what_is_known_of_them(acme: Tenant) -> None:
    owner = customer(acme)
    wanted = document(acme, owner, TEXT, "Kaufvertrag.txt", number="KV-77", description="Straße")
    document(acme, owner)

    for query in (
        "search=kaufv",
        "search=kv-7",
        "search=STRASSE",
        "media_type=text/plain",
        f"sha256={wanted['sha256']}",
    ):
        assert ids(acme, f"{owner}/documents?{query}") == [wanted["id"]], query


def test_metadata_changes_and_the_file_stays(acme: Tenant) -> None:
    made = document(acme)
    path, tag = made["path"], acme.admin.get(made["path"]).headers["ETag"]

    replaced = acme.admin.put(path, {"document_type": TYPE, "number": "1"}, headers={"If-Match": tag})
    stale = acme.admin.patch(path, {"number": "2"}, headers={"If-Match": tag})
    patched = acme.admin.patch(path, {"description": "Back."})
    wrong = acme.admin.patch(path, {"file_name": "b.pdf"})

    assert [each.status_code for each in (replaced, stale, patched, wrong)] == [200, 412, 200, 400]
    assert (patched.get_json()["number"], patched.get_json()["description"]) == ("1", "Back.")
    assert acme.admin.get(f"{path}/download").data == PDF


def test_a_deleted_document_takes_its_file_along(acme: Tenant) -> None:
    owner = customer(acme)
    made, other = document(acme, owner), document(acme, owner, TEXT, "b.txt")

    assert acme.admin.delete(made["path"]).status_code == 204
    assert drained(acme.app) == 1

    assert refusal(acme.admin.get(made["path"])) == (404, "CUSTOMER_DOCUMENT_NOT_FOUND")
    assert refusal(acme.admin.get(f"{made['path']}/download")) == (404, "CUSTOMER_DOCUMENT_NOT_FOUND")
    assert objects_of(acme) == {"document.txt"}
    assert acme.admin.get(f"{other['path']}/download").data == TEXT


@both_databases
def test_a_deleted_customer_and_a_deleted_company_take_the_files_of_documents_along(
    acme: Tenant, globex: Tenant
) -> None:
    owner = customer(globex)
    document(globex, owner)
    document(globex, customer(globex), TEXT, "b.txt")

    assert globex.admin.delete(owner).status_code == 204
    drained(globex.app)
    assert objects_of(globex) == {"document.txt"}

    company = f"/companies/{globex.company_id}"
    acme.admin.patch(company, {"status": "inactive"})
    assert acme.admin.delete(f"{company}?cascade=true").status_code in (200, 204)
    drained(acme.app)
    assert (objects_of(globex), files_of(globex)) == (set(), [])


@both_databases
def test_documents_of_a_merged_customer_move_with_their_files_and_go_with_the_survivor(acme: Tenant) -> None:
    source, target = customer(acme), customer(acme)
    moved, own = document(acme, source, TEXT, "b.txt"), document(acme, target)
    acme.admin.create(f"{target}/merge", {"source_id": source.rpartition("/")[2]})

    path = f"{target}/documents/{moved['id']}"

    assert acme.admin.get(f"{path}/download").data == TEXT
    assert acme.admin.get(f"{moved['path']}/download").headers["Location"] == f"{path}/download"
    assert refusal(send(acme.admin, source)) == (409, "CUSTOMER_MERGED")
    with ZipFile(BytesIO(acme.admin.get(f"{target}/export").data)) as archive:
        assert archive.read(f"documents/{moved['id']}/b.txt") == TEXT
        assert archive.read(f"documents/{own['id']}/scan.pdf") == PDF
    assert acme.admin.delete(path).status_code == 204
    assert acme.admin.delete(target).status_code == 204
    drained(acme.app)
    assert (objects_of(acme), files_of(acme)) == (set(), [])


@both_databases
def test_a_document_outlives_the_users_who_sent_and_verified_it(acme: Tenant) -> None:
    rights = ("CREATE", "UPDATE")
    clerk, owner = user_with(acme, *(f"identity:customer_document:{each}" for each in rights)), customer(acme)
    path = f"{owner}/documents/{send(clerk, owner).get_json()['id']}"
    clerk.put(f"{path}/verify", {"status": "verified"})

    acme.admin.delete(f"/users/{clerk.user_id}")

    found = shown(acme, path)
    assert (found["uploaded_by"], *verdict(found)) == (None, "verified", None, None)


# Who may, and what is said of what is not there


def test_each_thing_needs_its_own_permission(acme: Tenant) -> None:
    owner = customer(acme)
    path = document(acme, owner)["path"]

    def asked(client: ApiClient) -> dict[str, list[int]]:
        return {
            "LIST": [client.get(f"{owner}/documents").status_code],
            "READ": [client.get(path).status_code, client.get(f"{path}/download").status_code],
            "CREATE": [send(client, owner).status_code],
            "UPDATE": [
                client.patch(path, {}).status_code,
                client.put(f"{path}/verify", {"status": "verified"}).status_code,
            ],
        }

    for operation in ("LIST", "READ", "CREATE", "UPDATE"):
        found = asked(user_with(acme, f"identity:customer_document:{operation}"))
        allowed = {name for name, statuses in found.items() if set(statuses) <= {200, 201}}
        assert allowed == {operation}, found
        assert {status for name in found.keys() - allowed for status in found[name]} == {403}
    assert user_with(acme, "identity:customer_document:UPDATE").delete(path).status_code == 403


def test_a_document_is_found_below_its_own_customer_only(acme: Tenant, globex: Tenant) -> None:
    made, elsewhere = document(acme), customer(acme)
    strayed = f"{elsewhere}/documents/{made['id']}"

    for path in (strayed, f"{strayed}/download"):
        assert refusal(acme.admin.get(path)) == (404, "CUSTOMER_DOCUMENT_NOT_FOUND")
        assert refusal(globex.admin.get(path)) == (404, "CUSTOMER_NOT_FOUND")
    assert refusal(acme.admin.put(f"{strayed}/verify", {"status": "verified"})) == (404, "CUSTOMER_DOCUMENT_NOT_FOUND")


def test_the_refusals_of_an_upload_come_in_the_order_of_the_contract(acme: Tenant, globex: Tenant) -> None:
    owner, foreign = customer(acme), customer(globex)
    reader = user_with(acme, "identity:customer_document:READ")
    wrong: Json = {"data": {"file": (BytesIO(b"\x7fELF"), "a.pdf"), "document_type": "none"}}

    assert reader.post(f"{foreign}/documents", {}).status_code == 403
    assert refusal(acme.admin.post(f"{foreign}/documents", {})) == (404, "CUSTOMER_NOT_FOUND")
    assert acme.admin.post(f"{owner}/documents", {}).status_code == 415
    assert list(acme.admin.post(f"{owner}/documents", **wrong).get_json()["errors"]) == ["file"]


@by_row(
    ("form", "named"),
    [
        ({"document_type": TYPE}, "file"),
        ({"document_type": TYPE, "file": "text"}, "file"),
        ({"document_type": TYPE, "file": (BytesIO(b""), "a.pdf")}, "file"),
        ({"document_type": TYPE, "file": (BytesIO(PDF), "a.pdf"), "other": (BytesIO(PDF), "b.pdf")}, "other"),
        ({"document_type": TYPE, "file": [(BytesIO(PDF), "a.pdf"), (BytesIO(PDF), "b.pdf")]}, "file"),
        ({"document_type": [TYPE, TYPE], "file": (BytesIO(PDF), "a.pdf")}, "document_type"),
        ({"document_type": TYPE, "file": (BytesIO(PDF), "a.pdf"), "title": "x"}, "title"),
    ],
)
def test_a_form_that_does_not_fit_is_refused(acme: Tenant, form: Json, named: str) -> None:
    copied = {name: _again(value) for name, value in form.items()}

    answer = acme.admin.post(f"{customer(acme)}/documents", data=copied, content_type="multipart/form-data")

    assert (answer.status_code, list(answer.get_json()["errors"])) == (400, [named])
    assert files_of(acme) == []


def _again(value: Any) -> Any:
    """The test client closes what it has sent, and each database gets its turn."""
    if isinstance(value, list):
        return [_again(each) for each in value]
    return (BytesIO(value[0].getbuffer()), value[1]) if isinstance(value, tuple) else value


def test_reading_and_uploading_cost_a_fixed_number_of_statements(acme: Tenant, statements: Any) -> None:
    owner, decision = customer(acme), 1
    path = document(acme, owner)["path"]

    with statements() as item:
        acme.admin.get(path)
    with statements() as download:
        acme.admin.get(f"{path}/download")
    with statements() as upload:
        send(acme.admin, owner)

    assert len(item) == len(download) == 2 + decision
    assert len(upload) <= 12 + decision
