"""The one sentence of a refusal: it says what is wrong, and where."""

from typing import Any

from app.base.errors import Invalid
from app.core.services import services
from tests.core.web.sending import send
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row


@by_row(
    "errors, message",
    [
        ({"email": ["Not found."]}, "email: Not found."),
        ({"email": ["Too long.", "No address."]}, "email: Too long. No address."),
        ({"a": ["x"], "b": ["y"], "c": ["z"]}, "3 fields are not valid: a, b, c"),
        ({"admin": {"email": ["x"]}}, "admin.email: x"),
        ({"methods": {3: {"value": ["x"]}, 7: ["y"]}}, "2 fields are not valid: methods.3.value, methods.7"),
        ({"_schema": ["Give one of both."]}, "Give one of both."),
        ({"admin": {"_schema": ["Not an object."]}}, "admin: Not an object."),
        ({"n" * 5000: ["x"]}, f"{'n' * 100}: x"),
        ({}, "The request is not valid."),
    ],
)
def test_a_faulty_field_is_named_in_the_message(errors: dict[str, Any], message: str) -> None:
    assert Invalid(errors=errors).detail == message


def test_a_message_names_twenty_fields_and_not_thousands() -> None:
    detail = Invalid(errors={f"f{number}": ["x"] for number in range(5000)}).detail

    assert detail.startswith("5000 fields are not valid: f0, f1, ")
    assert detail.endswith("f19, …")


@one_database
def test_the_answer_carries_the_message(acme: Tenant) -> None:
    one, two = acme.admin.post("/customers", {"name": " "}), acme.admin.get("/customers?page=0&nmae=x")

    assert one.get_json()["message"] == one.get_json()["detail"] == "name: Must not be blank."
    assert two.get_json()["detail"].startswith("nmae: Unknown parameter.")
    assert acme.admin.get("/customers?user_id=1").get_json()["detail"] == "user_id: Not a valid UUID."


@by_row(
    "body, message",
    [
        (b"", "The body is empty."),
        (b"{", "The body is not valid JSON at line 1, column 2: Expecting property name enclosed in double quotes."),
        (b'{\n  "a": 1,\n  "b" 2}', "The body is not valid JSON at line 3, column 7: Expecting ':' delimiter."),
        (b'{"a": 1} x', "The body is not valid JSON at line 1, column 10: Extra data."),
        (b'{"a": NaN}', "The body is not valid JSON: NaN is no number of JSON."),
        (b'{"a": 1, "a": 2}', "The body is not valid JSON: a name is repeated, or has control characters."),
        (b'{"a": "\xff"}', "The body is not in UTF-8."),
        (b"[" * 10_000, "The body is nested too deeply."),
        (b'{"a": ' + b"9" * 5000 + b"}", "The body has a number with too many digits."),
    ],
)
@one_database
def test_malformed_json_is_told_where(acme: Tenant, body: bytes, message: str) -> None:
    answer = send(acme.admin, body)

    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "MALFORMED_JSON")
    assert answer.get_json()["detail"] == message


@one_database
def test_a_missing_body_is_said_to_be_empty_whatever_its_type(acme: Tenant) -> None:
    answer = acme.admin.post("/customers")

    assert answer.status_code == 415
    assert answer.get_json()["detail"] == "The body is empty. It must be application/json."


@one_database
def test_a_denial_names_the_permission(acme: Tenant) -> None:
    viewer, customer = acme.user("viewer"), acme.user()

    assert viewer.post("/customers", {"name": "x"}).get_json()["permission"] == "customer:CREATE"
    assert viewer.post("/guardian/roles", {"name": "x"}).get_json()["permission"] == "guardian:role:CREATE"
    assert customer.get("/users/me/permissions").get_json()["permissions"] == []
    assert "permission" not in acme.admin.get("/customers/x").get_json()


@one_database
def test_a_denial_of_one_of_several_permissions_names_that_one(acme: Tenant) -> None:
    with acme.app.app_context():
        assert services().settings.embedded_guardian
    manager = acme.user("customer")
    answer = manager.get("/customers?expand=user")

    assert answer.status_code == 403
    assert answer.get_json()["permission"] == "customer:LIST"
