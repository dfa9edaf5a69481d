"""A new entity is its folder, one mounted slice and a migration: everything else finds it by itself."""

import json
import subprocess
import sys
from typing import Any

import pytest

from app.config.settings import ROOT
from tests.support.databases import TEMPLATE, Postgres, copy_sqlite, worker

READS, WRITES = ["LIST", "READ"], ["CREATE", "UPDATE"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def found(request: pytest.FixtureRequest, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a process with the slice shows of it, on a database of its own."""
    if request.param == "sqlite":
        url = copy_sqlite(tmp_path_factory.mktemp("gadgets") / "identity.db")
    else:
        name = f"gadgets_{worker()}"
        postgres.create(name, TEMPLATE)
        url = postgres.url(name).replace("postgresql://", "postgresql+psycopg://")
    command = [sys.executable, "-m", "tests.support.gadgets.walk", url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_its_routes_are_in_the_matrix_of_isolation(found: Any) -> None:
    items = ["DELETE", "GET", "PATCH", "PUT"]

    assert found["matrix"] == sorted(["GET /gadgets", "POST /gadgets", *(f"{each} /gadgets/<id>" for each in items)])


def test_its_rows_are_kept_from_other_tenants(found: Any) -> None:
    assert (found["reachable"], found["leaking"], found["accepted"]) == ([], [], [])


@pytest.mark.parametrize("found", ["sqlite"], indirect=True)
def test_the_matrix_would_notice_a_leak(found: Any) -> None:
    assert found["unguarded"] != []


def test_it_is_in_the_openapi_document(found: Any) -> None:
    assert found["openapi"] == {"/gadgets": ["get", "post"], "/gadgets/{id}": ["delete", "get", "patch", "put"]}


def test_its_permissions_are_in_the_catalogue_and_in_the_default_roles_of_a_new_company(found: Any) -> None:
    assert found["operations"] == sorted([*READS, *WRITES, "DELETE"])
    assert found["default_roles"] == {"manager": sorted([*READS, *WRITES]), "viewer": READS, "customer": []}
    assert found["roles_of_acme"] == {
        "administrator": [],
        "manager": sorted(f"gadget:{each}" for each in (*READS, *WRITES)),
        "viewer": ["gadget:LIST", "gadget:READ"],
        "customer": [],
    }


def test_its_rows_are_counted(found: Any) -> None:
    assert (found["total"], found["held"]) == (2, 1)
