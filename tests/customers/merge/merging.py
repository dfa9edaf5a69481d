"""Merging two customers through the API."""

from werkzeug.test import TestResponse

from tests.customers.dossier import Json
from tests.support.clients import Tenant


def id_of(path: str) -> str:
    return path.rpartition("/")[2]


def merge(company: Tenant, target: str, source: str, *, dry_run: bool = False, **choices: str) -> TestResponse:
    body: Json = {"source_id": id_of(source)} | ({"fields": choices} if choices else {})
    return company.admin.post(f"{target}/merge{'?dry_run=true' if dry_run else ''}", body)


def merged(company: Tenant, target: str, source: str, **choices: str) -> Json:
    answer = merge(company, target, source, **choices)
    assert answer.status_code == 201, answer.text
    found: Json = answer.get_json()
    return found


def undo(company: Tenant, target: str, source: str) -> TestResponse:
    return company.admin.post(f"{target}/merge/{id_of(source)}/undo")


def undone(company: Tenant, target: str, source: str) -> Json:
    answer = undo(company, target, source)
    assert answer.status_code == 200, answer.text
    found: Json = answer.get_json()
    return found


def code_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error_code"]
