"""The engine as a process of its own, and this service asking it: from the first initialization on."""

import subprocess
import sys

import pytest
from flask import Flask

from app import create_guardian
from app.config.settings import ROOT
from app.core.services import Services
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.databases import ENVIRONMENT
from tests.support.roles import user_with
from tests.support.served import Served
from tests.support.variants import Variant

FIRST = {"company": {"name": "Acme"}, "user": {"email": "ada@acme.example", "password": PASSWORD}}


@pytest.mark.usefixtures("empty")
def test_first_administrator_of_two_services_comes_to_work(variant: Variant, served: Served) -> None:
    remote = variant(GUARDIAN_SERVICE_URL=served.url)
    nobody = ApiClient(remote)

    made = nobody.post("/init-db", FIRST).get_json()
    login = nobody.post(
        "/auth/login", {"email": "ada@acme.example", "password": PASSWORD}, query_string={"token": "body"}
    )
    ada = ApiClient(remote, login.get_json()["access_token"], made["user"]["id"], made["company"]["id"])
    before = ada.get("/customers")
    wish = {"company": {"company_id": ada.company_id}, "user": {"user_id": ada.user_id}}
    initialized = served.speaking(nobody).post("/guardian/init-db", wish)
    after = ada.get("/customers")

    assert (before.status_code, before.get_json()["error_code"]) == (403, "ACCESS_DENIED")
    assert initialized.status_code == 201
    assert after.status_code == 200
    assert [each["role"]["code"] for each in ada.get(f"/users/{ada.user_id}/roles").get_json()["roles"]] == [
        "administrator"
    ]


def test_service_asks_the_engine_on_every_request(acme: Tenant, variant: Variant, served: Served) -> None:
    remote = variant(GUARDIAN_SERVICE_URL=served.url)
    reader = user_with(acme, "identity:customer:LIST")
    at_remote = ApiClient(remote, reader.token, reader.user_id, reader.company_id)

    listed, denied = at_remote.get("/customers"), at_remote.post("/customers", {"name": "New"})

    assert listed.status_code == 200
    assert (denied.status_code, denied.get_json()["detail"]) == (403, "No role of the user grants this.")


@pytest.mark.usefixtures("patient_health")
def test_health_of_the_service_tells_of_the_engine(app: Flask, variant: Variant, served: Served) -> None:
    found = ApiClient(variant(GUARDIAN_SERVICE_URL=served.url)).get("/health").get_json()

    assert found["checks"]["guardian"]["healthy"] is True


def test_engine_serves_itself_and_nothing_of_the_directory(served: Served, app: Flask) -> None:
    nobody = served.speaking(ApiClient(app))

    statuses = {path: nobody.get(path).status_code for path in ("/users", "/auth/sessions", "/docs", "/openapi.json")}
    at_both = [nobody.get(path).status_code for path in ("/guardian/roles", "/guardian/guardian/roles")]

    assert set(statuses.values()) == {404}
    assert at_both == [401, 401]
    assert nobody.get("/health/ready").status_code == 200


def test_engine_takes_nothing_from_settings_that_are_about_another_engine() -> None:
    theirs = {
        "FLASK_ENV": "staging",
        "GUARDIAN_SERVICE_URL": "http://127.0.0.1:9",
        "GUARDIAN_PROTOCOL": "authzen",
        "COOKIE_HOST_PREFIX": "true",
    }

    engine = create_guardian(ENVIRONMENT | theirs)

    kernel: Services = engine.extensions["identity"]
    assert kernel.settings.embedded_guardian
    assert kernel.settings.use_guardian_service
    # The protocol's cookie has one name, whatever browsers get.
    assert kernel.authenticator.access_cookie == "access_token"


def test_process_with_faulty_settings_says_so_and_does_not_start() -> None:
    command = [sys.executable, "-c", "import guardian_wsgi"]

    found = subprocess.run(
        command, cwd=ROOT, env={"FLASK_ENV": "production"}, capture_output=True, text=True, check=False
    )

    assert found.returncode == 3
    assert "INIT_TOKEN is required in production." in found.stderr
