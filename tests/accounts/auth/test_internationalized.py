"""Accounts whose mailbox has an internationalized domain: one mailbox, one account, however it is written."""

from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.marks import one_database

UNICODE, ASCII = "ada@münchen.example", "ada@xn--mnchen-3ya.example"


def test_the_address_is_stored_once_in_its_a_label_form(acme: Tenant, globex: Tenant) -> None:
    body = {"password": "lantern-otter-42"}
    made = acme.admin.create("/users", body | {"email": "Ada@MÜNCHEN.example"})

    assert made["email"] == ASCII
    for email in (UNICODE, ASCII, "ADA@mu\u0308nchen.example"):
        assert globex.admin.post("/users", body | {"email": email}).status_code == 409
        found = acme.admin.get("/users", query_string={"email": email}).get_json()["data"]
        assert [row["id"] for row in found] == [made["id"]]


@one_database
def test_its_owner_signs_in_by_every_spelling(acme: Tenant, anonymous: ApiClient) -> None:
    acme.user(email=ASCII)

    for email in (UNICODE, ASCII, " Ada@München.EXAMPLE "):
        assert anonymous.post("/auth/login", {"email": email, "password": PASSWORD}).status_code == 200


@one_database
def test_an_operator_names_the_account_by_every_spelling(acme: Tenant) -> None:
    acme.user(email=ASCII)

    for email in (UNICODE, ASCII):
        result = acme.app.test_cli_runner().invoke(args=["users", "reset-password", email])
        assert result.exit_code == 0, result.output
