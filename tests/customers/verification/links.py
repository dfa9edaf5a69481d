"""Links that verify the address of a customer."""

import re

from flask import Flask
from werkzeug.test import TestResponse

from tests.customers.merge.merging import code_of
from tests.support.clients import ApiClient, Tenant
from tests.support.everything import everything
from tests.support.letters import Letter, Letters, letters

__all__ = ["everything", "letters"]
VERIFY = "/customers/verify-email"
LINK = re.compile(r"^(\S+/customers/verify-email)\?token=(\S+)$", re.MULTILINE)
ADDRESS = "wile@example.com"
JSON = {"Accept": "application/json"}


def send(company: Tenant, path: str) -> TestResponse:
    return company.admin.post(f"{path}/verify-email")


def token_in(letter: Letter) -> str:
    found = LINK.search(letter.text)
    assert found, letter.text
    return found[2]


def linked(company: Tenant, path: str, letters: Letters, to: str = ADDRESS) -> str:
    """The token of a link that was mailed."""
    answer = send(company, path)
    assert answer.status_code == 202, answer.text
    return token_in(letters.one(to))


def follow(app: Flask, token: str, headers: dict[str, str] = JSON) -> TestResponse:
    return ApiClient(app).get(VERIFY, query_string={"token": token}, headers=headers)


def check_refused(answer: TestResponse) -> None:
    assert code_of(answer) == (400, "INVALID_LINK")
