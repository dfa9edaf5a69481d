"""``flask guardian import``: another service's permissions, and decisions about them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import Engine, delete, func, select

from app.core.db.models import Model
from tests.support.clients import Tenant
from tests.support.everything import everything
from tests.support.roles import user_with
from tests.support.served import Through
from tests.support.variants import Variant

__all__ = ["everything"]

SERVICE = "storage"
READ = {"service": SERVICE, "resource_name": "file", "operation": "READ", "description": "Open a file."}
WRITE = {"service": SERVICE, "resource_name": "file", "operation": "WRITE"}


@pytest.fixture
def imported(app: Flask, everything: Engine, tmp_path: Path) -> Iterator[Any]:
    """Runs the command on a file with this content."""

    def run(content: Any, at: Flask = app) -> Result:
        file = tmp_path / "catalogue.json"
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return at.test_cli_runner().invoke(args=["guardian", "import", str(file)])

    yield run
    tables = Model.metadata.tables
    with everything.begin() as connection:
        connection.execute(delete(tables["policy_permission"]))
        connection.execute(delete(tables["permission"]).where(tables["permission"].c.service.not_in(OWN)))


OWN = ("identity", "guardian")


def rows(everything: Engine) -> int:
    with everything.connect() as connection:
        return connection.execute(select(func.count()).select_from(Model.metadata.tables["permission"])).scalar_one()


def test_permissions_of_another_service_are_decided_here(acme: Tenant, imported: Any, engine: Through) -> None:
    assert imported([READ, WRITE]).exit_code == 0
    reader = engine(user_with(acme, "storage:file:READ"))
    question = {"user_id": reader.user_id, "company_id": reader.company_id}

    read = reader.post("/guardian/check-access", question | {k: v for k, v in READ.items() if k != "description"})
    write = reader.post("/guardian/check-access", question | WRITE)
    listed = engine(acme.admin).get("/guardian/permissions", query_string={"service": SERVICE}).get_json()

    assert (read.get_json()["access_granted"], write.get_json()["access_granted"]) == (True, False)
    assert [{name: each[name] for name in READ} for each in listed] == [READ, {**WRITE, "description": None}]
    assert acme.admin.get(f"/users/{reader.user_id}/permissions").get_json() == {"permissions": listed[:1]}
    assert "storage:file:READ" in acme.admin.get("/users/roles").text


def test_importing_again_changes_nothing(imported: Any, everything: Engine) -> None:
    first = imported([READ, WRITE, READ])
    after = rows(everything)
    second = imported([WRITE, READ])

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert rows(everything) == after
    assert second.output == "Permissions: 2, of storage.\n"


def test_catalogue_of_thousands_is_taken(imported: Any, everything: Engine) -> None:
    before = rows(everything)

    result = imported([{**WRITE, "resource_name": f"thing_{n}"} for n in range(7000)])

    assert (result.exit_code, rows(everything)) == (0, before + 7000)


FAULTS: list[tuple[Any, str]] = [
    (b"[", "not valid JSON"),
    (b"\xff", "not valid JSON"),
    ({"permissions": []}, "must hold a JSON list"),
    ([[]], "Invalid input"),
    ([{**READ, "service": "identity"}], "come with it"),
    ([{**READ, "service": "guardian"}], "come with it"),
    ([{**READ, "service": "a:b"}], "make a name"),
    ([{**READ, "operation": "READ\nALL"}], "make a name"),
    ([{**READ, "operation": " "}], "blank"),
    ([{**READ, "operation": None}], "null"),
    ([{**READ, "resource_name": "x" * 101}], "100"),
    ([{**READ, "roles": []}], "Unknown"),
    ([WRITE, {"service": SERVICE}], '"1"'),
]


def test_file_with_a_fault_is_refused_as_a_whole(imported: Any, everything: Engine) -> None:
    before = rows(everything)

    for content, said in FAULTS:
        result = imported(content)
        assert (result.exit_code, said in result.output) == (1, True), (content, result.output)

    assert rows(everything) == before


def test_catalogue_goes_where_the_roles_are(imported: Any, variant: Variant) -> None:
    result = imported([READ], at=variant(GUARDIAN_SERVICE_URL="http://engine.example"))

    assert result.exit_code == 1
    assert "kept in another service" in result.output
