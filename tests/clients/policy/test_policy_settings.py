"""What an operator sets: which engine, in which language, with whose roles; and the catalogue for it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from click.testing import Result
from flask import Flask

from app.base.errors import SettingsError
from app.core.services import services
from tests.accounts.auth.external import mint
from tests.clients.policy.test_decisions import statements_of
from tests.fakes.guardian import FakeGuardian, decides_each
from tests.support.clients import ApiClient, Tenant
from tests.support.databases import settings_for
from tests.support.marks import one_database
from tests.support.roles import give, role_with
from tests.support.rows import by_row
from tests.support.variants import Variant

pytestmark = one_database

URL = "https://pdp.example.com"


def faults(**environ: str) -> list[str]:
    try:
        settings_for("sqlite:///nothing.db", **environ)
    except SettingsError as error:
        return [fault.split()[0] for fault in error.faults]
    return []


@by_row(
    ("environ", "named"),
    [
        ({"GUARDIAN_PROTOCOL": "grpc"}, ["GUARDIAN_PROTOCOL"]),
        ({"GUARDIAN_PROTOCOL": "authzen", "GUARDIAN_SERVICE_URL": "embedded"}, ["GUARDIAN_PROTOCOL=authzen"]),
        ({"GUARDIAN_PROTOCOL": "authzen", "GUARDIAN_SERVICE_URL": ""}, ["GUARDIAN_PROTOCOL=authzen"]),
        ({"GUARDIAN_SERVICE_URL": "ftp://x"}, ["GUARDIAN_SERVICE_URL"]),
        ({"GUARDIAN_SERVICE_URL": "http://user:pass@guardian.example"}, ["GUARDIAN_SERVICE_URL"]),
        ({"GUARDIAN_SERVICE_URL": "http://guardian.example/?a=b"}, ["GUARDIAN_SERVICE_URL"]),
        ({"GUARDIAN_SERVICE_URL": "http://guardian.example?"}, ["GUARDIAN_SERVICE_URL"]),
        ({"GUARDIAN_SERVICE_URL": "http://guardian.example/#top"}, ["GUARDIAN_SERVICE_URL"]),
        ({"GUARDIAN_SERVICE_URL": "http://guardian example"}, ["GUARDIAN_SERVICE_URL"]),
        ({"GUARDIAN_SERVICE_URL": "http://guardian.example/a b"}, ["GUARDIAN_SERVICE_URL"]),
        ({"GUARDIAN_SERVICE_URL": "http://guardian.example:65536"}, ["GUARDIAN_SERVICE_URL"]),
        ({"GUARDIAN_SERVICE_URL": "http://guardian.example:0"}, ["GUARDIAN_SERVICE_URL"]),
        ({"GUARDIAN_SERVICE_URL": "http://guardian.example:x"}, ["GUARDIAN_SERVICE_URL"]),
        ({"GUARDIAN_SERVICE_URL": "http://guardiän.example"}, ["GUARDIAN_SERVICE_URL"]),
        ({"GUARDIAN_SERVICE_URL": f"{URL}:8080/guardian/"}, []),
        ({"GUARDIAN_PROTOCOL": "authzen", "GUARDIAN_SERVICE_URL": "http://x:99999"}, ["GUARDIAN_SERVICE_URL"]),
        ({"GUARDIAN_DECISION_TTL_SECONDS": "-1"}, ["GUARDIAN_DECISION_TTL_SECONDS"]),
        ({"GUARDIAN_DECISION_TTL_SECONDS": "nan"}, ["GUARDIAN_DECISION_TTL_SECONDS:"]),
        ({"GUARDIAN_DECISION_TTL_SECONDS": "soon"}, ["GUARDIAN_DECISION_TTL_SECONDS:"]),
        ({"GUARDIAN_TOKEN": "two words"}, ["GUARDIAN_TOKEN"]),
        ({"GUARDIAN_TOKEN": "a\r\nX-Evil: 1"}, ["GUARDIAN_TOKEN"]),
        ({"GUARDIAN_PROTOCOL": "authzen", "GUARDIAN_SERVICE_URL": URL, "GUARDIAN_TOKEN": "abc.def-1~+/="}, []),
        ({"GUARDIAN_DECISION_TTL_SECONDS": "0.5"}, []),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_start(environ: dict[str, str], named: list[str]) -> None:
    assert faults(**environ) == named


@pytest.mark.parametrize(
    ("environ", "keeps_roles"),
    [
        ({"GUARDIAN_SERVICE_URL": "embedded"}, True),
        ({"GUARDIAN_SERVICE_URL": URL}, False),
        ({"GUARDIAN_SERVICE_URL": URL, "GUARDIAN_PROTOCOL": "authzen"}, True),
    ],
)
def test_roles_are_kept_here_unless_a_guardian_keeps_them(environ: dict[str, str], keeps_roles: bool) -> None:
    assert settings_for("sqlite:///nothing.db", **environ).keeps_roles is keeps_roles


def test_the_token_for_the_engine_is_not_shown(acme: Tenant, variant: Variant) -> None:
    secret = "a-token-for-the-engine"
    app = variant(GUARDIAN_TOKEN=secret)

    answer = ApiClient(app, acme.admin.token).get("/config")

    assert secret not in answer.text
    assert secret not in repr(settings_for("sqlite:///nothing.db", GUARDIAN_TOKEN=secret))


# The roles that an AuthZEN engine is told.


@pytest.fixture
def engine() -> Iterator[FakeGuardian]:
    with FakeGuardian(decides_each(lambda _asked: True)) as running:
        yield running


def told(engine: FakeGuardian, app: Flask, token: str | None) -> list[str]:
    engine.seen.clear()
    assert ApiClient(app, token).get("/customers").status_code == 200
    properties = engine.seen[-1].asked["subject"]["properties"]
    assert properties["roles"] == properties["cerbos.roles"]
    found: list[str] = properties["roles"]
    return found


def authzen(variant: Variant, engine: FakeGuardian, **more: str) -> Flask:
    return variant(GUARDIAN_PROTOCOL="authzen", GUARDIAN_SERVICE_URL=engine.url, **more)


def test_default_roles_go_by_their_code_and_a_companys_own_by_their_id(
    variant: Variant, engine: FakeGuardian, acme: Tenant
) -> None:
    user = acme.user("viewer")
    own = role_with(acme, "identity:customer:LIST")
    give(acme, user, own)
    app = authzen(variant, engine)

    assert told(engine, app, user.token) == sorted(["viewer", own])
    assert told(engine, app, acme.user().token) == []


def test_a_role_that_is_called_like_a_default_one_does_not_pass_for_it(
    variant: Variant, engine: FakeGuardian, acme: Tenant
) -> None:
    user = acme.user()
    made = acme.admin.create("/guardian/roles", {"name": "superuser"})
    give(acme, user, made["id"])

    assert told(engine, authzen(variant, engine), user.token) == [made["id"]]


def test_roles_of_another_companys_user_are_not_told(
    variant: Variant, engine: FakeGuardian, acme: Tenant, globex: Tenant
) -> None:
    app = authzen(variant, engine)

    assert told(engine, app, globex.user("viewer").token) == ["viewer"]
    assert engine.seen[-1].asked["subject"]["properties"]["company_id"] == str(globex.company_id)


def test_reading_the_roles_is_one_statement(variant: Variant, engine: FakeGuardian, acme: Tenant) -> None:
    app = authzen(variant, engine)
    path = f"/users/{acme.admin.user_id}"

    assert len(statements_of(app, ApiClient(app, acme.admin.token), path)) == 3
    assert len(statements_of(app, ApiClient(app, acme.admin.token), f"{path}?expand=position,company")) <= 6


CLAIMS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "a_list": ("roles", {"roles": ["auditor", "clerk"]}, ["auditor", "clerk"]),
    "one_name": ("role", {"role": "auditor"}, ["auditor"]),
    "an_empty_list": ("roles", {"roles": []}, []),
    "inside_an_object": ("realm_access.roles", {"realm_access": {"roles": ["auditor"]}}, ["auditor"]),
    "a_name_with_dots": ("https://a.example/roles", {"https://a.example/roles": ["auditor"]}, ["auditor"]),
    "absent": ("roles", {"role": ["auditor"]}, ["viewer"]),
    "null": ("roles", {"roles": None}, ["viewer"]),
    "absent_inside": ("realm_access.roles", {"realm_access": {"role": ["auditor"]}}, ["viewer"]),
    "beside_an_object": ("realm_access.roles", {"realm_access": "auditor"}, ["viewer"]),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_that_is_named_takes_the_place_of_the_tables_where_the_token_has_it(
    variant: Variant, engine: FakeGuardian, acme: Tenant, name: str
) -> None:
    claim, claims, roles = CLAIMS[name]
    app = authzen(variant, engine, AUTHZEN_ROLES_CLAIM=claim)

    assert told(engine, app, mint(acme.user("viewer"), **claims)) == roles


def test_without_a_named_claim_no_claim_counts(variant: Variant, engine: FakeGuardian, acme: Tenant) -> None:
    assert told(engine, authzen(variant, engine), mint(acme.user("viewer"), roles=["administrator"])) == ["viewer"]


@by_row("roles", [7, True, {"a": 1}, [7], ["auditor", None], [["auditor"]], [""], ["auditor", ""]])
def test_roles_that_are_no_names_are_401(variant: Variant, engine: FakeGuardian, acme: Tenant, roles: object) -> None:
    app = authzen(variant, engine, AUTHZEN_ROLES_CLAIM="roles")

    assert ApiClient(app, mint(acme.user("viewer"), roles=roles)).get("/customers").status_code == 401
    assert engine.seen == []


def test_a_remembered_grant_is_for_the_roles_that_it_was_given_for(
    variant: Variant, engine: FakeGuardian, acme: Tenant
) -> None:
    engine.behaviour = decides_each(lambda asked: "auditor" in asked["subject"]["properties"]["roles"])
    app = authzen(variant, engine, AUTHZEN_ROLES_CLAIM="roles", GUARDIAN_DECISION_TTL_SECONDS="600")
    user = acme.user()

    found = [
        ApiClient(app, mint(user, roles=roles)).get("/customers").status_code
        for roles in (["auditor"], ["clerk"], None, ["auditor"])
    ]

    assert found == [200, 403, 403, 200]


# The catalogue.


def written(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["guardian", "catalogue", *arguments])


def test_every_permission_is_in_the_catalogue_with_the_default_roles_that_hold_it(app: Flask) -> None:
    rows = json.loads(written(app).output)

    with app.app_context():
        assert len(rows) == len(services().catalogue)
    by_name = {(row["service"], row["resource_name"], row["operation"]): row for row in rows}
    assert by_name["identity", "customer", "CREATE"]["roles"] == ["administrator", "manager"]
    assert by_name["identity", "customer", "READ"]["roles"] == ["administrator", "manager", "viewer"]
    assert by_name["identity", "customer", "DELETE"]["roles"] == ["administrator"]
    assert by_name["identity", "company", "CREATE"]["platform"] is True


def test_what_another_service_writes_for_a_guardian_can_be_imported(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "catalogue.json"
    as_of_another_service = written(app, "--format", "guardian").output.replace('"service": "', '"service": "other-')
    file.write_text(as_of_another_service)

    done = app.test_cli_runner().invoke(args=["guardian", "import", str(file)])

    assert done.exit_code == 0, done.output
    assert set(json.loads(file.read_text())[0]) == {"service", "resource_name", "operation", "description"}


def test_what_is_written_for_cerbos_is_one_policy_of_each_kind(app: Flask, tmp_path: Path) -> None:
    documents = list(yaml.safe_load_all(written(app, "--format", "cerbos").output))
    written(app, "--format", "cerbos", "--output", str(tmp_path / "policies"))

    kinds = [each["resourcePolicy"]["resource"] for each in documents]
    assert len(kinds) == len(set(kinds))
    assert {path.name for path in (tmp_path / "policies").iterdir()} == {f"{kind}.yaml" for kind in kinds}
    assert documents == [yaml.safe_load((tmp_path / "policies" / f"{kind}.yaml").read_text()) for kind in kinds]


def test_only_cerbos_takes_a_directory(app: Flask, tmp_path: Path) -> None:
    assert written(app, "--format", "json", "--output", str(tmp_path)).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_an_id_that_is_none_is_asked_about_as_no_item(variant: Variant, engine: FakeGuardian, acme: Tenant) -> None:
    speaker = ApiClient(authzen(variant, engine), acme.admin.token)

    for id in ("x" * 400, "a%20b", str(uuid4()).replace("-", "")):
        assert speaker.get(f"/customers/{id}").status_code in (400, 404)

    assert {seen.asked["resource"]["id"] for seen in engine.seen if seen.method == "POST"} <= {"*"}
