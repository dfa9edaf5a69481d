"""The examples in the OpenAPI document, sent as they stand to a service with the demo's data."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.demo.service import PASSWORD
from tests.support.clients import ApiClient
from tests.support.contract import spec
from tests.support.databases import app_on_sqlite

Json = dict[str, Any]
ENDS_THE_SESSION = "/auth/logout"
BY_COOKIE = "/auth/refresh"
OF_A_CUSTOMER = "/customers/{customer_id}/"


@pytest.fixture(scope="module")
def administrator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """Of the platform company of the demo."""
    with app_on_sqlite(tmp_path_factory.mktemp("examples"), REGISTRATION="open") as app:
        assert app.test_cli_runner().invoke(args=["demo"]).exit_code == 0
        email = "admin@acme.example"
        session = ApiClient(app).post("/auth/login?token=body", {"email": email, "password": PASSWORD}).get_json()
        yield ApiClient(app, session["access_token"], email=email)


def examples() -> Iterator[tuple[str, str, Json]]:
    """Method, path and example, where no id but a customer's is needed."""
    for path, item in spec()["paths"].items():
        for method, described in item.items():
            content = described.get("requestBody", {}).get("content", {}).get("application/json", {})
            if "example" in content and path != BY_COOKIE and "{" not in path.removeprefix(OF_A_CUSTOMER):
                yield method.upper(), path, content["example"]


def test_every_example_without_an_id_is_accepted_as_it_stands(administrator: ApiClient) -> None:
    customer = administrator.get("/customers?limit=1").get_json()["data"][0]["id"]
    refused = {}

    for method, path, body in sorted(examples(), key=lambda sent: (sent[1] == ENDS_THE_SESSION, sent[0] != "POST")):
        answer = administrator.request(method, path.replace("{customer_id}", customer), body)
        if answer.status_code >= 300:
            refused[f"{method} {path}"] = answer.text

    assert refused == {}


def test_every_plain_collection_has_an_example_of_a_new_item() -> None:
    """But for those whose items refer to another by its id."""
    with_example = {path for method, path, _ in examples() if method == "POST"}
    creations = {
        path: item["post"]["requestBody"]
        for path, item in spec()["paths"].items()
        if "{" not in path and item.get("post", {}).get("operationId", "").startswith("create")
    }

    assert creations.keys() - with_example == {"/positions", "/guardian/user-roles"}
